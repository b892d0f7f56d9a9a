public import Netfilter

/// What live rules a commit keeps although it did not ask for them.
public enum ForeignKeeping: Hashable, Sendable {
  /// Those that other programs and people added.
  case foreign
  /// None: the table is what was asked for and nothing else.
  case nothing
}

/// One table of three rulesets made one: what was committed last, what the kernel holds now, what is wanted.
///
/// The wanted rules stand in their order. What the kernel holds and the last commit did not write is foreign: chains stay
/// whole, rules keep their place among the others. A chain of a program such as Docker or fail2ban is taken from the
/// kernel whenever it is there, whatever the input says about it. Merging again changes nothing.
public struct TableMerge: Sendable {
  /// What to commit: what is wanted and the foreign rules. Rules that the kernel holds keep its counters.
  public let result: Table
  /// What of it is ours; the next merge's base.
  public let own: Table
  /// The foreign rules and chains that stay.
  public let kept: [Kept]
  /// What a reader of the input would not expect, a sentence each.
  public let notes: [String]

  /// Rules of one owner in one chain that stay.
  public struct Kept: Hashable, Sendable {
    public let chain: ChainName
    public let rules: Int
    public let owner: RuleOwner
    /// The chain itself is foreign.
    public let isWholeChain: Bool
  }

  /// - Parameters:
  ///   - base: this table's own rules in the last generation; nil when no generation has it. Then everything but the rules
  ///     of well-known programs counts as ours to replace.
  ///   - live: the kernel's; nil when it has not made the table.
  ///   - wanted: what the input says.
  public init(base: Table?, live: Table?, wanted: Table, keeping: ForeignKeeping = .foreign) {
    guard let live, keeping == .foreign else {
      (result, own, kept, notes) = (wanted, wanted, [], [])
      return
    }
    var work = Work(base: base, live: live, wanted: wanted)
    work.mergeWantedChains()
    work.keepOtherChains()
    (result, own, kept, notes) = (work.result, work.ownRules(), work.kept, work.notes)
  }
}

extension TableMerge.Kept: CustomStringConvertible {
  /// `chain DOCKER (Docker, 3 rules)`, `2 rules in FORWARD (Docker)`
  public var description: String {
    isWholeChain
      ? "chain \(chain) (\(owner), \(countOfRules(rules)))" : "\(countOfRules(rules)) in \(chain) (\(owner))"
  }
}

extension TableMerge {
  /// What stays, a sentence for each owner: `Docker: 12 rules stay, in 5 chains of its own and beside ours in FORWARD`.
  public static func sentences(for kept: [Kept]) -> [String] {
    RuleOwner.allCases.compactMap { owner in
      let its = kept.filter { $0.owner == owner }
      guard !its.isEmpty else { return nil }
      let rules = its.reduce(0) { $0 + $1.rules }
      let chains = its.count { $0.isWholeChain }
      var shared: [String] = []
      for part in its where !part.isWholeChain && !shared.contains(part.chain.text) { shared.append(part.chain.text) }
      var places: [String] = []
      if chains > 0 { places.append(chains == 1 ? "in a chain of its own" : "in \(chains) chains of its own") }
      if !shared.isEmpty { places.append("beside ours in \(shared.joined(separator: ", "))") }
      let name = owner == .unknown ? "somebody else" : owner.name
      return "\(name): \(countOfRules(rules)) \(rules == 1 ? "stays" : "stay"), \(places.joined(separator: " and "))"
    }
  }
}

/// `1 rule`, `2 rules`
func countOfRules(_ count: Int) -> String { count == 1 ? "1 rule" : "\(count) rules" }

/// A merge on its way.
private struct Work {
  let base: MergeBase
  let live: Table
  let wanted: Table
  let directory: OwnerDirectory
  var result: Table
  var own: Table
  var kept: [TableMerge.Kept] = []
  var notes: [String] = []
  /// Wanted chains that are taken from the kernel.
  var left: Set<ChainName> = []
  /// Where foreign rules lead.
  var led: Set<ChainName> = []

  init(base: Table?, live: Table, wanted: Table) {
    directory = OwnerDirectory(live)
    self.base = MergeBase(base, live: live, directory)
    self.live = live
    self.wanted = wanted
    result = wanted
    own = wanted
  }

  mutating func mergeWantedChains() {
    for (index, chain) in wanted.chains.enumerated() {
      guard let now = live[chain.name] else { continue }
      if let policy = chain.policy, policy == now.policy {
        result.setPolicyUnchecked(policy, at: index, counters: now.policyCounters)
        own.setPolicyUnchecked(policy, at: index, counters: now.policyCounters)
      }
      if let owner = base.ownerToRespect(of: now, directory) {
        leave(now, at: index, to: owner)
      } else {
        merge(now, at: index)
      }
    }
  }

  private mutating func leave(_ now: Chain, at index: Int, to owner: RuleOwner) {
    let asked = wanted.chains[index].rules
    let name = now.name
    if !asked.isEmpty, !RuleKinds.areAlike(now.rules, asked) {
      notes.append(
        "chain \(name) of \(place) is \(owner)'s and stays as the kernel has it; the input's \(countOfRules(asked.count)) "
          + "for it \(asked.count == 1 ? "is" : "are") left out; --exclusive puts them in")
    }
    result.setRules(of: index, now.rules)
    own.setRules(of: index, RuleList(family: wanted.family))
    left.insert(name)
    keepWhole(now, owner)
  }

  private mutating func merge(_ now: Chain, at index: Int) {
    let name = now.name
    let merged = ChainMerge(base: base.rules(of: name), live: now.rules, wanted: wanted.chains[index].rules) { rule in
      directory.owner(of: rule, in: name)?.isRecognisedWhole ?? false
    }
    result.setRules(of: index, merged.result)
    own.setRules(of: index, merged.own)
    keep(merged.foreign, of: now)
    guard now.hook == nil, !base.contains(name), !merged.foreign.isEmpty, !RuleOwner.sharedChains.contains(name.text),
      !wanted.chains[index].rules.isEmpty
    else { return }
    notes.append(
      "chain \(name) of \(place) was there already, made by somebody else; its \(countOfRules(merged.foreign.count)) "
        + "\(merged.foreign.count == 1 ? "stays" : "stay") beside the input's; take another name to keep them apart")
  }

  /// Chains that the kernel has and the input does not name.
  mutating func keepOtherChains() {
    var dropped: [(chain: Chain, foreign: [Int])] = []
    var replaced: [RuleOwner] = []
    for chain in live.chains where !wanted.contains(chain.name) {
      if let owner = base.ownerToRespect(of: chain, directory) {
        add(chain.name, chain.rules)
        keepWhole(chain, owner)
      } else if !base.contains(chain.name) {
        add(chain.name, chain.rules)
        keepWhole(chain, directory.owner(of: chain.name) ?? .unknown)
      } else {
        let nothing = RuleList(family: live.family)
        let merged = ChainMerge(base: base.rules(of: chain.name), live: chain.rules, wanted: nothing)
        dropped.append((chain, merged.foreign))
        for place in merged.foreign { if let target = chain.rules[place].target.chain { led.insert(target) } }
        if base.isGuessed, let owner = directory.owner(of: chain.name), !replaced.contains(owner) {
          replaced.append(owner)
        }
      }
    }
    for (chain, foreign) in dropped where !foreign.isEmpty || led.contains(chain.name) {
      var rules = RuleList(family: live.family)
      for place in foreign { rules.copy(place, from: chain.rules) }
      add(chain.name, rules)
      keep(foreign, of: chain)
      guard !RuleOwner.sharedChains.contains(chain.name.text) else { continue }
      let reason = foreign.isEmpty ? "rules of others lead to it" : "it holds \(countOfRules(foreign.count)) of others"
      notes.append("chain \(chain.name) of \(place) is not wanted any more and stays, without our rules: \(reason)")
    }
    for owner in replaced {
      notes.append("the rules of \(owner) in \(place) are replaced; switch it off, or it will write them again")
    }
  }

  /// The part that is ours. A chain of others that our rules lead to is in it without rules, so that it can be read back.
  func ownRules() -> Table {
    var own = own
    guard !left.isEmpty || result.chains.count > wanted.chains.count else { return own }
    let used = own.chainsLedTo()
    for chain in result.chains where chain.hook == nil && (left.contains(chain.name) || !own.contains(chain.name)) {
      if used.contains(chain.name) { try? own.addChain(chain.name) } else { try? own.removeChain(chain.name) }
    }
    return own
  }

  private var place: String { "\(wanted.family) \(wanted.name)" }

  private mutating func add(_ name: ChainName, _ rules: RuleList) {
    try? result.addChain(name)
    if let index = result.index(of: name) { result.setRules(of: index, rules) }
  }

  private mutating func keepWhole(_ chain: Chain, _ owner: RuleOwner) {
    kept.append(.init(chain: chain.name, rules: chain.rules.count, owner: owner, isWholeChain: true))
    for rule in chain.rules { if let target = rule.target.chain { led.insert(target) } }
  }

  private mutating func keep(_ places: [Int], of chain: Chain) {
    var counts: [(owner: RuleOwner, rules: Int)] = []
    for place in places {
      let rule = chain.rules[place]
      if let target = rule.target.chain { led.insert(target) }
      let owner = directory.owner(of: chain.name) ?? directory.owner(of: rule, in: chain.name) ?? .unknown
      if let index = counts.firstIndex(where: { $0.owner == owner }) {
        counts[index].rules += 1
      } else {
        counts.append((owner, 1))
      }
    }
    for (owner, rules) in counts {
      kept.append(.init(chain: chain.name, rules: rules, owner: owner, isWholeChain: false))
    }
  }
}

extension Table {
  /// The chains that rules lead to.
  func chainsLedTo() -> Set<ChainName> {
    var result: Set<ChainName> = []
    for chain in chains {
      for place in chain.rules.indices where chain.rules.jumpsOrHolds(at: place, { _ in false }) {
        if let target = chain.rules[place].target.chain { result.insert(target) }
      }
    }
    return result
  }
}

extension RuleKinds {
  /// Whether two chains hold the same rules in the same order, by meaning.
  static func areAlike(_ live: RuleList, _ other: RuleList) -> Bool {
    if live.sameRules(as: other) { return true }
    guard live.count == other.count else { return false }
    let kinds = RuleKinds(base: other, live: live, wanted: other)
    return kinds.base == kinds.live
  }
}
