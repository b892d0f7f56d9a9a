/// A list of rules with a name. A built-in chain stands at a hook and has a policy; a user chain is jumped to.
public struct Chain: Hashable, Sendable {
  public let name: ChainName
  public let kind: Kind
  public var rules: RuleList

  public enum Kind: Hashable, Sendable {
    /// At a hook, with what happens to packets that no rule decides, and how many there were.
    case builtIn(Hook, policy: Policy, counters: Counters)
    case user
  }

  package init(name: ChainName, kind: Kind, rules: RuleList) {
    self.name = name
    self.kind = kind
    self.rules = rules
  }

  public var family: Family { rules.family }

  public var hook: Hook? {
    if case .builtIn(let hook, _, _) = kind { hook } else { nil }
  }

  public var policy: Policy? {
    if case .builtIn(_, let policy, _) = kind { policy } else { nil }
  }

  /// What the policy has seen; zero for a user chain.
  public var policyCounters: Counters {
    if case .builtIn(_, _, let counters) = kind { counters } else { .zero }
  }

  /// The same chain with another policy; a user chain has none and stays as it is.
  package func with(policy: Policy, counters: Counters) -> Chain {
    guard case .builtIn(let hook, _, _) = kind else { return self }
    return Chain(name: name, kind: .builtIn(hook, policy: policy, counters: counters), rules: rules)
  }
}
