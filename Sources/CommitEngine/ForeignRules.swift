internal import Netfilter
internal import RuleStore

/// Finds out, for one commit, what of its tables is Firebreak's and what other programs put there: base (the last
/// generation), live (the kernel), wanted (the input).
struct ForeignRules {
  private let history: History
  let own: OwnRules
  private let keeping: ForeignKeeping
  private let copied: Ruleset?
  private var base: Generation?

  /// Firebreak's part of tables that hold rules of others too.
  private(set) var mixed: [TableID: Table] = [:]
  /// Tables in which the kernel holds exactly what Firebreak put there.
  private var ownWhole: Set<TableID> = []
  /// Tables that were not Firebreak's before, as they are now, without what others are known to have put there and keep;
  /// nil for one that the kernel has not made.
  private(set) var found: [TableID: Table?] = [:]
  /// Tables that become what they were found as: rules of known programs that come back with them are theirs again.
  var givenBack: Set<TableID> = []
  /// What stays of others, and what is worth saying about it.
  private var notesOf: [TableID: [String]] = [:]
  /// Tables in which the kernel holds what it held after an earlier commit: Firebreak's part is that of the last generation.
  private var sharedAsBefore: Set<TableID> = []

  var notes: [String] { notesOf.sorted { $0.key < $1.key }.flatMap(\.value) }

  /// - Parameter copied: the tables of which those that will be wanted are a copy that was worked on.
  init(_ history: History, keeping: ForeignKeeping, copied: Ruleset? = nil) throws {
    self.history = history
    self.keeping = keeping
    self.copied = copied
    own = try OwnRules.load(history)
  }

  /// What to commit so that the kernel holds `wanted` and what is not Firebreak's.
  /// - Parameter fit: gives rules the form that the kernel gives back.
  mutating func merge(_ wanted: Ruleset, into before: Snapshot, fit: (Plan) throws -> Plan) throws -> Ruleset {
    forget()
    var result = wanted
    for table in wanted.tables {
      let live = before.existing.contains(table.id) ? before.ruleset[table.id] : nil
      let digest = own.digests[table.id]
      if let copied {
        // What the copy took out was there before the first commit, whoever wrote it.
        if digest == nil { found.updateValue(live, forKey: table.id) }
        let merge = StagedMerge(
          base: try baseTable(table.id, before, fit), start: copied[table.id], live: live,
          wanted: table)
        guard !merge.isOvertaken else { throw CommitEngine.Failure.overtaken(table.id, by: own.number) }
        if !merge.result.sameRules(as: merge.own) { mixed[table.id] = merge.own }
        result[table.id] = merge.result
        continue
      }
      // Of a table that is taken whole everything goes, and comes back.
      if digest == nil { found.updateValue(keeping == .nothing ? live : live?.withoutKnownOwners, forKey: table.id) }
      guard let live, !live.isPristine, keeping != .nothing else { continue }
      if digest != nil, digest == CommitRecord.digest(of: live) {
        ownWhole.insert(table.id)
        continue
      }
      let fitted = try self.fitted(table, before, fit)
      let merge = TableMerge(base: try baseTable(table.id, before, fit), live: live, wanted: fitted, keeping: keeping)
      if !merge.kept.isEmpty {
        notesOf[table.id] = [
          "\(table.id): rules of others stay: " + merge.kept.map(\.description).joined(separator: ", ")
        ]
      }
      notesOf[table.id, default: []] += merge.notes
      guard !merge.result.sameRules(as: merge.own) else { continue }
      mixed[table.id] = merge.own
      result[table.id] = merge.result
    }
    return result
  }

  private mutating func forget() {
    (mixed, found, notesOf) = ([:], [:], [:])
    (ownWhole, sharedAsBefore) = ([], [])
  }

  /// The tables of which Firebreak's part has these digests, if the kernel holds what it held after the commit that made
  /// them so.
  mutating func present(_ digests: [TableID: UInt64], in before: Snapshot) -> Ruleset? {
    forget()
    var result = Ruleset()
    for (id, digest) in digests {
      guard own.digests[id] == digest, before.existing.contains(id), let live = before.ruleset[id] else { return nil }
      let whole = CommitRecord.digest(of: live)
      if whole == digest {
        ownWhole.insert(id)
      } else if let shared = own.shared[id], shared.digest == whole, keeping == .foreign {
        sharedAsBefore.insert(id)
        notesOf[id] = shared.notes
      } else {
        return nil
      }
      result[id] = live
    }
    return result
  }

  /// What the kernel holds, after a commit, of tables with rules of others.
  func shared(after plan: Plan, _ before: Snapshot) -> [TableID: OwnRules.Shared] {
    var result: [TableID: OwnRules.Shared] = [:]
    for id in mixed.keys {
      guard let table = plan.steps.first(where: { $0.id == id })?.after ?? before.ruleset[id] else { continue }
      result[id] = OwnRules.Shared(digest: CommitRecord.digest(of: table), notes: notesOf[id] ?? [])
    }
    return result
  }

  /// Whether a table, which the kernel holds like that and is wanted like that, is Firebreak's already.
  func isOwn(_ table: Table) -> Bool {
    if mixed[table.id] == nil, ownWhole.contains(table.id) || sharedAsBefore.contains(table.id) { return true }
    return own.digests[table.id] == CommitRecord.digest(of: mixed[table.id] ?? table)
  }

  /// Firebreak's own table of the last generation in the form of this kernel; nil where it had none.
  private mutating func baseTable(_ id: TableID, _ before: Snapshot, _ fit: (Plan) throws -> Plan) throws -> Table? {
    guard own.digests[id] != nil else { return nil }
    if base == nil { base = try history.newestIntact() }
    return try base?.ruleset[id].map { try fitted($0, before, fit) }
  }

  private func fitted(_ table: Table, _ before: Snapshot, _ fit: (Plan) throws -> Plan) throws -> Table {
    let plan = try fit(Plan(from: before, to: Ruleset([table])))
    return plan.steps.first { $0.id == table.id }?.after ?? before.ruleset[table.id] ?? table
  }

  /// The tables that are Firebreak's after a commit: those it wrote, without what others have there, and those before.
  func tables(after plan: Plan, of wanted: Ruleset, _ before: Snapshot) throws -> Ruleset {
    var result = Ruleset()
    for table in wanted.tables where !sharedAsBefore.contains(table.id) {
      let written = plan.steps.first { $0.id == table.id }?.after ?? before.ruleset[table.id] ?? table
      let own = mixed[table.id] ?? written
      result[table.id] = givenBack.contains(table.id) ? own.withoutKnownOwners : own
    }
    guard own.digests.keys.contains(where: { result[$0] == nil }) else { return result }
    for table in try (base ?? history.newestIntact())?.ruleset.tables ?? [] where result[table.id] == nil {
      result[table.id] = table
    }
    return result
  }
}
