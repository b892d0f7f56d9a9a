internal import Glibc
internal import Netfilter
public import RuleStore

/// What becomes of commits that did not get to their end.
extension CommitEngine {
  /// What became of an interrupted commit.
  public enum Recovery: Hashable, Sendable {
    /// It had been carried out whole.
    case completed
    /// It had touched nothing.
    case nothingDone
    /// It had replaced these tables, which are as before again.
    case putBack([TableID])
    /// Its time to be confirmed was over, or it died before it was verified; these tables are as before.
    case notConfirmed([TableID])
    /// It still waits to be confirmed; its guard was gone, and another one watches now.
    case guardedAgain
  }

  /// Finishes what an interrupted commit left; nil when there is nothing to do.
  public func recoverInterrupted(_ options: RuleStore.CommitOptions = .init()) throws -> Recovery? {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    return try finishInterrupted(options)
  }

  /// The commit that waits to be confirmed; nil when none does.
  public func awaiting() throws -> Awaiting? {
    guard let bytes = try state.read(Self.pending, limit: Journal.headSize), let head = try? Journal.head(of: bytes),
      head.phase == .awaiting, try journal() != nil
    else { return nil }
    let number = try history.stagedGeneration(of: head.nonce)?.number ?? 0
    return Awaiting(
      number: number, remaining: head.deadline.remaining, isGuarded: GuardProcess.isWatching(head.nonce, state),
      nonce: head.nonce)
  }

  /// How a commit stands that had to be confirmed.
  public enum Fate: Hashable, Sendable {
    case awaiting
    case kept
    case takenBack
  }

  /// How long a guard that watches may take for its work.
  private static let guardLimit: UInt64 = 120_000_000_000

  /// Asks how a commit stands; takes it back where its time is over and no guard does.
  public func fate(of commit: Awaiting) throws -> Fate {
    guard let bytes = try state.read(Self.pending, limit: Journal.headSize), let head = try? Journal.head(of: bytes),
      head.nonce == commit.nonce
    else { return try isPublished(commit.nonce) ? .kept : .takenBack }
    let now = BootTime.now
    guard head.deadline <= now else { return .awaiting }
    let isLate = now.nanoseconds - head.deadline.nanoseconds > Self.guardLimit
    if isLate || !GuardProcess.isWatching(commit.nonce, state) { _ = try recoverInterrupted() }
    return .awaiting
  }

  /// With the state's lock held.
  func finishInterrupted(_ options: RuleStore.CommitOptions) throws -> Recovery? {
    guard let journal = try read(Self.pending) else {
      try history.dropStaged()
      return nil
    }
    guard BootID.isPresent(journal.record.boot) else {
      try dropPending()  // with the machine's restart the kernel has forgotten all of it
      return nil
    }
    guard journal.record.place == .current else {
      // Its guard or keeper is there and works. When it has long been over, the namespace is gone.
      let isLate = Int64(time(nil)) - journal.record.time > 600
      let isOver = isLate && (journal.head.phase == .unguarded || journal.head.deadline < .now)
      guard isOver, !GuardProcess.isWatching(journal.head.nonce, state) else { throw Failure.elsewhere }
      try dropPending()
      return nil
    }
    if let kept = try published(journal.head.nonce) {
      _ = companions?.remove(journal.record.companions, .replaced)
      if try !audit.holds(kept) { audit.note(.recovery, kept) }
      try state.rename(Self.pending, to: Self.last)
      return nil
    }
    let recovery: Recovery
    switch journal.head.phase {
    case .finished:
      // Who ended it may not have come to the sets that it had made.
      _ = companions?.remove(journal.record.companions.wayBack, .left)
      try dropPending()
      return nil
    case .making:
      // Some are made, some are not, and some may be another one's by now.
      _ = companions?.remove(journal.record.companions.wayBack, .left)
      try dropPending()
      recovery = .nothingDone
    case .unguarded, .written,
      .changing where !journal.isGuarded:
      recovery = try finishUnguarded(journal, options)
    case .writing, .changing, .verifying, .returning:
      recovery = .notConfirmed(try takeBack(journal.record, in: journal.head.phase, options).tables)
    case .awaiting:
      if journal.head.deadline > .now {
        guard !GuardProcess.isWatching(journal.head.nonce, state), let guardCommand else { return nil }
        try GuardProcess.start(guardCommand, journal.head.nonce, state)
        recovery = .guardedAgain
      } else {
        recovery = .notConfirmed(try takeBack(journal.record, in: .awaiting, options).tables)
      }
    }
    audit.note(recovery)
    return recovery
  }

  /// Whether a commit is among the newest generations.
  func isPublished(_ nonce: UInt64) throws -> Bool { try published(nonce) != nil }

  private func published(_ nonce: UInt64) throws -> Generation.Summary? {
    try history.numbers().suffix(8).lazy.compactMap { try? history.summary($0) }.first { $0.nonce == nonce }
  }

  /// A commit that was carried out whole is good. Of another one the tables are put back that it has replaced; what others
  /// have done to them since stays, and tables that it has not come to are not touched. Counters that were lost on the way
  /// return.
  private func finishUnguarded(_ journal: Journal, _ options: RuleStore.CommitOptions) throws -> Recovery {
    let record = try withPresentSets(journal.record)
    let phase = journal.head.phase
    let generation = try history.stagedGeneration(of: journal.head.nonce)
    let traces = try record.parts.map { try trace($0, generation) }
    let hasAllRules = traces.allSatisfy(\.isWhole)
    let isWhole = hasAllRules && companionsLeft(of: record, in: phase, traces).isEmpty
    var changed: [TableID] = []
    // Last first: rules that move are in their new place before they leave the old one, and the other way round.
    var options = options
    options.counters = .wanted
    if !isWhole {
      options.shapes = record.shapes
      if let beside = tablesBeside(of: record, in: phase, traces) { options.beside = beside }
    }
    for trace in traces.reversed() { changed += try settle(trace, isWhole: isWhole, phase, options) }
    guard isWhole else {
      try takeBackCompanions(of: record, in: phase, traces)
      try dropPending()
      let hasChangedCompanions = !record.companions.isEmpty && phase != .unguarded
      return changed.isEmpty && !hasChangedCompanions ? .nothingDone : .putBack(changed)
    }
    if let generation {
      try keep(generation, as: .recovery, removing: record.companions)
    } else {
      try dropPending()
    }
    return .completed
  }

  /// Gives lost counters back, and puts back what was replaced unless all of it was. What is there is looked at anew.
  /// - Returns: the tables that changed.
  private func settle(
    _ trace: Trace, isWhole: Bool, _ phase: Journal.Phase, _ options: RuleStore.CommitOptions
  ) throws -> [TableID] {
    var options = options
    if !trace.isInOneTransaction, phase.mayLackCounters {
      // Complete, its new rules may have been given counters too.
      options.interrupted = Ruleset(
        trace.part.entries.compactMap { isWhole ? trace.committed[$0.id] ?? $0.before : $0.before })
    }
    return try trace.store.commit(Set(trace.part.entries.map(\.id)), options) { now in
      Ruleset(
        trace.part.entries.compactMap { entry in
          guard let live = now.ruleset[entry.id] else { return nil }
          guard !isWhole, trace.isReplaced(entry, by: live) else { return live }
          return entry.takenBack(from: live, trace.committed[entry.id])
        })
    }.plan.tables
  }

  func store(named name: String) throws(Failure) -> RuleStore {
    if name == store.backend.capabilities.name { return store }
    guard let other = otherStore(name) else { throw .otherBackend(name) }
    return other
  }

  /// The record with the numbers that its sets have now. Those that the commit made may be gone already.
  /// - Throws: ``Failure/missingSet(_:)``
  func withPresentSets(_ record: CommitRecord) throws -> CommitRecord {
    let made = Set(record.companions.filter(\.isMade).map(\.companion))
    return try record.renumberingSets { name throws(Failure) in
      try presentIndex(ofSet: name, among: made) ?? 0
    }
  }

  /// The present number of a set; nil where nobody knows sets.
  /// - Parameter imagined: sets that may be missing, and have an imagined number then.
  /// - Throws: ``Failure/missingSet(_:)``
  func presentIndex(ofSet name: String, among imagined: Set<Companion> = []) throws(Failure) -> UInt16? {
    guard let sets else { return nil }
    if case .found(let index, _) = sets.find(name) { return index }
    guard imagined.contains(Companion(.set, name)), case .found(let index, _) = IPSetDirectory.imagined.find(name)
    else { throw .missingSet(name) }
    return index
  }
}
