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
  public let capabilities = Capabilities(
    name: "nft", families: [.ipv4, .ipv6], isOneTransaction: true, interface: .nfTables)

  private let names: Names
  let form: Form
  private let smallestMap: Int
  /// How tables are to be compiled of which a plan was made last.
  private let prepared = Mutex<[TableID: CompiledPlan]>([:])
  /// What was read last, for the handles of its rules.
  private let lastReading = Mutex<KernelReading?>(nil)
  /// The chains of the table that was looked at last, for what is to be added to it.
  let lastHeads = Mutex<TableHeads?>(nil)
  private let isLocked = Mutex(false)
  private let revisions: KernelRevisions
  /// Bytes of answers that may wait in a socket; nil for as many as are of use.
  let receiveQueue: Int32?
  private let leavesOthers: Bool
  let memory: RuleMemory?
  private let pairings = RulePairings()

  /// In which form tables are written.
  public enum Form: Hashable, Sendable {
    /// The one that each has.
    case asItIs
    /// Looked up in maps, where that gains anything and every rule can be given back as it was written.
    case compiled
    /// One rule each, as iptables-nft has them.
    case linear
  }

  /// Where the command keeps what it remembers, unless it keeps its state elsewhere.
  public static let standardMemory = "/run/firebreak"

  /// - Parameters:
  ///   - names: for rules in messages.
  ///   - form: in which form tables are written.
  ///   - directory: where rules that were read or written are kept, so that they need not be read again as long as nothing
  ///     has changed; nil to read them each time. Only ``standardMemory`` is made where it is not there.
  public convenience init(names: Names = .wellKnown, form: Form = .asItIs, remembering directory: String? = nil) {
    self.init(names: names, form: form, remembering: directory, leastRules: RuleMemory.leastRules)
  }

  /// - Parameters:
  ///   - smallestMap: fewer rules than so many stay linear.
  ///   - leastRules: rulesets with fewer are not remembered.
  ///   - hasRevision: what is asked about revisions of extensions; nil asks the kernel.
  ///   - receiveQueue: how many bytes of answers may wait in a socket.
  ///   - leavesOthers: see ``KernelReader/leavesOthers``.
  package init(
    names: Names = .wellKnown, form: Form = .asItIs, smallestMap: Int? = nil, remembering directory: String? = nil,
    leastRules: Int = RuleMemory.leastRules, hasRevision: RevisionAnswer? = nil, receiveQueue: Int32? = nil,
    leavesOthers: Bool = false
  ) {
    self.names = names
    self.leavesOthers = leavesOthers
    self.form = form
    self.smallestMap = smallestMap ?? ChainLayout.smallestMap
    self.receiveQueue = receiveQueue
    revisions = KernelRevisions(hasRevision ?? KernelReader.hasRevision)
    memory = directory.map {
      RuleMemory(path: $0, makesDirectory: $0 == Self.standardMemory, leastRules: leastRules)
    }
  }

  var compiler: PlanCompiler {
    PlanCompiler(names: names, revisions: revisions, smallestMap: smallestMap, pairings: pairings)
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
    let deadline = BootTime.now + limit
    while true {
      let isMine = isLocked.withLock { locked in
        defer { locked = true }
        return !locked
      }
      if isMine { return Held(self) }
      guard BootTime.now < deadline else {
        throw BackendError(.busy, "another commit of this program did not end within \(limit)")
      }
      usleep(Self.lockPause)
    }
  }

  // MARK: Reading

  /// Whether this kernel has nf_tables. Who may not ask is told when he tries to use it.
  public var isAvailable: Bool {
    do throws(BackendError) {
      _ = try generation()
      return true
    } catch {
      return error.kind != .unsupported
    }
  }

  /// Whether a table of iptables-nft does something to a packet: it has rules, chains of its own, or a policy other than
  /// ACCEPT. Tables that are there and empty do not count. No rule is read.
  package func isInUse() throws(BackendError) -> Bool {
    try withReader { reader throws(KernelReader.Problem) in try reader.isInUse() }
  }

  /// Whether nf_tables carries this revision of an extension of xtables; nil when the kernel has no such extension.
  package func hasRevision(_ revision: UInt8, of name: String, isTarget: Bool, _ family: Family) -> Bool? {
    KernelReader.hasRevision(revision, name, isTarget, family)
  }

  /// The tables of other programs, which are never touched.
  public func otherTables() throws(BackendError) -> [OtherTable] {
    try withReader { reader throws(KernelReader.Problem) in try reader.otherTables() }
  }

  /// The tables that stand in compiled form.
  package func compiledTables() throws(BackendError) -> Set<TableID> {
    try withReader { reader throws(KernelReader.Problem) in try reader.read(.only([])).compiled }
  }

  func generation() throws(BackendError) -> UInt32 {
    try withReader { reader throws(KernelReader.Problem) in try reader.generation() }
  }

  public func snapshot(of selection: TableSelection) throws(BackendError) -> Snapshot {
    snapshot(try read(selection), selection)
  }

  /// Rules that are remembered are not read.
  public func outline(of selection: TableSelection) throws(BackendError) -> Snapshot {
    snapshot(try read(selection, memory), selection)
  }

  private func snapshot(_ reading: KernelReading, _ selection: TableSelection) -> Snapshot {
    let tables = reading.existing.filter { selection.contains($0) }.compactMap { reading.tables[$0] }
    return Snapshot(
      ruleset: Ruleset(tables.map(\.table)), existing: reading.existing,
      stamp: Snapshot.Stamp(UInt64(reading.generation)),
      incomplete: Set(tables.lazy.filter(\.isIncomplete).map(\.table.id)))
  }

  private func read(_ selection: TableSelection, _ known: RuleMemory? = nil) throws(BackendError) -> KernelReading {
    let (fresh, moment) = try withReader { reader throws(KernelReader.Problem) in
      let reading = try reader.read(selection, known)
      return (reading, reader.place(reading.generation))
    }
    if let memory, let moment { remember(fresh, in: memory, at: moment) }
    return lastReading.withLock { last in
      var merged = fresh
      if let last { merged.merge(last) }
      last = merged
      return merged
    }
  }

  /// Keeps what had to be read.
  private func remember(_ reading: KernelReading, in memory: RuleMemory, at moment: RuleMemory.Moment) {
    guard reading.tables.values.contains(where: \.isNews) else { return }
    let earlier = memory.recall(moment)
    memory.keep(
      Array(reading.tables.values), since: earlier, at: moment, compiled: reading.compiled,
      isSettled: earlier?.isSettled ?? false)
  }

  func withReader<R>(_ body: (inout KernelReader) throws(KernelReader.Problem) -> R) throws(BackendError) -> R {
    do throws(KernelReader.Problem) {
      var reader: KernelReader
      do throws(NetlinkFailure) { reader = try KernelReader(receiveQueue) } catch { throw .netlink(error) }
      reader.leavesOthers = leavesOthers
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

  /// Where the rules of each chain of a table are, as that is remembered (``RememberedRules/Key/words``); read where there
  /// is no memory.
  package func places(of id: TableID) throws(BackendError) -> [ChainName: [UInt64]] {
    guard let live = try read(.only([id]), memory).tables[id] else { return [:] }
    return live.table.chains.reduce(into: [:]) { $0[$1.name] = $1.rules.isEmpty ? [] : live.words(of: $1.name) }
  }

  // MARK: Writing

  /// Rules that nf_tables gives back as others that mean the same are written as those, so that what is read later is what
  /// was planned. Rules that do not stay are given their present counters, where those were not read.
  public func fitted(_ plan: Plan) throws(BackendError) -> Plan {
    let compiler = compiler
    let known = lastReading.withLock { $0 }
    let wanted = plan.steps + reshaped(plan, known)
    if let known { try checkOwners(wanted, known) }
    for step in wanted where step.before != nil {
      guard let live = known?.tables[step.id], live.isOutline else { continue }
      guard form(of: step.id, plan) != .linear, CompiledRecall.suffices(step, live, pairings) else {
        throw .notRemembered(step.id)
      }
    }
    var fitted: [Plan.Step] = []
    var layouts: [TableID: CompiledPlan] = [:]
    var notes: [String] = []
    for step in wanted {
      let live = step.before == nil ? nil : known?.tables[step.id]
      let form = form(of: step.id, plan)
      var after = step.after
      if form == .compiled || form == .asItIs && live?.compiled != nil {
        let (table, layout, note) = try compiler.prepare(step, live)
        after = table
        layouts[step.id] = layout
        if let note, form == .compiled || layout == nil && after.ruleCount > 0 { notes.append(note) }
      } else {
        after = try compiler.normalForm(step)
      }
      fitted.append(step.with(before: step.before, after: after))
    }
    let sharing = try sharing(fitted, layouts, mayBegin: mayShare(plan))
    notes += sharing.notes
    var steps: [Plan.Step] = []
    for step in fitted {
      let isCompiled = step.before != nil && known?.tables[step.id]?.compiled != nil
      let keepsForm = isCompiled == (layouts[step.id] != nil) && !sharing.moved.contains(step.id.name)
      if let before = step.before, keepsForm, !step.restoresCounters, step.sources.isEmpty,
        before.sameRules(as: step.after)
      {
        continue
      }
      if step.before != nil, known?.tables[step.id]?.isOutline == true {
        guard keepsForm, let known = try recalled(step) else { throw .notRemembered(step.id) }
        steps.append(known)
      } else {
        steps.append(try counted(step, keepsForm: keepsForm))
      }
    }
    prepared.withLock { $0 = layouts }
    var result = Plan(steps: steps, creations: plan.creations, unchanged: plan.unchanged, notes: notes)
    result.shapes = plan.shapes
    for step in steps { result.formerShapes[step.id] = step.before == nil ? .linear : known?.tables[step.id]?.shape }
    return result
  }

  /// In which form a table of a plan is written.
  private func form(of id: TableID, _ plan: Plan) -> Form {
    switch plan.shapes[id] {
    case nil: form
    case .linear: .linear
    case .compiled, .shared: .compiled
    }
  }

  /// Whether tables of a plan that share nothing with those of the other family may come to.
  private func mayShare(_ plan: Plan) -> Bool {
    plan.shapes.isEmpty ? form == .compiled : plan.shapes.values.contains(.shared)
  }

  /// What a plan's tables will share with those of the other family.
  private func sharing(
    _ steps: [Plan.Step], _ layouts: [TableID: CompiledPlan], mayBegin: Bool
  ) throws(BackendError) -> Sharing {
    guard let known = lastReading.withLock({ $0 }), !(layouts.isEmpty && known.compiled.isEmpty) else {
      return Sharing()
    }
    var compiler = compiler
    compiler.layouts = layouts
    let partners = Sharing.partners(of: steps, known, mayBegin: mayBegin)
    return compiler.sharing(steps, try outlined(partners, known), mayBegin: mayBegin)
  }

  /// A reading with the rules of tables that a plan leaves as they are.
  private func outlined(_ ids: Set<TableID>, _ reading: KernelReading) throws(BackendError) -> KernelReading {
    let missing = ids.filter { reading.tables[$0] == nil }
    return missing.isEmpty ? reading : try read(.only(missing), memory)
  }

  /// Steps for tables that stay as they are in another form.
  private func reshaped(_ plan: Plan, _ known: KernelReading?) -> [Plan.Step] {
    let sharing = mayShare(plan)
    return plan.unchanged.compactMap { id in
      let form = form(of: id, plan)
      guard form != .asItIs, let live = known?.tables[id] else { return nil }
      // One that is compiled may come to share chains.
      let mayShare = sharing && known?.compiled.contains(id.partner) == true && !live.isSettled
      let isWanted = form == .compiled && (live.compiled == nil || mayShare)
      guard isWanted || form == .linear && live.compiled != nil else { return nil }
      return Plan.Step(id: id, before: live.table, after: live.table)
    }
  }

  /// The step with the counters that rules have now that go, or come back in another place.
  /// - Parameter keepsForm: whether rules stay in the kernel at all.
  private func counted(_ step: Plan.Step, keepsForm: Bool) throws(BackendError) -> Plan.Step {
    let last = lastReading.withLock { $0?.tables[step.id] }
    guard let before = step.before, let last, !last.uncounted.isEmpty, last.table.holdsRules(of: before) else {
      return step
    }
    return try withReader { reader throws(KernelReader.Problem) in
      var compiler = compiler
      compiler.canFollow = reader.canFollow
      var count = CounterUpdate(step, last, compiler, movesAll: !keepsForm)
      try count.read(through: &reader)
      lastReading.withLock { $0?.update(count.live) }
      return count.step
    }
  }

  /// The step with what it takes to carry it out, where the table is remembered and not read; nil where that is not
  /// enough.
  private func recalled(_ step: Plan.Step) throws(BackendError) -> Plan.Step? {
    guard let before = step.before, let last = lastReading.withLock({ $0?.tables[step.id] }),
      last.table.holdsRules(of: before), var recall = CompiledRecall(step, last, compiler)
    else { return nil }
    let isWhole = try withReader { reader throws(KernelReader.Problem) in
      // Whatever is wrong is told when all is read.
      do throws(KernelReader.Problem) { return try recall.read(through: &reader) } catch { return false }
    }
    guard isWhole else { return nil }
    lastReading.withLock { $0?.update(recall.live) }
    return recall.step
  }

  /// The kernel takes a batch whole or not at all, so that nothing needs a rehearsal; the full one gives it the batch
  /// without the end, which the kernel then tries and forgets.
  public func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String? {
    guard extent == .full, !plan.isEmpty else { return nil }
    let known = lastReading.withLock { $0 }
    do throws(BackendError) {
      try assembled(plan, try reading(for: plan, of: known?.generation), isTrial: true).attempt()
      try compiler.checkDepth(plan)
    } catch {
      guard error.kind == .stale else { throw error }
      return "no rehearsal: \(error.message)"
    }
    return nil
  }

  public func apply(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) {
    guard !plan.isEmpty else { return }
    try prepared(plan, expecting: stamp).carryOut()
  }

  public func prepared(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) -> any PreparedPlan {
    try assembled(plan, try reading(for: plan, of: UInt32(truncatingIfNeeded: stamp.value)))
  }

  private static let looks = 5
  private static let lookPause: useconds_t = 20_000

  /// - Throws: ``BackendError`` of kind `unknown` when that cannot be told.
  func isCarriedOut(_ plan: Plan, since before: KernelReading, after lost: BackendError) throws(BackendError)
    -> Bool
  {
    var last = lost
    for look in 0..<Self.looks {
      if look > 0 { usleep(Self.lookPause) }
      do throws(BackendError) {
        let now = try read(.only(Set(plan.tables)))
        if now.generation == before.generation { return false }
        if plan.steps.allSatisfy({ now.tables[$0.id]?.table.sameRules(as: $0.after) == true }),
          plan.creations.allSatisfy({ now.existing.contains($0) })
        {
          return true
        }
        if plan.creations.allSatisfy({ !now.existing.contains($0) }),
          plan.steps.allSatisfy({ step in
            step.before.map { now.tables[step.id]?.table.sameRules(as: $0) == true } ?? true
          })
        {
          return false
        }
        last = BackendError(.stale, "another program has changed the same tables since")
        break
      } catch {
        last = error
      }
    }
    throw BackendError(
      .unknown,
      """
      IT IS NOT KNOWN WHETHER THE RULES WERE TAKEN: \(lost.message), and then: \(last.message); nf_tables holds all of the \
      new rules or none of them
      """,
      hint: "see which: firebreak diff; settle it: firebreak recover", code: lost.code)
  }

  /// - Throws: ``BackendError`` of kind `refused` for a table that another program keeps for itself.
  private func checkOwners(_ steps: [Plan.Step], _ reading: KernelReading) throws(BackendError) {
    for step in steps {
      guard let owner = reading.tables[step.id]?.owner else { continue }
      throw BackendError(
        .refused, "nf_tables table \(step.id) belongs to \(owner), which alone may change it",
        hint: "end that program first, or change the rules through it", table: step.id)
    }
  }

  /// What is known of the plan's tables in a generation.
  /// - Throws: ``BackendError`` of kind `stale` when it is no longer the kernel's.
  private func reading(for plan: Plan, of generation: UInt32?) throws(BackendError) -> KernelReading {
    let needed = Set(plan.steps.filter { $0.before != nil }.map(\.id))
    var reading = lastReading.withLock { $0 }
    if reading == nil || reading?.generation != generation
      || !needed.allSatisfy({ reading?.tables[$0]?.isOutline == false })
    {
      reading = try read(.only(needed))
    }
    guard let reading, generation == nil || reading.generation == generation,
      plan.creations.allSatisfy({ !reading.existing.contains($0) }),
      plan.steps.allSatisfy({ step in
        step.before.map { reading.tables[step.id]?.table.holdsRules(of: $0) == true } ?? true
      })
    else { throw BackendError(.stale, "the rules have changed since they were read") }
    try checkOwners(plan.steps, reading)
    return reading
  }

  /// With the forms that the tables are to have, decided when the plan was fitted, or now.
  /// - Parameter reading: takes in what is read of tables that the plan leaves as they are.
  private func compiler(for plan: Plan, _ reading: inout KernelReading) throws(BackendError) -> PlanCompiler {
    var compiler = compiler
    let prepared = prepared.withLock { $0 }
    for step in plan.steps {
      let live = reading.tables[step.id]
      let form = form(of: step.id, plan)
      guard form == .compiled || form == .asItIs && live?.compiled != nil else { continue }
      if let known = prepared[step.id], known.table.sameRules(as: step.after) {
        compiler.layouts[step.id] = known
      } else {
        compiler.layouts[step.id] = try compiler.prepare(step, live).plan
      }
    }
    let mayBegin = mayShare(plan)
    let partners = Sharing.partners(of: plan.steps, reading, mayBegin: mayBegin)
    func take(_ now: KernelReading) throws(BackendError) {
      guard now.generation == reading.generation else {
        throw BackendError(.stale, "the rules have changed since they were read")
      }
      reading = now
      compiler.sharing = compiler.sharing(plan.steps, reading, mayBegin: mayBegin)
    }
    try take(outlined(partners, reading))
    // Those that are written anew, for the counters that they have now.
    let moving = Set(compiler.sharing.partners.map(\.id))
    if !moving.isEmpty { try take(read(.only(moving))) }
    for step in compiler.sharing.partners { compiler.layouts[step.id] = CompiledPlan(table: step.after) }
    try checkOwners(compiler.sharing.partners, reading)
    return compiler
  }

  /// How many messages the kernel would get.
  package func messages(for plan: Plan) throws(BackendError) -> Int { try batch(for: plan).count }

  /// What the kernel would get, with messages numbered from 0 on.
  package func bytes(for plan: Plan) throws(BackendError) -> [UInt8] { try batch(for: plan).bytes }

  private func batch(for plan: Plan) throws(BackendError) -> Batch {
    var reading = try reading(for: plan, of: nil)
    let compiler = try compiler(for: plan, &reading)
    var batch = Batch(generation: reading.generation, firstSequence: 0, capacity: 0, revisions: revisions)
    _ = try compiler.compile(plan, reading, into: &batch)
    return batch
  }

  /// A plan as one batch.
  private func assembled(
    _ plan: Plan, _ known: KernelReading, isTrial: Bool = false
  ) throws(BackendError) -> AssembledPlan {
    var reading = known
    var compiler = try compiler(for: plan, &reading)
    var socket: NetlinkSocket
    do throws(NetlinkFailure) { socket = try NetlinkSocket(receiveQueue) } catch { throw BackendError(error) }
    compiler.canFollow = socket.namespaceCookie != nil
    var batch = Batch(
      generation: reading.generation, firstSequence: socket.takeSequence(0), capacity: plan.estimatedBytes,
      revisions: revisions)
    let written = try compiler.compile(plan, reading, into: &batch)
    if !plan.beside.changes.isEmpty {
      let edits = try TableEdits(plan.beside.changes, plan.beside.unexpected)
      guard edits.generation == reading.generation else {
        throw BackendError(.stale, "the rules have changed since they were read")
      }
      batch.add(edits)
    }
    return AssembledPlan(plan, reading, compiler, written, batch.seal(isTrial: isTrial), socket, self)
  }
}

extension Plan {
  /// About what the rules of new tables need in a batch.
  fileprivate var estimatedBytes: Int { steps.reduce(0) { $0 + ($1.before == nil ? $1.after.ruleCount * 512 : 0) } }
}
