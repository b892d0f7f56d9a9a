package import Netfilter
package import RuleStore

/// How one chain's rules are spread over lookups and linear rules so that every packet meets the rules that it matches in
/// the order in which they were written.
///
/// Rules that share no packets may change places: a packet meets one of them at most. A rule joins the first map of its
/// kind that stands behind every earlier rule with which it shares packets.
package struct ChainLayout {
  /// What the rules of one map have in common.
  package struct Kind: Hashable, Sendable {
    package let shape: KeyShape
    /// The rest of the rules, which is asked before the lookup.
    let conditions: [NFTExpression]
    /// Whether nothing but the shape's protocol is asked.
    package let isPlain: Bool

    init(shape: KeyShape, conditions: [NFTExpression]) {
      self.shape = shape
      self.conditions = conditions
      isPlain = conditions == shape.protocolConditions
    }

    init(plain shape: KeyShape) {
      self.shape = shape
      conditions = shape.protocolConditions
      isPlain = true
    }
  }

  /// The kinds of map that a rule may stand in: whole, or by its key with a chain of its own.
  static func kinds(
    of rule: Rule, _ split: RuleSplit, _ family: Family, mayDetour: Bool, _ revisions: KernelRevisions?
  ) -> (whole: Kind?, detour: Kind?) {
    guard split.shape.hasKey else { return (nil, nil) }
    let detour = mayDetour && rule.target.mayDetour ? Kind(plain: split.shape) : nil
    guard split.fitsUserData, let target = ElementTarget(rule.target, family), mayDetour || !target.needsChain else {
      return (nil, detour)
    }
    switch split.remainder {
    case .nothing: return (nil, detour)
    case .proto: return (Kind(plain: split.shape), detour)
    case .conditions(let rest):
      return (
        Guard.expressions(of: rest[0], family, revisions).map { Kind(shape: split.shape, conditions: $0) }, detour
      )
    }
  }

  package enum Piece {
    case linear(Int)
    /// Rules by number, with the kind's place in ``kinds``.
    case map(kind: Int, rules: [Int])
  }

  package private(set) var pieces: [Piece] = []
  package private(set) var kinds: [Kind] = []
  package private(set) var splits: [RuleSplit] = []
  /// Which rules stand whole in their map; of the others a map holds the key and a chain of its own the rule.
  package private(set) var isWhole: [Bool] = []

  /// A lookup costs a packet about as much as this many rules.
  package static let smallestMap = 8

  /// A lookup of a key with ranges, in lookups of one without (220 ns measured beside 110, at 40 ns a rule).
  static let costOfRanges = 2.0

  /// How many rules a map of a shape has to have.
  static func least(_ shape: KeyShape, _ smallestMap: Int) -> Int {
    shape.isRanged ? 1 + Int(Double(smallestMap - 1) * costOfRanges) : smallestMap
  }

  /// Lookups of one chain; what does not fit stays linear.
  package static let mostMaps = 64

  /// Whether anything is looked up.
  package var isCompiled: Bool { pieces.contains { if case .map = $0 { true } else { false } } }

  /// - Parameters:
  ///   - mayReorder: whether nothing that the rule does changes what later rules look at.
  ///   - mayDetour: whether the rule may stand in a chain of its own.
  ///   - smallestMap: fewer rules stay linear.
  ///   - revisions: which revisions of extensions to write; nil for the newest.
  package init(
    _ rules: RuleList, mayReorder: (Rule) -> Bool = { Transparency.standard($0) }, mayDetour: Bool = true,
    smallestMap: Int = smallestMap, revisions: KernelRevisions? = nil
  ) {
    let forms = StandingForms(rules, mayReorder: mayReorder, mayDetour: mayDetour, revisions)
    (kinds, splits) = (forms.kinds, forms.splits)
    // A rest that few rules have is not worth a lookup of its own.
    var counts = [Int](repeating: 0, count: kinds.count)
    for options in forms.options where options.whole >= 0 { counts[options.whole] += 1 }
    let choices = forms.ranged.choices(forms.options, counts, kinds, smallestMap)
    var candidates: [Int] = []  // by rule: the kind, -1 for linear
    candidates.reserveCapacity(rules.count)
    isWhole.reserveCapacity(rules.count)
    for (index, options) in forms.options.enumerated() {
      if options.whole >= 0, counts[options.whole] >= smallestMap || options.detour == options.whole {
        candidates.append(options.whole)
        isWhole.append(true)
      } else if let choice = choices[index] {
        candidates.append(choice.kind)
        isWhole.append(choice.isWhole)
        splits[index] = choice.split
      } else {
        candidates.append(options.detour >= 0 ? options.detour : options.whole)
        isWhole.append(options.detour < 0 && options.whole >= 0)
      }
    }
    place(candidates, forms.ranged, rules.family, smallestMap)
  }

  private mutating func place(_ candidates: [Int], _ ranged: RangedRules, _ family: Family, _ smallestMap: Int) {
    var index = OverlapIndex(family)
    let numbers = kinds.map { index.number(of: $0.shape) }
    var members: [[Int]] = []  // by item
    var kindOfItem: [Int] = []
    var itemsOfKind = [[Int32]](repeating: [], count: kinds.count)
    for (rule, kind) in candidates.enumerated() {
      var keys = splits[rule].keys
      var number = kind >= 0 ? numbers[kind] : -1
      if let forms = ranged.forms[rule] {
        let split = forms.order(in: kind >= 0 ? kinds[kind].shape : nil, isWhole: isWhole[rule])
        (keys, number) = (split.keys, index.number(of: split.shape))
      }
      if number < 0 { number = index.number(of: splits[rule].shape) }
      var item = Int32(members.count)
      if kind >= 0 {
        let latest = index.latest(keys, number)
        let behind = itemsOfKind[kind].firstPlace { $0 > latest }
        if behind < itemsOfKind[kind].count {
          item = itemsOfKind[kind][behind]
        } else {
          itemsOfKind[kind].append(item)
        }
      }
      if Int(item) == members.count {
        members.append([])
        kindOfItem.append(kind)
      }
      members[Int(item)].append(rule)
      index.insert(keys, number, item: item)
    }
    // The largest maps stay; what is in the others stands in their place, rule by rule.
    var sizes = members.indices.filter { kindOfItem[$0] >= 0 }.map { members[$0].count }
    sizes.sort(by: >)
    let mostTaken = sizes.count > Self.mostMaps ? sizes[Self.mostMaps] + 1 : 0
    for (item, rules) in members.enumerated() {
      let kind = kindOfItem[item]
      if kind >= 0, rules.count >= max(mostTaken, Self.least(kinds[kind].shape, smallestMap)) {
        pieces.append(.map(kind: kindOfItem[item], rules: rules))
      } else {
        pieces += rules.map { .linear($0) }
      }
    }
  }
}

extension [Int32] {
  /// The first place of rising numbers at which something holds that then holds for all; the end where it never does.
  fileprivate func firstPlace(_ holds: (Int32) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if holds(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

extension RuleSplit {
  /// Of a rule that is taken to concern every packet.
  static let everything = RuleSplit(Rule(), .ipv4)

  /// User data of an element has 256 bytes at most.
  fileprivate var fitsUserData: Bool { comment.map { $0.bytes.count <= 128 } ?? true }
}

extension Rule {
  /// Whether nothing but a protocol is asked for.
  var isProtocolOnly: Bool {
    matches.isEmpty && source == nil && destination == nil && inInterface == nil && outInterface == nil
      && fragment == nil && proto?.isInverted != true && proto?.value.rawValue != 0
  }
}

extension KeyShape {
  /// What is asked before the lookup where nothing else is.
  var protocolConditions: [NFTExpression] {
    proto == 0 ? [] : [.meta(.transportProtocol, into: 1), .compare(.equal, 1, [proto])]
  }

  /// Later fragments have no ports; the kernel would take what stands in their place.
  func fragmentConditions(_ family: Family) -> [NFTExpression] {
    guard family == .ipv4, !fields.isDisjoint(with: [.sourcePort, .destinationPort, .icmpType, .icmpCode]) else {
      return []
    }
    return [
      .payload(.network, offset: 6, length: 2, into: 1),
      .bitwise(1, mask: [0x1f, 0xff], flip: [0, 0], into: 1), .compare(.equal, 1, [0, 0]),
    ]
  }
}

extension RuleTarget {
  /// Whether the rule means the same in a chain that is jumped to from its place: what ends a chain would end that one.
  fileprivate var mayDetour: Bool {
    switch self {
    case .verdict(.return), .goto: false
    case .none, .verdict, .jump, .extension: true
    }
  }
}

/// Whether a rule leaves alone what later rules look packets up by.
package enum Transparency {
  /// Targets that end a packet's way, or change nothing of addresses, ports, protocol and interfaces.
  private static let known: Set<String> = [
    "AUDIT", "CHECKSUM", "CLASSIFY", "CONNMARK", "CONNSECMARK", "CT", "DNAT", "DSCP", "ECN", "HL", "HMARK", "IDLETIMER",
    "LED", "LOG", "MARK", "MASQUERADE", "NETMAP", "NFLOG", "NFQUEUE", "NOTRACK", "RATEEST", "REDIRECT", "REJECT",
    "SECMARK", "SET", "SNAT", "TCPMSS", "TCPOPTSTRIP", "TEE", "TOS", "TRACE", "TTL",
  ]

  /// Jumps are left to ``closed(over:)``.
  package static func standard(_ rule: Rule) -> Bool {
    if case .extension(let target) = rule.target { known.contains(target.kernelName) } else { true }
  }

  /// The chains from which a rule may be reached that is not transparent.
  static func opaqueChains(of table: Table) -> Set<ChainName> {
    var opaque: Set<ChainName> = []
    var calls: [ChainName: [ChainName]] = [:]  // who calls a chain
    for chain in table.chains {
      for index in chain.rules.indices {
        switch chain.rules.standardLabel(of: index) {
        case .chain(let called): calls[called, default: []].append(chain.name)
        case .extension:
          // Decoding a rule takes longer than a look at the name.
          if !known.contains(chain.rules.targetName(of: index)), !standard(chain.rules[index]) {
            opaque.insert(chain.name)
          }
        case .none, .verdict: break
        }
      }
    }
    var pending = Array(opaque)
    while let chain = pending.popLast() {
      for caller in calls[chain] ?? [] where opaque.insert(caller).inserted { pending.append(caller) }
    }
    return opaque
  }
}
