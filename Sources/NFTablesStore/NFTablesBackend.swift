internal import Glibc
public import Netfilter
public import RuleStore
internal import Synchronization

/// The kernel's nf_tables, laid out as iptables-nft does it: tables `filter`, `nat`, `mangle`, `raw` and `security` of the
/// families `ip` and `ip6`. Tables of other families and names are never looked at and never touched.
///
/// A plan is one transaction over all tables and both families, carried out only if nothing in nf_tables has changed since the
/// snapshot. A table that holds what iptables cannot say is not touched either: reading it throws.
public final class NFTablesBackend: Backend {
  public let capabilities = Capabilities(name: "nft", families: [.ipv4, .ipv6], isOneTransaction: true)

  private let names: Names
  private let form: Form
  private let smallestMap: Int
  /// How tables are to be compiled of which a plan was made last.
  private let prepared = Mutex<[TableID: CompiledPlan]>([:])
  /// What was read last, for the handles of its rules.
  private let lastReading = Mutex<KernelReading?>(nil)
  private let isLocked = Mutex(false)

  /// In which form tables are written.
  public enum Form: Hashable, Sendable {
    /// The one that each has.
    case asItIs
    /// Looked up in maps, where that gains anything and every rule can be given back as it was written.
    case compiled
    /// One rule each, as iptables-nft has them.
    case linear
  }

  /// - Parameters:
  ///   - names: for rules in messages.
  ///   - form: in which form tables are written.
  public convenience init(names: Names = .wellKnown, form: Form = .asItIs) {
    self.init(names: names, form: form, smallestMap: ChainLayout.smallestMap)
  }

  /// - Parameter smallestMap: fewer rules than so many stay linear.
  package init(names: Names = .wellKnown, form: Form, smallestMap: Int) {
    self.names = names
    self.form = form
    self.smallestMap = smallestMap
  }

  // MARK: Lock

  private final class Held: WriteLock {
    private let owner: NFTablesBackend
    private let isReleased = Mutex(false)
    init(_ owner: NFTablesBackend) { self.owner = owner }
    deinit { release() }
    func release() {
      let first = isReleased.withLock { released in
        defer { released = true }
        return !released
      }
      if first { owner.isLocked.withLock { $0 = false } }
    }
  }

  private static let lockPause: useconds_t = 5_000

  /// Keeps other users of this value away. Other programs need no lock, and iptables-nft has none: the kernel refuses a
  /// batch that was made for an earlier generation.
  public func lock(waiting limit: Duration) throws(BackendError) -> any WriteLock {
    let deadline = ContinuousClock.now + limit
    while true {
      let isMine = isLocked.withLock { locked in
        defer { locked = true }
        return !locked
      }
      if isMine { return Held(self) }
      guard ContinuousClock.now < deadline else {
        throw BackendError(.busy, "another commit of this program did not end within \(limit)")
      }
      usleep(Self.lockPause)
    }
  }

  // MARK: Reading

  /// Whether this kernel has nf_tables.
  public var isAvailable: Bool { (try? generation()) != nil }

  private func generation() throws(BackendError) -> UInt32 {
    try withReader { reader throws(KernelReader.Problem) in try reader.generation() }
  }

  public func snapshot(of selection: TableSelection) throws(BackendError) -> Snapshot {
    let reading = try read(selection)
    let tables = reading.existing.filter { selection.contains($0) }.compactMap { reading.tables[$0]?.table }
    return Snapshot(
      ruleset: Ruleset(tables), existing: reading.existing, stamp: Snapshot.Stamp(UInt64(reading.generation)))
  }

  private func read(_ selection: TableSelection) throws(BackendError) -> KernelReading {
    let fresh = try withReader { reader throws(KernelReader.Problem) in try reader.read(selection) }
    return lastReading.withLock { last in
      var merged = fresh
      if let last { merged.merge(last) }
      last = merged
      return merged
    }
  }

  private func withReader<R>(_ body: (inout KernelReader) throws(KernelReader.Problem) -> R) throws(BackendError) -> R {
    do throws(KernelReader.Problem) {
      var reader: KernelReader
      do throws(NetlinkFailure) { reader = try KernelReader() } catch { throw .netlink(error) }
      return try body(&reader)
    } catch {
      throw BackendError(error)
    }
  }

  /// How many rules of a table that was read last stand in maps, and how many do not.
  package func lookups(of id: TableID) -> (lookedUp: Int, linear: Int) {
    guard let live = try? read(.only([id])).tables[id] else { return (0, 0) }
    guard let compiled = live.compiled else { return (0, live.table.ruleCount) }
    let lookedUp = compiled.chains.values.reduce(0) { sum, chain in
      sum + chain.entries.count { chain.items[$0.item].map != nil }
    }
    return (lookedUp, live.table.ruleCount - lookedUp)
  }

  // MARK: Writing

  /// Rules that nf_tables gives back as others that mean the same are written as those, so that what is read later is what
  /// was planned.
  public func fitted(_ plan: Plan) throws(BackendError) -> Plan {
    let compiler = PlanCompiler(names: names, smallestMap: smallestMap)
    let known = lastReading.withLock { $0 }
    var steps: [Plan.Step] = []
    var layouts: [TableID: CompiledPlan] = [:]
    var notes: [String] = []
    for step in plan.steps + reshaped(plan, known) {
      let live = step.before == nil ? nil : known?.tables[step.id]
      let isCompiled = live?.compiled != nil
      var after = step.after
      if form == .compiled || form == .asItIs && isCompiled {
        let (table, layout, note) = try compiler.prepare(step, live)
        after = table
        layouts[step.id] = layout
        if let note, form == .compiled || layout == nil { notes.append(note) }
      } else {
        after = try compiler.normalForm(step)
      }
      let keepsForm = isCompiled == (layouts[step.id] != nil)
      if let before = step.before, keepsForm, !step.restoresCounters, before.sameRules(as: after) { continue }
      steps.append(Plan.Step(id: step.id, before: step.before, after: after, restoresCounters: step.restoresCounters))
    }
    prepared.withLock { $0 = layouts }
    return Plan(steps: steps, creations: plan.creations, unchanged: plan.unchanged, notes: notes)
  }

  /// Steps for tables that stay as they are in the other form.
  private func reshaped(_ plan: Plan, _ known: KernelReading?) -> [Plan.Step] {
    guard form != .asItIs else { return [] }
    return plan.unchanged.compactMap { id in
      guard let live = known?.tables[id], (live.compiled != nil) != (form == .compiled) else { return nil }
      return Plan.Step(id: id, before: live.table, after: live.table)
    }
  }

  /// The kernel takes a batch whole or not at all, so that nothing needs a rehearsal; the full one gives it the batch
  /// without the end, which the kernel then tries and forgets.
  public func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String? {
    guard extent == .full, !plan.isEmpty else { return nil }
    let known = lastReading.withLock { $0 }
    do throws(BackendError) {
      try send(plan, try reading(for: plan, of: known?.generation), isTrial: true)
      try PlanCompiler(names: names).checkDepth(plan)
    } catch {
      guard error.kind == .stale else { throw error }
      return "no rehearsal: \(error.message)"
    }
    return nil
  }

  public func apply(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) {
    guard !plan.isEmpty else { return }
    let reading = try reading(for: plan, of: UInt32(truncatingIfNeeded: stamp.value))
    do throws(BackendError) {
      try send(plan, reading, isTrial: false)
    } catch {
      // An answer that got lost says nothing: what the kernel holds does.
      guard error.kind == .system, isCarriedOut(plan, since: reading.generation) else { throw error }
    }
  }

  private func isCarriedOut(_ plan: Plan, since generation: UInt32) -> Bool {
    guard let now = try? read(.only(Set(plan.tables))), now.generation != generation else { return false }
    return plan.steps.allSatisfy { now.tables[$0.id]?.table.sameRules(as: $0.after) == true }
      && plan.creations.allSatisfy { now.existing.contains($0) }
  }

  /// What is known of the plan's tables in a generation.
  /// - Throws: ``BackendError`` of kind `stale` when it is no longer the kernel's.
  private func reading(for plan: Plan, of generation: UInt32?) throws(BackendError) -> KernelReading {
    let needed = Set(plan.steps.filter { $0.before != nil }.map(\.id))
    var reading = lastReading.withLock { $0 }
    if reading == nil || reading?.generation != generation || !needed.allSatisfy({ reading?.tables[$0] != nil }) {
      reading = try read(.only(needed))
    }
    guard let reading, generation == nil || reading.generation == generation,
      plan.creations.allSatisfy({ !reading.existing.contains($0) }),
      plan.steps.allSatisfy({ step in
        step.before.map { reading.tables[step.id]?.table.sameRules(as: $0) == true } ?? true
      })
    else { throw BackendError(.stale, "the rules have changed since they were read") }
    return reading
  }

  /// With the forms that the tables are to have, decided when the plan was fitted, or now.
  private func compiler(for plan: Plan, _ reading: KernelReading) throws(BackendError) -> PlanCompiler {
    var compiler = PlanCompiler(names: names, smallestMap: smallestMap)
    let prepared = prepared.withLock { $0 }
    for step in plan.steps {
      let live = reading.tables[step.id]
      guard form == .compiled || form == .asItIs && live?.compiled != nil else { continue }
      if let known = prepared[step.id], known.table.sameRules(as: step.after) {
        compiler.layouts[step.id] = known
      } else {
        compiler.layouts[step.id] = try compiler.prepare(step, live).plan
      }
    }
    return compiler
  }

  /// How many messages the kernel would get.
  package func messages(for plan: Plan) throws(BackendError) -> Int {
    let reading = try reading(for: plan, of: nil)
    let compiler = try compiler(for: plan, reading)
    var batch = Batch(generation: reading.generation, firstSequence: 0, capacity: 0)
    try compiler.compile(plan, reading, into: &batch)
    return batch.count
  }

  private func send(_ plan: Plan, _ reading: KernelReading, isTrial: Bool) throws(BackendError) {
    let compiler = try compiler(for: plan, reading)
    var socket: NetlinkSocket
    do throws(NetlinkFailure) { socket = try NetlinkSocket() } catch { throw BackendError(error) }
    var batch = Batch(
      generation: reading.generation, firstSequence: socket.takeSequence(0), capacity: plan.estimatedBytes)
    try compiler.compile(plan, reading, into: &batch)
    let sealed = batch.seal(isTrial: isTrial)
    do throws(SealedBatch.Problem) {
      try sealed.send(through: socket)
    } catch {
      throw BackendError(error, plan, compiler)
    }
  }
}

extension Plan {
  /// About what the rules of new tables need in a batch.
  fileprivate var estimatedBytes: Int { steps.reduce(0) { $0 + ($1.before == nil ? $1.after.ruleCount * 512 : 0) } }
}
