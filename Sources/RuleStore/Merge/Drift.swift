public import Netfilter

/// What has changed in the kernel since our last commit, and by whom it looks.
public struct Drift: Sendable {
  /// One change.
  public struct Change: Hashable, Sendable {
    public let id: TableID
    public let chain: ChainName
    public let kind: Kind
  }

  public enum Kind: Hashable, Sendable {
    /// Our rule is not there any more; as it stands behind `-A CHAIN`.
    case gone(String)
    /// Our rule stands at another place than we put it.
    case moved(String)
    /// Rules that came, in their order, all of one owner.
    case came(RuleOwner, [String])
    case chainGone(rules: Int)
    case chainCame(RuleOwner, rules: Int)
    case policy(from: Policy, to: Policy)
  }

  /// By table, then by chain.
  public let changes: [Change]

  public var isEmpty: Bool { changes.isEmpty }

  /// Whether something of ours is gone, moved or overruled by a policy; what others add beside it does not count.
  public var touchesOwn: Bool {
    changes.contains { change in
      switch change.kind {
      case .gone, .moved, .chainGone, .policy: true
      case .came, .chainCame: false
      }
    }
  }

  /// - Parameters:
  ///   - base: what was committed. Tables that are not in it are not looked at.
  ///   - live: what the kernel holds.
  public init(base: Ruleset, live: Ruleset, names: Names = .wellKnown) {
    changes = base.tables.sorted { $0.id < $1.id }.flatMap { table in
      Self.changes(from: table, to: live[table.id] ?? Table(table.name, family: table.family), names)
    }
  }

  private static func changes(from base: Table, to live: Table, _ names: Names) -> [Change] {
    let directory = OwnerDirectory(live)
    var kinds: [(ChainName, Kind)] = []
    for chain in base.chains where live[chain.name] == nil {
      kinds.append((chain.name, .chainGone(rules: chain.rules.count)))
    }
    for chain in live.chains {
      guard let before = base[chain.name] else {
        kinds.append(
          (chain.name, .chainCame(directory.owner(of: chain.name) ?? .unknown, rules: chain.rules.count)))
        continue
      }
      if let old = before.policy, let new = chain.policy, old != new {
        kinds.append((chain.name, .policy(from: old, to: new)))
      }
      guard !before.rules.sameRules(as: chain.rules) else { continue }
      kinds += Self.kinds(from: before.rules, to: chain, directory, names).map { (chain.name, $0) }
    }
    return kinds.map { Change(id: base.id, chain: $0.0, kind: $0.1) }
  }

  private static func kinds(from base: RuleList, to chain: Chain, _ directory: OwnerDirectory, _ names: Names)
    -> [Kind]
  {
    let kinds = RuleKinds(base: base, live: chain.rules, wanted: base)
    let places = OrderedPairing(kinds.base, kinds.live).places
    let stayed = Set(places.compactMap { $0 })
    var others: [Int: [Int]] = [:]
    for live in chain.rules.indices.reversed() where !stayed.contains(live) {
      others[kinds.live[live], default: []].append(live)
    }
    var moved: Set<Int> = []
    var result: [Kind] = []
    for (place, live) in places.enumerated() where live == nil {
      if let live = others[kinds.base[place]]?.popLast() {
        moved.insert(live)
        result.append(.moved(text(base[place], chain.family, names)))
      } else {
        result.append(.gone(text(base[place], chain.family, names)))
      }
    }
    var came: [(owner: RuleOwner, rules: [String])] = []
    for live in chain.rules.indices where !stayed.contains(live) && !moved.contains(live) {
      let rule = chain.rules[live]
      let owner = directory.owner(of: chain.name) ?? directory.owner(of: rule, in: chain.name) ?? .unknown
      if came.last?.owner != owner { came.append((owner, [])) }
      came[came.count - 1].rules.append(text(rule, chain.family, names))
    }
    return result + came.map { .came($0.owner, $0.rules) }
  }

  private static func text(_ rule: Rule, _ family: Family, _ names: Names) -> String {
    String(SaveText.rule(rule, family: family, names: names).drop { $0 == " " })
  }
}

extension Drift.Change: CustomStringConvertible {
  /// `IPv4 filter INPUT: our rule -i lo -j ACCEPT is gone`
  public var description: String {
    let what =
      switch kind {
      case .gone(let rule): "our rule \(rule) is gone"
      case .moved(let rule): "our rule \(rule) stands at another place"
      case .came(.unknown, let rules): "\(countOfRules(rules.count)) came: \(Self.listed(rules))"
      case .came(let owner, let rules):
        "\(countOfRules(rules.count)) came, by the look of \(owner): \(Self.listed(rules))"
      case .chainGone(let rules): "our chain is gone, with \(countOfRules(rules))"
      case .chainCame(.unknown, let rules): "the chain came, with \(countOfRules(rules))"
      case .chainCame(let owner, let rules): "the chain came, with \(countOfRules(rules)), by the look of \(owner)"
      case .policy(let from, let to): "the policy is \(to.verdict.label) and was \(from.verdict.label)"
      }
    return "\(id) \(chain): \(what)"
  }

  private static let mostListed = 3

  private static func listed(_ rules: [String]) -> String {
    let shown = rules.prefix(mostListed).joined(separator: "; ")
    return rules.count > mostListed ? "\(shown); and \(rules.count - mostListed) more" : shown
  }
}

extension Drift: CustomStringConvertible {
  /// A line for each change.
  public var description: String { changes.map { "\($0)\n" }.joined() }
}
