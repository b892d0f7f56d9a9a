/// What may stand next in an iptables command: what a shell offers when a word is to be completed.
public struct WordCompletion: ~Copyable {
  private let family: Family
  private let registry: Registry
  private var table = TableName.filter
  private var proto: String?
  /// What the command has named so far, with the protocol's match.
  private var active: [ExtensionDefinition] = []
  private var given: [(definition: ExtensionDefinition, option: OptionSpec)] = []
  private var operation: BaseOption?
  private var isInverted = false
  /// The option whose value comes next.
  private var pending: Pending?

  private enum Pending {
    case base(BaseOption)
    case option(OptionSpec)
  }

  /// The words that go on from `beginning`, after the words of the command before it.
  public static func candidates(
    after words: [String], beginning: String, family: Family, registry: Registry = .standard
  ) -> [String] {
    var completion = WordCompletion(family: family, registry: registry)
    completion.read(words)
    return completion.candidates(beginning)
  }

  private init(family: Family, registry: Registry) {
    self.family = family
    self.registry = registry
  }

  // MARK: What stands before

  private mutating func read(_ words: [String]) {
    var next = 0
    while next < words.count {
      let word = words[next]
      next += 1
      pending = nil
      guard word != "!" else {
        isInverted = true
        continue
      }
      isInverted = false
      if let option = Self.baseOption(word) {
        guard option.option.takesValue else {
          if option.option.isOperation { operation = option.option }
          continue
        }
        let value = option.attached ?? (next < words.count ? words[next] : nil)
        if option.attached == nil { next += 1 }
        note(option.option, value)
      } else if let (definition, option) = declared(word) {
        given.append((definition, option))
        guard option.takesValue else { continue }
        if next + option.wordCount > words.count { pending = .option(option) }
        next += option.wordCount
      }
    }
  }

  private mutating func note(_ option: BaseOption, _ value: String?) {
    guard let value else {
      pending = .base(option)
      return
    }
    switch option {
    case .table: table = TableName(rawValue: value) ?? table
    case .proto:
      proto = value
      if let type = registry.match(named: value, family: family) { active.append(type.definition) }
    case .match:
      if let type = registry.match(named: value, family: family) { active.append(type.definition) }
    case .jump:
      if let type = registry.target(named: value, family: family) { active.append(type.definition) }
    default: if option.isOperation { operation = option }
    }
  }

  private static func baseOption(_ word: String) -> (option: BaseOption, attached: String?)? {
    if word.hasPrefix("--") {
      let option = BaseOption.allCases.first { $0.longNames.contains { "\($0)" == word } }
      return option.map { ($0, nil) }
    }
    guard word.hasPrefix("-"), let letter = word.dropFirst().first, let byte = letter.asciiValue,
      let option = BaseOption(letter: byte)
    else { return nil }
    let rest = word.dropFirst(2)
    return (option, rest.isEmpty ? nil : String(rest))
  }

  private func declared(_ word: String) -> (ExtensionDefinition, OptionSpec)? {
    for definition in active.reversed() {
      if let option = definition.options.first(where: { $0.allNames.contains { "\($0)" == word } }) {
        return (definition, option)
      }
    }
    return nil
  }

  // MARK: What may come

  private func candidates(_ beginning: String) -> [String] {
    let words: [String]
    switch pending {
    case .base(let option): words = values(of: option)
    case .option(let option): return values(of: option, beginning)
    case nil:
      words = (beginning.isEmpty || beginning.hasPrefix("-") ? options(beginning) : []) + operands
    }
    return words.filter { $0.hasPrefix(beginning) }
  }

  /// Words that are no option.
  private var operands: [String] {
    switch operation {
    case .list, .listRules, .flush, .zero: chains
    case .policy: [Policy.accept, .drop].map { "\($0.verdict.label)" }
    default: []
    }
  }

  private var chains: [String] { table.hooks.hooks.map(\.chainName.text) }

  private func values(of option: BaseOption) -> [String] {
    switch option {
    case .table: TableName.allCases.map(\.rawValue)
    case .match: registry.matchNames(family)
    case .jump: Verdict.allCases.map { "\($0.label)" } + registry.targetNames(family, in: table)
    case .proto: IPProtocol.wellKnown.map { "\($0.name)" }
    case .append, .insert, .replace, .delete, .check, .policy: chains
    default: []
    }
  }

  private func values(of option: OptionSpec, _ beginning: String) -> [String] {
    switch option.value {
    case .choice(let words): return words.map { "\($0)" }.filter { $0.hasPrefix(beginning) }
    case .list(let words): return Self.list(words.map { "\($0)" }, beginning)
    case .custom(let placeholder):
      let text = "\(placeholder)"
      let separator: Character = text.contains("|") ? "|" : ","
      let words = text.split(separator: separator).map(String.init)
      guard words.count > 1, words.allSatisfy({ $0.allSatisfy { $0.isLowercase || $0 == "-" } }) else { return [] }
      return separator == "|" ? words.filter { $0.hasPrefix(beginning) } : Self.list(words, beginning)
    default: return []
    }
  }

  /// Goes on behind the last comma with a word that the list does not have yet.
  private static func list(_ words: [String], _ beginning: String) -> [String] {
    let parts = beginning.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let before = parts.dropLast()
    let lead = before.map { "\($0)," }.joined()
    return words.filter { !before.contains($0) && $0.hasPrefix(parts.last ?? "") }.map { lead + $0 }
  }

  private func options(_ beginning: String) -> [String] {
    var words: [String] = []
    for definition in active {
      for option in definition.options where isPossible(option, of: definition) {
        words += option.allNames.map { "\($0)" }
      }
    }
    for option in BaseOption.allCases where !isInverted || option.isNegatable {
      if option.isOperation, operation != nil { continue }
      if beginning.hasPrefix("--") {
        words += option.longNames.map { "\($0)" }
      } else if let letter = option.letter {
        words.append("-\(letter)")
      }
    }
    if beginning.isEmpty, !isInverted, operation != nil { words.append("!") }
    return words
  }

  private func isPossible(_ option: OptionSpec, of definition: ExtensionDefinition) -> Bool {
    if isInverted, !option.isNegatable { return false }
    for other in given where other.definition === definition {
      if other.option === option, !option.isRepeatable { return false }
      let excludes = other.option.excludes.contains { "\($0)" == "\(option.name)" }
      if other.option !== option, excludes || option.excludes.contains(where: { "\($0)" == "\(other.option.name)" }) {
        return false
      }
    }
    return true
  }
}

extension Registry {
  /// The names of all matches of a family, other spellings too.
  public func matchNames(_ family: Family) -> [String] {
    knownMatches.flatMap { $0.names.all(for: family) }.sorted()
  }

  /// The names of all targets of a family that may stand in a table; nil for any table.
  public func targetNames(_ family: Family, in table: TableName? = nil) -> [String] {
    knownTargets.filter { line in
      guard let table, let tables = line.type().definition.tables else { return true }
      return tables.contains(table)
    }.flatMap { $0.names.all(for: family) }.sorted()
  }
}

extension ExtensionNames {
  fileprivate func all(for family: Family) -> [String] {
    self.family ?? family == family ? ([name] + aliases).map { "\($0)" } : []
  }
}

extension BaseOption {
  /// Whether it says what to do.
  fileprivate var isOperation: Bool {
    switch self {
    case .append, .check, .delete, .insert, .replace, .list, .listRules, .flush, .zero, .newChain, .deleteChain,
      .rename, .policy, .help, .version:
      true
    default: false
    }
  }
}
