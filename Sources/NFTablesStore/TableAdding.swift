internal import Glibc
internal import Netfilter
package import RuleStore
internal import Synchronization

/// Additions to tables whose rules are not read: one message for each, which the kernel carries out as fast for a long chain
/// as for a short one, but that it copies all of a chain that changes.
extension NFTablesBackend: TableAdder {
  package func heads(of id: TableID) throws(BackendError) -> Snapshot? {
    let found = try withReader { reader throws(KernelReader.Problem) in try reader.heads(of: id, memory) }
    lastHeads.withLock { $0 = found }
    guard let heads = found else { return nil }
    return Snapshot(
      ruleset: Ruleset([heads.live.table]), existing: [id], stamp: Snapshot.Stamp(UInt64(heads.generation)),
      incomplete: heads.live.isIncomplete ? [id] : [])
  }

  package func add(
    _ additions: [TableAddition], to id: TableID, expecting stamp: Snapshot.Stamp
  ) throws(BackendError) -> Bool {
    guard let heads = lastHeads.withLock({ $0 }), heads.live.table.id == id, UInt64(heads.generation) == stamp.value
    else { throw BackendError(.stale, "the rules have changed since they were read") }
    let compiler = compiler
    let plan = try Self.plan(additions, heads.live, compiler)
    var socket: NetlinkSocket
    do throws(NetlinkFailure) { socket = try NetlinkSocket(receiveQueue) } catch { throw BackendError(error) }
    var batch = Batch(
      generation: heads.generation, firstSequence: socket.takeSequence(0), capacity: 0, revisions: compiler.revisions)
    let step = plan.steps[0]
    let earlier = memory?.recall(socket.place(heads.generation))
    var compiled: CompiledAdding?
    if heads.live.compiled != nil {
      guard let adding = CompiledAdding(step, additions, heads.live, compiler, earlier) else { return false }
      try adding.write(compiler.coder, to: &batch)
      compiled = adding
    } else {
      try Self.write(additions, step, heads, compiler, to: &batch)
    }
    guard batch.count > 0 else { return true }
    let result: SealedBatch.Result
    do throws(SealedBatch.Problem) {
      result = try batch.seal(isTrial: false).send(through: socket)
    } catch {
      throw try lost(BackendError(error, plan, compiler), since: heads.generation)
    }
    var reader = KernelReader(through: socket)
    remember(step, additions, since: earlier, heads.generation, isCompiled: compiled != nil, &reader) { chain in
      if let compiled { return compiled.words(of: chain) }
      guard let new = result.handles[id] else { return nil }
      return zip(new.members, new.handles).filter { $0.0.chain == chain }.map { [$0.1] }
    }
    reader.leave()
    return true
  }

  private static func write(
    _ additions: [TableAddition], _ step: Plan.Step, _ heads: TableHeads, _ compiler: PlanCompiler,
    to batch: inout Batch
  ) throws(BackendError) {
    if case .rename(let old, let new)? = additions.first {
      batch.rename(heads.handles[old] ?? 0, to: new, in: step.id)
      return
    }
    compiler.makeChains(step, heads.live, &batch)
    for chain in step.after.chains {
      for (index, isFirst) in additions.comeFirst(in: chain.name).enumerated() {
        try compiler.add(index, of: chain, in: step.id, at: isFirst ? .start : .end, &batch)
      }
    }
  }

  /// The additions as a step from a table without rules, so that they are told of and written as those of a plan are.
  private static func plan(
    _ additions: [TableAddition], _ live: LiveTable, _ compiler: PlanCompiler
  ) throws(BackendError) -> Plan {
    var after = live.table
    for addition in additions {
      switch addition {
      case .append(let rules, let chain), .prepend(let rules, let chain):
        guard let index = after.index(of: chain) else { throw BackendError(.stale, "chain \(chain) is gone") }
        after.withRules(of: index) { $0.append(rules) }
      case .chain(let name):
        guard (try? after.addChain(name)) != nil else { throw BackendError(.stale, "chain \(name) is there") }
      case .policy(let policy, let counters, let chain):
        after.setPolicy(policy, counters, of: chain)
      case .rename: break
      }
    }
    let step = Plan.Step(id: after.id, before: live.table, after: after)
    return Plan(steps: [Plan.Step(id: after.id, before: live.table, after: try compiler.normalForm(step))])
  }

  /// What to say of a batch whose answer got lost.
  private func lost(_ error: BackendError, since generation: UInt32) throws(BackendError) -> BackendError {
    guard error.kind == .system, try self.generation() != generation else { return error }
    return BackendError(
      .unknown, "it is not known whether the command was carried out: \(error.message)",
      hint: "look at the rules before you repeat it", code: error.code)
  }

  /// Puts down what has changed behind what is remembered of the generation before.
  /// - Parameter words: where each new rule of a chain is (``RememberedRules/Key/words``).
  private func remember(
    _ step: Plan.Step, _ additions: [TableAddition], since earlier: RememberedRules?, _ generation: UInt32,
    isCompiled: Bool, _ reader: inout KernelReader, _ words: (ChainName) -> [[UInt64]]?
  ) {
    let next = KernelReading(generation: generation).next
    // Another name of a chain stands in the rules that lead to it.
    if case .rename? = additions.first { return }
    guard let memory, let earlier, let moment = reader.place(next), (try? reader.generation()) == next else { return }
    var changes: [(key: RememberedRules.Key, event: RememberedRules.Event)] = []
    for chain in step.after.chains where !chain.rules.isEmpty {
      let key = RememberedRules.Key(table: step.id, chain: chain.name, isCompiled: isCompiled)
      guard let count = earlier.count(of: key) else { continue }
      guard let words = words(chain.name) else { return }
      let comeFirst = additions.comeFirst(in: chain.name)
      func piece(_ start: Int, _ places: [Int]) -> RememberedChange.Piece {
        let bytes = places.flatMap { chain.rules.bytes[chain.rules.range(of: $0)] }
        return RememberedChange.Piece(
          start: start, removed: 0, added: places.count, words: places.flatMap { words[$0] }, bytes: bytes)
      }
      let first = piece(0, chain.rules.indices.filter { comeFirst[$0] }.reversed())
      let last = piece(count, chain.rules.indices.filter { !comeFirst[$0] })
      changes.append(
        (key, .changed(RememberedChange(of: count, [first, last].filter { $0.added > 0 }, width: key.words))))
    }
    _ = memory.add(changes, to: earlier, at: moment)
  }
}

extension [TableAddition] {
  /// Whether nothing comes but rules in chains that are there.
  var areRules: Bool {
    allSatisfy { addition in
      switch addition {
      case .append, .prepend: true
      case .chain, .rename, .policy: false
      }
    }
  }

  /// For each new rule of a chain, in the order in which they come, whether it comes before all others.
  func comeFirst(in chain: ChainName) -> [Bool] {
    flatMap { addition in
      switch addition {
      case .append(let rules, chain): rules.map { _ in false }
      case .prepend(let rules, chain): rules.map { _ in true }
      default: [Bool]()
      }
    }
  }
}

/// The chains of a table at one moment.
struct TableHeads {
  /// Holds no rules.
  let live: LiveTable
  /// The kernel's numbers of the chains of a linear table.
  let handles: [ChainName: UInt64]
  let generation: UInt32
}

extension KernelReader {
  /// How often it is looked again because somebody changed something meanwhile.
  private static let looks = 50
  private static let lookPause: useconds_t = 1_000

  /// - Returns: nil where the table is not there, or compiled and not remembered, or in more than one place.
  mutating func heads(of id: TableID, _ memory: RuleMemory?) throws(Problem) -> TableHeads? {
    for look in 0..<Self.looks {
      if look > 0 { usleep(Self.lookPause) }
      let inventory = try read(.only([]), memory)
      let remembered = memory?.recall(place(inventory.generation))
      do throws(Problem) {
        let found = try heads(of: id, inventory, remembered)
        guard try generation() == inventory.generation else { continue }
        // What is remembered has to be written anew from time to time.
        if let memory, let remembered, !memory.hasRoom(behind: remembered) { return nil }
        return found
      } catch {
        guard try generation() != inventory.generation else { throw error }
      }
    }
    return nil
  }

  private mutating func heads(
    of id: TableID, _ inventory: KernelReading, _ remembered: RememberedRules?
  ) throws(Problem) -> TableHeads? {
    switch (inventory.linear.contains(id), inventory.compiled.contains(id)) {
    case (true, false): try linearHeads(of: id, inventory.generation)
    case (false, true): try compiledHeads(of: id, inventory, remembered)
    case (false, false), (true, true): nil
    }
  }

  private mutating func linearHeads(of id: TableID, _ generation: UInt32) throws(Problem) -> TableHeads? {
    let all = try chains(id.family.rawValue)[id.name.rawValue] ?? []
    guard let head = try tables(id.family.rawValue)[id.name.rawValue] else { return nil }
    let (live, chains) = try empty(id, head, all)
    let handles = Dictionary(uniqueKeysWithValues: chains.map { ($0.name, $0.handle) })
    return TableHeads(live: live, handles: handles, generation: generation)
  }

  private mutating func compiledHeads(
    of id: TableID, _ inventory: KernelReading, _ remembered: RememberedRules?
  ) throws(Problem) -> TableHeads? {
    let isShared = inventory.places[NFTFamily.inet.rawValue]?.contains(id.name) == true
    guard !isShared, let chains = remembered?.compiledChains(id.family),
      let head = try tables(id.family.rawValue)[TableForm.compiledTable],
      let place = try compiledPlace(head, id.family, chains)
    else { return nil }
    var live = LiveTable(table: Table(id.name, family: id.family))
    var names: [ChainName] = []
    _ = try placeChains(of: place, in: &live, &names)
    live.compiled = CompiledTable()
    return TableHeads(live: live, handles: [:], generation: inventory.generation)
  }
}
