internal import CNFTables
internal import Glibc
internal import Netfilter
package import RuleStore

/// How an image is put back.
package struct RestoreOptions: Hashable, Sendable {
  /// Which of the image's tables; of the kernel's, which may be removed.
  package var selection = ImageSelection.all
  /// Remove the chosen tables that the image lacks.
  package var isExclusive = false
  /// Let the kernel try everything and keep nothing.
  package var isTrial = false
  /// Do nothing when nf_tables is no longer in this generation; nil for in any.
  package var expecting: UInt32?
  /// Give what is in these tables the numbers that it had.
  package var handles: [RulesetImage.ID: TableHandles] = [:]
  package init() {}
}

/// What a restore did, or in a trial would do.
package struct RestoreReport: Hashable, Sendable {
  /// Tables that were there and are now as in the image.
  package var replaced: [RulesetImage.ID] = []
  package var created: [RulesetImage.ID] = []
  package var removed: [RulesetImage.ID] = []
  /// Tables of another process, which would have been removed.
  package var left: [RulesetImage.ID] = []
}

extension RulesetImage {
  /// What was read, and which tables could not be because a process keeps them for itself.
  package struct Reading: Sendable {
    package var image: RulesetImage
    package let handles: [ID: TableHandles]
    package let owned: [(id: ID, owner: TableOwner)]
  }

  /// Reads the tables that are chosen, as they are in one generation.
  /// - Throws: ``BackendError``: `refused` where a table that was asked for by name is not there or belongs to another
  ///   process.
  package static func read(_ selection: ImageSelection = .all) throws(BackendError) -> Reading {
    let reading = try present(selection)
    for id in selection.tables where reading.image[id] == nil {
      guard let owned = reading.owned.first(where: { $0.id == id }) else {
        throw BackendError(.refused, "there is no nf_tables table \(id)", hint: "see them with: nft list tables")
      }
      throw BackendError(owned: id, owned.owner)
    }
    return reading
  }

  /// Reads those of the tables that are there.
  static func read(present ids: [ID]) throws(BackendError) -> Reading {
    // A selection of no tables stands for all.
    guard !ids.isEmpty else {
      return Reading(image: RulesetImage(generation: try heads().generation), handles: [:], owned: [])
    }
    return try present(ImageSelection(tables: ids))
  }

  /// Reads the tables that are none of iptables', however many rules those have, and belong to no process of their own.
  package static func readBesideIPTables() throws(BackendError) -> Reading {
    var reading = try read(present: heads().heads.map(\.id).filter { !$0.isNamedByIPTables })
    reading.image.tables.removeAll(where: \.isOfIPTables)
    return reading
  }

  private static func present(_ selection: ImageSelection) throws(BackendError) -> Reading {
    do throws(ImageReader.Problem) {
      var reader = try ImageReader()
      let result = try reader.read(selection)
      return Reading(
        image: result.image, handles: result.handles,
        owned: result.owned.map { ($0.id, TableOwner(port: $0.owner ?? 0)) })
    } catch { throw BackendError(error) }
  }

  /// Makes the tables of the image what they were, as one transaction: a table that exists is taken out and made anew.
  /// Tables that the image does not have stay as they are unless ``RestoreOptions/isExclusive`` says otherwise. What
  /// others did to the image's tables meanwhile is overwritten, unless ``RestoreOptions/expecting`` forbids it.
  /// - Throws: ``BackendError``; nothing was changed.
  @discardableResult
  package func restore(_ options: RestoreOptions = RestoreOptions()) throws(BackendError) -> RestoreReport {
    let wanted = selecting(options.selection)
    var last = BackendError(.stale, "the rules have changed since they were read")
    // Which tables exist is asked first; who makes or removes one in that moment makes the kernel refuse the batch.
    for attempt in 0..<Self.attempts {
      if attempt > 0 { usleep(Self.pause) }
      do throws(BackendError) {
        return try wanted.restoreOnce(options)
      } catch {
        guard error.kind == .stale, options.expecting == nil else { throw error }
        last = error
      }
    }
    last.kind = .busy
    throw last
  }

  private static let attempts = 50
  private static let pause: useconds_t = 2_000

  private func restoreOnce(_ options: RestoreOptions) throws(BackendError) -> RestoreReport {
    let (heads, generation) = try Self.heads()
    if let expected = options.expecting, expected != generation {
      throw BackendError(.stale, "nf_tables has changed since it was read")
    }
    let plan = try plan(heads, options)
    guard !tables.isEmpty || !plan.removed.isEmpty else { return plan }
    var socket: NetlinkSocket
    do throws(NetlinkFailure) { socket = try NetlinkSocket() } catch { throw BackendError(error) }
    var batch = Batch(
      generation: generation, firstSequence: socket.takeSequence(0), capacity: estimatedBytes)
    for id in plan.removed + plan.replaced { batch.remove(id) }
    for table in tables { batch.create(table, keeping: options.handles[table.id]) }
    let sealed = batch.seal(isTrial: options.isTrial)
    do throws(SealedBatch.Problem) { try sealed.send(through: socket) } catch { throw BackendError(restoring: error) }
    return plan
  }

  private static func heads() throws(BackendError) -> (heads: [ImageReader.Head], generation: UInt32) {
    do throws(ImageReader.Problem) {
      var reader = try ImageReader()
      return try reader.heads()
    } catch { throw BackendError(error) }
  }

  /// What has to go and what has to come.
  private func plan(_ heads: [ImageReader.Head], _ options: RestoreOptions) throws(BackendError) -> RestoreReport {
    var report = RestoreReport()
    for table in tables {
      guard let head = heads.first(where: { $0.id == table.id }) else {
        report.created.append(table.id)
        continue
      }
      if let port = head.owner { throw BackendError(owned: table.id, TableOwner(port: port)) }
      report.replaced.append(table.id)
    }
    guard options.isExclusive else { return report }
    for head in heads where options.selection.contains(head.id) && self[head.id] == nil {
      if head.owner == nil { report.removed.append(head.id) } else { report.left.append(head.id) }
    }
    return report
  }

  /// About what its messages need.
  var estimatedBytes: Int {
    tables.reduce(0) { sum, table in
      sum + table.chains.reduce(0) { $0 + 256 + $1.rules.count * 320 } + table.sets.count * 256
        + table.sets.reduce(0) { $0 + $1.elements.count * 64 }
    }
  }
}

extension BackendError {
  init(owned id: RulesetImage.ID, _ owner: TableOwner) {
    self.init(
      .refused, "nf_tables table \(id) belongs to \(owner), which alone may change it",
      hint: "end that program first, or choose other tables with --table", code: EPERM)
  }

  init(restoring problem: SealedBatch.Problem) {
    switch problem {
    case .netlink(let failure): self.init(failure)
    case .refused(let refusal):
      let said = refusal.text.map { "\(describe(refusal.code)): \($0)" } ?? describe(refusal.code)
      guard case .part(let part) = refusal.subject else {
        self.init(frame: refusal.code, said)
        return
      }
      self.init(
        .refused, "the kernel refused \(part): \(said); nothing was changed", hint: Self.hint(part, refusal.code),
        code: refusal.code)
      if code == EPERM || code == EACCES { kind = .notPermitted }
      if code == EOPNOTSUPP { kind = .unsupported }
    }
  }

  /// What to do about a refusal that has a usual reason.
  private static func hint(_ part: ImagePart, _ code: Int32) -> String? {
    switch (part, code) {
    case (.chain, ENOENT), (.flowtable, ENOENT): "does the device that it names exist?"
    case (.chain, EOPNOTSUPP), (.flowtable, EOPNOTSUPP), (.object, EOPNOTSUPP), (.object, ENOENT), (.set, EOPNOTSUPP):
      "this kernel lacks it; leave the table out with --table"
    case (.rule, ENOENT), (.rule, EOPNOTSUPP): "this kernel lacks a match or statement that the rule uses"
    default: nil
    }
  }
}
