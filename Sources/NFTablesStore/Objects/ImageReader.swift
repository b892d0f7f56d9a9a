internal import CNFTables
internal import Glibc
internal import Netfilter
internal import RuleStore

/// Reads nf_tables as it is in one generation: lists of tables, chains, sets and objects, then rules chain by chain and
/// elements set by set, for one list of them all takes the kernel much longer.
struct ImageReader: ~Copyable {
  typealias Problem = KernelReader.Problem

  private var socket: NetlinkSocket

  /// How often a reading is begun anew because somebody changed something meanwhile.
  private static let attempts = 50
  private static let pause: useconds_t = 2_000

  init() throws(Problem) {
    do throws(NetlinkFailure) { socket = try NetlinkSocket() } catch { throw .netlink(error) }
  }

  /// A table, and the netlink port of the process that alone may change it.
  struct Head {
    let id: RulesetImage.ID
    let owner: UInt32?
  }

  /// What was read, and the chosen tables that were not because they have an owner.
  struct Result {
    let image: RulesetImage
    let handles: [RulesetImage.ID: TableHandles]
    let owned: [Head]
  }

  mutating func read(_ selection: ImageSelection) throws(Problem) -> Result {
    try settled { reader, generation throws(Problem) in try reader.readOnce(selection, generation) }.0
  }

  /// The tables that there are.
  mutating func heads() throws(Problem) -> (heads: [Head], generation: UInt32) {
    let (tables, generation) = try settled { reader, _ throws(Problem) in try reader.tables() }
    return (tables.map(\.head), generation)
  }

  /// Reads again until the generation is the same before and after.
  private mutating func settled<R>(
    _ body: (inout ImageReader, UInt32) throws(Problem) -> R
  ) throws(Problem) -> (R, UInt32) {
    var last = NetlinkFailure(.interrupted, EINTR)
    for attempt in 0..<Self.attempts {
      if attempt > 0 { usleep(Self.pause) }
      let before = try generation()
      do throws(NetlinkFailure) { try socket.awaitCommits(not: before) } catch { throw .netlink(error) }
      var result: R?
      var problem: Problem?
      do throws(Problem) { result = try body(&self, before) } catch { problem = error }
      if case .netlink(let failure)? = problem, failure.operation == .interrupted {
        last = failure
        continue
      }
      // What is half of one generation and half of another is no answer, and no error either.
      guard try generation() == before else { continue }
      if let problem { throw problem }
      if let result { return (result, before) }
    }
    throw .netlink(last)
  }

  private mutating func generation() throws(Problem) -> UInt32 {
    var found: UInt32?
    try socket.ask(NFT_MSG_GETGEN, flags: 0, family: 0) { answer throws(Problem) in
      found = try Self.attributes(try answer.object().attributes, without: []).number(NFTA_GEN_ID)
    }
    guard let found else { throw .unreadable("the kernel did not tell its generation") }
    return found
  }

  // MARK: Everything once

  /// What only the kernel says, by the kind of object: handles, numbers of users, places, padding.
  private enum Told {
    static let table = types(NFTA_TABLE_USE, NFTA_TABLE_HANDLE, NFTA_TABLE_PAD, NFTA_TABLE_OWNER)
    static let chain = types(NFTA_CHAIN_TABLE, NFTA_CHAIN_HANDLE, NFTA_CHAIN_USE, NFTA_CHAIN_PAD, NFTA_CHAIN_ID)
    static let rule = types(
      NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE, NFTA_RULE_POSITION, NFTA_RULE_PAD, NFTA_RULE_ID,
      NFTA_RULE_POSITION_ID, NFTA_RULE_CHAIN_ID)
    /// With the kind of set that the kernel chose and the number of elements, which later headers have as 19 and 20.
    static let set = types(NFTA_SET_TABLE, NFTA_SET_ID, NFTA_SET_PAD, NFTA_SET_HANDLE).union([19, 20])
    static let element = types(NFTA_SET_ELEM_PAD)
    static let object = types(NFTA_OBJ_TABLE, NFTA_OBJ_USE, NFTA_OBJ_HANDLE, NFTA_OBJ_PAD)
    static let flowtable = types(
      NFTA_FLOWTABLE_TABLE, NFTA_FLOWTABLE_USE, NFTA_FLOWTABLE_HANDLE, NFTA_FLOWTABLE_PAD)

    private static func types<A: RawRepresentable>(_ types: A...) -> Set<UInt16> where A.RawValue == UInt32 {
      Set(types.map { UInt16(truncatingIfNeeded: $0.rawValue) })
    }
  }

  private mutating func readOnce(_ selection: ImageSelection, _ generation: UInt32) throws(Problem) -> Result {
    let all = try tables().filter { selection.contains($0.head.id) }
    let owned = all.map(\.head).filter { $0.owner != nil }
    var image = RulesetImage(generation: generation, tables: all.filter { $0.head.owner == nil }.map(\.table))
    guard !image.tables.isEmpty else { return Result(image: image, handles: [:], owned: owned) }
    let places = Dictionary(uniqueKeysWithValues: image.tables.enumerated().map { ($1.id, $0) })
    var handles = [TableHandles](repeating: TableHandles(), count: image.tables.count)
    try list(
      NFT_MSG_GETCHAIN, table: NFTA_CHAIN_TABLE, name: NFTA_CHAIN_NAME, handle: NFTA_CHAIN_HANDLE, without: Told.chain,
      of: places, &handles, \.chains
    ) { image.tables[$0].chains.append(RulesetImage.Chain(name: $1, attributes: $2)) }
    try list(
      NFT_MSG_GETSET, table: NFTA_SET_TABLE, name: NFTA_SET_NAME, handle: NFTA_SET_HANDLE, without: Told.set,
      of: places, &handles, \.sets
    ) { image.tables[$0].sets.append(RulesetImage.ElementSet(name: $1, attributes: $2)) }
    try list(
      NFT_MSG_GETOBJ, table: NFTA_OBJ_TABLE, name: NFTA_OBJ_NAME, handle: NFTA_OBJ_HANDLE, without: Told.object,
      of: places, &handles, \.objects
    ) { image.tables[$0].objects.append(RulesetImage.StatefulObject(name: $1, attributes: $2)) }
    try list(
      NFT_MSG_GETFLOWTABLE, table: NFTA_FLOWTABLE_TABLE, name: NFTA_FLOWTABLE_NAME, handle: NFTA_FLOWTABLE_HANDLE,
      without: Told.flowtable, of: places, &handles, \.flowtables
    ) { image.tables[$0].flowtables.append(RulesetImage.Flowtable(name: $1, attributes: $2)) }
    for place in image.tables.indices {
      let id = image.tables[place].id
      for index in image.tables[place].chains.indices {
        let (rules, numbers) = try rules(of: image.tables[place].chains[index].name, in: id)
        image.tables[place].chains[index].rules = rules
        handles[place].rules.append(numbers)
      }
      for index in image.tables[place].sets.indices {
        image.tables[place].sets[index].elements = try elements(of: image.tables[place].sets[index].name, in: id)
        image.tables[place].sets[index].dropStrayEnds()
      }
    }
    let known = Dictionary(uniqueKeysWithValues: zip(image.tables.map(\.id), handles))
    return Result(image: image, handles: known, owned: owned)
  }

  private mutating func tables() throws(Problem) -> [(head: Head, table: RulesetImage.Table)] {
    var result: [(head: Head, table: RulesetImage.Table)] = []
    try socket.ask(NFT_MSG_GETTABLE, family: 0) { answer throws(Problem) in
      let (bytes, family) = try answer.object()
      let all = try Self.attributes(bytes, without: [])
      let id = RulesetImage.ID(family, try Self.name(all, NFTA_TABLE_NAME))
      let table = RulesetImage.Table(id: id, attributes: try Self.attributes(bytes, without: Told.table))
      result.append((Head(id: id, owner: all.number(NFTA_TABLE_OWNER)), table))
    }
    return result
  }

  /// Calls `body` with each object of a kind by its name, and the place of its table among those that are read.
  /// - Parameter numbers: where its handle goes.
  private mutating func list<A: RawRepresentable>(
    _ type: nf_tables_msg_types, table: A, name: A, handle: A, without dropped: Set<UInt16>,
    of places: [RulesetImage.ID: Int], _ handles: inout [TableHandles],
    _ numbers: WritableKeyPath<TableHandles, [UInt64]>,
    _ body: (Int, ObjectName, Attributes) -> Void
  ) throws(Problem) where A.RawValue == UInt32 {
    try socket.ask(type, family: 0) { answer throws(Problem) in
      let (bytes, family) = try answer.object()
      let all = try Self.attributes(bytes, without: [])
      guard let place = places[RulesetImage.ID(family, try Self.name(all, table))] else { return }
      body(place, try Self.name(all, name), try Self.attributes(bytes, without: dropped))
      handles[place][keyPath: numbers].append(all.number(handle) ?? 0)
    }
  }

  // MARK: Chain by chain, set by set

  private mutating func rules(
    of chain: ObjectName, in id: RulesetImage.ID
  ) throws(Problem) -> ([RulesetImage.Rule], handles: [UInt64]) {
    var result: [RulesetImage.Rule] = []
    var handles: [UInt64] = []
    try socket.ask(NFT_MSG_GETRULE, family: id.family.rawValue) { out in
      out.put(NFTA_RULE_TABLE, id.name.terminated)
      out.put(NFTA_RULE_CHAIN, chain.terminated)
    } each: { answer throws(Problem) in
      let bytes = try answer.object().attributes
      result.append(RulesetImage.Rule(attributes: try Self.attributes(bytes, without: Told.rule)))
      let handle = AttributeWalk(bytes).first { $0.type == UInt16(NFTA_RULE_HANDLE.rawValue) }
      handles.append(handle?.number(as: UInt64.self) ?? 0)
    }
    return (result, handles)
  }

  private mutating func elements(of set: ObjectName, in id: RulesetImage.ID) throws(Problem) -> [RulesetImage.Element] {
    var result: [RulesetImage.Element] = []
    try socket.ask(NFT_MSG_GETSETELEM, family: id.family.rawValue) { out in
      out.put(NFTA_SET_ELEM_LIST_TABLE, id.name.terminated)
      out.put(NFTA_SET_ELEM_LIST_SET, set.terminated)
    } each: { answer throws(Problem) in
      let bytes = try answer.object().attributes
      for attribute in AttributeWalk(bytes) where attribute.type == UInt16(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue) {
        for element in AttributeWalk(attribute.data) {
          result.append(RulesetImage.Element(attributes: try Self.attributes(element.data, without: Told.element)))
        }
      }
    }
    return result
  }

  private static func attributes(_ bytes: UnsafeRawBufferPointer, without: Set<UInt16>) throws(Problem) -> Attributes {
    do throws(WireError) { return try Attributes(bytes, without: without) } catch {
      throw .unreadable("the kernel's answer cannot be read: \(error)")
    }
  }

  private static func name<A: RawRepresentable>(_ fields: Attributes, _ type: A) throws(Problem) -> ObjectName
  where A.RawValue == UInt32 {
    guard let name = fields.name(type) else { throw .unreadable("the kernel's answer names nothing") }
    return name
  }
}
