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
      _ = companions?.remove(journal.record.companions)
      if try !audit.holds(kept) { audit.note(.recovery, kept) }
      try state.rename(Self.pending, to: Self.last)
      return nil
    }
    let recovery: Recovery
    switch journal.head.phase {
    case .finished:
      // Who ended it may not have come to the sets that it had made.
      _ = companions?.remove(journal.record.companions.wayBack)
      try dropPending()
      return nil
    case .unguarded, .written: recovery = try finishUnguarded(journal, options)
    case .writing, .verifying:
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

  /// Tables that hold what the commit put there are its own and are put back, unless all do; the rules of any other table
  /// are not touched. Counters that were lost on the way return.
  private func finishUnguarded(_ journal: Journal, _ options: RuleStore.CommitOptions) throws -> Recovery {
    let record = try withPresentSets(journal.record)
    let found = try record.parts.map { try look(at: $0) }
    let hasAllRules = found.allSatisfy(\.isWhole) || found.count == 1 && found[0].isInOneTransaction
    let isWhole = hasAllRules && (record.companions.isEmpty || journal.head.phase == .written)
    var changed: [TableID] = []
    // Last first: rules that move are in their new place before they leave the old one, and the other way round.
    for part in found.reversed() { changed += try settle(part, isWhole: isWhole, options) }
    guard isWhole else {
      try companions?.takeBack(record.companions, unexpected(in: journal.head.phase))
      try dropPending()
      return changed.isEmpty && record.companions.isEmpty ? .nothingDone : .putBack(changed)
    }
    if let generation = try history.stagedGeneration(of: journal.head.nonce) {
      try keep(generation, as: .recovery, removing: record.companions)
    } else {
      try dropPending()
    }
    return .completed
  }

  /// What an interrupted commit has done through one backend.
  private struct Found {
    let part: CommitRecord.Part
    let store: RuleStore
    let live: Ruleset
    /// What the kernel holds as the commit put it there.
    let replaced: [CommitRecord.Entry]
    var isWhole: Bool { replaced.count == part.entries.count }
    /// What the kernel takes whole it has taken whole, although somebody else may have changed some of it since.
    var isInOneTransaction: Bool { store.backend.capabilities.isOneTransaction && !replaced.isEmpty }
  }

  private func look(at part: CommitRecord.Part) throws -> Found {
    let store = try store(named: part.backend)
    let live = try store.backend.snapshot(of: .only(Set(part.entries.map(\.id)))).ruleset
    let replaced = part.entries.filter { live[$0.id].map { CommitRecord.digest(of: $0) } == $0.after }
    return Found(part: part, store: store, live: live, replaced: replaced)
  }

  /// Gives lost counters back, and puts back what was replaced unless all of it was.
  /// - Returns: the tables that changed.
  private func settle(_ found: Found, isWhole: Bool, _ options: RuleStore.CommitOptions) throws -> [TableID] {
    var options = options
    options.counters = .wanted
    // Complete, its new rules may have been given counters too.
    options.interrupted = Ruleset(found.part.entries.compactMap { isWhole ? $0.committed ?? $0.before : $0.before })
    var wanted = found.live
    if !isWhole {
      options.emptying = Set(found.replaced.filter { $0.before == nil }.map(\.id))
      wanted = wanted.replacing(with: Ruleset(found.replaced.compactMap(\.before)))
      for id in options.emptying { wanted[id.name, id.family] = nil }
    }
    return try found.store.commit(wanted, options).plan.tables
  }

  // MARK: Taking back

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

  /// What a way back does with companions that are not as the commit left them. It may not have come to them, and what they
  /// hold is another one's then.
  private func unexpected(in phase: Journal.Phase) -> Unexpected { phase.hasChangedCompanions ? .replaced : .left }

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
    if companions != nil {
      options.beside = Plan.Beside(record.companions.wayBack, unexpected(in: phase))
    }
    // Who died may have replaced a table and not given it its counters.
    if !store.backend.capabilities.isOneTransaction { options.interrupted = record.before.ruleset }
    let outcome = try store.commit(Set(record.entries.map(\.id)), options) { now in
      Ruleset(
        record.entries.compactMap { entry in
          let before = entry.before ?? Table(entry.id.name, family: entry.id.family)
          guard let live = now.ruleset[entry.id] else { return entry.before }
          let digest = CommitRecord.digest(of: live)
          guard let committed = entry.committed, digest != entry.after, digest != CommitRecord.digest(of: before) else {
            return before
          }
          return TableMerge(base: committed, live: live, wanted: before, keeping: .foreign).result
        })
    }
    try companions?.takeBack(record.companions, unexpected(in: phase))
    try? dropPending()
    return outcome.plan
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
