internal import Glibc
internal import Netfilter
package import RuleStore

/// The tables of nf_tables that are none of iptables', in the calling thread's network namespace, as companions of those
/// that are; see ``CompanionStore``. They change whole, and all of them in one transaction, which is that of the rules where
/// these are in nf_tables too.
package struct TableStore: CompanionStore {
  package init() {}

  package func fitted(
    _ changes: [CompanionChange], _ unexpected: Unexpected
  ) throws(BackendError) -> [CompanionChange] {
    guard !changes.isEmpty else { return [] }
    let tables = try changes.map { change throws(BackendError) in try TableChange(change) }
    let image = try RulesetImage.read(present: tables.compactMap { $0?.id }).image
    return try zip(changes, tables).map { change, table throws(BackendError) in
      guard let table else { return change }
      let live = image[table.id]
      if table.isPossible(over: live) { return change }
      if unexpected == .refused { throw BackendError(changed: table.id) }
      return change.fitted(before: live?.content, after: change.after)
    }
  }

  /// A table is Firebreak's whole.
  package func content(after change: CompanionChange, own: [UInt8]?) throws(BackendError) -> [UInt8]? { change.after }

  package func rehearse(_ changes: [CompanionChange]) throws(BackendError) {
    try carryOut(changes, .replaced, isTrial: true)
  }

  package func make(_ changes: [CompanionChange]) throws(BackendError) {}

  package func change(_ changes: [CompanionChange], _ unexpected: Unexpected) throws(BackendError) {
    try carryOut(changes, unexpected)
  }

  package func remove(_ changes: [CompanionChange], _ unexpected: Unexpected) -> [String] { [] }

  package func load(_ contents: [Companion: [UInt8]]) -> [String] {
    contents.sorted { $0.key < $1.key }.compactMap { companion, content in
      do throws(BackendError) {
        try change([CompanionChange(companion, before: nil, after: content)], .replaced)
        return nil
      } catch {
        return "\(companion): \(error.message)"
      }
    }
  }

  package func differences(from contents: [Companion: [UInt8]]) throws(BackendError) -> [String] {
    guard !contents.isEmpty else { return [] }
    let changes = try contents.sorted { $0.key < $1.key }.map { companion, content throws(BackendError) in
      (companion, try TableChange(CompanionChange(companion, before: content, after: nil)))
    }
    let image = try RulesetImage.read(present: changes.compactMap { $0.1?.id }).image
    var sentences: [String] = []
    for case (let companion, let change?) in changes {
      let live = image[change.id]
      if live == nil { sentences.append("\(companion) is gone") }
      if live != nil, !change.isPossible(over: live) { sentences.append("\(companion) has been changed") }
    }
    return sentences
  }

  private static let attempts = 5
  private static let pause: useconds_t = 2_000

  private func carryOut(
    _ changes: [CompanionChange], _ unexpected: Unexpected, isTrial: Bool = false
  ) throws(BackendError) {
    guard !changes.isEmpty else { return }
    for attempt in 1... {
      let edits = try TableEdits(changes, unexpected)
      guard !edits.isEmpty else { return }
      do throws(BackendError) { return try send(edits, isTrial: isTrial) } catch {
        guard error.kind == .stale, attempt < Self.attempts else { throw error }
        usleep(Self.pause)
      }
    }
  }

  private func send(_ edits: TableEdits, isTrial: Bool) throws(BackendError) {
    var socket: NetlinkSocket
    do throws(NetlinkFailure) { socket = try NetlinkSocket() } catch { throw BackendError(error) }
    var batch = Batch(
      generation: edits.generation, firstSequence: socket.takeSequence(0), capacity: edits.made.estimatedBytes)
    batch.add(edits)
    let sealed = batch.seal(isTrial: isTrial)
    do throws(SealedBatch.Problem) { try sealed.send(through: socket) } catch { throw BackendError(restoring: error) }
  }
}

/// What has to be done to tables of nf_tables that are none of iptables', as they are in one generation.
struct TableEdits {
  let generation: UInt32
  private(set) var removed: [RulesetImage.ID] = []
  private(set) var made = RulesetImage(generation: 0)

  var isEmpty: Bool { removed.isEmpty && made.tables.isEmpty }

  /// - Parameters:
  ///   - changes: those of other companions are left out.
  ///   - unexpected: what becomes of a table that is neither as before nor as it is to be.
  /// - Throws: ``BackendError``: `stale` where there is such a table and that is refused, `refused` where another process
  ///   keeps one for itself.
  init(_ changes: [CompanionChange], _ unexpected: Unexpected) throws(BackendError) {
    let changes = try changes.of(.table).map { change throws(BackendError) in
      try TableChange(change)
    }.compactMap { $0 }
    let reading = try RulesetImage.read(present: changes.map(\.id))
    generation = reading.image.generation
    for change in changes {
      if let owned = reading.owned.first(where: { $0.id == change.id }) {
        throw BackendError(owned: change.id, owned.owner)
      }
      let live = reading.image[change.id]
      let wanted = change.wanted(over: live)
      // One that is so already keeps its handles.
      if live == nil, wanted == nil { continue }
      if let live, let wanted, live.isSameNow(as: wanted) { continue }
      if unexpected != .replaced, !change.isPossible(over: live) {
        guard unexpected == .left else { throw BackendError(changed: change.id) }
        continue
      }
      if live != nil { removed.append(change.id) }
      if let wanted { made.tables.append(wanted) }
    }
  }
}

extension Batch {
  mutating func add(_ edits: TableEdits) {
    for id in edits.removed { remove(id) }
    for table in edits.made.tables { create(table) }
  }
}

extension TableChange {
  /// nil where the table is not there before and is not to be there.
  fileprivate init?(_ change: CompanionChange) throws(BackendError) {
    before = try Self.table(change.before)
    after = try Self.table(change.after)
    guard let id = (before ?? after)?.id else { return nil }
    self.id = id
  }

  private static func table(_ content: [UInt8]?) throws(BackendError) -> RulesetImage.Table? {
    guard let content else { return nil }
    do {
      return try content.withUnsafeBytes { try RulesetImage(encoded: $0) }.tables.first
    } catch {
      throw BackendError(.system, "a table of nf_tables on file cannot be read: \(error)")
    }
  }

  /// Whether the live table is what it was before.
  fileprivate func isPossible(over live: RulesetImage.Table?) -> Bool {
    guard let before, let live else { return before == nil && live == nil }
    return live.isSameAtAnotherTime(as: before)
  }
}

extension BackendError {
  fileprivate init(changed id: RulesetImage.ID) {
    self.init(
      .stale, "nf_tables table \(id) has been changed by another program meanwhile; nothing was changed",
      hint: "run it again")
  }
}

extension RulesetImage.Table {
  package var companion: Companion { Companion(.table, "\(id)") }

  /// What a ``CompanionChange`` holds of it.
  package var content: [UInt8] { RulesetImage(generation: 0, tables: [self]).encoded }
}
