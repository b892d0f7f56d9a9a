internal import Netfilter
internal import RuleStore

/// Which chains of a compiled table say the same in IPv4 and IPv6, so that one table of both families may hold them.
///
/// A built-in chain is shared with all the chains that it may lead to, or not at all: no rule leads from one table of
/// nf_tables to another. Each is at its own place of the packets' way, so that a packet meets the same rules in the same
/// order whichever of them are shared. What one of the kernel's rules there says is said for the packets of one family,
/// but for lookups whose key begins with the family: for the packets of each family the chain is what it would be in that
/// family's own table.
struct SharedChains {
  private let tables: [Table]
  private let writers: [CompiledWriter]
  private var known: [ChainName: Judgement] = [:]

  private struct Judgement {
    let isSame: Bool
    /// What a packet saves beside linear chains, in rules.
    var gain = 0
    static let differs = Judgement(isSame: false)
  }

  /// - Returns: no chain where the tables have to stay apart.
  static func find(_ four: Table, _ six: Table, _ compiler: PlanCompiler) -> Set<ChainName> {
    // What NAT does to addresses is a matter of one family.
    guard four.name != .nat, four.name == six.name,
      let writers = try? [four, six].map({ try CompiledWriter($0, CompiledTable(), compiler) })
    else { return [] }
    var search = SharedChains(tables: [four, six], writers: writers)
    return search.chains()
  }

  private init(tables: [Table], writers: [CompiledWriter]) { (self.tables, self.writers) = (tables, writers) }

  private mutating func chains() -> Set<ChainName> {
    var groups: [Set<ChainName>] = []
    var gains: [Int] = []
    for chain in tables[0].chains where chain.hook != nil {
      guard let members = group(of: chain.name) else { continue }
      groups.append(members)
      gains.append(members.reduce(0) { $0 + known[$1]!.gain })
    }
    // Then no table of one family is left, for which no packet has to pay more than half a lookup.
    let isWhole =
      groups.count == tables[0].chains.count { $0.hook != nil } && gains.reduce(0, +) > 0
      && gains.allSatisfy { $0 >= -writers[0].smallestMap / 2 }
      && tables[0].chains.count == tables[1].chains.count
      && tables[0].chains.allSatisfy { chain in
        tables[1][chain.name] != nil && judgement(of: chain.name).isSame
      }
    if isWhole { return Set(tables[0].chains.map(\.name)) }
    var shared = zip(groups, gains).filter { $1 > 0 }.map(\.0)
    while true {
      let members = shared.reduce(into: Set<ChainName>()) { $0.formUnion($1) }
      // From anywhere, also from chains that no packet comes to.
      let needed = ledTo(fromOutside: members)
      let kept = shared.filter { $0.isDisjoint(with: needed) }
      if kept.count == shared.count { return members }
      shared = kept
    }
  }

  /// The chains to which one leads that is none of these.
  private func ledTo(fromOutside members: Set<ChainName>) -> Set<ChainName> {
    var found: Set<ChainName> = []
    for chain in tables.lazy.flatMap(\.chains) where !members.contains(chain.name) {
      found.formUnion(Self.called(by: chain))
    }
    return found
  }

  /// A built-in chain and those that it leads to; nil where they are not the same.
  private mutating func group(of name: ChainName) -> Set<ChainName>? {
    guard let chains = pair(name), chains[0].policy == chains[1].policy, !chains.contains(where: Self.leavesEarly)
    else {
      return nil
    }
    let members = Self.reached(from: name, in: tables[0])
    guard members == Self.reached(from: name, in: tables[1]) else { return nil }
    for member in members {
      guard judgement(of: member).isSame else { return nil }
    }
    return members
  }

  private func pair(_ name: ChainName) -> [Chain]? {
    let chains = tables.compactMap { $0[name] }
    return chains.count == tables.count ? chains : nil
  }

  private static func reached(from name: ChainName, in table: Table) -> Set<ChainName> {
    var found: Set<ChainName> = [name]
    var pending = [name]
    while let chain = pending.popLast().flatMap({ table[$0] }) {
      pending += called(by: chain).filter { found.insert($0).inserted }
    }
    return found
  }

  private static func called(by chain: Chain) -> Set<ChainName> {
    chain.rules.indices.reduce(into: []) { found, index in
      if case .chain(let called) = chain.rules.standardLabel(of: index) { found.insert(called) }
    }
  }

  /// Whether a packet may come to the policy other than by the chain's end, where each family has its own.
  private static func leavesEarly(_ chain: Chain) -> Bool {
    chain.rules.indices.contains { index in
      switch chain.rules.standardLabel(of: index) {
      case .verdict(.return): true
      case .chain: if case .goto = chain.rules[index].target { true } else { false }
      case .none, .verdict, .extension: false
      }
    }
  }

  // MARK: One chain

  private mutating func judgement(of name: ChainName) -> Judgement {
    if let known = known[name] { return known }
    let judgement = judge(name)
    known[name] = judgement
    return judgement
  }

  /// A rule that each family has for itself asks for the family first, and so does the other's before it is passed over:
  /// that costs about two rules more (25 ns measured, at 14 ns a rule). The smallest map saves about one.
  private var costOfTwins: Int { writers[0].smallestMap / 4 }

  private func judge(_ name: ChainName) -> Judgement {
    guard let chains = pair(name), chains[0].rules.count == chains[1].rules.count else { return .differs }
    for index in chains[0].rules.indices {
      let rules = chains.map { $0.rules[index] }
      guard let said = writers[0].said(rules[0]), said == writers[1].said(rules[1]),
        RuleSplit(rules[0], .ipv4).isOfBothFamilies
      else { return .differs }
    }
    let layouts = zip(writers, chains).compactMap { try? $0.layout(of: $1) }
    guard layouts.count == 2, layouts[0].isParallel(to: layouts[1]) else { return .differs }
    var judgement = Judgement(isSame: true)
    if chains[0].policy != nil { judgement.gain -= costOfTwins }
    for piece in layouts[0].pieces {
      switch piece {
      case .map(let kind, let rules):
        guard layouts.allSatisfy({ $0.kinds[kind].conditions.allSatisfy(CompiledWriter.isKnownToBoth) }) else {
          return .differs
        }
        let least = ChainLayout.least(layouts[0].kinds[kind].shape, writers[0].smallestMap)
        judgement.gain += rules.count - (least - 1)
        for index in rules {
          guard isKnownToBoth(chains, index, isWhole: layouts[0].isWhole[index]) else { return .differs }
        }
      case .linear(let index):
        guard isKnownToBoth(chains, index, isWhole: false) else { return .differs }
        judgement.gain -= costOfTwins
      }
    }
    return judgement
  }

  private func isKnownToBoth(_ chains: [Chain], _ index: Int, isWhole: Bool) -> Bool {
    zip(chains, writers).allSatisfy { $1.isKnownToBoth(index, of: $0, isWhole: isWhole) }
  }
}

extension CompiledWriter {
  /// What the kernel is told in a table of both families; nil where it cannot be.
  fileprivate func said(_ rule: Rule) -> [NFTExpression]? {
    let said = try? NFTRuleCodec.expressions(for: rule, family: id.family, registry: .standard) {
      revisions.revision(of: $0, id.family)
    }
    return said?.compactMap { expression in
      if case .counter = expression { return nil }
      return TableForm.shared.inKernel(expression, in: id)
    }
  }

  /// Whether the kernel finds in a table of both families all that it is told of a rule there.
  /// - Parameter isWhole: whether an element of a map is the rule, which says nothing but its target then.
  func isKnownToBoth(_ index: Int, of chain: Chain, isWhole: Bool) -> Bool {
    if isWhole {
      guard case .extension = chain.rules.standardLabel(of: index) else { return true }
      return said(Rule(target: chain.rules[index].target))?.allSatisfy(Self.isKnownToBoth) == true
    }
    return said(chain.rules[index])?.allSatisfy(Self.isKnownToBoth) == true
  }

  /// Extensions that xtables has for every family (`NFPROTO_UNSPEC`): the kernel finds no others in a table of both.
  /// MARK, CONNMARK, `connmark` and `mac` are no longer among them (Linux 6.18 refuses them there).
  private static let matches: Set<String> = [
    "comment", "conntrack", "helper", "pkttype", "state", "statistic",
  ]
  private static let targets: Set<String> = ["NFQUEUE"]

  fileprivate static func isKnownToBoth(_ expression: NFTExpression) -> Bool {
    switch expression {
    case .payload(let base, _, _, into: _): base == .transport
    case .match(let name, _, _): matches.contains(name)
    case .target(let name, _, _): targets.contains(name)
    case .opaque(let name, _): name == "reject"
    case .meta, .setMeta, .immediate, .bitwise, .compare, .range, .counter, .verdict, .limit, .log: true
    }
  }
}

extension RuleSplit {
  /// Whether the key says nothing that only one family has.
  fileprivate var isOfBothFamilies: Bool {
    shape.sourceBits == 0 && shape.destinationBits == 0 && shape.fields.isDisjoint(with: [.icmpType, .icmpCode])
  }
}

extension ChainLayout {
  /// Whether both spread their rules in the same way.
  fileprivate func isParallel(to other: ChainLayout) -> Bool {
    guard pieces.count == other.pieces.count, isWhole == other.isWhole else { return false }
    return zip(pieces, other.pieces).allSatisfy { mine, theirs in
      switch (mine, theirs) {
      case (.linear(let a), .linear(let b)): a == b
      case (.map(let kind, let rules), .map(let otherKind, let otherRules)):
        kinds[kind].shape == other.kinds[otherKind].shape && rules == otherRules
      default: false
      }
    }
  }
}
