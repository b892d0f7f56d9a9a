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
  let names: Names
  /// Counts the locks taken, 0 while none is held: a snapshot read under a lock that is still held cannot be stale.
  private let lockState = Mutex(LockState())
  private let revisions: KernelRevisions

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

  /// - Parameters:
  ///   - bulkThreshold: 0 never uses libiptc, `Int.max` always does; both have to give the same.
  ///   - hasRevision: what is asked about revisions of extensions; nil asks the kernel.
  package init(
    lockPath: String? = nil, names: Names = .wellKnown, bulkThreshold: Int, hasRevision: RevisionAnswer? = nil
  ) {
    revisions = KernelRevisions(hasRevision ?? TableSocket.has)
    self.bulkThreshold = bulkThreshold
    self.lockPath = lockPath ?? getenv("XTABLES_LOCKFILE").map { String(cString: $0) } ?? "/run/xtables.lock"
    self.names = names
  }

  // MARK: Lock

  private final class HeldLock: WriteLock {
    private let file: XTablesLock
    private let owner: XTablesBackend
    private let number: UInt64
    init(_ file: XTablesLock, _ owner: XTablesBackend, number: UInt64) {
      self.file = file
      self.owner = owner
      self.number = number
    }
    deinit { release() }
    func release() {
      owner.lockState.withLock { if $0.taken == number { $0.isHeld = false } }
      file.release()
    }
  }

  public func lock(waiting limit: Duration) throws(BackendError) -> any WriteLock {
    let file = try XTablesLock(path: lockPath, waiting: limit)
    let number = lockState.withLock { state in
      state.taken += 1
      state.isHeld = true
      return state.taken
    }
    return HeldLock(file, self, number: number)
  }

  // MARK: Reading

  public func snapshot(of selection: TableSelection) throws(BackendError) -> Snapshot {
    let existing = try existing()
    var ruleset = Ruleset()
    for id in existing where selection.contains(id) { ruleset[id] = try read(id) }
    return Snapshot(ruleset: ruleset, existing: existing, stamp: stamp)
  }

  /// Which lock the tables were read under, 0 for none: what is read under a lock that is still held cannot be stale, all
  /// else is read again before it is changed.
  private var stamp: Snapshot.Stamp {
    Snapshot.Stamp(lockState.withLock { $0.isHeld ? $0.taken : 0 })
  }

  /// Whether the kernel has ip_tables, loaded or built in.
  package var isAvailable: Bool { KernelTables.isAvailable }

  /// Whether any table does something to a packet: it has rules, chains of its own, or a policy other than ACCEPT.
  /// Tables that are there and empty do not count.
  package func isInUse() throws(BackendError) -> Bool {
    for id in try existing() {
      let count = try bulk(id) { () throws(BulkTable.Problem) in try BulkTable.entryCount(id) }
      if count > Table(id.name, family: id.family).entryCount { return true }
      if try !read(id).isPristine { return true }
    }
    return false
  }

  private func existing() throws(BackendError) -> [TableID] {
    try KernelTables.existing(.ipv4).map { TableID($0, .ipv4) }
      + KernelTables.existing(.ipv6).map { TableID($0, .ipv6) }
  }

  /// One table, which the kernel makes if it does not exist yet.
  package func table(_ id: TableID) throws(BackendError) -> Table { try read(id) }

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

  // MARK: Writing

  public func fitted(_ plan: Plan) throws(BackendError) -> Plan { try revisions.fitted(plan, names: names) }

  public func apply(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) {
    let isOurs = lockState.withLock { $0.isHeld && stamp.value == $0.taken }
    let temporary = lockState.withLock({ $0.isHeld }) ? nil : try lock(waiting: .seconds(5))
    defer { temporary?.release() }
    if !isOurs { try checkUnchanged(plan) }
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

  private func checkUnchanged(_ plan: Plan) throws(BackendError) {
    let existing = Set(try existing())
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
  func create(_ tables: [TableID]) throws(BackendError) {
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
  func write(_ step: Plan.Step, isLive: Bool = true) throws(BackendError) {
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
    let isAsRead = try withLibrary(step.id) { () throws(LegacyTable.LibraryError) in
      let table = try LegacyTable(opening: step.id)
      guard try table.read().sameRules(as: before) else { return false }
      try table.edit(from: before, to: step.after)
      try table.commit()
      return true
    }
    guard isAsRead else {
      throw BackendError(.stale, "table \(step.id) has been changed by another program meanwhile", table: step.id)
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
        hint: "the rules from before are on disk: firebreak recover", code: error.code)
    }
  }
}

extension Table {
  /// Rules, chain heads, policies and ends, as the kernel counts them.
  fileprivate var entryCount: Int { chains.reduce(1) { $0 + $1.rules.count + ($1.hook == nil ? 2 : 1) } }
}
