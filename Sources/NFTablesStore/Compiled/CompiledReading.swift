internal import CNFTables
internal import Netfilter
internal import RuleStore

/// What the kernel holds of a table in compiled form.
struct CompiledParts {
  struct LiveRule {
    let handle: UInt64
    let expressions: [NFTExpression]
    let note: ElementNote?
  }

  struct LiveMap {
    let form: TableForm
    let shape: KeyShape
    let room: Int
    var elements: [LiveElement] = []
  }

  struct LiveElement {
    let key: HeaderKey
    let verdict: NFTVerdict
    let note: ElementNote
    let counters: Counters
  }

  /// By the kernel's name of the chain. Of chains of both families what concerns one.
  var rules: [String: [LiveRule]] = [:]
  var maps: [String: LiveMap] = [:]
  /// The chains of iptables that stand in the table of both families.
  var shared: Set<ChainName> = []
}

/// Reading the compiled form: the rules are those that the elements and the linear rules say, in the order of their notes.
extension KernelReader {
  /// One of the tables that hold a compiled one: that of its family, or that of both.
  struct CompiledPlace {
    let form: TableForm
    let head: TableHead
    let chains: [ChainHead]
  }

  mutating func readCompiled(_ id: TableID, _ places: [CompiledPlace]) throws(Problem) -> LiveTable {
    var live = LiveTable(table: Table(id.name, family: id.family))
    var names: [ChainName] = []
    var parts = CompiledParts()
    for place in places {
      for (chain, name) in try placeChains(of: place, in: &live, &names) {
        if name == nil { parts.rules[chain.name.text] = [] }
        if let name, place.form == .shared { parts.shared.insert(name) }
      }
      let sets = try readMaps(of: id, place.form, into: &parts)
      if Int(place.head.use) != place.chains.count + sets,
        try holdsObjects(TableForm.compiledTable, family: place.form.family(id), isBesidesSets: true)
      {
        throw .damaged(id, place.form, what: "holds objects of another program")
      }
      try readRules(of: id, place, into: &parts)
    }
    for name in parts.maps.keys { try readElements(of: name, nil, id, into: &parts) }
    var assembly = CompiledAssembly(id, parts)
    for name in names {
      let rules = try assembly.rules(of: name)
      live.table.setRules(of: live.table.index(of: name)!, rules)
    }
    live.compiled = try assembly.finish()
    for name in parts.shared { try setPolicy(of: name, assembly.policies[name], in: &live) }
    return live
  }

  /// Puts the empty chains of a compiled table where they belong.
  /// - Parameter names: of all that are there.
  /// - Returns: the kernel's chains, and of which chain of iptables each is, if it is of one.
  func placeChains(
    of place: CompiledPlace, in live: inout LiveTable, _ names: inout [ChainName]
  ) throws(Problem) -> [(ChainHead, ChainName?)] {
    let id = live.table.id
    try checkState(of: place.head, id)
    live.owner = live.owner ?? place.head.keeper
    if let other = place.chains.first(where: { $0.compiledTable == nil }) {
      throw .damaged(id, place.form, what: "holds chain \(other.name) of another program")
    }
    var result: [(ChainHead, ChainName?)] = []
    for chain in place.chains where chain.compiledTable == id.name {
      let name = TableForm.userChain(chain.name, of: id)
      result.append((chain, name))
      guard let name else { continue }
      guard !names.contains(name) else {
        throw .damaged(id, place.form, what: "holds chain \(name) twice, once for both families")
      }
      try self.place(ChainHead(name: name, base: chain.base, flags: chain.flags, use: chain.use), in: &live)
      names.append(name)
    }
    return result
  }

  /// A compiled table as it is remembered; nil where it is not.
  func recallCompiled(_ id: TableID, _ places: [CompiledPlace], _ recalled: RememberedRules?) throws(Problem)
    -> LiveTable?
  {
    guard let recalled else { return nil }
    var live = LiveTable(table: Table(id.name, family: id.family))
    var names: [ChainName] = []
    var compiled = CompiledTable()
    for place in places {
      let found = try placeChains(of: place, in: &live, &names)
      if place.form == .shared { compiled.shared.formUnion(found.compactMap { $1 }) }
    }
    for (index, chain) in live.table.chains.enumerated() {
      let key = RememberedRules.Key(table: id, chain: chain.name, isCompiled: true)
      guard let (rules, places) = recalled.rules(of: key) else { return nil }
      live.places[chain.name] = places
      live.table.setRules(of: index, rules)
      if compiled.shared.contains(chain.name), let policy = recalled.policy(of: key) {
        live.table.setPolicyUnchecked(policy, at: index, counters: chain.policyCounters)
      }
      live.uncounted.insert(chain.name)
    }
    live.compiled = compiled
    (live.isOutline, live.isSettled) = (true, recalled.isSettled)
    return live
  }

  /// A built-in chain of both families has each family's policy in a rule, with that family's counters.
  private func setPolicy(of name: ChainName, _ found: CompiledAssembly.Policy?, in live: inout LiveTable)
    throws(Problem)
  {
    let index = live.table.index(of: name)!
    guard let policy = live.table.chains[index].policy else { return }
    guard let found, found.verdict == (policy == .drop ? .drop : .accept) else {
      throw .damaged(live.table.id, .shared, what: "has changed at the end of chain \(name)")
    }
    live.table.setPolicyUnchecked(policy, at: index, counters: found.counters)
    live.compiled!.chains[name]!.policyHandle = found.handle
  }

  /// A list of all rules takes longer for long chains, one for each chain for many chains.
  private static let mostQuestions = 200

  private mutating func readRules(of id: TableID, _ place: CompiledPlace, into parts: inout CompiledParts)
    throws(Problem)
  {
    let wanted = place.chains.filter { $0.compiledTable == id.name }
    let chainWise = wanted.count <= Self.mostQuestions
    for chain in chainWise ? wanted.map({ Optional($0) }) : [nil] {
      try readRules(of: chain?.name.text, id, place.form, into: &parts)
    }
  }

  /// - Parameter chain: the kernel's name; nil for all chains.
  mutating func readRules(
    of chain: String?, _ id: TableID, _ form: TableForm, into parts: inout CompiledParts
  ) throws(Problem) {
    try ask(NFT_MSG_GETRULE, family: form.family(id)) { out in
      out.put(NFTA_RULE_TABLE, text: TableForm.compiledTable)
      if let chain { out.put(NFTA_RULE_CHAIN, text: chain) }
    } each: { message throws(Problem) in
      var fields = try Self.fields(of: message)
      let (name, rule) = try Self.compiledRule(&fields, id, form)
      guard TableForm.belongs(name, to: id), let rule else { return }
      parts.rules[name, default: []].append(rule)
    }
  }

  /// The chain of a rule, and the rule unless it is for packets of the other family.
  private static func compiledRule(
    _ fields: inout AttributeReader, _ id: TableID, _ form: TableForm
  ) throws(Problem) -> (String, CompiledParts.LiveRule?) {
    let (handle, name) = try reading { () throws(WireError) in
      (try fields.big(NFTA_RULE_HANDLE, as: UInt64.self), try fields.text(NFTA_RULE_CHAIN))
    }
    for known in [NFTA_RULE_TABLE, NFTA_RULE_POSITION, NFTA_RULE_PAD] { _ = fields.take(known) }
    let data = fields.take(NFTA_RULE_USERDATA)
    guard let elements = fields.take(NFTA_RULE_EXPRESSIONS), (try? fields.finish()) != nil else {
      throw .damaged(id, form, what: "holds a rule that cannot be read in chain \(name)")
    }
    var expressions: [NFTExpression] = []
    let isWhole = try reading { () throws(WireError) in
      try forEachListElement(elements) { data throws(WireError) in
        expressions.append(form.fromKernel(try ExpressionAttributes.read(data), in: id))
      }
    }
    guard isWhole else { throw .unreadable("a rule's expressions cannot be read") }
    var isOfBoth = false
    if form == .shared {
      if expressions.starts(with: TableForm.guardExpressions(id.family.other)) { return (name, nil) }
      isOfBoth = !expressions.starts(with: TableForm.guardExpressions(id.family))
      if !isOfBoth { expressions.removeFirst(TableForm.guardExpressions(id.family).count) }
    }
    var note: ElementNote?
    if let data {
      note = ElementNote(data, id.family)
      guard note != nil, !isOfBoth else {
        throw .damaged(id, form, what: "holds a rule of another program in chain \(name)")
      }
    }
    return (name, CompiledParts.LiveRule(handle: handle, expressions: expressions, note: note))
  }

  /// - Returns: how many sets the kernel's table has, those of other tables of iptables too.
  mutating func readMaps(
    of id: TableID, _ form: TableForm, into parts: inout CompiledParts
  ) throws(Problem) -> Int {
    var count = 0
    try ask(NFT_MSG_GETSET, family: form.family(id)) { out in
      out.put(NFTA_SET_TABLE, text: TableForm.compiledTable)
    } each: { message throws(Problem) in
      var fields = try Self.fields(of: message)
      let name = try Self.reading { () throws(WireError) in try fields.text(NFTA_SET_NAME) }
      count += 1
      guard TableForm.owner(of: name) != nil else {
        throw Problem.damaged(id, form, what: "holds set \(name) of another program")
      }
      guard TableForm.belongs(name, to: id) else { return }
      let room = try Self.reading { () throws(WireError) -> UInt32? in
        guard fields.has(NFTA_SET_DESC) else { return nil }
        var description = try fields.nest(NFTA_SET_DESC)
        return try description.bigIfPresent(NFTA_SET_DESC_SIZE)
      }
      guard let shape = fields.take(NFTA_SET_USERDATA).flatMap(MapNote.shape), let room, parts.maps[name] == nil else {
        throw Problem.damaged(id, form, what: "holds set \(name) of another program")
      }
      parts.maps[name] = CompiledParts.LiveMap(
        form: form, shape: shape, room: Int(room) / (form == .shared ? Family.allCases.count : 1))
    }
    return count
  }

  /// - Parameter keys: of the elements wanted; nil for all.
  mutating func readElements(
    of map: String, _ keys: [HeaderKey]? = nil, _ id: TableID, into parts: inout CompiledParts
  ) throws(Problem) {
    let (shape, form) = (parts.maps[map]!.shape, parts.maps[map]!.form)
    var elements: [CompiledParts.LiveElement] = []
    try ask(NFT_MSG_GETSETELEM, flags: keys == nil ? NLM_F_DUMP : 0, family: form.family(id)) { out in
      out.put(NFTA_SET_ELEM_LIST_TABLE, text: TableForm.compiledTable)
      out.put(NFTA_SET_ELEM_LIST_SET, text: map)
      guard let keys else { return }
      out.nest(NFTA_SET_ELEM_LIST_ELEMENTS) { out in
        for key in keys { out.nest(NFTA_LIST_ELEM) { MapElement.write(key, shape, form, id, to: &$0) } }
      }
    } each: { message throws(Problem) in
      var fields = try Self.fields(of: message)
      guard let list = fields.take(NFTA_SET_ELEM_LIST_ELEMENTS) else { return }
      var isOurs = true
      let isWhole = try Self.reading { () throws(WireError) in
        try forEachListElement(list) { data throws(WireError) in
          switch try Self.element(data, shape, form, id) {
          case .ours(let element): elements.append(element)
          case .ofOtherFamily: break
          case .unknown: isOurs = false
          }
        }
      }
      guard isWhole, isOurs else {
        throw Problem.damaged(id, form, what: "holds an element of another program in map \(map)")
      }
    }
    parts.maps[map]!.elements = elements
  }

  private enum ReadElement {
    case ours(CompiledParts.LiveElement)
    case ofOtherFamily
    case unknown
  }

  private static func element(
    _ data: UnsafeRawBufferPointer, _ shape: KeyShape, _ form: TableForm, _ id: TableID
  ) throws(WireError) -> ReadElement {
    var fields = try AttributeReader(data)
    var value = try fields.nest(NFTA_SET_ELEM_KEY)
    let bytes = try value.require(NFTA_DATA_VALUE)
    if form == .shared, let family = shape.family(of: bytes), family != id.family { return .ofOtherFamily }
    guard form != .shared || shape.family(of: bytes) != nil,
      let key = try key(bytes, &fields, shape, form, id),
      let verdict = try ExpressionAttributes.verdict(try fields.require(NFTA_SET_ELEM_DATA)),
      let note = fields.take(NFTA_SET_ELEM_USERDATA).flatMap({ ElementNote($0, id.family) })
    else { return .unknown }
    guard case .counter(let counters) = try ExpressionAttributes.read(try fields.require(NFTA_SET_ELEM_EXPR)) else {
      return .unknown
    }
    try fields.finish()
    return .ours(
      CompiledParts.LiveElement(key: key, verdict: form.fromKernel(verdict, in: id), note: note, counters: counters))
  }
}

extension KernelReader {
  /// Of a map with ranges the element has a second key.
  private static func key(
    _ first: UnsafeRawBufferPointer, _ fields: inout AttributeReader, _ shape: KeyShape, _ form: TableForm,
    _ id: TableID
  ) throws(WireError) -> HeaderKey? {
    guard shape.isRanged else { return shape.key(first, id.family, form) }
    guard fields.has(NFTA_SET_ELEM_KEY_END) else { return nil }
    var end = try fields.nest(NFTA_SET_ELEM_KEY_END)
    return shape.rangedKey(first, try end.require(NFTA_DATA_VALUE), id.family)
  }
}

// MARK: Putting rules together

/// Makes rules of what the kernel holds. What is not as the compiler writes it is an error, never left out.
struct CompiledAssembly {
  typealias Problem = KernelReader.Problem
  private let id: TableID
  private let parts: CompiledParts
  private var state = CompiledTable()
  /// Maps and chains that something leads to.
  private var used: Set<String> = []
  /// What built-in chains of both families say of this family's policy.
  private(set) var policies: [ChainName: Policy] = [:]

  struct Policy {
    let handle: UInt64
    let verdict: NFTVerdict
    let counters: Counters
  }

  init(_ id: TableID, _ parts: CompiledParts) {
    self.id = id
    self.parts = parts
    state.shared = parts.shared
  }

  /// One rule of iptables before all are put in order.
  private struct Found {
    let order: UInt64
    let item: Int
    let source: Source
    enum Source {
      /// The place among those that stand alone; each rule itself would be moved often when all are sorted.
      case linear(Int)
      /// Elements of the item's map, sorted.
      case elements(Range<Int>)
    }
  }

  private func damaged(_ what: String, _ form: TableForm = .compiled) -> Problem { .damaged(id, form, what: what) }

  mutating func rules(of name: ChainName) throws(Problem) -> RuleList {
    let form = state.form(of: name)
    let kernelName = form.chainName(name, in: id).text
    var chain = CompiledChain()
    var found: [Found] = []
    var alone: [Rule] = []
    var maps: [Int: (rest: Rule, elements: [CompiledParts.LiveElement])] = [:]
    for rule in parts.rules[kernelName] ?? [] {
      let item = chain.items.count
      guard policies[name] == nil else { throw damaged("holds a rule behind the policy of chain \(name)", form) }
      if let note = rule.note, note.isPolicy, form == .shared {
        guard rule.expressions.count == 2, case .counter(let counters) = rule.expressions[0],
          case .verdict(let verdict) = rule.expressions[1]
        else { throw damaged("has changed at the end of chain \(name)", form) }
        policies[name] = Policy(handle: rule.handle, verdict: verdict, counters: counters)
        continue
      }
      if let note = rule.note {
        guard let read = decode(rule.expressions) else {
          throw damaged("holds a rule in chain \(name) that iptables cannot say", form)
        }
        found.append(Found(order: note.order, item: item, source: .linear(alone.count)))
        alone.append(read)
        chain.items.append(CompiledChain.Item(handle: rule.handle))
        continue
      }
      guard let mapName = rule.expressions.last?.lookedUpMap, let map = parts.maps[mapName],
        map.form == form, used.insert(mapName).inserted
      else { throw damaged("holds a rule of another program in chain \(name)", form) }
      guard let kind = rule.kind(lookingInto: map, id.family), let rest = decode(kind.conditions) else {
        throw damaged("has changed in chain \(name)", form)
      }
      let elements = map.elements.inOrder
      chain.items.append(
        CompiledChain.Item(
          handle: rule.handle,
          map: CompiledChain.Map(name: mapName, kind: kind, room: map.room, count: elements.count)))
      var start = 0
      while start < elements.count {
        var end = start + 1
        while end < elements.count, elements[end].note.order == elements[start].note.order { end += 1 }
        found.append(Found(order: elements[start].note.order, item: item, source: .elements(start..<end)))
        start = end
      }
      maps[item] = (rest, elements)
    }
    found.sort { $0.order < $1.order }
    var rules = RuleList(family: id.family)
    rules.reserve(rules: found.count, bytes: found.count * 200)
    chain.entries.reserveCapacity(found.count)
    for (place, next) in found.enumerated() {
      guard place == 0 || found[place - 1].order < next.order else {
        throw damaged("has two rules in one place of chain \(name)", form)
      }
      var entry = CompiledChain.Entry(item: next.item, order: next.order)
      switch next.source {
      case .linear(let place): rules.append(alone[place])
      case .elements(let range):
        let (rest, elements) = maps[next.item]!
        rules.append(try rule(elements[range], rest, chain.items[next.item].map!, &entry, name))
      }
      chain.entries.append(entry)
    }
    state.chains[name] = chain
    return rules
  }

  private func decode(_ expressions: [NFTExpression]) -> Rule? {
    NFTRuleCodec.rule(from: expressions, family: id.family, registry: .standard)
  }

  private mutating func rule(
    _ elements: ArraySlice<CompiledParts.LiveElement>, _ rest: Rule, _ map: CompiledChain.Map,
    _ entry: inout CompiledChain.Entry, _ name: ChainName
  ) throws(Problem) -> Rule {
    let first = elements.first!
    let shape = map.kind.shape
    var target = RuleTarget.none
    let form = state.form(of: name)
    var changed: Problem { damaged("has changed in map \(map.name) of chain \(name)", form) }
    guard !first.note.isContinued, elements.allSatisfy({ $0.verdict == first.verdict }) else { throw changed }
    entry.keys = elements.count
    if case .jump(let helper) = first.verdict, let number = TableForm.helperNumber(helper.text, of: id) {
      guard let rules = parts.rules[helper.text], rules.count == 1, helper.text == form.helper(number, of: id) else {
        throw changed
      }
      entry.helper = number
      let read = decode(rules[0].expressions)
      if rules[0].expressions.contains(where: { if case .counter = $0 { true } else { false } }) {
        guard let read, used.insert(helper.text).inserted else { throw changed }
        entry.isWhole = false
        let split = RuleForms(read, id.family).standing(in: shape)
        guard split.shape == shape, Set(split.keys) == Set(elements.map(\.key)) else { throw changed }
        return read
      }
      guard let read, read.isProtocolOnly || read.sameEffect(as: Rule(target: read.target)) else { throw changed }
      used.insert(helper.text)
      state.targets[CompiledTable.TargetKey(form: form, expressions: rules[0].expressions)] = number
      target = read.target
    } else {
      guard let read = decode([.verdict(first.verdict)]) else { throw changed }
      target = read.target
    }
    var counters = Counters.zero
    for element in elements {
      counters.packets &+= element.counters.packets
      counters.bytes &+= element.counters.bytes
    }
    let note = first.note
    let rule = RuleSplit.rule(
      shape, first.key, rest, id.family, ports: note.ports, comment: note.comment, commentLeads: note.commentLeads,
      target: target, counters: counters)
    if elements.count > 1 || note.ports != nil {
      let split = RuleForms(rule, id.family).standing(in: shape)
      guard split.shape == shape, Set(split.keys) == Set(elements.map(\.key)) else { throw changed }
    }
    return rule
  }

  /// - Throws: where something of ours is left over: rules would have been lost.
  mutating func finish() throws(Problem) -> CompiledTable {
    for (name, map) in parts.maps where !used.contains(name) {
      throw damaged("has lost the rule that looks into map \(name)", map.form)
    }
    // A chain without rules of this family is the other's.
    for (name, rules) in parts.rules
    where TableForm.helperNumber(name, of: id) != nil && !used.contains(name) && (!rules.isEmpty || !isShared(name)) {
      throw damaged("has lost the element that leads to chain \(name)", isShared(name) ? .shared : .compiled)
    }
    let numbers = (Array(parts.maps.keys) + Array(parts.rules.keys)).compactMap { TableForm.helperNumber($0, of: id) }
    state.nextHelper = (numbers.max() ?? 0) + 1
    return state
  }

  private func isShared(_ helper: String) -> Bool {
    TableForm.helperNumber(helper, of: id).map { TableForm.shared.helper($0, of: id) == helper } ?? false
  }
}

extension CompiledParts.LiveRule {
  /// What the rules of a map have in common into which the rule looks; nil where it does not look as the compiler writes it.
  func kind(lookingInto map: CompiledParts.LiveMap, _ family: Family) -> ChainLayout.Kind? {
    let loads = map.shape.loads(family, map.form)
    let head = expressions.dropLast()
    guard Array(head.suffix(loads.count)) == loads else { return nil }
    return ChainLayout.Kind(shape: map.shape, conditions: Array(head.dropLast(loads.count)))
  }
}

extension [CompiledParts.LiveElement] {
  /// In the order of their rules, for each rule the one first that comes first. Their places are sorted, which are less to
  /// move.
  fileprivate var inOrder: [CompiledParts.LiveElement] {
    var places = indices.map { (order: self[$0].note.order, isContinued: self[$0].note.isContinued, place: $0) }
    places.sort { ($0.order, $0.isContinued ? 1 : 0, $0.place) < ($1.order, $1.isContinued ? 1 : 0, $1.place) }
    return places.map { self[$0.place] }
  }
}
