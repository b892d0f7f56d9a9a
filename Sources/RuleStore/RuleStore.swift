public import Netfilter

/// The rules of one kernel: reads them, commits others in one act, and takes a commit back.
public struct RuleStore: Sendable {
  public let backend: any Backend

  public init(_ backend: any Backend) { self.backend = backend }

  /// How a commit is to be carried out.
  public struct CommitOptions: Sendable {
    /// How long to wait for another program to release the lock.
    public var lockWait: Duration = .seconds(5)
    /// Try in a fresh namespace first what could fail half-way.
    public var rehearses = true
    public var counters: Plan.CounterSource = .zero
    /// Tables to empty besides.
    public var emptying: Set<TableID> = []
    /// The tables as they were before a commit that was interrupted; see ``Plan``.
    package var interrupted = Ruleset()
    package var beside = Plan.Beside()
    /// How tables are to stand; see ``Plan``.
    package var shapes: [TableID: TableShape] = [:]

    public init() {}
  }

  /// What a commit did.
  public struct Outcome: Sendable {
    public let plan: Plan
    /// What the kernel held before; the counters of rules may be those of an earlier time.
    public let before: Snapshot
    /// Why the rehearsal was left out, where it was.
    public let rehearsalNote: String?
  }

  /// How often a commit is planned again because somebody else changed the rules in between.
  public static let attempts = 20

  /// Commits the tables of `wanted`; others stay as they are. When the kernel holds them already, nothing is written.
  /// - Parameter beforeWriting: called with snapshot and plan when everything is ready and nothing is written yet; what
  ///   it throws ends the commit.
  /// - Throws: ``BackendError``, or what `beforeWriting` throws. The kernel then holds what it held, unless the error's
  ///   kind is `putBackFailed`.
  public func commit(
    _ wanted: Ruleset, _ options: CommitOptions = CommitOptions(),
    beforeWriting: (Snapshot, Plan) throws -> Void = { _, _ in }
  ) throws -> Outcome {
    try commit(Set(wanted.tables.map(\.id)), options, wanting: { _ in wanted }, beforeWriting: beforeWriting)
  }

  /// The same where what is wanted depends on what is there.
  /// - Parameters:
  ///   - tables: that the commit may change.
  ///   - wanting: is given the snapshot of these tables, as often as the commit is planned.
  public func commit(
    _ tables: Set<TableID>, _ options: CommitOptions = CommitOptions(), wanting: (Snapshot) throws -> Ruleset,
    beforeWriting: (Snapshot, Plan) throws -> Void = { _, _ in }
  ) throws -> Outcome {
    let lock = try backend.lock(waiting: options.lockWait)
    defer { lock.release() }
    for attempt in 1... {
      let (before, plan) = try planned(tables, options, wanting)
      guard !plan.isEmpty else { return Outcome(plan: plan, before: before, rehearsalNote: nil) }
      let note = options.rehearses ? try backend.rehearse(plan, .needed) : nil
      let ready = try prepared(plan, before) { try beforeWriting(before, plan) }
      if try write(ready, canRetry: attempt < Self.attempts) {
        return Outcome(plan: plan, before: before, rehearsalNote: note)
      }
    }
    preconditionFailure("the last attempt returns or throws")
  }

  /// From so many rules on a plan is made ready while it is written down.
  private static let manyRules = 2000

  /// Makes a plan ready, and writes it down.
  /// - Returns: what carries it out, or why it cannot be.
  private func prepared(
    _ plan: Plan, _ before: Snapshot, writingDown: () throws -> Void
  ) throws -> Result<any PreparedPlan, BackendError> {
    let prepare = { Result { () throws(BackendError) in try backend.prepared(plan, expecting: before.stamp) } }
    let count = plan.steps.reduce(0) { $0 + ($1.before?.ruleCount ?? 0) + $1.after.ruleCount }
    guard count >= Self.manyRules else {
      try writingDown()
      return prepare()
    }
    var written: Result<Void, any Error>?
    var ready: Result<any PreparedPlan, BackendError>?
    runTogether {
      written = Result(catching: writingDown)
    } _: {
      ready = prepare()
    }
    try written!.get()
    return ready!
  }

  /// - Returns: false when the rules had changed in between and another attempt may follow.
  private func write(_ ready: Result<any PreparedPlan, BackendError>, canRetry: Bool) throws(BackendError) -> Bool {
    do throws(BackendError) {
      try ready.get().carryOut()
      return true
    } catch {
      guard error.kind == .stale else { throw error }
      if canRetry { return false }
      throw BackendError(
        .stale, "\(error.message); planned anew \(Self.attempts) times, and each time another program was faster",
        hint: "try again, or see which program changes rules all the time", table: error.table, code: error.code)
    }
  }

  private func planned(
    _ tables: Set<TableID>, _ options: CommitOptions, _ wanting: (Snapshot) throws -> Ruleset
  ) throws -> (Snapshot, Plan) {
    let selection = TableSelection.only(tables.union(options.emptying))
    // Whether an interrupted commit has lost counters can be told by the present ones only.
    if options.interrupted.tables.isEmpty {
      let before = try backend.outline(of: selection)
      do { return (before, try plan(from: before, to: wanting(before), options)) } catch let error as BackendError {
        // What is to change has to be read.
        guard error.kind == .stale else { throw error }
      }
    }
    let before = try backend.snapshot(of: selection)
    return (before, try plan(from: before, to: wanting(before), options))
  }

  private func plan(from before: Snapshot, to wanted: Ruleset, _ options: CommitOptions) throws(BackendError) -> Plan {
    var plan = Plan(
      from: before, to: wanted, emptying: options.emptying, counters: options.counters,
      interrupted: options.interrupted)
    plan.shapes = options.shapes
    plan = try backend.fitted(plan)
    plan.beside = options.beside
    return plan
  }

  /// What ``commit(_:_:beforeWriting:)`` would do; the rehearsal covers all of it.
  public func check(_ wanted: Ruleset, _ options: CommitOptions = CommitOptions()) throws -> Outcome {
    try check(Set(wanted.tables.map(\.id)), options) { _ in wanted }
  }

  /// What ``commit(_:_:wanting:beforeWriting:)`` would do.
  public func check(
    _ tables: Set<TableID>, _ options: CommitOptions = CommitOptions(), wanting: (Snapshot) throws -> Ruleset
  ) throws -> Outcome {
    let (before, plan) = try planned(tables, options, wanting)
    let note = options.rehearses && !plan.isEmpty ? try backend.rehearse(plan, .full) : nil
    return Outcome(plan: plan, before: before, rehearsalNote: note)
  }
}
