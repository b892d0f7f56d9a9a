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

  /// Families where another program has a table of the name that the compiled form needs.
  private(set) var taken: Set<Family> = []

  init(generation: UInt32) { self.generation = generation }

  mutating func list(_ ids: [TableID], compiled: Set<TableID>, linear: Set<TableID>, taken: Set<Family>) {
    self.taken = taken
    existing = ids
    self.compiled = compiled
    self.linear = linear
  }

  mutating func add(_ table: LiveTable) { tables[table.table.id] = table }

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
}

/// Reads nf_tables through one socket.
struct KernelReader: ~Copyable {
  private var socket: NetlinkSocket

  /// How often a reading is begun anew because somebody changed something meanwhile.
  private static let attempts = 50
  private static let pause: useconds_t = 2_000

  enum Problem: Error {
    case netlink(NetlinkFailure)
    /// A table holds what iptables has no words for: all of the table, one chain, or one rule of a chain.
    case foreign(TableID, ChainName?, rule: UInt64?, what: String)
    /// The compiled form of a table is not as it is written.
    case damaged(TableID, what: String)
    /// A table stands there in both forms.
    case twice(TableID)
    case unreadable(String)
  }

  init() throws(NetlinkFailure) { socket = try NetlinkSocket() }

  /// Reads tables as they were at one moment.
  mutating func read(_ selection: TableSelection) throws(Problem) -> KernelReading {
    var last = NetlinkFailure(.interrupted, EINTR)
    for attempt in 0..<Self.attempts {
      if attempt > 0 { usleep(Self.pause) }
      let before = try generation()
      do throws(Problem) {
        let reading = try readOnce(selection, before)
        if try generation() == before { return reading }
      } catch {
        guard case .netlink(let failure) = error, failure.operation == .interrupted else {
          if try generation() != before { continue }  // half of one table, half of another
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

  private mutating func readOnce(_ selection: TableSelection, _ generation: UInt32) throws(Problem) -> KernelReading {
    var reading = KernelReading(generation: generation)
    var existing: [TableID] = []
    var linear: Set<TableID> = []
    var allCompiled: Set<TableID> = []
    var taken: Set<Family> = []
    for family in Family.allCases {
      let found = try tables(family)
      var chains: [String: [ChainHead]]?
      var compiled: Set<TableName> = []
      if found[TableForm.compiledTable] != nil {
        chains = try self.chains(family)
        for chain in chains?[TableForm.compiledTable] ?? [] { chain.compiledTable.map { _ = compiled.insert($0) } }
        if compiled.isEmpty, found[TableForm.compiledTable]!.use > 0 { taken.insert(family) }
      }
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
      if let chains { heads = chains } else { heads = try self.chains(family) }
      for id in wanted {
        guard compiled.contains(id.name) else {
          reading.add(try read(id, found[id.name.rawValue]!, heads[id.name.rawValue] ?? []))
          continue
        }
        if let head = found[id.name.rawValue] {
          let linear = try read(id, head, heads[id.name.rawValue] ?? [])
          guard linear.table.isPristine else { throw .twice(id) }
        }
        let head = found[TableForm.compiledTable]!
        reading.add(try readCompiled(id, head, heads[TableForm.compiledTable] ?? []))
      }
    }
    reading.list(existing, compiled: allCompiled, linear: linear, taken: taken)
    return reading
  }

  // MARK: Tables and chains

  struct TableHead {
    let flags: UInt32
    let use: UInt32
    let owner: UInt32?
  }

  struct ChainHead {
    let name: ChainName
    let base: Base?
    let flags: UInt32

    /// The table of iptables that a chain of the compiled table belongs to.
    var compiledTable: TableName? { TableForm.owner(of: name.text) }

    struct Base {
      let hook: UInt32
      let layout: BaseChain
      let policy: UInt32
      let counters: Counters
    }
  }

  private mutating func tables(_ family: Family) throws(Problem) -> [String: TableHead] {
    var result: [String: TableHead] = [:]
    try ask(NFT_MSG_GETTABLE, family: family.rawValue) { message throws(Problem) in
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

  private mutating func chains(_ family: Family) throws(Problem) -> [String: [ChainHead]] {
    var result: [String: [ChainHead]] = [:]
    try ask(NFT_MSG_GETCHAIN, family: family.rawValue) { message throws(Problem) in
      let chain = nftnl_chain_alloc()!
      defer { nftnl_chain_free(chain) }
      guard nftnl_chain_nlmsg_parse(message.start, chain) == 0,
        let table = nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_TABLE.rawValue)),
        let name = nftnl_chain_get_str(chain, UInt16(NFTNL_CHAIN_NAME.rawValue))
      else { throw Problem.unreadable("a chain of the kernel cannot be read") }
      let ours = String(cString: table)
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
      result[ours, default: []].append(
        ChainHead(
          name: ChainName(unchecked: String(cString: name)), base: base,
          flags: nftnl_chain_get_u32(chain, UInt16(NFTNL_CHAIN_FLAGS.rawValue))))
    }
    return result
  }

  // MARK: One table

  private mutating func read(_ id: TableID, _ head: TableHead, _ chains: [ChainHead]) throws(Problem) -> LiveTable {
    try check(head, id)
    guard Int(head.use) == chains.count else {
      throw .foreign(id, nil, rule: nil, what: "holds sets, maps or other objects of nf_tables")
    }
    var live = LiveTable(table: Table(id.name, family: id.family))
    for chain in chains { try place(chain, in: &live) }
    for chain in chains {
      let (rules, handles) = try rules(of: chain.name, in: id)
      live.handles[chain.name] = handles
      live.table.setRules(of: live.table.index(of: chain.name)!, rules)
    }
    return live
  }

  func check(_ head: TableHead, _ id: TableID) throws(Problem) {
    if head.flags & NFT_TABLE_F_OWNER.rawValue != 0 {
      throw .foreign(
        id, nil, rule: nil, what: "belongs to \(TableOwner(port: head.owner ?? 0)), which alone may change it")
    }
    guard head.flags & NFT_TABLE_F_DORMANT.rawValue == 0 else {
      throw .foreign(id, nil, rule: nil, what: "is dormant: the kernel does not look at its rules")
    }
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
    guard let hook = UInt8(exactly: base.hook).flatMap(Hook.init(rawValue:)), hook.chainName == chain.name,
      let index = live.table.index(of: chain.name), base.layout == BaseChain(id.name, hook)
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

  /// nil where it is none of xtables.
  private static func rule(_ fields: inout AttributeReader, _ family: Family) throws(Problem) -> Rule? {
    for known in [NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_POSITION, NFTA_RULE_PAD] { _ = fields.take(known) }
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
}
