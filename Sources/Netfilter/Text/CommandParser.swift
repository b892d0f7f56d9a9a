/// Where jumps may lead.
package protocol ChainLookup {
  /// The chain that the word names in a table; nil when there is none.
  func chain(named word: Token, in table: TableName) -> ChainName?

  /// Whether a chain has the name of this target, which then means the chain.
  func hidesTarget(_ word: Token, in table: TableName) -> Bool
}

extension ChainLookup {
  package func hidesTarget(_ word: Token, in table: TableName) -> Bool { false }
}

/// Reads the words of one iptables command, as iptables(8) takes them.
///
/// Options of matches and targets are found in their declarations: the extension named last is asked first; a word
/// that none knows loads the match of the rule's protocol (`-p tcp --dport 22`); a beginning that only one option has
/// stands for it.
package struct CommandParser: ~Copyable {
  let family: Family
  let names: Names
  let registry: Registry
  let interface: KernelInterface
  /// In restore text the table is named by its `*` line and `-t` and `-w` are refused.
  let isRestore: Bool
  /// Leave to the kernel what iptables(8) leaves to it: which tables there are, and where extensions may stand. What it
  /// will refuse stands in ``Command/objection``.
  package var leavesPlacesToKernel = false

  var tokens: [Token] = []
  var next = 0
  var pool: [OptionValues] = []
  var active: [Active] = []
  var draft = Draft()

  /// An extension that the rule has named so far.
  struct Active {
    enum Kind {
      case match(any Match.Type)
      case target(any Target.Type)
    }
    let kind: Kind
    let values: Int
    let word: Token
    let isImplicit: Bool

    /// Whether both are the same match.
    func isSame(as other: Active) -> Bool {
      if case .match(let type) = kind, case .match(let otherType) = other.kind { type == otherType } else { false }
    }
  }

  /// What one command has said so far.
  struct Draft {
    var operation: Command.Operation?
    var operationWord: Token?
    var table: TableName?
    var chain: Token?
    var argument: Token?
    var source: Token?
    var destination: Token?
    var rule = Rule()
    var proto: Token?
    var jump: Token?
    var isGoto = false
    var hasCounters = false
    var isForOtherFamily = false
    var display = Command.Display()
    /// The words that only some commands take, as they stood.
    var numericWord: Token?
    var exactWord: Token?
    var lineNumbersWord: Token?
    var countersWord: Token?
    var zeroesToo = false
    var listNumber: Int?
    var unknownTable: Token?
    var objection: SyntaxError?
    /// `-i`, `-o` or `-f`.
    var headWord: Token?
    var wait: Int??
  }

  package init(
    family: Family, names: Names, registry: Registry, for interface: KernelInterface = .ipTables, isRestore: Bool
  ) {
    self.family = family
    self.names = names
    self.registry = registry
    self.interface = interface
    self.isRestore = isRestore
  }

  /// Reads one command.
  /// - Parameters:
  ///   - table: the table to use where the command names none.
  ///   - chains: where jumps may lead.
  /// - Returns: nil when the command is only for the other family (`-6` in IPv4 text).
  /// - Throws: ``SyntaxError`` with the column of the word.
  package mutating func parse<Chains: ChainLookup>(
    _ tokens: [Token], table: TableName, chains: borrowing Chains
  ) throws(SyntaxError) -> Command? {
    self.tokens = tokens
    defer { self.tokens = [] }  // the splitter may use its buffer again
    next = 0
    active.removeAll(keepingCapacity: true)
    draft = Draft()
    try readWords()
    if draft.isForOtherFamily { return nil }
    guard let operation = draft.operation else {
      throw SyntaxError("no command given", hint: "a rule begins with -A CHAIN")
    }
    var command = Command(
      operation: operation, table: draft.table ?? table, chain: draft.chain, argument: draft.argument)
    command.hasCounters = draft.hasCounters
    command.counters = draft.rule.counters
    command.display = draft.display
    command.zeroesToo = draft.zeroesToo
    command.wait = draft.wait
    if operation == .help { command.helpSubjects = helpSubjects() }
    if operation == .help || operation == .version { return command }
    try checkWords(operation)
    if let token = draft.unknownTable {
      guard leavesPlacesToKernel else { throw unknownTable(token) }
      command.unknownTable = token.string
      return command
    }
    guard operation.takesRule else {
      if operation == .policy, command.table == .nat, draft.argument.map({ $0 == "DROP" }) == true {
        throw SyntaxError(
          at: draft.argument!, "the nat table is not for filtering: DROP is refused there",
          hint: "drop in the filter table")
      }
      return command
    }
    try finishRule(in: command.table, chains)
    command.objection = draft.objection
    command.rules = try expandAddresses()
    if case .replace = operation, command.rules.count != 1 {
      throw SyntaxError("a replacement is one rule, this names \(command.rules.count) addresses")
    }
    return command
  }

  // MARK: Words

  mutating func readWords() throws(SyntaxError) {
    var negation: Token?
    while next < tokens.count {
      let word = tokens[next]
      next += 1
      if word == "!" {
        guard negation == nil else { throw SyntaxError(at: word, "'!' stands twice in a row") }
        negation = word
        continue
      }
      if word.count > 2, word.bytes[0] == UInt8(ascii: "-"), word.bytes[1] == UInt8(ascii: "-") {
        try readLong(word, inverted: negation != nil)
      } else if word.count > 1, word.bytes[0] == UInt8(ascii: "-") {
        try readShort(word, inverted: negation != nil)
      } else {
        throw badWord(word)
      }
      negation = nil
    }
    if let negation { throw SyntaxError(at: negation, "nothing follows '!'") }
  }

  func badWord(_ word: Token) -> SyntaxError {
    var hint: String?
    if next >= 3, tokens[next - 2] == "!" || tokens[next - 3] == "!" {
      hint = "write '!' before the option: ! --option value"
    } else if word.bytes.first == 0xe2 {  // U+2013, U+2014, U+2018 …: typeset text
      hint = "this dash or quote comes from a text processor; write '--' or '\"'"
    }
    return SyntaxError(at: word, "bad argument '\(word.string)'", hint: hint)
  }

  /// The value of an option: what is left of its own word, or the next word.
  mutating func value(of word: Token, attached: Token?) throws(SyntaxError) -> Token {
    if let attached { return attached }
    guard next < tokens.count else { throw SyntaxError(at: word, "option \(word.string) needs a value") }
    next += 1
    return tokens[next - 1]
  }

  /// The next word, when it is not an option.
  mutating func optionalValue() -> Token? {
    guard next < tokens.count, tokens[next] != "!" else { return nil }
    let word = tokens[next]
    guard word.count > 0, word.bytes[0] != UInt8(ascii: "-") else { return nil }
    next += 1
    return word
  }

  mutating func readShort(_ word: Token, inverted: Bool) throws(SyntaxError) {
    var index = 1
    while index < word.count {
      guard let option = BaseOption(letter: word.bytes[index]) else {
        throw SyntaxError(at: word, "unknown option '\(word.string)'")
      }
      index += 1
      if option.mayTakeValue {
        let attached = index < word.count ? word.part(index..<word.count) : nil
        try read(option, word, attached: attached, inverted: inverted)
        return
      }
      try read(option, word, attached: nil, inverted: inverted)
    }
  }

  mutating func readLong(_ word: Token, inverted: Bool) throws(SyntaxError) {
    let parts = word.split(at: UInt8(ascii: "="))
    let name = parts.before
    if let option = BaseOption(name: name) {
      return try read(option, word, attached: parts.after, inverted: inverted)
    }
    if try readExtension(name, attached: parts.after, inverted: inverted) { return }
    if try readAbbreviation(word, name, attached: parts.after, inverted: inverted) { return }
    guard try loadProtocolMatch(for: word) else { throw unknownOption(name) }
    if try readExtension(name, attached: parts.after, inverted: inverted) { return }
    if try readAbbreviation(word, name, attached: parts.after, inverted: inverted) { return }
    throw unknownOption(name)
  }

  /// Gives the option to the newest extension that declares it.
  mutating func readExtension(_ name: Token, attached: Token?, inverted: Bool) throws(SyntaxError) -> Bool {
    var place = active.count
    while place > 0 {
      place -= 1
      if let index = pool[active[place].values].definition.optionIndex(named: name) {
        try use(index, of: active[place], name, attached: attached, inverted: inverted)
        return true
      }
    }
    return false
  }

  mutating func use(_ index: Int, of extension: Active, _ name: Token, attached: Token?, inverted: Bool)
    throws(SyntaxError)
  {
    let spec = pool[`extension`.values].definition.options[index]
    var value: Token?
    if spec.isValueOptional {
      value = attached ?? optionalValue()
    } else if spec.takesValue {
      value = try self.value(of: name, attached: attached)
      if value! == "!" {
        throw SyntaxError(
          at: value!, "'!' cannot follow \(spec.name)",
          hint: "write it before: ! \(spec.name) \(spec.value.placeholder)")
      }
    } else if attached != nil {
      throw SyntaxError(at: name, "\(spec.name) takes no value")
    }
    let second = spec.wordCount == 2 ? try self.value(of: name, attached: nil) : nil
    try pool[`extension`.values].add(
      .init(spec: index, name: spec.name, isInverted: inverted, word: name, value: value, secondValue: second))
  }

  /// Loads the match that has the name of the rule's protocol, once.
  mutating func loadProtocolMatch(for word: Token) throws(SyntaxError) -> Bool {
    guard let proto = draft.proto, let number = draft.rule.proto?.value, let name = names.name(of: number) else {
      return false
    }
    // A protocol with several names has the match under the one that is written: `mh` is `mobility-header` too.
    let found = registry.match(named: name, family: family) ?? registry.match(named: proto, family: family)
    guard let type = found else { return false }
    let isLoaded = active.contains {
      if case .match(let other) = $0.kind { other == type } else { false }
    }
    guard !isLoaded else { return false }
    activate(.match(type), type.definition, word: proto, implicit: true)
    return true
  }

  mutating func activate(_ kind: Active.Kind, _ definition: ExtensionDefinition, word: Token, implicit: Bool) {
    let place = active.count
    if place < pool.count {
      pool[place].reset(for: definition)
    } else {
      pool.append(OptionValues(family: family, names: names, interface: interface, definition: definition))
    }
    active.append(Active(kind: kind, values: place, word: word, isImplicit: implicit))
  }

  /// The options, of the command and of the extensions named so far, that begin with a word. Those of an extension that is
  /// named twice are the newest one's.
  func candidates(_ name: Token) -> (base: [BaseOption], extensions: [(extension: Active, spec: Int)]) {
    let base = BaseOption.allCases.filter { option in
      option.longNames.contains { "\($0)".utf8.starts(with: name.bytes) }
    }
    let newest = active.indices.filter { place in
      !active[(place + 1)...].contains { $0.isSame(as: active[place]) }
    }
    let extensions = newest.reversed().flatMap { place in
      let candidate = active[place]
      let options = pool[candidate.values].definition.options
      return options.indices.filter { options[$0].begins(with: name) }.map { (candidate, $0) }
    }
    return (base, extensions)
  }

  /// A beginning that only one option has.
  mutating func readAbbreviation(_ word: Token, _ name: Token, attached: Token?, inverted: Bool)
    throws(SyntaxError) -> Bool
  {
    let (base, extensions) = candidates(name)
    guard base.count + extensions.count == 1 else { return false }
    if let option = base.first {
      try read(option, word, attached: attached, inverted: inverted)
    } else {
      try use(extensions[0].spec, of: extensions[0].extension, name, attached: attached, inverted: inverted)
    }
    return true
  }

  func unknownOption(_ name: Token) -> SyntaxError {
    if let jump = draft.jump, let error = targetOfOtherFamily(jump) { return error }
    let (base, extensions) = candidates(name)
    let meant =
      base.map { "\($0.longNames[0])" }
      + extensions.map { "\(pool[$0.extension.values].definition.options[$0.spec].name)" }
    if meant.count > 1 {
      return SyntaxError(
        at: name, "option '\(name.string)' is ambiguous", hint: "it begins \(meant.joined(separator: ", "))")
    }
    var known = BaseOption.allCases.flatMap { $0.longNames.map { "\($0)" } }
    for item in active {
      known += pool[item.values].definition.options.flatMap { $0.allNames.map { "\($0)" } }
    }
    var hint = suggestion(for: name.string, among: known)
    let owners = registry.matches.map { $0.definition }.filter { definition in
      definition.families.contains(family) && definition.options.contains { $0.isNamed(name) }
    }
    let protocols = owners.compactMap(\.protocols)
    if protocols.count < owners.count, let owner = owners.first(where: { $0.protocols == nil }) {
      hint = "\(name.string) belongs to -m \(owner.name), which has to stand before it"
    } else if !owners.isEmpty {
      hint = "\(name.string) needs \(choice(of: protocols.joined())) before it"
    }
    return SyntaxError(at: name, "unknown option '\(name.string)'", hint: hint)
  }

  /// `-p tcp or -p udp`, the best known protocols first.
  func choice(of protocols: some Sequence<IPProtocol>) -> String {
    let known = IPProtocol.wellKnown.map(\.number)
    let sorted = Set(protocols).sorted { a, b in
      let (first, second) = (known.firstIndex(of: a.rawValue) ?? .max, known.firstIndex(of: b.rawValue) ?? .max)
      return first == second ? a.rawValue < b.rawValue : first < second
    }
    return sorted.map { "-p \(names.displayName(of: $0))" }.joined(separator: " or ")
  }
}
