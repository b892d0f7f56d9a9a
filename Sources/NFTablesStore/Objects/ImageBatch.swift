internal import CNFTables
internal import Netfilter

/// Images as messages. What others refer to comes first: chains without rules, objects, flowtables, sets with their
/// elements, and rules in the end.
extension Batch {
  /// The elements of a message have to fit into one attribute.
  private static let elementsLimit = 60_000

  mutating func remove(_ id: RulesetImage.ID) {
    add(NFT_MSG_DELTABLE, flags: 0, id.family, .removal(id)) { $0.put(NFTA_TABLE_NAME, id.name.terminated) }
  }

  /// Makes a table that is not there, with everything in it.
  /// - Parameter handles: the numbers to give to what is in it, as far as that is possible; nil for any.
  mutating func create(_ table: RulesetImage.Table, keeping handles: TableHandles? = nil) {
    let id = table.id
    add(NFT_MSG_NEWTABLE, flags: NLM_F_CREATE, id.family, .table(id)) { $0.write(all: table.attributes) }
    var given = GivenExpressions()
    if let parts = handles?.parts(of: table) { return create(parts, of: table, &given) }
    for chain in table.chains { create(chain, in: id, &given) }
    for object in table.objects { create(object, in: id) }
    for flowtable in table.flowtables { create(flowtable, in: id) }
    for (number, set) in table.sets.enumerated() {
      create(set, number: UInt32(truncatingIfNeeded: number + 1), in: id, given)
      addElements(of: set, in: id, given)
    }
    addRules(of: table, given)
  }

  /// Makes everything in the order of its numbers. What was made later may be referred to by elements of sets alone: those of
  /// sets that have a name come in the end where they may lead anywhere.
  private mutating func create(
    _ parts: [(handle: UInt64, part: TableHandles.Part)], of table: RulesetImage.Table,
    _ given: inout GivenExpressions
  ) {
    let id = table.id
    var next: UInt64 = 1
    for (handle, part) in parts {
      while next < handle {
        passOver(in: id)
        next += 1
      }
      next = handle + 1
      switch part {
      case .chain(let place): create(table.chains[place], in: id, &given)
      case .object(let place): create(table.objects[place], in: id)
      case .flowtable(let place): create(table.flowtables[place], in: id)
      case .set(let place):
        create(table.sets[place], number: UInt32(truncatingIfNeeded: place + 1), in: id, given)
        if !table.sets[place].leadsAnywhere { addElements(of: table.sets[place], in: id, given) }
      case .rule(let place, let chain, let position):
        add(place, of: table.chains[chain], in: id, given, at: position)
      }
    }
    for set in table.sets where set.leadsAnywhere { addElements(of: set, in: id, given) }
  }

  /// Takes the next number of a table for nothing.
  private mutating func passOver(in id: RulesetImage.ID) {
    let name = ObjectName("firebreak-passes-over")
    for (type, flags) in [(NFT_MSG_NEWCHAIN, NLM_F_CREATE), (NFT_MSG_DELCHAIN, 0)] {
      add(type, flags: flags, id.family, .chain(id, name)) { out in
        out.put(NFTA_CHAIN_TABLE, id.name.terminated)
        out.put(NFTA_CHAIN_NAME, name.terminated)
      }
    }
  }

  private mutating func create(_ flowtable: RulesetImage.Flowtable, in id: RulesetImage.ID) {
    add(NFT_MSG_NEWFLOWTABLE, flags: NLM_F_CREATE, id.family, .flowtable(id, flowtable.name)) { out in
      out.put(NFTA_FLOWTABLE_TABLE, id.name.terminated)
      out.write(all: flowtable.attributes)
    }
  }

  // MARK: Chains and rules

  private mutating func create(_ chain: RulesetImage.Chain, in id: RulesetImage.ID, _ given: inout GivenExpressions) {
    let number = chain.isAnonymous ? given.number(chain.name) : nil
    add(NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE, id.family, .chain(id, chain.name)) { out in
      out.put(NFTA_CHAIN_TABLE, id.name.terminated)
      // The kernel gives the chain of one rule its name.
      out.write(all: chain.attributes, without: number == nil ? [] : [NFTA_CHAIN_NAME])
      if let number { out.put(NFTA_CHAIN_ID, big: number) }
    }
  }

  /// A chain that belongs to one rule takes no more rules once that rule is there, so its own come first.
  private mutating func addRules(of table: RulesetImage.Table, _ given: GivenExpressions) {
    let anonymous = Dictionary(
      table.chains.filter(\.isAnonymous).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var done: Set<ObjectName> = []
    for chain in table.chains where !chain.isAnonymous { addRules(of: chain, table.id, given, anonymous, &done) }
    for chain in table.chains where chain.isAnonymous { addRules(of: chain, table.id, given, anonymous, &done) }
  }

  private mutating func addRules(
    of chain: RulesetImage.Chain, _ id: RulesetImage.ID, _ given: GivenExpressions,
    _ anonymous: [ObjectName: RulesetImage.Chain], _ done: inout Set<ObjectName>
  ) {
    guard !chain.isAnonymous || done.insert(chain.name).inserted else { return }
    for (place, rule) in chain.rules.enumerated() {
      if !anonymous.isEmpty {
        let targets = rule.withExpressionList { GivenExpressions.chains(in: $0) }
        for target in targets {
          if let own = anonymous[target] { addRules(of: own, id, given, anonymous, &done) }
        }
      }
      add(place, of: chain, in: id, given, at: .end)
    }
  }

  private mutating func add(
    _ place: Int, of chain: RulesetImage.Chain, in id: RulesetImage.ID, _ given: GivenExpressions,
    at position: TableHandles.RulePosition
  ) {
    let appends = if case .start = position { false } else { true }
    let flags = NLM_F_CREATE | (appends ? NLM_F_APPEND : 0)
    add(NFT_MSG_NEWRULE, flags: flags, id.family, .rule(id, chain.name, place)) { out in
      out.put(NFTA_RULE_TABLE, id.name.terminated)
      if let number = given.chainNumbers[chain.name] {
        out.put(NFTA_RULE_CHAIN_ID, big: number)
      } else {
        out.put(NFTA_RULE_CHAIN, chain.name.terminated)
      }
      if case .behind(let handle) = position { out.put(NFTA_RULE_POSITION, big: handle) }
      out.write(chain.rules[place], id.family, given)
    }
  }

  // MARK: Sets and objects

  private mutating func create(
    _ set: RulesetImage.ElementSet, number: UInt32, in id: RulesetImage.ID, _ given: GivenExpressions
  ) {
    // Elements that rules have made may hold several expressions where the set did not say that it would.
    let needsFlag = set.elements.contains { $0.attributes.has(NFTA_SET_ELEM_EXPRESSIONS) }
    add(NFT_MSG_NEWSET, flags: NLM_F_CREATE, id.family, .set(id, set.name)) { out in
      out.put(NFTA_SET_TABLE, id.name.terminated)
      out.put(NFTA_SET_ID, big: number)
      out.write(
        all: set.attributes,
        rewriting: { attribute, out in
          switch attribute.type {
          case UInt16(NFTA_SET_FLAGS.rawValue):
            guard needsFlag, let flags = attribute.number else { return false }
            out.put(NFTA_SET_FLAGS, big: flags | NFT_SET_EXPR.rawValue)
          case UInt16(NFTA_SET_EXPR.rawValue): out.nest(NFTA_SET_EXPR) { given.write(one: attribute.data, to: &$0) }
          case UInt16(NFTA_SET_EXPRESSIONS.rawValue):
            out.nest(NFTA_SET_EXPRESSIONS) { given.write(list: attribute.data, to: &$0) }
          default: return false
          }
          return true
        })
    }
  }

  private mutating func addElements(
    of set: RulesetImage.ElementSet, in id: RulesetImage.ID, _ given: GivenExpressions
  ) {
    let elements = set.elementsInOrder
    var next = 0
    while next < elements.count {
      add(NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE, id.family, .elements(id, set.name)) { out in
        out.put(NFTA_SET_ELEM_LIST_TABLE, id.name.terminated)
        out.put(NFTA_SET_ELEM_LIST_SET, set.name.terminated)
        out.nest(NFTA_SET_ELEM_LIST_ELEMENTS) { out in
          let start = out.count
          repeat {
            out.nest(NFTA_LIST_ELEM) { $0.write(elements[next], given, lifetime: set.lifetime(of: elements[next])) }
            next += 1
          } while next < elements.count
            && out.count - start + elements[next].attributes.bytes.count < Self.elementsLimit
        }
      }
    }
  }

  private mutating func create(_ object: RulesetImage.StatefulObject, in id: RulesetImage.ID) {
    let part = ImagePart.object(id, object.name, kind: object.typeName)
    let isQuota = object.type == NFT_OBJECT_QUOTA
    add(NFT_MSG_NEWOBJ, flags: NLM_F_CREATE, id.family, part) { out in
      out.put(NFTA_OBJ_TABLE, id.name.terminated)
      out.write(
        all: object.attributes,
        rewriting: { attribute, out in
          guard isQuota, attribute.type == UInt16(NFTA_OBJ_DATA.rawValue) else { return false }
          out.nest(NFTA_OBJ_DATA) { GivenExpressions.quota(attribute.data, &$0) }
          return true
        })
    }
  }
}

extension RulesetImage.Rule {
  /// Calls `body` with the members of the list of expressions.
  fileprivate func withExpressionList<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    attributes.bytes.withUnsafeBytes { bytes in
      let list = AttributeWalk(bytes).first { $0.type == UInt16(NFTA_RULE_EXPRESSIONS.rawValue) }?.data
      return body(list ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }
  }
}

extension RulesetImage.ElementSet {
  /// Whether elements may lead to chains or objects that were made later.
  fileprivate var leadsAnywhere: Bool {
    !isAnonymous && (objectType != nil || dataType == NFT_DATA_VERDICT.rawValue)
  }

  /// As the kernel takes them. An element whose time was over when it was read stays away.
  fileprivate var elementsInOrder: [RulesetImage.Element] {
    let live = elements.filter { !$0.isExpired }
    return hasEnds ? live.inOrderOfKeys.withoutStrayEnds : live
  }
}

extension RulesetImage.ElementSet {
  /// The time to give an element in place of its own or the set's: rules may have prolonged it beyond that, and the kernel
  /// takes none that has more left than it began with.
  fileprivate func lifetime(of element: RulesetImage.Element) -> UInt64? {
    guard flags & NFT_SET_TIMEOUT.rawValue != 0, let left = element.expiration else { return nil }
    let whole = element.timeout ?? timeout ?? 0
    return left > whole ? left : nil
  }
}

extension RulesetImage.Element {
  fileprivate var isExpired: Bool { attributes.has(NFTA_SET_ELEM_EXPIRATION) && expiration == 0 && timeout != 0 }
}

extension Attributes {
  fileprivate func has<A: RawRepresentable>(_ type: A) -> Bool where A.RawValue == UInt32 {
    bytes.withUnsafeBytes { all in
      AttributeWalk(all).contains { $0.type == UInt16(truncatingIfNeeded: type.rawValue) }
    }
  }
}

extension ByteWriter {
  fileprivate mutating func write(all attributes: Attributes) { write(all: attributes) { _, _ in false } }

  fileprivate mutating func write<A: RawRepresentable>(all attributes: Attributes, without types: [A])
  where A.RawValue == UInt32 {
    write(all: attributes) { attribute, _ in types.contains { $0.rawValue == UInt32(attribute.type) } }
  }

  /// - Parameter rewriting: true where it wrote something else, or nothing, instead of an attribute.
  mutating func write(
    all attributes: Attributes, rewriting: (AttributeWalk.Attribute, inout ByteWriter) -> Bool
  ) {
    attributes.bytes.withUnsafeBytes { bytes in
      for attribute in AttributeWalk(bytes) where !rewriting(attribute, &self) {
        write(attribute.whole)
        align(4)
      }
    }
  }

  fileprivate mutating func write(_ rule: RulesetImage.Rule, _ family: NFTFamily, _ given: GivenExpressions) {
    write(all: rule.attributes) { attribute, out in
      guard attribute.type == UInt16(NFTA_RULE_EXPRESSIONS.rawValue) else { return false }
      out.nest(NFTA_RULE_EXPRESSIONS) { given.write(list: attribute.data, to: &$0) }
      RuleProtocol(attribute.data, family)?.write(to: &out)
      return true
    }
  }

  fileprivate mutating func write(
    _ element: RulesetImage.Element, _ given: GivenExpressions, lifetime: UInt64?
  ) {
    // Where an interval ends there is no time, but the kernel tells of one of nothing beside a set's own.
    let isEnd = element.isIntervalEnd
    if let lifetime, !isEnd { put(NFTA_SET_ELEM_TIMEOUT, big: lifetime) }
    write(all: element.attributes) { attribute, out in
      switch attribute.type {
      case UInt16(NFTA_SET_ELEM_TIMEOUT.rawValue): return lifetime != nil || isEnd
      case UInt16(NFTA_SET_ELEM_EXPIRATION.rawValue): return isEnd
      case UInt16(NFTA_SET_ELEM_EXPR.rawValue):
        out.nest(NFTA_SET_ELEM_EXPR) { given.write(one: attribute.data, to: &$0) }
      case UInt16(NFTA_SET_ELEM_EXPRESSIONS.rawValue):
        out.nest(NFTA_SET_ELEM_EXPRESSIONS) { given.write(list: attribute.data, to: &$0) }
      default: return false
      }
      return true
    }
  }
}
