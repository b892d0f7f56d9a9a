internal import Netfilter
internal import RuleStore

/// Making undone what a commit has done.
extension CommitEngine {
  /// Takes the commit back that is under way.
  /// - Throws: ``Failure/takingBackFailed(_:)``
  func takeBackPending(_ options: RuleStore.CommitOptions) throws {
    do {
      guard let journal = try journal() else { throw Failure.nothingToRollBack }
      try takeBack(journal.record, in: journal.head.phase, options)
    } catch {
      throw Failure.takingBackFailed("\(error)")
    }
  }

  /// Makes the tables of a commit what they were before it. What other programs have changed since stays.
  /// - Parameter phase: how far it came.
  /// - Returns: what was done in the kernel, which holds the rules as before; the commit's files are gone then, as far as
  ///   they can be removed.
  @discardableResult
  func takeBack(
    _ record: CommitRecord, in phase: Journal.Phase, _ options: RuleStore.CommitOptions
  ) throws -> Plan {
    let record = try withPresentSets(record)
    let store = try store(named: record.backend)
    var options = options
    options.counters = .wanted
    options.rehearses = false
    options.shapes = record.shapes
    let generation = try? history.stagedGeneration(of: record.nonce)
    let committed = record.parts[0].committed(generation)
    let traces = record.companions.isEmpty ? [] : [try trace(record.parts[0], generation)]
    if let beside = tablesBeside(of: record, in: phase, traces) { options.beside = beside }
    if !store.backend.capabilities.isOneTransaction {
      // Who died may have replaced a table and not given it its counters. So may who takes it back.
      if phase.mayLackCounters { options.interrupted = record.before.ruleset } else { try? setPending(.returning) }
    }
    let outcome = try store.commit(Set(record.entries.map(\.id)), options) { now in
      Ruleset(
        record.entries.compactMap { entry in
          guard let live = now.ruleset[entry.id] else { return entry.before }
          return entry.takenBack(from: live, committed[entry.id])
        })
    }
    try takeBackCompanions(of: record, in: phase, traces)
    try? dropPending()
    return outcome.plan
  }

  // MARK: Companions

  /// What a way back does with companions of a kind that are not as the commit left them; nil where the commit has not come
  /// to any, and what they hold is another one's.
  private func unexpected(_ kind: Companion.Kind, in phase: Journal.Phase, _ traces: [Trace]) -> Unexpected? {
    if phase.isCarriedOut { return .replaced }
    // Tables of nf_tables change in the transaction of the rules, where there are any of these.
    if kind == .table, let trace = traces.first, trace.isInOneTransaction, !trace.part.entries.isEmpty {
      return trace.replaced.isEmpty ? nil : .replaced
    }
    return phase == .changing ? .left : nil
  }

  /// Those that may still be as they were before the commit.
  func companionsLeft(
    of record: CommitRecord, in phase: Journal.Phase, _ traces: [Trace]
  ) -> [CompanionChange] {
    record.companions.filter { unexpected($0.companion.kind, in: phase, traces) != .replaced }
  }

  /// The way back of tables of nf_tables, where it goes with that of the rules.
  func tablesBeside(of record: CommitRecord, in phase: Journal.Phase, _ traces: [Trace]) -> Plan.Beside? {
    guard companions != nil, let unexpected = unexpected(.table, in: phase, traces) else { return nil }
    return Plan.Beside(record.companions.wayBack.of(.table), unexpected)
  }

  func takeBackCompanions(of record: CommitRecord, in phase: Journal.Phase, _ traces: [Trace]) throws {
    guard let companions else { return }
    for kind in [Companion.Kind.table, .set] {
      guard let unexpected = unexpected(kind, in: phase, traces) else { continue }
      try companions.change(record.companions.wayBack.of(kind), unexpected)
    }
    _ = companions.remove(record.companions.wayBack, .replaced)
  }
}
