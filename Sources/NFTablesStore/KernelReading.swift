internal import CNFTables
internal import Glibc
internal import Netfilter
internal import RuleStore

/// What nf_tables held in one generation: the tables that iptables-nft calls its own, and where their rules are.
struct KernelReading {
  let generation: UInt32
  /// Every table of ours that exists, read or not, in the order in which iptables-nft prints them.
  private(set) var existing: [TableID] = []
  private(set) var tables: [TableID: LiveTable] = [:]

  /// Those that stand in compiled form, read or not.
  private(set) var compiled: Set<TableID> = []
  /// Those that stand in a table of their own, read or not: beside a compiled one it is empty.
  private(set) var linear: Set<TableID> = []

  /// Which of them have chains in each of the tables that hold compiled ones, by the kernel's number of its family.
  private(set) var places: [UInt8: Set<TableName>] = [:]

  /// Families where another program has a table of the name that the compiled form needs, by the kernel's numbers.
  private(set) var taken: Set<UInt8> = []

  init(generation: UInt32) { self.generation = generation }

  /// The number that comes next: the kernel counts its generations up and leaves 0 out.
  var next: UInt32 { generation == .max ? 1 : generation + 1 }

  mutating func list(
    _ ids: [TableID], compiled: Set<TableID>, linear: Set<TableID>, places: [UInt8: Set<TableName>], taken: Set<UInt8>
  ) {
    (self.places, self.taken) = (places, taken)
    existing = ids
    self.compiled = compiled
    self.linear = linear
  }

  mutating func add(_ table: LiveTable) { tables[table.table.id] = table }

  /// Puts in what is now known of a table that was read.
  mutating func update(_ table: LiveTable) {
    if tables[table.table.id]?.table.sameRules(as: table.table) == true { tables[table.table.id] = table }
  }

  /// Takes over what an earlier reading of the same generation knew.
  mutating func merge(_ earlier: KernelReading) {
    guard earlier.generation == generation else { return }
    tables.merge(earlier.tables) { new, _ in new }
  }
}

/// A table with what only the kernel knows of it.
struct LiveTable {
  var table: Table
  /// The handles of each chain's rules, in order.
  var handles: [ChainName: [UInt64]] = [:]
  /// The built-in chains that have been made; one that has not holds no rules and accepts.
  var madeChains: Set<ChainName> = []
  /// Where everything stands in the compiled form; nil in the linear one.
  var compiled: CompiledTable?
  /// The netlink port of the program that alone may change the table, where there is one.
  var owner: TableOwner?
  /// Chains whose rules are remembered, not read: their counters are those of an earlier time.
  var uncounted: Set<ChainName> = []
  /// Where the rules of a compiled table stand (``RulePlace``), as far as that is remembered, not read.
  var places: [ChainName: [UInt64]] = [:]
  /// Whether of a compiled table nothing is known but what is remembered: of ``compiled`` only ``CompiledTable/shared``.
  var isOutline = false
  /// Whether it is remembered of a compiled table that it shares all that it can.
  var isSettled = false
  /// Whether the table has base chains that are none of iptables, and were left out.
  var isIncomplete = false

  /// For whoever wants to have it so again.
  var shape: TableShape {
    guard let compiled else { return .linear }
    return compiled.shared.isEmpty ? .compiled : .shared
  }

  /// Whether of a compiled table only what one plan needs has been read (``CompiledRecall``).
  var isPartial: Bool { compiled != nil && !uncounted.isEmpty }

  /// Whether the handle of every rule is known.
  var isWhole: Bool { table.chains.allSatisfy { (handles[$0.name] ?? []).count == $0.rules.count } }
}

/// Reads nf_tables through one socket.
struct KernelReader: ~Copyable {
  private var socket: NetlinkSocket
  /// Whether base chains, sets and other objects that iptables does not know are left out of the tables they stand in, as
  /// iptables-nft does. Otherwise such a table cannot be read.
  var leavesOthers = false

  /// How often a reading is begun anew because somebody changed something meanwhile.
  private static let attempts = 50
  private static let pause: useconds_t = 2_000

  enum Problem: Error {
    case netlink(NetlinkFailure)
    /// A table holds what iptables has no words for: all of the table, one chain, or one rule of a chain.
    case foreign(TableID, ChainName?, rule: UInt64?, what: String)
    /// The compiled form of a table is not as it is written.
    case damaged(TableID, TableForm, what: String)
    /// A table stands there in both forms.
    case twice(TableID)
    case unreadable(String)
  }

  init(_ receiveQueue: Int32? = nil) throws(NetlinkFailure) { socket = try NetlinkSocket(receiveQueue) }

  init(through socket: consuming NetlinkSocket) { self.socket = socket }

  /// Closes the socket without waiting for what the kernel still does after rules were taken out.
  consuming func leave() { socket.leave() }

  /// Reads tables as they were at one moment.
  /// - Parameter memory: gives the rules of chains that need not be read; their counters are then those of another time.
  mutating func read(_ selection: TableSelection, _ memory: RuleMemory? = nil) throws(Problem) -> KernelReading {
    var last = NetlinkFailure(.interrupted, EINTR)
    for attempt in 0..<Self.attempts {
      if attempt > 0 { usleep(Self.pause) }
      var before: UInt32?
      do throws(Problem) {
        let now = try generation()
        before = now
        do throws(NetlinkFailure) { try socket.awaitCommits(not: now) } catch { throw .netlink(error) }
        let reading = try readOnce(selection, now, memory?.recall(place(now)))
        if try generation() == now { return reading }
      } catch {
        guard case .netlink(let failure) = error, failure.operation == .interrupted else {
          if let before, try generation() != before { continue }  // half of one table, half of another
          throw error
        }
        last = failure
      }
    }
    throw .netlink(last)
  }

  /// The number of changes that nf_tables has seen (`NFT_MSG_GETGEN`).
  mutating func generation() throws(Problem) -> UInt32 {
    var found: UInt32?
    try ask(NFT_MSG_GETGEN, flags: 0, family: 0) { message throws(Problem) in
      var fields = try Self.fields(of: message)
      found = try Self.reading { () throws(WireError) in try fields.big(NFTA_GEN_ID) }
    }
    guard let found else { throw .unreadable("the kernel did not tell its generation") }
    return found
  }

  /// The generation of this network namespace, told apart from all others; nil where the kernel cannot.
  func place(_ generation: UInt32) -> RuleMemory.Moment? { socket.place(generation) }

  /// Whether the kernel is one that finds a rule of the same batch.
  var canFollow: Bool { socket.namespaceCookie != nil }

  private mutating func readOnce(
    _ selection: TableSelection, _ generation: UInt32, _ recalled: RememberedRules?
  ) throws(Problem) -> KernelReading {
    // Where chains are known by name only, all of them have to be recalled.
    if let recalled, let reading = try readOnce(selection, generation, recalled, byName: true) { return reading }
    return try readOnce(selection, generation, recalled, byName: false)!
  }

  /// - Parameter byName: whether to ask for the chains of compiled tables that are remembered, not for all that there are.
  /// - Returns: nil where asking by name is not enough.
  private mutating func readOnce(
    _ selection: TableSelection, _ generation: UInt32, _ recalled: RememberedRules?, byName: Bool
  ) throws(Problem) -> KernelReading? {
    var reading = KernelReading(generation: generation)
    var existing: [TableID] = []
    var linear: Set<TableID> = []
    var allCompiled: Set<TableID> = []
    let shared = try compiledPlace(.shared, NFTFamily.inet.rawValue)
    var (places, taken) = (shared.tables, shared.taken)
    for family in Family.allCases {
      let found = try tables(family.rawValue)
      var own:
        (place: CompiledPlace?, tables: [UInt8: Set<TableName>], taken: Set<UInt8>, chains: [String: [ChainHead]]?)
      own = (nil, [:], [], nil)
      var isNamed = false
      if let head = found[TableForm.compiledTable] {
        let hasLinear = TableName.allCases.contains { found[$0.rawValue] != nil }
        if byName, !hasLinear, let chains = recalled?.compiledChains(family) {
          guard let place = try compiledPlace(head, family, chains) else { return nil }
          own = (place, [family.rawValue: Set(chains.map(\.table.name))], [], [:])
          isNamed = true
        } else {
          own = try compiledPlace(.compiled, family.rawValue, found)
        }
      }
      places.merge(own.tables) { $1 }
      taken.formUnion(own.taken)
      let compiled = (own.tables[family.rawValue] ?? []).union(shared.tables[NFTFamily.inet.rawValue] ?? [])
      let ids = TableName.printOrder.map { TableID($0, family) }
        .filter { found[$0.name.rawValue] != nil || compiled.contains($0.name) }
      existing += ids
      for id in ids {
        if compiled.contains(id.name) { allCompiled.insert(id) }
        if found[id.name.rawValue] != nil { linear.insert(id) }
      }
      let wanted = ids.filter { selection.contains($0) }
      guard !wanted.isEmpty else { continue }
      let heads: [String: [ChainHead]]
      if let chains = own.chains { heads = chains } else { heads = try self.chains(family.rawValue) }
      for id in wanted {
        guard compiled.contains(id.name) else {
          reading.add(try read(id, found[id.name.rawValue]!, heads[id.name.rawValue] ?? [], recalled))
          continue
        }
        let here = [own.place, shared.place].compactMap { $0 }.filter {
          places[$0.form.family(id)]?.contains(id.name) == true
        }
        var live: LiveTable
        if let known = try recallCompiled(id, here, recalled) {
          live = known
        } else if isNamed {
          return nil
        } else {
          live = try readCompiled(id, here)
        }
        if let head = found[id.name.rawValue] {
          let linear = try read(id, head, heads[id.name.rawValue] ?? [], nil)
          guard linear.table.isPristine else { throw .twice(id) }
          live.owner = live.owner ?? linear.owner
        }
        reading.add(live)
      }
    }
    reading.list(existing, compiled: allCompiled, linear: linear, places: places, taken: taken)
    return reading
  }

  /// A table of the name that compiled ones stand under: which they are, or whether it is another program's.
  private mutating func compiledPlace(
    _ form: TableForm, _ family: UInt8, _ known: [String: TableHead]? = nil
  ) throws(Problem) -> (
    place: CompiledPlace?, tables: [UInt8: Set<TableName>], taken: Set<UInt8>, chains: [String: [ChainHead]]?
  ) {
    let heads: [String: TableHead]
    if let known { heads = known } else { heads = try tables(family) }
    guard let head = heads[TableForm.compiledTable] else { return (nil, [:], [], nil) }
    let all = try chains(family)
    let chains = all[TableForm.compiledTable] ?? []
    let owners = Set(chains.compactMap(\.compiledTable))
    guard owners.isEmpty else {
      return (CompiledPlace(form: form, head: head, chains: chains), [family: owners], [], all)
    }
    let isTaken = if !chains.isEmpty { true } else { try holdsObjects(TableForm.compiledTable, family: family) }
    return (nil, [:], isTaken ? [family] : [], all)
  }

  /// The compiled table of a family whose chains of iptables are known by name: the list of all chains has those that
  /// rules have to themselves, and takes the kernel long.
  /// - Returns: nil where it is not as it is remembered.
  mutating func compiledPlace(
    _ head: TableHead, _ family: Family, _ chains: [RememberedRules.Key]
  ) throws(Problem) -> CompiledPlace? {
    var heads: [ChainHead] = []
    for key in chains {
      let name = TableForm.compiled.chainName(key.chain, in: key.table)
      if let head = try chain(name, of: TableForm.compiledTable, family.rawValue) {
        heads.append(head)
      } else if Table(key.table.name, family: family)[key.chain] == nil {
        return nil  // only a built-in chain need not be there
      }
    }
    return CompiledPlace(form: .compiled, head: head, chains: heads.sorted { $0.handle < $1.handle })
  }

  // MARK: Tables and chains

  struct TableHead {
    let flags: UInt32
    let use: UInt32
    let owner: UInt32?

    /// The program that alone may change the table.
    var keeper: TableOwner? { flags & NFT_TABLE_F_OWNER.rawValue != 0 ? TableOwner(port: owner ?? 0) : nil }
  }

  struct ChainHead {
    let name: ChainName
    let base: Base?
    let flags: UInt32
    /// Its rules, and those that lead to it.
    let use: UInt32
    /// Chains are listed in the order in which they were made, and so are these numbers.
    var handle: UInt64 = 0

    /// The table of iptables that a chain of the compiled table belongs to.
    var compiledTable: TableName? { TableForm.owner(of: name.text) }

    struct Base {
      let hook: UInt32
      let layout: BaseChain
      let policy: UInt32
      let counters: Counters
    }
  }

  mutating func tables(_ family: UInt8) throws(Problem) -> [String: TableHead] {
    var result: [String: TableHead] = [:]
    try ask(NFT_MSG_GETTABLE, family: family) { message throws(Problem) in
      let table = nftnl_table_alloc()!
      defer { nftnl_table_free(table) }
      guard nftnl_table_nlmsg_parse(message.start, table) == 0,
        let name = nftnl_table_get_str(table, UInt16(NFTNL_TABLE_NAME.rawValue))
      else { throw Problem.unreadable("a table of the kernel cannot be read") }
      let ours = String(cString: name)
      let hasOwner = nftnl_table_is_set(table, UInt16(NFTNL_TABLE_OWNER.rawValue))
      result[ours] = TableHead(
        flags: nftnl_table_get_u32(table, UInt16(NFTNL_TABLE_FLAGS.rawValue)),
        use: nftnl_table_get_u32(table, UInt16(NFTNL_TABLE_USE.rawValue)),
        owner: hasOwner ? nftnl_table_get_u32(table, UInt16(NFTNL_TABLE_OWNER.rawValue)) : nil)
    }
    return result
  }

  mutating func chains(_ family: UInt8) throws(Problem) -> [String: [ChainHead]] {
    var result: [String: [ChainHead]] = [:]
    try ask(NFT_MSG_GETCHAIN, family: family) { message throws(Problem) in
      let (table, chain) = try Self.chain(of: message)
      result[table, default: []].append(chain)
    }
    return result
  }

  /// nil where there is none of the name.
  private mutating func chain(_ name: ChainName, of table: String, _ family: UInt8) throws(Problem) -> ChainHead? {
    var found: ChainHead?
    do throws(Problem) {
      try ask(NFT_MSG_GETCHAIN, flags: 0, family: family) { out in
        out.put(NFTA_CHAIN_TABLE, text: table)
        out.put(NFTA_CHAIN_NAME, text: name.text)
      } each: { message throws(Problem) in
        found = try Self.chain(of: message).chain
      }
    } catch {
      guard case .netlink(let failure) = error, failure.operation == .answer, failure.code == ENOENT else {
        throw error
      }
    }
    return found
  }

  private static func chain(of message: NetlinkSocket.Message) throws(Problem) -> (table: String, chain: ChainHead) {
    let chain = nftnl_chain_alloc()!
    defer { nftnl_chain_free(chain) }
    guard nftnl_chain_nlmsg_parse(message.start, chain) == 0,
      let table = nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_TABLE.rawValue)),
      let name = nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_NAME.rawValue))
    else { throw Problem.unreadable("a chain of the kernel cannot be read") }
    var base: ChainHead.Base?
    if nftnl_chain_is_set(chain, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue)) {
      let type = nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_TYPE.rawValue)).map { String(cString: $0) }
      base = ChainHead.Base(
        hook: nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue)),
        layout: BaseChain(
          type: type ?? "filter", priority: nftnl_chain_get_s32(chain, UInt16(NFTNL_CHAIN_PRIO.rawValue))),
        policy: nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_POLICY.rawValue)),
        counters: Counters(
          packets: nftnl_chain_get_u64(chain, UInt16(NFTNL_CHAIN_PACKETS.rawValue)),
          bytes: nftnl_chain_get_u64(chain, UInt16(NFTNL_CHAIN_BYTES.rawValue))))
    }
    return (
      String(cString: table),
      ChainHead(
        name: ChainName(unchecked: String(cString: name)), base: base,
        flags: nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_FLAGS.rawValue)),
        use: nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_USE.rawValue)),
        handle: nftnl_chain_get_u64(chain, UInt16(NFTNL_CHAIN_HANDLE.rawValue)))
    )
  }

  // MARK: One table

  private mutating func read(
    _ id: TableID, _ head: TableHead, _ chains: [ChainHead], _ recalled: RememberedRules?
  ) throws(Problem) -> LiveTable {
    var (live, chains) = try empty(id, head, chains)
    for chain in chains {
      let known = recalled?.rules(of: RememberedRules.Key(table: id, chain: chain.name), atMost: Int(chain.use))
      if known != nil { live.uncounted.insert(chain.name) }
      let (rules, handles) = if let known { known } else { try rules(of: chain.name, in: id) }
      live.handles[chain.name] = handles
      live.table.setRules(of: live.table.index(of: chain.name)!, rules)
    }
    return live
  }

  /// Whether a base chain is the built-in one of iptables of its name.
  private func isBuiltIn(_ name: ChainName, _ base: ChainHead.Base, in id: TableID) -> Bool {
    guard let hook = UInt8(exactly: base.hook).flatMap(Hook.init(rawValue:)) else { return false }
    return hook.chainName == name && id.name.hooks.hooks.contains(hook) && base.layout == BaseChain(id.name, hook)
  }

  /// A table with its chains, and no rule.
  /// - Returns: also the chains that are in it.
  mutating func empty(
    _ id: TableID, _ head: TableHead, _ all: [ChainHead]
  ) throws(Problem) -> (live: LiveTable, chains: [ChainHead]) {
    try checkState(of: head, id)
    // The kernel counts what a transaction that is still under way makes and removes, so its number alone proves nothing.
    if !leavesOthers, Int(head.use) != all.count, try holdsObjects(id.name.rawValue, family: id.family.rawValue) {
      throw .foreign(id, nil, rule: nil, what: "holds sets, maps or other objects of nf_tables")
    }
    let chains = all.filter { chain in
      !leavesOthers || chain.base.map { isBuiltIn(chain.name, $0, in: id) } ?? true
    }
    var live = LiveTable(table: Table(id.name, family: id.family))
    live.owner = head.keeper
    live.isIncomplete = chains.count < all.count
    for chain in chains { try place(chain, in: &live) }
    return (live, chains)
  }

  func checkState(of head: TableHead, _ id: TableID) throws(Problem) {
    guard head.flags & NFT_TABLE_F_DORMANT.rawValue == 0 else {
      throw .foreign(id, nil, rule: nil, what: "is dormant: the kernel does not look at its rules")
    }
  }

  /// Whether a table holds more than chains.
  /// - Parameter isBesidesSets: whether sets and maps are not meant.
  mutating func holdsObjects(_ name: String, family: UInt8, isBesidesSets: Bool = false) throws(Problem) -> Bool {
    var found = false
    if !isBesidesSets {
      try ask(NFT_MSG_GETSET, family: family) {
        $0.put(NFTA_SET_TABLE, text: name)
      } each: { _ in
        found = true
      }
    }
    try ask(NFT_MSG_GETOBJ, family: family) {
      $0.put(NFTA_OBJ_TABLE, text: name)
    } each: { _ in
      found = true
    }
    try ask(NFT_MSG_GETFLOWTABLE, family: family) {
      $0.put(NFTA_FLOWTABLE_TABLE, text: name)
    } each: { _ in
      found = true
    }
    return found
  }

  /// Puts an empty chain where it belongs.
  func place(_ chain: ChainHead, in live: inout LiveTable) throws(Problem) {
    let id = live.table.id
    let foreign = { (what: String) in Problem.foreign(id, chain.name, rule: nil, what: what) }
    guard chain.flags & ~NFT_CHAIN_BASE.rawValue == 0 else { throw foreign("is of a kind that iptables has not") }
    guard let base = chain.base else {
      guard chain.name.text.utf8.count <= ChainName.maxBytes else {
        throw foreign("has a name longer than iptables takes")
      }
      do throws(Table.Problem) {
        try live.table.addChain(chain.name)
      } catch {
        throw foreign("has the name of a built-in chain and is none")
      }
      return
    }
    guard isBuiltIn(chain.name, base, in: id), let index = live.table.index(of: chain.name)
    else { throw foreign("stands at another place of the packets' way than iptables has it") }
    live.madeChains.insert(chain.name)
    live.table.setPolicyUnchecked(
      base.policy == UInt32(Verdict.drop.rawValue) ? .drop : .accept, at: index, counters: base.counters)
  }

  /// The rules of one chain: a list of all rules of a table takes the kernel longer.
  private mutating func rules(of chain: ChainName, in id: TableID) throws(Problem) -> (RuleList, [UInt64]) {
    var list = RuleList(family: id.family)
    var handles: [UInt64] = []
    try ask(NFT_MSG_GETRULE, family: id.family.rawValue) { out in
      out.put(NFTA_RULE_TABLE, text: id.name.rawValue)
      out.put(NFTA_RULE_CHAIN, text: chain.text)
    } each: { message throws(Problem) in
      var fields = try Self.fields(of: message)
      let handle: UInt64 = try Self.reading { () throws(WireError) in try fields.big(NFTA_RULE_HANDLE) }
      guard let rule = try Self.rule(&fields, id.family) else {
        throw Problem.foreign(id, chain, rule: handle, what: "says what no rule of iptables can say")
      }
      list.append(rule)
      handles.append(handle)
    }
    return (list, handles)
  }

  /// The counters of some rules of a chain as they are now; nil where one is no longer there.
  mutating func counters(of handles: [UInt64], in chain: ChainName, of id: TableID) throws(Problem) -> [Counters]? {
    var found: [Counters] = []
    for handle in handles {
      do throws(Problem) {
        try ask(NFT_MSG_GETRULE, flags: 0, family: id.family.rawValue) { out in
          out.put(NFTA_RULE_TABLE, text: id.name.rawValue)
          out.put(NFTA_RULE_CHAIN, text: chain.text)
          out.put(NFTA_RULE_HANDLE, big: handle)
        } each: { message throws(Problem) in
          var fields = try Self.fields(of: message)
          if let rule = try Self.rule(&fields, id.family) { found.append(rule.counters) }
        }
      } catch {
        if case .netlink(let failure) = error, failure.operation == .answer, failure.code == ENOENT { return nil }
        throw error
      }
    }
    return found.count == handles.count ? found : nil
  }

  /// The counters of all rules of a chain as they are now.
  mutating func counters(of chain: ChainName, in id: TableID) throws(Problem) -> (handles: [UInt64], [Counters]) {
    let (rules, handles) = try rules(of: chain, in: id)
    return (handles, rules.indices.map { rules.counters(of: $0) })
  }

  /// nil where it is none of xtables.
  private static func rule(_ fields: inout AttributeReader, _ family: Family) throws(Problem) -> Rule? {
    for known in [NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_POSITION, NFTA_RULE_HANDLE, NFTA_RULE_PAD] {
      _ = fields.take(known)
    }
    let note = fields.take(NFTA_RULE_USERDATA).map { comment(in: $0) }
    guard let elements = fields.take(NFTA_RULE_EXPRESSIONS), (try? fields.finish()) != nil else { return nil }
    var expressions: [NFTExpression] = []
    let isWhole = try reading { () throws(WireError) in
      try forEachListElement(elements) { data throws(WireError) in
        expressions.append(try ExpressionAttributes.read(data))
      }
    }
    guard isWhole else { throw .unreadable("a rule's expressions cannot be read") }
    guard var rule = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard) else { return nil }
    if let note {
      guard let note else { return nil }
      rule.matches.append(note)  // where iptables-nft shows it too
    }
    return rule
  }

  /// A rule's user data where it is a comment of nft(8) and nothing else: type 0, a length, text with a zero behind it.
  private static func comment(in data: UnsafeRawBufferPointer) -> Comment? {
    guard data.count >= 3, data[0] == 0, Int(data[1]) == data.count - 2, data.last == 0 else { return nil }
    return Comment(bytes: Array(data[2..<data.count - 1]))
  }

  // MARK: Messages

  static func reading<R>(_ body: () throws(WireError) -> R) throws(Problem) -> R {
    do throws(WireError) { return try body() } catch {
      throw .unreadable("the kernel's answer cannot be read: \(error)")
    }
  }

  /// What follows `struct nfgenmsg`.
  static func fields(of message: NetlinkSocket.Message) throws(Problem) -> AttributeReader {
    guard message.payload.count >= 4 else { throw .unreadable("the kernel's answer is too short") }
    return try reading { () throws(WireError) in
      try AttributeReader(UnsafeRawBufferPointer(rebasing: message.payload[4...]))
    }
  }

  mutating func ask(
    _ type: nf_tables_msg_types, flags: Int32 = NLM_F_DUMP, family: UInt8,
    _ attributes: (inout ByteWriter) -> Void = { _ in },
    each: (NetlinkSocket.Message) throws(Problem) -> Void
  ) throws(Problem) {
    try socket.ask(type, flags: flags, family: family, attributes, each: each)
  }

  mutating func ask(
    subsystem: Int32, _ type: UInt32, flags: Int32, family: UInt8, _ attributes: (inout ByteWriter) -> Void,
    each: (NetlinkSocket.Message) throws(Problem) -> Void
  ) throws(Problem) {
    try socket.ask(subsystem: subsystem, type, flags: flags, family: family, attributes, each: each)
  }
}
