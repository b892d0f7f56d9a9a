/// One table of one family: its built-in chains, always all of them and in hook order, then user chains by name.
public struct Table: Hashable, Sendable {
  public let family: Family
  public let name: TableName
  public private(set) var chains: [Chain]

  /// The table as the kernel makes it: built-in chains without rules, every policy ACCEPT.
  public init(_ name: TableName, family: Family) {
    self.family = family
    self.name = name
    chains = name.hooks.hooks.map { hook in
      Chain(
        name: hook.chainName, kind: .builtIn(hook, policy: .accept, counters: .zero),
        rules: RuleList(family: family))
    }
  }

  public enum Problem: Error, Hashable, Sendable {
    case chainExists(ChainName)
    case noSuchChain(ChainName)
    case builtIn(ChainName)
    case notBuiltIn(ChainName)
    case notEmpty(ChainName)
    case referenced(ChainName)
  }

  private func place(of name: ChainName) -> (index: Int, found: Bool) {
    let builtIn = self.name.hooks.hooks.count
    if let index = chains[..<builtIn].firstIndex(where: { $0.name == name }) { return (index, true) }
    var low = builtIn
    var high = chains.count
    while low < high {
      let middle = (low + high) / 2
      if chains[middle].name < name { low = middle + 1 } else { high = middle }
    }
    return (low, low < chains.count && chains[low].name == name)
  }

  package func index(of name: ChainName) -> Int? {
    let place = place(of: name)
    return place.found ? place.index : nil
  }

  public func contains(_ name: ChainName) -> Bool { index(of: name) != nil }

  public subscript(name: ChainName) -> Chain? { index(of: name).map { chains[$0] } }

  /// Adds an empty user chain.
  /// - Throws: ``Problem/chainExists(_:)``.
  public mutating func addChain(_ name: ChainName) throws(Problem) {
    let place = place(of: name)
    guard !place.found else { throw .chainExists(name) }
    chains.insert(Chain(name: name, kind: .user, rules: RuleList(family: family)), at: place.index)
  }

  /// Removes an empty user chain to which nothing jumps.
  /// - Throws: ``Problem`` when it is built in, holds rules or is jumped to.
  public mutating func removeChain(_ name: ChainName) throws(Problem) {
    guard let index = index(of: name) else { throw .noSuchChain(name) }
    guard chains[index].hook == nil else { throw .builtIn(name) }
    guard chains[index].rules.isEmpty else { throw .notEmpty(name) }
    guard !isReferenced(name) else { throw .referenced(name) }
    chains.remove(at: index)
  }

  /// Whether any rule jumps or goes to the chain.
  public func isReferenced(_ name: ChainName) -> Bool {
    chains.contains { chain in chain.rules.contains { $0.target.chain == name } }
  }

  /// Gives a user chain another name, in every rule that leads to it too.
  public mutating func renameChain(_ old: ChainName, to new: ChainName) throws(Problem) {
    guard let index = index(of: old) else { throw .noSuchChain(old) }
    guard chains[index].hook == nil else { throw .builtIn(old) }
    guard !contains(new) else { throw .chainExists(new) }
    let rules = chains.remove(at: index).rules
    try addChain(new)
    chains[self.index(of: new)!].rules = rules
    for chain in chains.indices {
      for rule in chains[chain].rules.indices {
        switch chains[chain].rules[rule].target {
        case .jump(old): chains[chain].rules[rule].target = .jump(new)
        case .goto(old): chains[chain].rules[rule].target = .goto(new)
        default: break
        }
      }
    }
  }

  /// - Throws: ``Problem`` when there is no such built-in chain.
  public mutating func setPolicy(_ policy: Policy, of name: ChainName, counters: Counters = .zero) throws(Problem) {
    guard let index = index(of: name) else { throw .noSuchChain(name) }
    guard chains[index].hook != nil else { throw .notBuiltIn(name) }
    chains[index] = chains[index].with(policy: policy, counters: counters)
  }

  /// Changes the rules of the chain at `index` in place.
  package mutating func withRules(of index: Int, _ body: (inout RuleList) -> Void) {
    body(&chains[index].rules)
  }

  package mutating func setRules(of index: Int, _ rules: RuleList) { chains[index].rules = rules }

  /// Sets the policy of the chain at `index`; nothing happens when it is a user chain.
  package mutating func setPolicyUnchecked(_ policy: Policy, at index: Int, counters: Counters) {
    chains[index] = chains[index].with(policy: policy, counters: counters)
  }

  /// Appends a rule to a chain.
  /// - Throws: ``Problem/noSuchChain(_:)``.
  public mutating func append(_ rule: Rule, to name: ChainName, at position: SourcePosition? = nil) throws(Problem) {
    guard let index = index(of: name) else { throw .noSuchChain(name) }
    chains[index].rules.append(rule, at: position)
  }

  /// Takes out every rule; chains and policies stay.
  public mutating func flush() {
    for index in chains.indices { chains[index].rules = RuleList(family: family) }
  }

  public var ruleCount: Int { chains.reduce(0) { $0 + $1.rules.count } }

  /// Whether it is as the kernel makes it: no rules, no user chains, every policy ACCEPT.
  public var isPristine: Bool {
    chains.allSatisfy { $0.rules.isEmpty && $0.policy == .accept }
  }

  /// Whether a policy has counted packets.
  package var hasCounted: Bool { chains.contains { $0.policyCounters != .zero } }

  /// Equal but for counters.
  public func sameRules(as other: Table) -> Bool {
    family == other.family && name == other.name && chains.count == other.chains.count
      && zip(chains, other.chains).allSatisfy { a, b in
        a.name == b.name && a.policy == b.policy && a.rules.sameRules(as: b.rules)
      }
  }
}

extension Table.Problem: CustomStringConvertible {
  public var description: String {
    switch self {
    case .chainExists(let name): "chain \(name) exists already"
    case .noSuchChain(let name): "there is no chain \(name)"
    case .builtIn(let name): "chain \(name) is built in"
    case .notBuiltIn(let name): "chain \(name) is not built in and has no policy"
    case .notEmpty(let name): "chain \(name) still holds rules"
    case .referenced(let name): "rules still lead to chain \(name)"
    }
  }
}
