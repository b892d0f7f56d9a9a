internal import CLinux
internal import Glibc
public import Netfilter
public import RuleStore
internal import Synchronization

/// The kernel's ip_tables and ip6_tables, through libiptc.
///
/// The kernel replaces one table of one family at a time. A plan of several is therefore rehearsed in a fresh network
/// namespace, carried out in its stated order under the xtables lock, and put back when a later table fails.
public final class XTablesBackend: Backend {
  public let capabilities = Capabilities(name: "legacy", families: [.ipv4, .ipv6], isOneTransaction: false)

  private let lockPath: String
  /// Tables with more entries are read and written without libiptc; see ``BulkTable``.
  private let bulkThreshold: Int
  /// The order of chains in tables that were read in bulk.
  private let orders = Mutex<[TableID: [ChainName]]>([:])
  private let names: Names
  /// Counts the locks taken, 0 while none is held: a snapshot read under a lock that is still held cannot be stale.
  private let lockState = Mutex(LockState())

  private struct LockState {
    var taken: UInt64 = 0
    var isHeld = false
  }

  /// - Parameters:
  ///   - lockPath: nil for `XTABLES_LOCKFILE`, or /run/xtables.lock.
  ///   - names: for rules in messages.
  public convenience init(lockPath: String? = nil, names: Names = .wellKnown) {
    self.init(lockPath: lockPath, names: names, bulkThreshold: BulkTable.threshold)
  }

  /// - Parameter bulkThreshold: 0 never uses libiptc, `Int.max` always does; both have to give the same.
  package init(lockPath: String? = nil, names: Names = .wellKnown, bulkThreshold: Int) {
    self.bulkThreshold = bulkThreshold
    self.lockPath = lockPath ?? getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    self.names = names
  }

  // MARK: Lock

  private final class HeldLock: WriteLock {
    private let file: XTablesLock
    private let owner: XTablesBackend
    init(_ file: XTablesLock, _ owner: XTablesBackend) {
      self.file = file
      self.owner = owner
    }
    deinit { release() }
    func release() {
      owner.lockState.withLock { $0.isHeld = false }
      file.release()
    }
  }

  public func lock(waiting limit: Duration) throws(BackendError) -> any WriteLock {
    let file = try XTablesLock(path: lockPath, waiting: limit)
    lockState.withLock { state in
      state.taken += 1
      state.isHeld = true
    }
    return HeldLock(file, self)
  }

  // MARK: Reading

  public func snapshot(of selection: TableSelection) throws(BackendError) -> Snapshot {
    var existing: [TableID] = []
    var ruleset = Ruleset()
    for family in Family.allCases {
      for name in KernelTables.existing(family) { existing.append(TableID(name, family)) }
    }
    for id in existing where selection.contains(id) { ruleset[id] = try read(id) }
    return Snapshot(ruleset: ruleset, existing: existing, stamp: stamp(of: ruleset))
  }

  /// Under the lock: which lock it was, in odd numbers. Without it: a digest of the rules, in even numbers.
  private func stamp(of ruleset: Ruleset) -> Snapshot.Stamp {
    let held = lockState.withLock { $0.isHeld ? $0.taken : nil }
    if let held { return Snapshot.Stamp(held << 1 | 1) }
    return Snapshot.Stamp(Self.digest(of: ruleset) & ~1)
  }

  private static func digest(of ruleset: Ruleset) -> UInt64 {
    var hasher = Hasher()
    for table in ruleset.tables {
      hasher.combine(table.id)
      for chain in table.chains {
        hasher.combine(chain.name)
        hasher.combine(chain.policy)
        for index in chain.rules.indices { hasher.combine(chain.rules.fingerprint(of: index)) }
      }
    }
    return UInt64(truncatingIfNeeded: hasher.finalize())
  }

  private func read(_ id: TableID) throws(BackendError) -> Table {
    if let count = try? BulkTable.entryCount(id), count > bulkThreshold {
      return try bulk(id) { () throws(BulkTable.Problem) in try self.readBulk(id) }
    }
    return try withLibrary(id) { () throws(LegacyTable.LibraryError) in
      let table = try LegacyTable(opening: id)
      return try table.read()
    }
  }

  private func readBulk(_ id: TableID) throws(BulkTable.Problem) -> Table {
    let (table, order) = try BulkTable.read(id)
    orders.withLock { $0[id] = order }
    return table
  }

  // MARK: Rehearsing

  public func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String? {
    let steps = extent == .full ? plan.steps[...] : plan.steps.dropFirst()
    guard !steps.isEmpty else { return nil }
    let tried = inFreshNamespace { () -> BackendError? in
      for step in steps {
        do throws(BackendError) {
          try self.write(Plan.Step(id: step.id, before: nil, after: step.after), isLive: false)
        } catch {
          return error
        }
      }
      return nil
    }
    switch tried {
    case .success(nil): return nil
    case .success(let error?): throw locate(error, steps)
    case .failure(let refusal):
      return "no rehearsal: a network namespace cannot be made here (\(describe(refusal.code)))"
    }
  }

  /// Finds the rule at fault when the kernel refused a table: the first one with which a namespace of its own
  /// refuses the rules up to it.
  private func locate(_ error: BackendError, _ steps: ArraySlice<Plan.Step>) -> BackendError {
    guard error.kind == .refused, let table = error.table, let step = steps.first(where: { $0.id == table }) else {
      return error
    }
    let found = inFreshNamespace { self.firstRefused(in: step.after) }
    guard case .success(let culprit?) = found else { return error }
    var error = error
    error.culprit = culprit
    return error
  }

  private func firstRefused(in table: Table) -> BackendError.Culprit? {
    guard (try? write(Plan.Step(id: table.id, before: nil, after: table), isLive: false)) == nil else { return nil }
    var low = 0  // so many rules are taken
    var high = table.ruleCount  // so many are refused
    while high - low > 1 {
      let middle = (low + high) / 2
      let part = table.keepingFirst(middle)
      let step = Plan.Step(id: table.id, before: nil, after: part)
      if (try? write(step, isLive: false)) != nil {
        low = middle
        try? write(step.reversed, isLive: false)
      } else {
        high = middle
      }
    }
    guard high > 0 else { return nil }
    var rest = high - 1
    for chain in table.chains {
      if rest < chain.rules.count {
        return BackendError.Culprit(
          table: table.id, chain: chain.name, ruleNumber: rest + 1, line: chain.rules.line(of: rest),
          text: "-A \(chain.name)" + SaveText.rule(chain.rules[rest], family: table.family, names: names))
      }
      rest -= chain.rules.count
    }
    return nil
  }

  // MARK: Writing

  public func apply(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) {
    let isOurs = lockState.withLock { $0.isHeld && stamp.value == $0.taken << 1 | 1 }
    let temporary = lockState.withLock({ $0.isHeld }) ? nil : try lock(waiting: .seconds(5))
    defer { temporary?.release() }
    if !isOurs { try checkUnchanged(plan, stamp) }
    try create(plan.creations)
    var done: [Plan.Step] = []
    for step in plan.steps {
      do throws(BackendError) {
        try write(step)
        done.append(step)
      } catch {
        let isDone = isCarriedOut(step)
        try putBack(done + (isDone ? [step] : []), countersLost: isDone, after: error)
        throw locate(error, plan.steps[...])
      }
    }
  }

  private func checkUnchanged(_ plan: Plan, _ stamp: Snapshot.Stamp) throws(BackendError) {
    let existing = Set(
      KernelTables.existing(.ipv4).map { TableID($0, .ipv4) } + KernelTables.existing(.ipv6).map { TableID($0, .ipv6) })
    for step in plan.steps {
      let now = existing.contains(step.id) ? try read(step.id) : nil
      let isSame =
        now.map { live in step.before.map { $0.sameRules(as: live) } ?? live.isPristine } ?? (step.before == nil)
      guard isSame else {
        throw BackendError(.stale, "\(step.id) has been changed by another program since it was read")
      }
    }
  }

  /// Makes tables that do not exist in the order in which the kernel is to list them.
  private func create(_ tables: [TableID]) throws(BackendError) {
    for id in tables {
      _ = try withLibrary(id) { () throws(LegacyTable.LibraryError) in try LegacyTable(opening: id).id }
    }
  }

  /// Whether a step that failed has changed the table all the same: the kernel replaces the rules first and takes the
  /// counters then.
  private func isCarriedOut(_ step: Plan.Step) -> Bool {
    guard let live = try? read(step.id) else { return false }
    return live.sameRules(as: step.after)
  }

  /// - Parameter isLive: false in a namespace made for trying.
  private func write(_ step: Plan.Step, isLive: Bool = true) throws(BackendError) {
    let before = step.before ?? Table(step.id.name, family: step.id.family)
    let count = Swift.max(before.entryCount, step.after.entryCount)
    if count > bulkThreshold || step.restoresCounters {
      let order = (isLive ? orders.withLock { $0[step.id] } : nil).flatMap { order in
        Set(order) == Set(before.chains.map(\.name)) ? order : nil
      }
      try bulk(step.id) { () throws(BulkTable.Problem) in
        try BulkTable.replace(
          before, order: order ?? before.chains.map(\.name), with: step.after, handsOn: !step.restoresCounters)
      }
      if isLive { orders.withLock { $0[step.id] = step.after.chains.map(\.name) } }
      return
    }
    try withLibrary(step.id) { () throws(LegacyTable.LibraryError) in
      let table = try LegacyTable(opening: step.id)
      try table.edit(from: before, to: step.after)
      try table.commit()
    }
  }

  /// Takes back what was done, last first.
  /// - Parameter countersLost: the last table has its rules, but not their counters.
  private func putBack(_ done: [Plan.Step], countersLost: Bool, after error: BackendError) throws(BackendError) {
    var failures: [String] = []
    for (place, step) in done.enumerated().reversed() {
      do throws(BackendError) {
        try write(step.reversed(restoringCounters: countersLost && place == done.count - 1))
      } catch {
        failures.append("\(step.id): \(error.message)")
      }
    }
    guard failures.isEmpty else {
      throw BackendError(
        .putBackFailed,
        "THE RULES ARE A MIXTURE: \(error.message), and putting back failed too: \(failures.joined(separator: "; "))",
        hint: "the rules from before are on disk: firebreak rollback", code: error.code)
    }
  }

  // MARK: Errors

  /// Runs one use of libiptc under the process's lock; a missing kernel module is loaded once.
  private func withLibrary<R>(_ id: TableID, _ body: () throws(LegacyTable.LibraryError) -> R) throws(BackendError) -> R
  {
    do throws(LegacyTable.LibraryError) {
      return try LibIPTC.lock.withLock { _ throws(LegacyTable.LibraryError) in try body() }
    } catch {
      guard error.operation == .open, error.code == ENOPROTOOPT || error.code == ENOENT,
        fb_load_module(id.family == .ipv4 ? "ip_tables" : "ip6_tables") == 0
      else { throw sentence(error, id) }
    }
    do throws(LegacyTable.LibraryError) {
      return try LibIPTC.lock.withLock { _ throws(LegacyTable.LibraryError) in try body() }
    } catch {
      throw sentence(error, id)
    }
  }

  /// Runs one use of the kernel's own interface.
  private func bulk<R>(_ id: TableID, _ body: () throws(BulkTable.Problem) -> R) throws(BackendError) -> R {
    do throws(BulkTable.Problem) {
      return try body()
    } catch {
      switch error {
      case .image(let error):
        throw BackendError(.system, "table \(id): the kernel's answer cannot be read: \(error)")
      case .socket(let failure):
        let operation: LegacyTable.Operation = failure.operation == .open ? .open : .commit
        throw sentence(
          LegacyTable.LibraryError(operation: operation, code: failure.code, reason: describe(failure.code)), id)
      }
    }
  }

  private func sentence(_ error: LegacyTable.LibraryError, _ id: TableID) -> BackendError {
    var result: BackendError
    switch (error.operation, error.code) {
    case (_, EPERM), (_, EACCES):
      result = BackendError(.notPermitted, "table \(id): only root may read or change it", hint: "run it with sudo")
    case (.open, _):
      result = BackendError(
        .unsupported, "the kernel has no table \(id) (\(error.reason))",
        hint: "is the module \(id.family == .ipv4 ? "iptable" : "ip6table")_\(id.name) there?")
    case (_, EAGAIN):
      result = BackendError(.stale, "table \(id) has been changed by another program meanwhile")
    case (.edit(let chain), _):
      result = BackendError(.refused, "table \(id), chain \(chain): \(error.reason)")
    case (.commit, ENOENT):
      result = BackendError(.refused, "the kernel refused table \(id): it lacks a match or target that a rule uses")
    case (.commit, ELOOP):
      result = BackendError(.refused, "the kernel refused table \(id): its chains form a loop")
    case (.commit, EINVAL):
      result = BackendError(
        .refused,
        "the kernel refused table \(id): an extension got a value, or stands at a place, that it does not take",
        hint: "the kernel's log may say more: dmesg | tail")
    case (.commit, _):
      result = BackendError(.refused, "the kernel refused table \(id): \(error.reason)")
    }
    result.code = error.code
    result.table = id
    return result
  }
}

extension Table {
  /// Rules, chain heads, policies and ends, as the kernel counts them.
  fileprivate var entryCount: Int { chains.reduce(1) { $0 + $1.rules.count + ($1.hook == nil ? 2 : 1) } }

  /// The same chains with the first `count` rules only, counted over all chains in order.
  fileprivate func keepingFirst(_ count: Int) -> Table {
    var result = self
    var left = count
    for index in chains.indices {
      let rules = chains[index].rules
      result.setRules(of: index, RuleList(rules.prefix(left), family: family))
      left -= Swift.min(left, rules.count)
    }
    return result
  }
}
