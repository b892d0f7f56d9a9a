internal import Glibc
public import Netfilter
public import RuleStore

/// Commits rulesets so that they can be taken back, whatever dies on the way.
///
/// A commit is planned, rehearsed, written down, guarded, carried out, verified, and then kept or taken back. What is
/// declared good becomes a ``Generation``. Only ``apply(_:)``, ``confirm(_:)`` and ``rollback(to:_:)`` begin or end a commit; each of
/// them first finishes what an earlier one left.
public struct CommitEngine: Sendable {
  public let store: RuleStore
  public let state: StateDirectory
  /// Run by a separate process when this one dies while the kernel holds a mixture; nil leaves that to the next use.
  public var recovery: RecoveryCommand?
  /// Started before the kernel is written to, to take back a commit that nobody confirms.
  public var guardCommand: RecoveryCommand?
  /// Where the sets (ipset) that rules look into are found again by name when rules come back from a file, since one that
  /// was made anew has another number. Without it rules come back with the numbers that they had.
  public var sets: IPSetDirectory?
  /// What changes beside tables of iptables; without it nothing does.
  package var companions: (any CompanionStore)?
  /// The store of another backend by its name (``Capabilities/name``): a commit is taken back where it was made. nil for
  /// one that does not exist.
  public var otherStore: @Sendable (String) -> RuleStore? = { _ in nil }
  public var retention = History.Retention()

  public init(
    store: RuleStore, state: StateDirectory, recovery: RecoveryCommand? = nil, sets: IPSetDirectory? = nil
  ) {
    self.store = store
    self.state = state
    self.recovery = recovery
    self.sets = sets
  }

  public var history: History { History(state: state, sets: sets) }
  var audit: Audit { Audit(state: state) }

  /// The journal of the commit that is under way, and of the last one that was good.
  static let pending = "commit.pending"
  static let last = "commit.last"

  // MARK: The three acts

  /// Commits the tables of a request as one act.
  /// - Throws: ``BackendError``, ``Failure``, ``History/Failure`` or ``SystemError``. The kernel then holds what it held
  ///   before, unless it is a ``BackendError`` of kind `putBackFailed` or ``Failure/takingBackFailed(_:)``.
  public func apply(_ request: Request) throws -> Report {
    let lock = try lockState(request.options)
    defer { withExtendedLifetime(lock) {} }
    let recovered = try finishInterrupted(request.options)
    if let journal = try journal() { throw try waiting(journal) }
    return try commit(request, recovered)
  }

  /// Why nothing else can begin while a commit waits to be confirmed.
  private func waiting(_ journal: Journal) throws -> Failure {
    .awaitingConfirmation(
      number: try history.stagedGeneration(of: journal.head.nonce)?.number ?? 0,
      seconds: Int(journal.head.deadline.remaining.components.seconds))
  }

  public func apply(_ wanted: Ruleset, _ options: RuleStore.CommitOptions = .init(), message: String = "") throws
    -> Report
  {
    var request = Request(wanted)
    request.options = options
    request.message = message
    return try apply(request)
  }

  /// Runs `body`, which looks at the kernel, while no commit is under way and none waits to be confirmed.
  /// - Returns: what it returns, and what an earlier, interrupted commit had left, and was done about it before.
  /// - Throws: ``Failure/awaitingConfirmation(number:seconds:)``, ``Failure/busy(path:)`` and what `body` throws.
  public func betweenCommits<R>(
    _ options: RuleStore.CommitOptions = .init(), _ body: () throws -> R
  ) throws -> (R, recovered: Recovery?) {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    let recovered = try finishInterrupted(options)
    if let journal = try journal() { throw try waiting(journal) }
    return (try body(), recovered)
  }

  /// What ``apply(_:)`` would do; everything is rehearsed, and nothing is changed or written down.
  public func check(_ request: Request) throws -> Report {
    var request = try fitted(request)
    try companions?.rehearse(request.companions)
    var foreign = try ForeignRules(history, keeping: request.keeping, copied: request.copied)
    var options = request.options
    if companions != nil { options.beside = request.beside }
    let outcome = try store.check(
      request.tables, options, wanting: { try request.merged(into: $0, &foreign, fit: store.backend.fitted) })
    if !outcome.plan.steps.isEmpty { try request.inspection?(outcome.plan, store) }
    var notes = foreign.notes + [outcome.rehearsalNote].compactMap { $0 }
    if !outcome.plan.steps.isEmpty { notes += changeOfBackend(since: foreign.own.number) }
    return Report(
      plan: outcome.plan, notes: notes, recovered: nil,
      base: foreign.own.number, generation: nil, awaits: nil, companions: request.companions)
  }

  /// Declares the commit good that waits for it.
  /// - Returns: its generation, and what is worth saying about what goes only now: sets that it leaves out.
  /// - Throws: ``Failure/nothingToConfirm``; ``Failure/notConfirmed`` when the time was over; ``SystemError`` when it cannot
  ///   be put on file, and it will be taken back then.
  public func confirm(
    _ options: RuleStore.CommitOptions = .init()
  ) throws -> (generation: Generation.Summary, notes: [String]) {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    if case .notConfirmed = try finishInterrupted(options) { throw Failure.notConfirmed }
    guard let journal = try journal(), journal.head.phase == .awaiting,
      let generation = try history.stagedGeneration(of: journal.head.nonce)
    else { throw Failure.nothingToConfirm }
    let notes = try keep(generation, as: .confirmation, removing: journal.record.companions)
    return (generation.summary, notes)
  }

  /// Makes Firebreak's rules what they were in an earlier generation, as a commit of its own. Tables that came under
  /// Firebreak since then become what they were found as. Rules that stay keep their counters; those that the last commit
  /// took out come back with theirs. A commit that waits to be confirmed is taken back instead.
  /// - Parameters:
  ///   - number: of the generation; nil for the one before the present one; 0 for what there was before the first.
  ///   - request: for options; its ruleset is not looked at.
  ///   - backend: the only one through which to do it; nil for that of the present generation.
  /// - Throws: ``Failure/nothingToRollBack``, and what ``apply(_:)`` throws.
  public func rollback(to number: Int? = nil, _ request: Request = Request(Ruleset()), through backend: String? = nil)
    throws -> Report
  {
    let lock = try lockState(request.options)
    defer { withExtendedLifetime(lock) {} }
    let recovered = try finishInterrupted(request.options)
    if let journal = try journal() {
      guard number == nil else { throw try waiting(journal) }
      let base = try history.numbers().last ?? 0
      let plan = try takeBackAtOnce(journal, request.options)
      audit.note(.takenBack, number: base + 1, reason: "rollback was asked for")
      return Report(plan: plan, notes: [], recovered: recovered, base: base, generation: nil, awaits: nil)
    }
    guard let present = try history.newestHere() else { throw Failure.nothingToRollBack }
    if let backend, backend != present.backend { throw Failure.otherBackend(present.backend) }
    if number == nil, present.restores == nil, let last = try? read(Self.last), last.head.nonce == present.nonce,
      last.record.second != nil
    {
      return try moveBack(withPresentSets(last.record), since: present, request.options, recovered)
    }
    let engine = try through(present.backend)
    return try engine.commit(engine.restoring(number, since: present, request), recovered)
  }

  /// Takes a commit back that has time left. Whoever finds this half done finishes it, the guard first of all: its time
  /// is over from now on.
  private func takeBackAtOnce(_ journal: Journal, _ options: RuleStore.CommitOptions) throws -> Plan {
    var head = journal.head
    head.deadline = .now
    try? state.overwrite(Journal.encoded(head), atStartOf: Self.pending)
    do { return try takeBack(journal.record, in: journal.head.phase, options) } catch {
      if !Self.leavesWork(error) { try? state.overwrite(Journal.encoded(journal.head), atStartOf: Self.pending) }
      throw error
    }
  }

  // MARK: One commit, from plan to keep

  private func commit(_ request: Request, _ recovered: Recovery?) throws -> Report {
    var foreign = try ForeignRules(history, keeping: request.keeping, copied: request.copied)
    let base = foreign.own.number
    let number = (try history.numbers().last ?? 0) + 1
    var request = try makingSets(request)
    var generation: Generation?
    var watch: Watch?
    func prepare(_ before: Snapshot, _ plan: Plan) throws {
      if generation != nil {
        // Somebody changed the rules in between: whoever watches over the first attempt has to go before the second.
        watch?.dismissKeeper()
        if request.hasCompanions { try endPending() } else { try dropPending() }
      }
      try request.inspection?(plan, store)
      let staged = try stage(request, number, plan, before, foreign)
      generation = staged
      try journal(request, plan, staged)
      watch = try startWatch(over: plan, request, staged)
    }
    var options = request.options
    if companions != nil { options.beside = request.beside }
    let outcome: RuleStore.Outcome
    do {
      outcome = try store.commit(
        request.tables, options,
        wanting: { try request.merged(into: $0, &foreign, fit: store.backend.fitted) }
      ) { before, plan in
        if !plan.steps.isEmpty { try prepare(before, plan) }
      }
      if request.hasCompanions, generation == nil { try prepare(outcome.before, outcome.plan) }
    } catch {
      watch?.dismissKeeper()
      if !Self.leavesWork(error) { abandon(request) }
      throw error
    }
    defer { watch?.dismissKeeper() }
    var notes = foreign.notes
    if let note = outcome.rehearsalNote { notes.append(note) }
    if generation != nil { notes += changeOfBackend(since: base) }
    func report(_ number: Int?, _ awaits: Awaiting? = nil) -> Report {
      Report(
        plan: outcome.plan, notes: notes, recovered: recovered, base: base, generation: number, awaits: awaits,
        companions: request.companions, restores: request.restores)
    }
    guard let generation else {
      let number = try adopt(request, number, outcome, foreign)
      noteInput(request, outcome, foreign)
      return report(number)
    }
    do { try changeCompanions(request) } catch {
      try takeBackPending(request.options)
      throw error
    }
    watch?.dismissKeeper()
    try verify(request, generation)
    do {
      if let time = request.confirmation {
        let awaits = try waitForWord(on: generation, time)
        audit.note(.awaiting, generation.summary)
        return report(number, awaits)
      }
      notes += try keep(
        generation, as: request.restores == nil ? .commit : .rollback, removing: request.companions)
    } catch {
      // What cannot be put on file is not good.
      try takeBackPending(request.options)
      throw error
    }
    noteInput(request, outcome, foreign)
    return report(number)
  }

  /// Notes what the text came to from which the rules were read, and beside which rules of others they stand, so that the
  /// same text is known to change nothing.
  private func noteInput(_ request: Request, _ outcome: RuleStore.Outcome, _ foreign: ForeignRules) {
    guard let text = request.text, request.unread == nil, var own = try? OwnRules.load(history) else { return }
    let digests = own.digests.filter { request.tables.contains($0.key) }
    guard digests.count == request.tables.count else { return }
    text.keep(digests, in: state)
    let shared = foreign.shared(after: outcome.plan, outcome.before)
    let isNew = request.tables.contains { shared[$0] != own.shared[$0] }
    guard isNew else { return }
    for id in request.tables { own.shared[id] = shared[id] }
    try? own.save(state)
  }

  /// The kernel holds these rules already. Where they were not all Firebreak's, they are from now on, so that they are
  /// loaded when the machine starts. A way back that changes nothing is a step all the same: the next one goes on from it.
  private func adopt(_ request: Request, _ number: Int, _ outcome: RuleStore.Outcome, _ foreign: ForeignRules) throws
    -> Int?
  {
    let isOwn = request.wanted.tables.allSatisfy { foreign.isOwn(outcome.before.ruleset[$0.id] ?? $0) }
    let isStep = try request.restores.map { try history.newestHere()?.standing != $0 } ?? false
    guard !isOwn || isStep else { return nil }
    try keep(
      stage(request, number, outcome.plan, outcome.before, foreign), as: request.restores == nil ? .commit : .rollback)
    return number
  }

  /// Writes the generation that this commit will be.
  private func stage(
    _ request: Request, _ number: Int, _ plan: Plan, _ before: Snapshot, _ foreign: ForeignRules
  ) throws -> Generation {
    let changes = plan.changes
    let ruleset = try foreign.tables(after: plan, of: request.wanted, before)
    let all = ruleset.tables + foreign.found.values.compactMap { $0 }
    let used = all.reduce(into: Set<UInt16>()) { $0.formUnion($1.setIndices) }
    var generation = Generation(
      summary: Generation.Summary(
        number: number, time: Int64(time(nil)), author: .current, message: request.message,
        backend: store.backend.capabilities.name, added: changes.added, removed: changes.removed,
        restores: request.restores, tables: ruleset.tables.map(\.id), nonce: .random(in: 1 ... .max),
        base: foreign.own.number, boot: BootID.current, place: .current),
      ruleset: ruleset, found: foreign.found, sets: used.reduce(into: [:]) { $0[$1] = sets?.name($1) })
    generation.companions = foreign.own.companions
    for change in request.companions {
      let own = foreign.own.companions[change.companion]
      if own == nil { generation.foundCompanions.updateValue(change.before, forKey: change.companion) }
      let content = try companions.map { try $0.content(after: change, own: own?.content) } ?? change.after
      generation.companions[change.companion] = CompanionState(
        content: content, isOurs: !request.released.contains(change.companion))
    }
    generation.isLoaded = generation.isLoaded(
      after: foreign.own, writing: request.tables, request.companions)
    try history.stage(generation)
    return generation
  }

  /// Writes down what there was, and what is about to happen.
  private func journal(_ request: Request, _ plan: Plan, _ generation: Generation) throws {
    let summary = generation.summary
    // Rules that come with counters have them a step later than they are there.
    let givesCounters = request.options.counters == .wanted && !store.backend.capabilities.isOneTransaction
    let record = CommitRecord(
      plan: plan, time: summary.time, message: summary.message, backend: summary.backend, nonce: summary.nonce,
      keepsCommitted: { request.needsGuard || givesCounters || !generation.holds($0.after) },
      companions: request.companions,
      setName: { sets?.name($0) })
    let limit = request.verificationLimit + (request.confirmation ?? .zero) + .seconds(60)
    let head = Journal.Head(
      phase: request.needsGuard ? .writing : .unguarded, deadline: request.needsGuard ? .now + limit : .never,
      nonce: summary.nonce)
    let journal = Journal(head: head, record: record)
    try state.write(to: Self.pending) { journal.write(to: &$0) }
  }

  /// Starts the process that finishes this commit if this one cannot.
  private func startWatch(over plan: Plan, _ request: Request, _ generation: Generation) throws -> Watch? {
    if request.needsGuard {
      guard let guardCommand else { throw Failure.noGuard("there is no program to start") }
      try GuardProcess.start(guardCommand, generation.summary.nonce, state)
      return Watch()
    }
    let isOneWrite = store.backend.capabilities.isOneTransaction || plan.steps.count < 2
    let writesOnce = isOneWrite && !request.hasCompanions
    guard !writesOnce, let recovery else { return nil }
    return Watch(keeper: try Keeper(recovery))
  }

  private func verify(_ request: Request, _ generation: Generation) throws {
    guard let verification = request.verification else { return }
    let complaint: String?
    do { complaint = try verification() } catch { complaint = "\(error)" }
    guard let complaint else { return }
    try takeBackPending(request.options)
    audit.note(.takenBack, number: generation.number, reason: complaint)
    throw Failure.notVerified(complaint)
  }

  private func waitForWord(on generation: Generation, _ time: Duration) throws -> Awaiting {
    let head = Journal.Head(phase: .awaiting, deadline: .now + time, nonce: generation.summary.nonce)
    try state.overwrite(Journal.encoded(head), atStartOf: Self.pending)
    return Awaiting(number: generation.number, remaining: time, isGuarded: true, nonce: head.nonce)
  }

  /// Declares a staged generation good.
  /// - Parameter changes: those of its companions; sets that are gone in it go now.
  /// - Returns: what of that did not succeed.
  /// - Throws: ``SystemError``; it is not in the history then.
  @discardableResult
  func keep(
    _ generation: Generation, as event: Audit.Event, removing changes: [CompanionChange] = []
  ) throws -> [String] {
    try history.publish(generation.number)
    // From here on it is the newest generation, whatever becomes of the rest.
    let left = companions?.remove(changes, .replaced) ?? []
    audit.note(event, generation.summary, beside: changes)
    try? OwnRules(generation, boot: BootID.current).save(state)
    try? state.overwrite(
      Journal.encoded(.init(phase: .finished, deadline: .never, nonce: generation.summary.nonce)),
      atStartOf: Self.pending)
    try? state.rename(Self.pending, to: Self.last)
    try? history.prune(retention, now: Int64(time(nil)))
    return left
  }

  /// Tells whoever has the journal open that its commit is none any more.
  private func endPending() throws { try setPending(.finished) }

  /// Writes down how far the commit is.
  func setPending(_ phase: Journal.Phase) throws {
    if let bytes = try state.read(Self.pending, limit: Journal.headSize), var head = try? Journal.head(of: bytes) {
      head.phase = phase
      try state.overwrite(Journal.encoded(head), atStartOf: Self.pending)
    }
  }

  /// Puts the journal of a commit away that is none any more.
  func dropPending() throws {
    try endPending()
    try state.remove(Self.pending)
    try history.dropStaged()
  }

  /// Whether the journal is needed after this failure.
  static func leavesWork(_ error: any Error) -> Bool {
    let kind = (error as? BackendError)?.kind
    return kind == .putBackFailed || kind == .unknown
  }

  // MARK: Locks and files

  func lockState(_ options: RuleStore.CommitOptions) throws -> EngineLock {
    do { return try EngineLock(state.lockPath, waiting: options.lockWait) } catch let busy as EngineLock.Busy {
      throw Failure.busy(path: busy.path)
    }
  }

  /// The journal of the commit that is not finished; nil when there is none of this start of the machine.
  func journal() throws -> Journal? {
    guard let journal = try read(Self.pending) else { return nil }
    return BootID.isPresent(journal.record.boot) ? journal : nil
  }

  func read(_ name: String) throws -> Journal? {
    guard let bytes = try state.read(name) else { return nil }
    do throws(CommitRecord.Damage) { return try Journal(decoding: bytes) } catch {
      let aside = name + ".damaged"
      try state.rename(name, to: aside)
      throw Failure.damagedRecord(path: state.file(aside), reason: "\(error)")
    }
  }

  /// The engine of another backend with the same state.
  private func through(_ backend: String) throws(Failure) -> CommitEngine {
    if backend == store.backend.capabilities.name { return self }
    var engine = CommitEngine(store: try store(named: backend), state: state, recovery: recovery, sets: sets)
    engine.guardCommand = guardCommand
    engine.companions = companions
    engine.otherStore = otherStore
    engine.retention = retention
    return engine
  }
}

/// Who watches over a commit that is being written: a guard, which looks after itself, or a keeper.
private struct Watch {
  var keeper: Keeper?

  func dismissKeeper() { keeper?.dismiss() }
}
