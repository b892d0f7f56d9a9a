/// A chain as a program writes it: at a hook with a policy, or with a name of its own.
public struct ChainContents: Sendable {
  let name: ChainName
  let hook: Hook?
  let policy: Policy
  let rules: [Rule]

  /// The built-in chain at a hook.
  public init(_ hook: Hook, policy: Policy = .accept, @RuleListBuilder _ rules: () -> [Rule] = { [] }) {
    self.name = hook.chainName
    self.hook = hook
    self.policy = policy
    self.rules = rules()
  }

  /// A user chain.
  public init(named name: ChainName, @RuleListBuilder _ rules: () -> [Rule] = { [] }) {
    self.name = name
    self.hook = nil
    self.policy = .accept
    self.rules = rules()
  }
}

/// Why written tables do not make a ruleset.
public enum BuildingError: Error, Hashable, Sendable {
  /// The table has no chain at this hook.
  case noSuchHook(Hook, TableName)
  /// A chain is written twice.
  case chainTwice(ChainName, TableName)
  /// A rule has an address or an extension of the other family.
  case wrongFamily(ChainName, ruleNumber: Int, Family)
  /// The kernel would refuse the table as a whole.
  case problem(TableProblem)
}

extension Table {
  /// A table of these chains; those not written are empty, their policy ACCEPT.
  /// - Throws: ``BuildingError``.
  public init(
    _ name: TableName, family: Family = .ipv4, @ListBuilder<ChainContents> chains: () -> [ChainContents]
  ) throws(BuildingError) {
    self.init(name, family: family)
    let contents = chains()
    for chain in contents {
      guard contents.count(where: { $0.name == chain.name }) == 1 else { throw .chainTwice(chain.name, name) }
      if let hook = chain.hook {
        guard let index = index(of: chain.name) else { throw .noSuchHook(hook, name) }
        setPolicyUnchecked(chain.policy, at: index, counters: .zero)
      } else if (try? addChain(chain.name)) == nil {
        throw .chainTwice(chain.name, name)
      }
    }
    for chain in contents {
      for (place, rule) in chain.rules.enumerated() where !rule.fits(family) {
        throw .wrongFamily(chain.name, ruleNumber: place + 1, family)
      }
      setRules(of: index(of: chain.name)!, RuleList(chain.rules, family: family))
    }
    if let problem = problems().first { throw .problem(problem) }
  }
}

extension Ruleset {
  /// A ruleset of these tables.
  ///
  ///     let ruleset = try Ruleset {
  ///       try Table(.filter) {
  ///         ChainContents(.input, policy: .drop) {
  ///           Rule.accept.entering("lo")
  ///           Rule.accept.state([.established, .related])
  ///           Rule.accept.tcp().ports([22, 80, 443])
  ///           Rule.reject(with: .ipv4(.hostUnreachable))
  ///         }
  ///       }
  ///     }
  public init<E: Error>(@ListBuilder<Table> _ tables: () throws(E) -> [Table]) throws(E) {
    self.init(try tables())
  }
}

/// Lists written one below the other, with `if` and `for`.
@resultBuilder
public enum ListBuilder<Element> {
  public static func buildExpression(_ element: Element) -> [Element] { [element] }
  public static func buildExpression(_ elements: [Element]) -> [Element] { elements }
  public static func buildBlock(_ parts: [Element]...) -> [Element] { parts.flatMap { $0 } }
  public static func buildOptional(_ part: [Element]?) -> [Element] { part ?? [] }
  public static func buildEither(first part: [Element]) -> [Element] { part }
  public static func buildEither(second part: [Element]) -> [Element] { part }
  public static func buildArray(_ parts: [[Element]]) -> [Element] { parts.flatMap { $0 } }
}

/// The rules of a chain.
public typealias RuleListBuilder = ListBuilder<Rule>
