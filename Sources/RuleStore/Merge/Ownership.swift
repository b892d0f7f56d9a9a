public import Netfilter

/// Who owns what in one table: chains, and rules in chains that several share.
public struct Ownership: Sendable {
  /// A chain, or the rules of one owner in it.
  public struct Share: Hashable, Sendable {
    public let chain: ChainName
    public let owner: RuleOwner
    public let rules: Int
    /// How many packets the rules have seen.
    public let packets: UInt64
    /// The chain was made by the owner.
    public let isWholeChain: Bool
  }

  public let id: TableID
  /// By chain, in the table's order. A built-in chain without rules has none.
  public let shares: [Share]

  /// - Parameter base: our rules in the last generation, if any.
  public init(_ live: Table, base: Table? = nil) {
    id = live.id
    let directory = OwnerDirectory(live)
    shares = live.chains.flatMap { Self.shares(of: $0, base: base, directory) }
  }

  private static func shares(of chain: Chain, base: Table?, _ directory: OwnerDirectory) -> [Share] {
    let ours = base?[chain.name]?.rules ?? RuleList(family: chain.family)
    let maker: RuleOwner? = chain.hook != nil ? nil : directory.owner(of: chain.name)
    var owners = [RuleOwner?](repeating: maker, count: chain.rules.count)
    if !ours.isEmpty {
      let kinds = RuleKinds(base: ours, live: chain.rules, wanted: ours)
      for live in OrderedPairing(kinds.base, kinds.live).places { if let live { owners[live] = .firebreak } }
    }
    var found: [RuleOwner: (rules: Int, packets: UInt64)] = [:]
    for place in chain.rules.indices {
      let owner = owners[place] ?? directory.owner(of: chain.rules[place], in: chain.name) ?? .unknown
      found[owner, default: (0, 0)].rules += 1
      found[owner, default: (0, 0)].packets &+= chain.rules.counters(of: place).packets
    }
    if chain.hook == nil, found.isEmpty {
      let isOurs = base?.contains(chain.name) == true && maker == nil
      found[isOurs ? .firebreak : maker ?? .unknown] = (0, 0)
    }
    return RuleOwner.allCases.compactMap { owner in
      guard let (rules, packets) = found[owner] else { return nil }
      let isWhole = chain.hook == nil && found.count == 1
      return Share(chain: chain.name, owner: owner, rules: rules, packets: packets, isWholeChain: isWhole)
    }
  }
}
