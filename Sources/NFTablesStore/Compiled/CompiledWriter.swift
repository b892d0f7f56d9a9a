internal import Netfilter
internal import RuleStore
internal import Synchronization

/// Writes tables in compiled form into a batch, and takes them out.
struct CompiledWriter {
  let id: TableID
  private let table: Table
  let smallestMap: Int
  let revisions: KernelRevisions
  /// Whether elements may lead to chains of ours: nf_tables goes no deeper than 16.
  let mayDetour: Bool
  let opaqueChains: Set<ChainName>
  let pairings: RulePairings
  var state: CompiledTable
  /// Of chains that were changed or written, for each new rule the old one that stays for it.
  var staying: [ChainName: [Int?]] = [:]

  /// Why a table stays linear.
  struct Obstacle: Error {
    let reason: String
  }

  /// - Parameters:
  ///   - state: what is in the kernel.
  ///   - compiler: what the table is written for.
  init(
    _ table: Table, _ state: CompiledTable = CompiledTable(), _ compiler: PlanCompiler
  ) throws(Obstacle) {
    smallestMap = compiler.smallestMap
    revisions = compiler.revisions
    pairings = compiler.pairings
    id = table.id
    self.table = table
    self.state = state
    if let chain = table.chains.first(where: { TableForm.helperNumber($0.name.text, of: table.id) != nil }) {
      throw Obstacle(reason: "chain \(chain.name) has a name that the compiled form uses itself")
    }
    mayDetour = CallDepth.firstTooDeep(in: table, limit: CallDepth.limit - 1) == nil
    opaqueChains = Transparency.opaqueChains(of: table)
  }

  /// Why a rule cannot stand in a compiled table: the kernel takes some extensions in a table of one name alone, and only
  /// REJECT has another form here.
  func obstacle(in rule: Rule) -> Obstacle? {
    for match in rule.matches {
      if let obstacle = obstacle(in: match) { return obstacle }
    }
    if case .extension(let target) = rule.target { return obstacle(in: target) }
    return nil
  }

  private func obstacle(in part: any Extension) -> Obstacle? {
    if part is OpaqueMatch || part is OpaqueTarget {
      return Obstacle(reason: "a rule holds an extension that this version does not know, \(part.name)")
    }
    guard part.tables != nil, !(part is Reject) else { return nil }
    return Obstacle(reason: "the kernel takes \(part.name) only in a table called '\(table.name)'")
  }

  func layout(of chain: Chain) throws(Obstacle) -> ChainLayout {
    let found = Mutex<Obstacle?>(nil)
    let layout = ChainLayout(
      chain.rules,
      mayReorder: { rule in
        if let obstacle = obstacle(in: rule) { found.withLock { $0 = $0 ?? obstacle } }
        return mayReorder(rule)
      }, mayDetour: mayDetour, smallestMap: smallestMap, revisions: revisions)
    if let found = found.withLock({ $0 }) { throw found }
    return layout
  }

  func mayReorder(_ rule: Rule) -> Bool {
    if let called = rule.target.chain { return !opaqueChains.contains(called) }
    return Transparency.standard(rule)
  }

  /// What the chains would be; nil where nothing would be looked up.
  func layouts() throws(Obstacle) -> [ChainName: ChainLayout]? {
    var result: [ChainName: ChainLayout] = [:]
    var isCompiled = false
    for chain in table.chains {
      let layout = try layout(of: chain)
      if layout.isCompiled { isCompiled = true }
      result[chain.name] = layout
    }
    return isCompiled ? result : nil
  }

  // MARK: Writing a chain

  /// Where a chain of the table stands.
  func form(of chain: ChainName) -> TableForm { state.form(of: chain) }

  /// Writes the rules of a chain of one family that holds none.
  mutating func write(_ chain: Chain, _ layout: ChainLayout, _ coder: RuleCoder, to batch: inout Batch)
    throws(BackendError)
  {
    begin(chain)
    for piece in layout.pieces {
      switch piece {
      case .linear(let index): try write(linear: index, of: chain, coder, to: &batch)
      case .map(let kind, let rules):
        let map = newMap(layout, kind, rules, .compiled)
        batch.create(map, for: chain.name, in: id)
        look(into: map, from: chain, rules[0], &batch)
        try fill(map, with: rules, of: chain, layout, coder, to: &batch)
      }
    }
  }

  /// Before the first piece of a chain is written.
  mutating func begin(_ chain: Chain) {
    var made = CompiledChain()
    made.entries = (0..<chain.rules.count).map { CompiledChain.Entry(item: -1, order: RuleOrder.initial($0)) }
    state.chains[chain.name] = made
    staying[chain.name] = [Int?](repeating: nil, count: chain.rules.count)
  }

  mutating func write(linear index: Int, of chain: Chain, _ coder: RuleCoder, to batch: inout Batch)
    throws(BackendError)
  {
    let item = state.chains[chain.name]!.items.count
    state.chains[chain.name]!.entries[index].item = item
    state.chains[chain.name]!.items.append(CompiledChain.Item())
    try addLinear(chain, index, state.chains[chain.name]!.entries[index].order, at: .end, coder, &batch)
  }

  /// A map for rules of one chain.
  mutating func newMap(_ layout: ChainLayout, _ kind: Int, _ rules: [Int], _ form: TableForm) -> CompiledChain.Map {
    let keys = rules.reduce(0) { $0 + layout.splits[$1].keys.count }
    return CompiledChain.Map(
      name: form.helper(state.newHelper(), of: id), kind: layout.kinds[kind], room: keys + keys / 4 + 64, count: keys)
  }

  /// - Parameter isOfBoth: whether packets of both families are looked up by this one rule.
  func look(
    into map: CompiledChain.Map, from chain: Chain, _ number: Int, isOfBoth: Bool = false, _ batch: inout Batch
  ) {
    batch.add(
      map.kind.lookup(map.name, id.family, form(of: chain.name)), proto: nil, number: number, to: chain.name, in: id,
      isOfBoth: isOfBoth)
  }

  /// The elements of a map that nothing is in yet.
  mutating func fill(
    _ map: CompiledChain.Map, with rules: [Int], of chain: Chain, _ layout: ChainLayout, _ coder: RuleCoder,
    to batch: inout Batch
  ) throws(BackendError) {
    // Taken out meanwhile, or each rule would copy it.
    var made = state.chains.removeValue(forKey: chain.name)!
    var elements: [MapElement] = []
    elements.reserveCapacity(map.count)
    for index in rules {
      made.entries[index].item = made.items.count
      made.entries[index].isWhole = layout.isWhole[index]
      made.entries[index].keys = layout.splits[index].keys.count
      try append(chain, index, layout.splits[index], &made.entries[index], to: &elements, coder, &batch)
    }
    batch.add(elements, to: map, of: chain.name, in: id)
    made.items.append(CompiledChain.Item(handle: nil, map: map))
    state.chains[chain.name] = made
  }

  func addLinear(
    _ chain: Chain, _ index: Int, _ order: UInt64, at place: Batch.Place, _ coder: RuleCoder, _ batch: inout Batch
  ) throws(BackendError) {
    let rule = chain.rules[index]
    batch.add(
      try coder(rule, index, chain, id), proto: rule.proto, number: index, to: chain.name, in: id, at: place,
      userData: ElementNote(order: order).bytes(id.family))
  }

  /// The policy of one family at the end of a built-in chain of both, which counts for itself.
  func addPolicy(of chain: Chain, _ batch: inout Batch) {
    guard let policy = chain.policy else { return }
    var note = ElementNote(order: .max)
    note.isPolicy = true
    batch.add(
      [.counter(chain.policyCounters), .verdict(policy == .drop ? .drop : .accept)], proto: nil, number: 0,
      to: chain.name, in: id, userData: note.bytes(id.family))
  }

  /// The elements of a rule, with the chain that they lead to, if they do.
  mutating func append(
    _ chain: Chain, _ index: Int, _ split: RuleSplit, _ entry: inout CompiledChain.Entry,
    to elements: inout [MapElement], _ coder: RuleCoder, _ batch: inout Batch
  ) throws(BackendError) {
    let verdict: NFTVerdict
    var counters = Counters.zero
    if entry.isWhole, let target = target(of: index, chain) {
      counters = chain.rules.counters(of: index)
      switch target {
      case .verdict(let plain): verdict = plain
      case .shared(let expressions):
        let number = self.target(expressions, of: chain.name, &batch)
        entry.helper = number
        verdict = .jump(helper(number, of: chain.name))
      }
    } else {
      let rule = chain.rules[index]
      let number = state.newHelper()
      let own = helper(number, of: chain.name)
      batch.createHelper(own, for: chain.name, in: id)
      batch.add(
        try coder(rule, index, chain, id), proto: rule.proto, number: index, to: own, in: id, subject: chain.name)
      entry.helper = number
      verdict = .jump(own)
    }
    var isFirst = true
    for key in split.keys {
      var note = ElementNote(order: entry.order)
      note.isContinued = !isFirst
      if entry.isWhole, isFirst { note.take(split) }
      elements.append(MapElement(key: key, verdict: verdict, note: note, counters: isFirst ? counters : .zero))
      isFirst = false
    }
  }

  /// Verdicts and jumps are read from the bytes; decoding a rule takes longer.
  private func target(of index: Int, _ chain: Chain) -> ElementTarget? {
    switch chain.rules.standardLabel(of: index) {
    case .none: .verdict(.continue)
    case .verdict(.accept): .verdict(.accept)
    case .verdict(.drop): .verdict(.drop)
    case .verdict(.return): .verdict(.return)
    case .verdict(.queue), .chain, .extension: ElementTarget(chain.rules[index].target, id.family)
    }
  }

  private mutating func target(_ expressions: [NFTExpression], of chain: ChainName, _ batch: inout Batch) -> Int {
    let key = CompiledTable.TargetKey(form: form(of: chain), expressions: expressions)
    if let known = state.targets[key] { return known }
    let number = state.newHelper()
    state.targets[key] = number
    let own = helper(number, of: chain)
    batch.createHelper(own, for: chain, in: id)
    batch.add(expressions, proto: nil, number: 0, to: own, in: id)
    return number
  }

  /// The name of a chain of ours to which elements of a chain's maps lead.
  private func helper(_ number: Int, of chain: ChainName) -> ChainName {
    ChainName(unchecked: form(of: chain).helper(number, of: id))
  }

  // MARK: Taking out

  /// Takes out the rules of a chain with what only they use.
  mutating func clear(_ name: ChainName, _ batch: inout Batch) {
    guard let chain = state.chains[name] else { return }
    if !chain.items.isEmpty || chain.policyHandle != nil { batch.deleteRules(nil, of: name, in: id) }
    for case let map? in chain.items.map(\.map) { batch.delete(map: map.name, of: name, in: id) }
    clearHelpers(of: name, &batch)
  }

  /// Takes out the chains of single rules of a chain whose own rules are gone.
  mutating func clearHelpers(of name: ChainName, _ batch: inout Batch) {
    for entry in state.chains[name]?.entries ?? [] where !entry.isWhole {
      deleteHelper(entry.helper!, form(of: name), &batch)
    }
    state.chains[name] = CompiledChain()
  }

  func deleteHelper(_ number: Int, _ form: TableForm, _ batch: inout Batch) {
    let name = ChainName(unchecked: form.helper(number, of: id))
    batch.deleteRules(nil, of: name, in: id)
    batch.delete(name, in: id)
  }

  /// Takes out the chains of targets that no rule has any more.
  mutating func clearTargets(_ form: TableForm, _ batch: inout Batch) {
    guard !state.targets.isEmpty else { return }
    var used: Set<Int> = []
    for (name, chain) in state.chains where self.form(of: name) == form {
      for entry in chain.entries where entry.isWhole { if let helper = entry.helper { used.insert(helper) } }
    }
    let left = state.targets.filter { $0.key.form == form && !used.contains($0.value) }
    for (key, number) in left.sorted(by: { $0.value < $1.value }) {
      deleteHelper(number, form, &batch)
      state.targets[key] = nil
    }
  }
}

/// The expressions of a rule, or an error that names it.
typealias RuleCoder = (Rule, Int, Chain, TableID) throws(BackendError) -> [NFTExpression]

extension ChainLayout.Kind {
  /// The rule that looks into a map of this kind.
  func lookup(_ map: String, _ family: Family, _ form: TableForm) -> [NFTExpression] {
    conditions + shape.loads(family, form) + [.lookup(map, from: KeyShape.firstRegister)]
  }
}
