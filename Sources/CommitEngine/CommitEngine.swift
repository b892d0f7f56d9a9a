internal import Glibc
public import Netfilter
public import RuleStore

/// Commits rulesets so that they can be taken back: writes down what was there before the kernel is touched, sees to it
/// that a commit that dies half-way is taken back, and rolls the last one back on request.
public struct CommitEngine: Sendable {
  public let store: RuleStore
  public let state: StateDirectory
  /// Run by a separate process when this one dies while the kernel holds a mixture; nil leaves that to the next use.
  public var recovery: RecoveryCommand?
  /// Where the sets (ipset) that rules look into are found again by name when a commit is taken back, since one that was
  /// made anew has another number. Without it rules come back with the numbers that they had.
  public var sets: IPSetDirectory?
  /// The store of another backend by its name (``Capabilities/name``): a commit is taken back where it was made. nil for
  /// one that does not exist.
  public var otherStore: @Sendable (String) -> RuleStore? = { _ in nil }

  public init(
    store: RuleStore, state: StateDirectory, recovery: RecoveryCommand? = nil, sets: IPSetDirectory? = nil
  ) {
    self.store = store
    self.state = state
    self.recovery = recovery
    self.sets = sets
  }

  /// What a commit or a rollback did.
  public struct Report: Sendable {
    public let plan: Plan
    /// Things worth saying that are no failures.
    public let notes: [String]
    /// What an earlier, interrupted commit had left, and was done about it.
    public let recovered: Recovery?
  }

  /// What became of an interrupted commit.
  public enum Recovery: Hashable, Sendable {
    /// It had been carried out whole.
    case completed
    /// It had touched nothing.
    case nothingDone
    /// It had replaced these tables, which are as before again.
    case putBack([TableID])
  }

  public enum Failure: Error, Hashable, Sendable {
    /// Another Firebreak is at work on the same state.
    case busy(path: String)
    /// There is no commit to take back.
    case nothingToRollBack
    /// Rules that would come back look into a set (ipset) that is gone.
    case missingSet(String)
    /// The last commit was made through another backend than the one that is to take it back.
    case otherBackend(String)
    /// The record of a commit is damaged and was not used.
    case damagedRecord(path: String, reason: String)
  }

  private static let pending = "commit.pending"
  private static let last = "commit.last"

  // MARK: The three acts

  /// Commits the tables of `wanted` as one act, and keeps what was there before for ``rollback(_:)``.
  /// - Throws: ``BackendError``, ``Failure`` or ``SystemError``. The kernel then holds what it held before, unless the
  ///   error is a ``BackendError`` of kind `putBackFailed`.
  public func apply(_ wanted: Ruleset, _ options: RuleStore.CommitOptions = .init(), message: String = "") throws
    -> Report
  {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    let recovered = try recover(options)
    let outcome = try commit(wanted, options, message: message, in: store)
    if !outcome.plan.steps.isEmpty { try state.rename(Self.pending, to: Self.last) }
    return Report(plan: outcome.plan, notes: outcome.rehearsalNote.map { [$0] } ?? [], recovered: recovered)
  }

  /// Takes the last commit back: its tables become what they were before it, those it made are emptied. Rules that stay
  /// keep their counters, rules that come back have those they had.
  /// - Parameter backend: the only one through which to do it; nil for the one of that commit, whichever it is.
  /// - Throws: ``Failure/nothingToRollBack``, and what ``apply(_:_:message:)`` throws.
  public func rollback(_ options: RuleStore.CommitOptions = .init(), through backend: String? = nil) throws -> Report {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    let recovered = try recover(options)
    guard let record = try read(Self.last).map(withPresentSets) else { throw Failure.nothingToRollBack }
    if let backend, backend != record.backend { throw Failure.otherBackend(record.backend) }
    let store = try store(of: record)
    var options = options
    options.emptying = record.before.absent
    options.counters = .wanted
    let notes = try driftNotes(record, store)
    let outcome = try commit(record.before.ruleset, options, message: "rollback", in: store)
    try state.remove(Self.last)
    try state.remove(Self.pending)
    return Report(plan: outcome.plan, notes: notes, recovered: recovered)
  }

  /// Finishes what an interrupted commit left; nil when there is nothing to do.
  public func recoverInterrupted(_ options: RuleStore.CommitOptions = .init()) throws -> Recovery? {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    return try recover(options)
  }

  /// The tables that the last commit changed, as they were before it; those it made stand there untouched. And the store
  /// through which it was made.
  /// - Throws: ``Failure/nothingToRollBack`` when there is none.
  public func previous() throws -> (ruleset: Ruleset, store: RuleStore) {
    guard let record = try read(Self.last) else { throw Failure.nothingToRollBack }
    let shown = record.renumberingSets { name in
      (sets.flatMap { Self.index(name, $0) } ?? Self.index(name, .imagined)) ?? 0
    }
    return (
      Ruleset(shown.entries.map { $0.before ?? Table($0.id.name, family: $0.id.family) }), try store(of: record)
    )
  }

  private func store(of record: CommitRecord) throws(Failure) -> RuleStore {
    if record.backend == store.backend.capabilities.name { return store }
    guard let other = otherStore(record.backend) else { throw .otherBackend(record.backend) }
    return other
  }

  /// The record with the numbers that its sets have now.
  /// - Throws: ``Failure/missingSet(_:)``
  private func withPresentSets(_ record: CommitRecord) throws -> CommitRecord {
    guard let sets else { return record }
    return try record.renumberingSets { name throws(Failure) in
      guard let index = Self.index(name, sets) else { throw .missingSet(name) }
      return index
    }
  }

  private static func index(_ name: String, _ sets: IPSetDirectory) -> UInt16? {
    guard case .found(let index, _) = sets.find(name) else { return nil }
    return index
  }

  // MARK: Steps

  private func lockState(_ options: RuleStore.CommitOptions) throws -> EngineLock {
    do {
      return try EngineLock(state.lockPath, waiting: options.lockWait)
    } catch let busy as EngineLock.Busy {
      throw Failure.busy(path: busy.path)
    }
  }

  /// Carries a plan out with a record on file and, where the kernel takes several writes, a keeper beside it.
  private func commit(
    _ wanted: Ruleset, _ options: RuleStore.CommitOptions, message: String, in store: RuleStore
  ) throws -> RuleStore.Outcome {
    var keeper: Keeper?
    do {
      let outcome = try store.commit(wanted, options) { _, plan in
        guard !plan.steps.isEmpty else { return }
        let record = CommitRecord(
          plan: plan, time: Int64(time(nil)), message: message, backend: store.backend.capabilities.name,
          setName: { sets?.name($0) })
        try record.withEncoded { try state.write($0, to: Self.pending) }
        let writesOnce = store.backend.capabilities.isOneTransaction || plan.steps.count < 2
        if !writesOnce, keeper == nil, let recovery { keeper = try Keeper(recovery) }
      }
      keeper?.dismiss()
      return outcome
    } catch {
      keeper?.dismiss()
      let isMixture = (error as? BackendError)?.kind == .putBackFailed
      if !isMixture { try? state.remove(Self.pending) }
      throw error
    }
  }

  /// Looks at the record that an interrupted commit left. Tables that hold what the commit put there are its own and are
  /// put back, unless all do; the rules of any other table are not touched. Counters that were lost on the way return.
  private func recover(_ options: RuleStore.CommitOptions) throws -> Recovery? {
    guard let written = try read(Self.pending) else { return nil }
    guard written.boot == BootID.current else {
      try state.remove(Self.pending)  // with the machine's restart the kernel has forgotten all of it
      return nil
    }
    let record = try withPresentSets(written)
    let store = try store(of: record)
    let ids = Set(record.entries.map(\.id))
    let live = try store.backend.snapshot(of: .only(ids)).ruleset
    let replaced = record.entries.filter { entry in
      live[entry.id].map { CommitRecord.digest(of: $0) } == entry.after
    }
    let isWhole = replaced.count == record.entries.count
    var options = options
    options.counters = .wanted
    options.interrupted = record.before.ruleset
    var wanted = live
    if !isWhole {
      options.emptying = Set(replaced.filter { $0.before == nil }.map(\.id))
      wanted = wanted.replacing(with: Ruleset(replaced.compactMap(\.before)))
      for id in options.emptying { wanted[id.name, id.family] = nil }
    }
    let outcome = try store.commit(wanted, options)
    guard !isWhole else {
      try state.rename(Self.pending, to: Self.last)
      return .completed
    }
    try state.remove(Self.pending)
    return outcome.plan.isEmpty ? .nothingDone : .putBack(outcome.plan.tables)
  }

  private func read(_ name: String) throws -> CommitRecord? {
    guard let bytes = try state.read(name) else { return nil }
    do throws(CommitRecord.Damage) {
      return try CommitRecord(decoding: bytes)
    } catch {
      let aside = name + ".damaged"
      try state.rename(name, to: aside)
      throw Failure.damagedRecord(path: state.file(aside), reason: "\(error)")
    }
  }

  /// Tables that somebody changed since the commit that is taken back.
  private func driftNotes(_ record: CommitRecord, _ store: RuleStore) throws -> [String] {
    let live = try store.backend.outline(of: .only(Set(record.entries.map(\.id)))).ruleset
    return record.entries.filter { entry in live[entry.id].map { CommitRecord.digest(of: $0) } != entry.after }
      .map { "table \($0.id) has been changed since that commit; those changes are taken back too" }
  }
}

extension CommitEngine.Failure: CustomStringConvertible {
  public var description: String {
    switch self {
    case .busy(let path): "another firebreak is at work (it holds \(path))"
    case .nothingToRollBack: "there is no commit to take back"
    case .missingSet(let name):
      "the rules that would come back look into set '\(name)', which is gone; make it again: ipset create \(name) TYPE"
    case .otherBackend(let name):
      "the last commit was made with --backend \(name) and can only be taken back there"
    case .damagedRecord(let path, let reason):
      "the record of an earlier commit is damaged (\(reason)); it was set aside as \(path)"
    }
  }
}
