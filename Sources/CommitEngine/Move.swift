internal import Glibc
public import Netfilter
public import RuleStore

/// Moving rules from one kernel interface to another, as one act that can be taken back.
///
/// The rules are in force in both places for a moment, never in neither: they come to the new place, are read back there,
/// and only then leave the old one. What fails is put back in the other order.
extension CommitEngine {
  /// What a move did, or would do.
  public struct MoveReport: Sendable {
    /// The rules that move, as they were.
    public let source: Ruleset
    /// Where they come to.
    public let arrival: Plan
    /// Where they leave.
    public let departure: Plan
    public let notes: [String]
    /// What an earlier, interrupted commit had left, and was done about it.
    public let recovered: Recovery?
  }

  /// Moves what `source` holds into the engine's own store, counters too; tables that are empty there stay as they are.
  /// - Parameter replaces: whether tables that hold other rules in the new place lose them.
  /// - Throws: ``Failure/occupied(_:backend:)``, and what ``apply(_:_:message:)`` throws. The kernel then holds what it
  ///   held, unless the error is a ``BackendError`` of kind `putBackFailed` or `unknown`.
  public func move(
    from source: RuleStore, _ options: RuleStore.CommitOptions = .init(), replacing replaces: Bool = false,
    message: String = ""
  ) throws -> MoveReport {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    let recovered = try finishInterrupted(options)
    let locks = try [store, source].map { try $0.backend.lock(waiting: options.lockWait) }
    defer { for lock in locks { lock.release() } }
    if let waiting = try awaiting() {
      throw Failure.awaitingConfirmation(number: waiting.number, seconds: Int(waiting.remaining.components.seconds))
    }
    var moving = Ruleset()
    let (acts, notes) = try carryOut(options) {
      let acts = try movement(from: source, replacing: replaces)
      moving = acts.moving
      return acts.both
    } stage: { acts in
      try stage(acts, message.isEmpty ? "moved to \(store.backend.capabilities.name)" : message, restores: nil) { own in
        try arrived(moving, own)
      }
    }
    return MoveReport(
      source: moving, arrival: acts.first.plan, departure: acts.second.plan, notes: notes, recovered: recovered)
  }

  /// What ``move(from:_:replacing:message:)`` would do; all of it is rehearsed.
  public func checkMove(
    from source: RuleStore, _ options: RuleStore.CommitOptions = .init(), replacing replaces: Bool = false
  ) throws -> MoveReport {
    let (moving, acts) = try movement(from: source, replacing: replaces)
    var notes: [String] = []
    if options.rehearses, !acts.first.plan.isEmpty {
      notes += [try store.backend.rehearse(acts.first.plan, .full)].compactMap { $0 }
    }
    return MoveReport(
      source: moving, arrival: acts.first.plan, departure: acts.second.plan, notes: notes, recovered: nil)
  }

  private func movement(from source: RuleStore, replacing replaces: Bool) throws -> (moving: Ruleset, both: Acts) {
    let there = try source.backend.snapshot(of: .all)
    let moving = Ruleset(there.ruleset.tables.filter { !$0.isPristine })
    let ids = Set(moving.tables.map(\.id))
    let here = try store.backend.snapshot(of: .only(ids))
    let arrival = try store.backend.fitted(Plan(from: here, to: moving, counters: .wanted))
    let occupied = arrival.steps.filter { $0.before?.isPristine == false }.map(\.id)
    guard replaces || occupied.isEmpty else {
      throw Failure.occupied(occupied, backend: store.backend.capabilities.name)
    }
    let departure = try source.backend.fitted(Plan(from: there, to: Ruleset(), emptying: ids))
    return (
      moving,
      Acts(
        first: Act(store: store, plan: arrival, stamp: here.stamp),
        second: Act(store: source, plan: departure, stamp: there.stamp))
    )
  }

  /// Firebreak's own tables after the move: those of the last generation in the form of the new place, and what of other
  /// tables moved but the rules of known programs.
  private func arrived(_ moving: Ruleset, _ own: Ruleset) throws -> (ruleset: Ruleset, found: [TableID: Table?]) {
    var result = own
    var found: [TableID: Table?] = [:]
    for table in moving.tables where own[table.id] == nil {
      result[table.id] = table.withoutKnownOwners
      found.updateValue(table.withoutKnownOwners, forKey: table.id)
    }
    let fitted = try store.backend.fitted(Plan(from: .nothing, to: result))
    return (result.replacing(with: Ruleset(fitted.steps.map(\.after))), found)
  }

  /// Takes a move back: the rules are where they were before they leave where they are.
  func moveBack(
    _ record: CommitRecord, since present: Generation.Summary, _ options: RuleStore.CommitOptions,
    _ recovered: Recovery?
  ) throws -> Report {
    let parts = Array(record.parts.reversed())
    let stores = try parts.map { try store(named: $0.backend) }
    let locks = try stores.map { try $0.backend.lock(waiting: options.lockWait) }
    defer { for lock in locks { lock.release() } }
    let drift = try zip(parts, stores).flatMap { try driftNotes($0, $1) }
    let base = present.base > 0 ? try history.generation(present.base) : nil
    var number: Int?
    let (acts, notes) = try carryOut(options) {
      let acts = try zip(parts, stores).map { try wayBack($0, $1) }
      return Acts(first: acts[0], second: acts[1])
    } stage: { acts in
      let staged = try stage(acts, "rollback to \(present.base)", restores: base?.summary.standing ?? 0) { _ in
        (base?.ruleset ?? Ruleset(), [:])
      }
      number = staged.number
      return staged
    }
    return Report(
      plan: acts.first.plan, notes: drift + notes, recovered: recovered, base: present.number, generation: number,
      awaits: nil, restores: base?.summary.standing ?? 0)
  }

  /// Tables that somebody changed since the commit that is taken back.
  private func driftNotes(_ part: CommitRecord.Part, _ store: RuleStore) throws -> [String] {
    let live = try store.backend.snapshot(of: .only(Set(part.entries.map(\.id)))).ruleset
    return part.entries.filter { entry in live[entry.id].map { CommitRecord.digest(of: $0) } != entry.after }
      .map { "table \($0.id) has been changed since that commit; those changes are taken back too" }
  }

  private func wayBack(_ part: CommitRecord.Part, _ store: RuleStore) throws(BackendError) -> Act {
    let (wanted, absent) = part.before
    let live = try store.backend.snapshot(of: .only(Set(part.entries.map(\.id))))
    let plan = Plan(from: live, to: wanted, emptying: absent, counters: .wanted)
    return Act(store: store, plan: try store.backend.fitted(plan), stamp: live.stamp)
  }

  // MARK: Two acts as one

  private struct Act {
    let store: RuleStore
    let plan: Plan
    let stamp: Snapshot.Stamp

    func carryOut() throws(BackendError) {
      if !plan.isEmpty { try store.backend.apply(plan, expecting: stamp) }
    }

    /// - Throws: ``BackendError`` where the kernel does not hold what was planned.
    func verify() throws(BackendError) {
      let live = try store.backend.snapshot(of: .only(Set(plan.tables))).ruleset
      for step in plan.steps where live[step.id]?.sameRules(as: step.after) != true {
        throw BackendError(
          .refused, "table \(step.id): \(store.backend.capabilities.name) gives the rules back as others",
          table: step.id)
      }
    }

    /// Makes the tables what they were, but for what others have done to them since.
    func takeBack() throws(BackendError) {
      for attempt in 1... {
        let live = try store.backend.snapshot(of: .only(Set(plan.tables)))
        let before = plan.steps.compactMap { step -> Table? in
          guard let now = live.ruleset[step.id] else { return step.before }
          return StagedMerge.wayBack(from: step.after, to: step.reversed.after, live: now)
        }
        let back = try store.backend.fitted(Plan(from: live, to: Ruleset(before), counters: .wanted))
        guard !back.isEmpty else { return }
        do throws(BackendError) {
          return try store.backend.apply(back, expecting: live.stamp)
        } catch {
          guard error.kind == .stale, attempt < RuleStore.attempts else { throw error }
        }
      }
    }
  }

  private struct Acts {
    let first: Act
    let second: Act
    var isEmpty: Bool { first.plan.steps.isEmpty && second.plan.steps.isEmpty }
  }

  /// Carries out two plans, the second one only when the first one stands, with a journal on file and a keeper beside it.
  /// - Parameters:
  ///   - plan: called again when somebody else changed rules in between.
  ///   - stage: puts the generation on file that is declared good in the end.
  private func carryOut(
    _ options: RuleStore.CommitOptions, _ plan: () throws -> Acts, stage: (Acts) throws -> Generation
  ) throws -> (Acts, notes: [String]) {
    var keeper: Keeper?
    defer { keeper?.dismiss() }
    do {
      for attempt in 1... {
        let acts = try plan()
        guard !acts.isEmpty else { return (acts, []) }
        let notes = options.rehearses ? try rehearse(acts) : []
        let generation = try stage(acts)
        try journal(acts, generation)
        if keeper == nil, let recovery { keeper = try Keeper(recovery) }
        guard try carryOut(acts, canRetry: attempt < RuleStore.attempts) else { continue }
        try keep(generation, as: generation.summary.restores == nil ? .commit : .rollback)
        return (acts, notes)
      }
      preconditionFailure("the last attempt returns or throws")
    } catch {
      if !Self.leavesWork(error) { try? dropPending() }
      throw error
    }
  }

  /// Writes the generation that this move will be.
  /// - Parameter tables: Firebreak's tables afterwards, and those that come under it, from its tables of the last
  ///   generation.
  private func stage(
    _ acts: Acts, _ message: String, restores: Int?,
    _ tables: (Ruleset) throws -> (ruleset: Ruleset, found: [TableID: Table?])
  ) throws -> Generation {
    let base = try history.newestIntact()
    let (ruleset, found) = try tables(base?.ruleset ?? Ruleset())
    let used = ruleset.tables.reduce(into: Set<UInt16>()) { $0.formUnion($1.setIndices) }
    let changes = acts.first.plan.changes
    var generation = Generation(
      summary: Generation.Summary(
        number: (try history.numbers().last ?? 0) + 1, time: Int64(time(nil)), author: .current, message: message,
        backend: acts.first.store.backend.capabilities.name, added: changes.added, removed: changes.removed,
        restores: restores, tables: ruleset.tables.map(\.id), nonce: .random(in: 1 ... .max), base: base?.number ?? 0,
        boot: BootID.current, place: .current),
      ruleset: ruleset, found: found, sets: used.reduce(into: [:]) { $0[$1] = sets?.name($1) })
    generation.companions = base?.companions ?? [:]
    let written = [acts.first, acts.second].flatMap { $0.plan.tables + $0.plan.unchanged }
    generation.isLoaded = generation.isLoaded(after: try OwnRules.load(history), writing: Set(written), [])
    try history.stage(generation)
    return generation
  }

  private func rehearse(_ acts: Acts) throws(BackendError) -> [String] {
    var notes: [String] = []
    for act in [acts.first, acts.second] where !act.plan.isEmpty {
      if let note = try act.store.backend.rehearse(act.plan, .needed) { notes.append(note) }
    }
    return notes
  }

  private func journal(_ acts: Acts, _ generation: Generation) throws {
    let summary = generation.summary
    let record = CommitRecord(
      plan: acts.first.plan, time: summary.time, message: summary.message, backend: summary.backend,
      nonce: summary.nonce, keepsCommitted: { !generation.holds($0.after) },
      second: (acts.second.plan, acts.second.store.backend.capabilities.name), setName: { sets?.name($0) })
    let head = Journal.Head(phase: .unguarded, deadline: .never, nonce: record.nonce)
    let journal = Journal(head: head, record: record)
    try state.write(to: Self.pending) { journal.write(to: &$0) }
  }

  /// - Returns: false when somebody else had changed rules in between and another attempt may follow.
  private func carryOut(_ acts: Acts, canRetry: Bool) throws(BackendError) -> Bool {
    do throws(BackendError) {
      try acts.first.carryOut()
    } catch {
      guard error.kind == .stale, canRetry else { throw error }
      return false
    }
    do throws(BackendError) {
      try acts.first.verify()
      try acts.second.carryOut()
      return true
    } catch {
      if Self.leavesWork(error) { throw error }
      try takeBack(acts.first, after: error)
      guard error.kind == .stale, canRetry else { throw error }
      return false
    }
  }

  private func takeBack(_ act: Act, after error: BackendError) throws(BackendError) {
    do throws(BackendError) {
      try act.takeBack()
    } catch let failure {
      throw BackendError(
        .putBackFailed,
        "THE RULES ARE IN BOTH PLACES: \(error.message), and taking them out again failed too: \(failure.message)",
        hint: "the rules from before are on disk: firebreak recover", code: error.code)
    }
  }
}
