/// Applies commands to a ruleset that is being read.
struct RulesetEditor: ChainLookup {
  private(set) var ruleset = Ruleset()
  let family: Family
  private let registry: Registry
  /// How much room a long chain is given: rules, and bytes in the kernel's form. Growing step by step would copy them
  /// again and again.
  var expectedRules = 0
  var expectedBytes = 0
  private static let longChain = 1000

  /// The chain that the last rule went to; nearly every rule goes to the same one.
  private var last: (table: Int, chain: Int, name: [UInt8])?

  /// Whether a chain was made that has the name of a target.
  private var hasHiddenTargets = false

  init(family: Family, registry: Registry, continuing ruleset: consuming Ruleset = Ruleset()) {
    self.family = family
    self.registry = registry
    self.ruleset = ruleset
  }

  /// Gives the ruleset away, so that who goes on with it need not copy it; the editor is empty then.
  mutating func takeRuleset() -> Ruleset {
    last = nil
    let result = ruleset
    ruleset = Ruleset()
    return result
  }

  /// Makes the table if it is not there, and returns its place.
  mutating func open(_ name: TableName) -> Int {
    if let index = ruleset.index(name, family) { return index }
    ruleset[name, family] = Table(name, family: family)
    return ruleset.index(name, family)!
  }

  /// Makes the table as the kernel would, whatever it held.
  mutating func reset(_ name: TableName) {
    last = nil
    ruleset[name, family] = Table(name, family: family)
  }

  func chain(named word: Token, in table: TableName) -> ChainName? {
    let name = ChainName(unchecked: word.string)
    return ruleset[table, family]?.contains(name) ?? Table(table, family: family).contains(name) ? name : nil
  }

  func hidesTarget(_ word: Token, in table: TableName) -> Bool {
    hasHiddenTargets && chain(named: word, in: table) != nil
  }

  /// - Parameter mayHideTarget: whether the chain may have the name of a target.
  mutating func addChain(_ token: Token, to table: TableName, mayHideTarget: Bool = false) throws(SyntaxError) {
    let name = try mayHideTarget ? ChainName(new: token) : ChainName(new: token, registry)
    if mayHideTarget, registry.target(named: token, family: family) != nil { hasHiddenTargets = true }
    let index = open(table)
    last = nil
    try edit(index, token) { table throws(Table.Problem) in try table.addChain(name) }
  }

  /// Takes all rules out of a chain.
  /// - Returns: false where there is none of that name.
  @discardableResult
  mutating func empty(_ chain: Token, in table: TableName) -> Bool {
    guard let index = ruleset.index(table, family),
      let place = ruleset.tables[index].index(of: ChainName(unchecked: chain.string))
    else { return false }
    ruleset.withTable(at: index) { $0.withRules(of: place) { $0 = RuleList(family: $0.family) } }
    return true
  }

  mutating func setPolicy(_ policy: Token, of chain: Token, in table: TableName, counters: Counters = .zero)
    throws(SyntaxError)
  {
    guard let value = Policy(label: policy.string) else {
      throw SyntaxError(at: policy, "'\(policy.string)' is not a policy", hint: "a policy is ACCEPT or DROP")
    }
    let index = open(table)
    let name = ChainName(unchecked: chain.string)
    try edit(index, chain) { table throws(Table.Problem) in try table.setPolicy(value, of: name, counters: counters) }
  }

  private mutating func edit(_ index: Int, _ token: Token, _ body: (inout Table) throws(Table.Problem) -> Void)
    throws(SyntaxError)
  {
    do {
      try ruleset.withTable(at: index, body)
    } catch {
      throw SyntaxError(at: token, "\(error)")
    }
  }

  /// Does what a command says.
  mutating func perform(_ command: Command, at position: SourcePosition) throws(SyntaxError) {
    switch command.operation {
    case .append, .insert, .replace, .delete, .deleteNumber, .check:
      try performOnRules(command, at: position)
    case .list, .listRules: break
    case .help, .version:
      guard let chain = command.chain else { return }
      throw SyntaxError(
        at: chain, "-h and -V ask for help and the version: what else the command says is not done",
        hint: "leave them out")
    case .policy: try setPolicy(command.argument!, of: command.chain!, in: command.table)
    case .newChain: try addChain(command.chain!, to: command.table)
    case .flush, .zero, .zeroNumber, .deleteChain, .rename: try performOnChains(command)
    }
  }

  private mutating func performOnChains(_ command: Command) throws(SyntaxError) {
    let index = open(command.table)
    last = nil
    guard let token = command.chain else {
      ruleset.withTable(at: index) { table in
        switch command.operation {
        case .flush: table.flush()
        case .deleteChain:
          for chain in table.chains where chain.hook == nil && chain.rules.isEmpty {
            try? table.removeChain(chain.name)
          }
        default: break
        }
      }
      return
    }
    let name = ChainName(unchecked: token.string)
    guard ruleset.tables[index].contains(name) else { throw missingChain(token, command.table) }
    switch command.operation {
    case .flush: empty(token, in: command.table)
    case .deleteChain: try edit(index, token) { table throws(Table.Problem) in try table.removeChain(name) }
    case .rename:
      let new = try ChainName(new: command.argument!, registry)
      try edit(index, token) { table throws(Table.Problem) in try table.renameChain(name, to: new) }
    default: break
    }
  }

  private func missingChain(_ token: Token, _ table: TableName) -> SyntaxError {
    let known = ruleset[table, family]?.chains.map(\.name.text) ?? []
    return SyntaxError(
      at: token, "there is no chain '\(token.string)' in table \(table)",
      hint: suggestion(for: token.string, among: known))
  }

  private mutating func performOnRules(_ command: Command, at position: SourcePosition) throws(SyntaxError) {
    let token = command.chain!
    let table: Int
    let chain: Int
    if let last, ruleset.tables[last.table].name == command.table, last.name.elementsEqual(token.bytes) {
      (table, chain) = (last.table, last.chain)
    } else {
      table = open(command.table)
      guard let found = ruleset.tables[table].index(of: ChainName(unchecked: token.string)) else {
        throw missingChain(token, command.table)
      }
      chain = found
      last = (table, chain, Array(token.bytes))
    }
    if case .append = command.operation {
      ruleset.withTable(at: table) { table in
        table.withRules(of: chain) { rules in
          for rule in command.rules { rules.append(rule, at: position) }
          if rules.count == Self.longChain { rules.reserve(rules: expectedRules, bytes: expectedBytes) }
        }
      }
      return
    }
    try changeRules(command, table, chain, at: position)
  }

  private mutating func changeRules(_ command: Command, _ table: Int, _ chain: Int, at position: SourcePosition)
    throws(SyntaxError)
  {
    let rules = ruleset.tables[table].chains[chain].rules
    func place(_ number: Int, last: Int) throws(SyntaxError) -> Int {
      guard number <= last else {
        throw SyntaxError(
          at: command.chain!, "chain \(command.chain!.string) has no place \(number): it holds \(rules.count) rules")
      }
      return number - 1
    }
    let edit: (Range<Int>, [Rule])
    switch command.operation {
    case .insert(let number):
      let index = try place(number, last: rules.count + 1)
      edit = (index..<index, command.rules.reversed())
    case .replace(let number):
      let index = try place(number, last: rules.count)
      edit = (index..<index + 1, command.rules)
    case .deleteNumber(let number):
      let index = try place(number, last: rules.count)
      edit = (index..<index + 1, [])
    default:
      for rule in command.rules {
        guard let place = ruleset.tables[table].chains[chain].rules.firstIndex(where: { $0.sameEffect(as: rule) })
        else {
          throw SyntaxError(at: command.chain!, "chain \(command.chain!.string) holds no such rule")
        }
        if command.operation == .check { continue }
        ruleset.withTable(at: table) { $0.withRules(of: chain) { $0.replaceSubrange(place..<place + 1, with: []) } }
      }
      return
    }
    ruleset.withTable(at: table) { $0.withRules(of: chain) { $0.replaceSubrange(edit.0, with: edit.1, at: position) } }
  }
}
