/// Where jumps may lead.
package protocol ChainLookup {
  /// The chain that the word names in a table; nil when there is none.
  func chain(named word: Token, in table: TableName) -> ChainName?
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
  /// In restore text the table is named by its `*` line and `-t` and `-w` are refused.
  let isRestore: Bool

  private var tokens: [Token] = []
  private var next = 0
  private var pool: [OptionValues] = []
  private var active: [Active] = []
  private var draft = Draft()

  /// An extension that the rule has named so far.
  private struct Active {
    enum Kind {
      case match(any Match.Type)
      case target(any Target.Type)
    }
    let kind: Kind
    let values: Int
    let word: Token
    let isImplicit: Bool
  }

  /// What one command has said so far.
  private struct Draft {
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
    var outputOnly: Token?
  }

  package init(family: Family, names: Names, registry: Registry, isRestore: Bool) {
    self.family = family
    self.names = names
    self.registry = registry
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
    guard operation.takesRule else {
      if let stray = draft.source ?? draft.destination ?? draft.proto ?? draft.jump ?? active.first?.word {
        throw SyntaxError(
          at: stray, "'\(stray.string)' makes no sense here", hint: "only -A, -I, -R, -D and -C take a rule")
      }
      return command
    }
    if let stray = draft.outputOnly {
      throw SyntaxError(at: stray, "'\(stray.string)' is for listing and cannot stand in a rule")
    }
    try finishRule(in: command.table, chains)
    command.rules = try expandAddresses()
    if case .replace = operation, command.rules.count != 1 {
      throw SyntaxError("a replacement is one rule, this names \(command.rules.count) addresses")
    }
    return command
  }

  // MARK: Words

  private mutating func readWords() throws(SyntaxError) {
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

  private func badWord(_ word: Token) -> SyntaxError {
    var hint: String?
    if next >= 3, tokens[next - 2] == "!" || tokens[next - 3] == "!" {
      hint = "write '!' before the option: ! --option value"
    } else if word.bytes.first == 0xe2 {  // U+2013, U+2014, U+2018 …: typeset text
      hint = "this dash or quote comes from a text processor; write '--' or '\"'"
    }
    return SyntaxError(at: word, "bad argument '\(word.string)'", hint: hint)
  }

  /// The value of an option: what is left of its own word, or the next word.
  private mutating func value(of word: Token, attached: Token?) throws(SyntaxError) -> Token {
    if let attached { return attached }
    guard next < tokens.count else { throw SyntaxError(at: word, "option \(word.string) needs a value") }
    next += 1
    return tokens[next - 1]
  }

  /// The next word, when it is not an option.
  private mutating func optionalValue() -> Token? {
    guard next < tokens.count, tokens[next] != "!" else { return nil }
    let word = tokens[next]
    guard word.count > 0, word.bytes[0] != UInt8(ascii: "-") else { return nil }
    next += 1
    return word
  }

  private mutating func readShort(_ word: Token, inverted: Bool) throws(SyntaxError) {
    var index = 1
    while index < word.count {
      guard let option = BaseOption(letter: word.bytes[index]) else {
        throw SyntaxError(at: word, "unknown option '\(word.string)'")
      }
      index += 1
      if option.takesValue {
        let attached = index < word.count ? word.part(index..<word.count) : nil
        try read(option, word, attached: attached, inverted: inverted)
        return
      }
      try read(option, word, attached: nil, inverted: inverted)
    }
  }

  private mutating func readLong(_ word: Token, inverted: Bool) throws(SyntaxError) {
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
  private mutating func readExtension(_ name: Token, attached: Token?, inverted: Bool) throws(SyntaxError) -> Bool {
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

  private mutating func use(_ index: Int, of extension: Active, _ name: Token, attached: Token?, inverted: Bool)
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
  private mutating func loadProtocolMatch(for word: Token) throws(SyntaxError) -> Bool {
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

  private mutating func activate(_ kind: Active.Kind, _ definition: ExtensionDefinition, word: Token, implicit: Bool) {
    let place = active.count
    if place < pool.count {
      pool[place].reset(for: definition)
    } else {
      pool.append(OptionValues(family: family, names: names, definition: definition))
    }
    active.append(Active(kind: kind, values: place, word: word, isImplicit: implicit))
  }

  /// The options, of the command and of the extensions named so far, that begin with a word.
  private func candidates(_ name: Token) -> (base: [BaseOption], extensions: [(extension: Active, spec: Int)]) {
    let base = BaseOption.allCases.filter { option in
      option.longNames.contains { "\($0)".utf8.starts(with: name.bytes) }
    }
    let extensions = active.reversed().flatMap { candidate in
      let options = pool[candidate.values].definition.options
      return options.indices.filter { options[$0].begins(with: name) }.map { (candidate, $0) }
    }
    return (base, extensions)
  }

  /// A beginning that only one option has.
  private mutating func readAbbreviation(_ word: Token, _ name: Token, attached: Token?, inverted: Bool)
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

  private func unknownOption(_ name: Token) -> SyntaxError {
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
  private func choice(of protocols: some Sequence<IPProtocol>) -> String {
    let known = IPProtocol.wellKnown.map(\.number)
    let sorted = Set(protocols).sorted { a, b in
      let (first, second) = (known.firstIndex(of: a.rawValue) ?? .max, known.firstIndex(of: b.rawValue) ?? .max)
      return first == second ? a.rawValue < b.rawValue : first < second
    }
    return sorted.map { "-p \(names.displayName(of: $0))" }.joined(separator: " or ")
  }

  // MARK: Options of the command itself

  private mutating func begin(_ operation: Command.Operation, _ word: Token, inverted: Bool) throws(SyntaxError) {
    if inverted { throw SyntaxError(at: word, "'!' cannot stand before \(word.string)") }
    if let earlier = draft.operationWord {
      if draft.operation == .show || operation == .show || operation == .zero || draft.operation == .zero { return }
      throw SyntaxError(at: word, "\(word.string) cannot stand beside \(earlier.string)")
    }
    draft.operation = operation
    draft.operationWord = word
  }

  private mutating func ruleNumber(_ token: Token) throws(SyntaxError) -> Int {
    guard let number = token.number(in: 1...UInt32.max) else {
      throw SyntaxError(at: token, "'\(token.string)' is not a rule number", hint: "rule numbers begin at 1")
    }
    return Int(number)
  }

  private func once(_ earlier: Token?, _ word: Token) throws(SyntaxError) {
    if earlier != nil { throw SyntaxError(at: word, "\(word.string) is given twice") }
  }

  private mutating func read(_ option: BaseOption, _ word: Token, attached: Token?, inverted: Bool) throws(SyntaxError)
  {
    if inverted, !option.isNegatable {
      throw SyntaxError(at: word, "'!' cannot stand before \(word.string)")
    }
    if attached != nil, !option.takesValue { throw SyntaxError(at: word, "\(word.string) takes no value") }
    switch option {
    case .append, .check, .delete, .insert, .replace, .newChain, .rename, .policy, .flush, .zero, .deleteChain, .list,
      .listRules, .help, .version:
      try readOperation(option, word, attached: attached, inverted: inverted)
    case .source:
      try once(draft.source, word)
      draft.source = try value(of: word, attached: attached)
      draft.rule.source = Negatable(.any(family), inverted: inverted)
    case .destination:
      try once(draft.destination, word)
      draft.destination = try value(of: word, attached: attached)
      draft.rule.destination = Negatable(.any(family), inverted: inverted)
    case .proto:
      try once(draft.proto, word)
      try readProtocol(try value(of: word, attached: attached), inverted: inverted)
    case .inInterface:
      guard draft.rule.inInterface == nil else { throw SyntaxError(at: word, "\(word.string) is given twice") }
      draft.rule.inInterface = try interface(try value(of: word, attached: attached), inverted)
    case .outInterface:
      guard draft.rule.outInterface == nil else { throw SyntaxError(at: word, "\(word.string) is given twice") }
      draft.rule.outInterface = try interface(try value(of: word, attached: attached), inverted)
    case .fragment:
      guard family == .ipv4 else {
        throw SyntaxError(at: word, "-f is for IPv4", hint: "IPv6 fragments are matched with -m frag")
      }
      guard draft.rule.fragment == nil else { throw SyntaxError(at: word, "\(word.string) is given twice") }
      draft.rule.fragment = Negatable(.secondOrLater, inverted: inverted)
    case .jump, .goto:
      try once(draft.jump, word)
      draft.isGoto = option == .goto
      try readJump(try value(of: word, attached: attached))
    case .match:
      try readMatch(try value(of: word, attached: attached))
    case .table:
      try readTable(try value(of: word, attached: attached), word)
    case .counters:
      try readCounters(try value(of: word, attached: attached), word)
    case .ipv4: draft.isForOtherFamily = family == .ipv6
    case .ipv6: draft.isForOtherFamily = family == .ipv4
    case .wait, .waitInterval:
      if isRestore { throw SyntaxError(at: word, "\(word.string) cannot stand in restore text") }
      _ = optionalValue()
    case .modprobe: _ = try value(of: word, attached: attached)
    case .numeric, .exact, .lineNumbers: draft.outputOnly = word
    case .verbose: break
    }
  }

  private mutating func readOperation(_ option: BaseOption, _ word: Token, attached: Token?, inverted: Bool)
    throws(SyntaxError)
  {
    switch option {
    case .append: try begin(.append, word, inverted: inverted)
    case .check: try begin(.check, word, inverted: inverted)
    case .newChain: try begin(.newChain, word, inverted: inverted)
    case .insert: try begin(.insert(1), word, inverted: inverted)
    case .delete: try begin(.delete, word, inverted: inverted)
    case .replace: try begin(.replace(1), word, inverted: inverted)
    case .rename: try begin(.rename, word, inverted: inverted)
    case .policy: try begin(.policy, word, inverted: inverted)
    case .flush: try begin(.flush, word, inverted: inverted)
    case .zero: try begin(.zero, word, inverted: inverted)
    case .deleteChain: try begin(.deleteChain, word, inverted: inverted)
    default: try begin(.show, word, inverted: inverted)
    }
    guard option.takesValue else {
      draft.chain = optionalValue() ?? draft.chain
      if draft.chain != nil { _ = optionalValue() }  // the rule number of -Z, -L and -S
      return
    }
    draft.chain = try value(of: word, attached: attached)
    switch option {
    case .insert: if let number = optionalValue() { draft.operation = .insert(try ruleNumber(number)) }
    case .delete: if let number = optionalValue() { draft.operation = .deleteNumber(try ruleNumber(number)) }
    case .replace:
      guard let number = optionalValue() else { throw SyntaxError(at: word, "-R needs a rule number") }
      draft.operation = .replace(try ruleNumber(number))
    case .rename:
      guard let name = optionalValue() else { throw SyntaxError(at: word, "-E needs the old and the new name") }
      draft.argument = name
    case .policy:
      guard let policy = optionalValue() else {
        throw SyntaxError(at: word, "-P needs a chain and a policy", hint: "for example: -P INPUT DROP")
      }
      draft.argument = policy
    default: break
    }
  }

  private mutating func readProtocol(_ token: Token, inverted: Bool) throws(SyntaxError) {
    if token == "!" { throw SyntaxError(at: token, "'!' cannot follow -p", hint: "write it before: ! -p PROTOCOL") }
    let proto = try names.proto(token)
    if proto.rawValue == 0, inverted {
      throw SyntaxError(at: token, "no packet has none of all protocols: '! -p all' never matches")
    }
    draft.proto = token
    draft.rule.proto = Negatable(proto, inverted: inverted)
  }

  private func interface(_ token: Token, _ inverted: Bool) throws(SyntaxError) -> Negatable<InterfacePattern> {
    guard token.count > 0 else { throw SyntaxError(at: token, "an interface name cannot be empty") }
    guard token != "!" else {
      throw SyntaxError(at: token, "'!' cannot follow the option", hint: "write it before: ! -i INTERFACE")
    }
    guard let pattern = InterfacePattern(bytes: token.bytes) else {
      throw SyntaxError(at: token, "interface name '\(token.string)' is longer than the kernel's 15 bytes")
    }
    return Negatable(pattern, inverted: inverted)
  }

  private mutating func readTable(_ token: Token, _ word: Token) throws(SyntaxError) {
    if isRestore {
      throw SyntaxError(at: word, "-t cannot stand here", hint: "the line '*\(token.string)' names the table")
    }
    guard let table = TableName(rawValue: token.string) else {
      throw SyntaxError(
        at: token, "there is no table '\(token.string)'",
        hint: suggestion(for: token.string, among: TableName.allCases.map(\.rawValue)))
    }
    draft.table = table
  }

  private mutating func readCounters(_ first: Token, _ word: Token) throws(SyntaxError) {
    let parts = first.split(at: UInt8(ascii: ","))
    guard let second = parts.after ?? optionalValue() else {
      throw SyntaxError(at: word, "\(word.string) needs packets and bytes")
    }
    guard let packets = parts.before.number, let bytes = second.number else {
      throw SyntaxError(at: first, "counters are two numbers, packets and bytes")
    }
    draft.rule.counters = Counters(packets: packets, bytes: bytes)
    draft.hasCounters = true
  }

  // MARK: Matches and targets

  private mutating func readMatch(_ token: Token) throws(SyntaxError) {
    if let type = registry.match(named: token, family: family) {
      return activate(.match(type), type.definition, word: token, implicit: false)
    }
    let name = token.string
    if isOpaqueNext {
      return activate(.match(OpaqueMatch.self), opaqueDefinition(name), word: token, implicit: false)
    }
    let other: Family = family == .ipv4 ? .ipv6 : .ipv4
    if registry.match(named: name, family: other) != nil {
      throw SyntaxError(at: token, "match '\(name)' is for \(other) only")
    }
    throw SyntaxError(
      at: token, "unknown match '\(name)'",
      hint: suggestion(for: name, among: registry.matches.map { $0.definition.name }))
  }

  private mutating func readJump(_ token: Token) throws(SyntaxError) {
    guard token.count > 0 else { throw SyntaxError(at: token, "a target cannot be empty") }
    guard token.count <= ChainName.maxBytes else {
      throw SyntaxError(
        at: token, "target '\(token.string)' has \(token.count) bytes, names have \(ChainName.maxBytes) at most")
    }
    draft.jump = token
    guard !draft.isGoto, Verdict(token: token) == nil else { return }
    if let type = registry.target(named: token, family: family) {
      activate(.target(type), type.definition, word: token, implicit: false)
    } else if isOpaqueNext {
      activate(.target(OpaqueTarget.self), opaqueDefinition(token.string), word: token, implicit: false)
    }
  }

  private var isOpaqueNext: Bool { next < tokens.count && tokens[next] == OpaqueExtension.option.name }

  private func opaqueDefinition(_ name: String) -> ExtensionDefinition {
    ExtensionDefinition(name, summary: "an extension kept as bytes", options: [OpaqueExtension.option])
  }

  private mutating func finishRule<Chains: ChainLookup>(in table: TableName, _ chains: borrowing Chains)
    throws(SyntaxError)
  {
    for item in active {
      pool[item.values].proto = draft.rule.proto
      try checkPlace(item, table)
      do throws(SyntaxError) {
        try finish(item)
      } catch {
        throw error.column > 0 ? error : SyntaxError(at: item.word, error.message, hint: error.hint)
      }
    }
    guard let jump = draft.jump else { return }
    if case .extension = draft.rule.target { return }
    if !draft.isGoto, let verdict = Verdict(token: jump) {
      if verdict == .drop, table == .nat {
        throw SyntaxError(
          at: jump, "the nat table is not for filtering: DROP is refused there", hint: "drop in the filter table")
      }
      draft.rule.target = .verdict(verdict)
      return
    }
    guard let chain = chains.chain(named: jump, in: table) else { throw unknownTarget(jump, table) }
    if Hook.allCases.contains(where: { $0.chainName == chain }) {
      throw SyntaxError(at: jump, "a rule cannot jump to the built-in chain \(chain)")
    }
    draft.rule.target = draft.isGoto ? .goto(chain) : .jump(chain)
  }

  private mutating func finish(_ item: Active) throws(SyntaxError) {
    try pool[item.values].checkRequired()
    switch item.kind {
    case .match(let type): draft.rule.matches.append(try type.init(parsing: pool[item.values]))
    case .target(let type): draft.rule.target = .extension(try type.init(parsing: pool[item.values]))
    }
  }

  private func unknownTarget(_ jump: Token, _ table: TableName) -> SyntaxError {
    let name = jump.string
    if draft.isGoto { return SyntaxError(at: jump, "goto '\(name)': there is no such chain in table \(table)") }
    let other: Family = family == .ipv4 ? .ipv6 : .ipv4
    if registry.target(named: name, family: other) != nil {
      return SyntaxError(at: jump, "target '\(name)' is for \(other) only")
    }
    let known = registry.targets.map { $0.definition.name } + Verdict.allCases.map { "\($0.label)" }
    let near = suggestion(for: name, among: known).flatMap { $0.hasPrefix("did") ? $0 : nil }
    return SyntaxError(
      at: jump, "'\(name)' is neither a target nor a chain of table \(table)",
      hint: near
        ?? (isRestore
          ? "a chain is made before it is used: the line ':\(name) - [0:0]'"
          : "a chain is made before it is used: -N \(name)"))
  }

  /// Whether the extension may stand in this table, with this protocol.
  private func checkPlace(_ item: Active, _ table: TableName) throws(SyntaxError) {
    let definition = pool[item.values].definition
    if let tables = definition.tables, !tables.contains(table) {
      let where_ = tables.sorted().map(\.rawValue).joined(separator: " or ")
      throw SyntaxError(
        at: item.word, "\(definition.name) cannot stand in table \(table)", hint: "it belongs to table \(where_)")
    }
    guard let protocols = definition.protocols else { return }
    if let proto = draft.rule.proto, !proto.isInverted, protocols.contains(proto.value) { return }
    let needed = protocols.compactMap { names.name(of: $0) }.map { "-p \($0)" }.joined(separator: " or ")
    throw SyntaxError(at: item.word, "\(definition.name) needs \(needed)")
  }

  // MARK: Addresses

  /// One rule for each pair of source and destination.
  private mutating func expandAddresses() throws(SyntaxError) -> [Rule] {
    try checkInterfaces()
    let sources = try addresses(draft.source, draft.rule.source)
    let destinations = try addresses(draft.destination, draft.rule.destination)
    if sources.more.isEmpty, destinations.more.isEmpty {
      draft.rule.source = sources.first
      draft.rule.destination = destinations.first
      return [draft.rule]
    }
    if draft.rule.source?.isInverted == true || draft.rule.destination?.isInverted == true {
      throw SyntaxError(
        at: (draft.source ?? draft.destination)!, "'!' does not go with several addresses",
        hint: "write one rule for each address, or -m iprange")
    }
    var rules: [Rule] = []
    for source in [sources.first] + sources.more {
      for destination in [destinations.first] + destinations.more {
        var rule = draft.rule
        rule.source = source
        rule.destination = destination
        rules.append(rule)
      }
    }
    return rules
  }

  /// The networks a `-s` or `-d` word stands for, the first apart since there are seldom more; nil is any address.
  private func addresses(_ word: Token?, _ draft: Negatable<AddressMask>?) throws(SyntaxError) -> (
    first: Negatable<AddressMask>?, more: [Negatable<AddressMask>?]
  ) {
    guard let word else { return (nil, []) }
    let inverted = draft?.isInverted ?? false
    func condition(_ network: AddressMask) -> Negatable<AddressMask>? {
      network.mask == 0 && !inverted ? nil : Negatable(network, inverted: inverted)
    }
    if let network = AddressMask(family: family, token: word) { return (condition(network), []) }
    let found = try names.addresses(word, family).map(condition)
    return (found[0], Array(found.dropFirst()))
  }

  private func checkInterfaces() throws(SyntaxError) {
    guard let chain = draft.chain else { return }
    if draft.rule.outInterface != nil, chain == "INPUT" || chain == "PREROUTING" {
      throw SyntaxError(
        at: chain, "packets in chain \(chain.string) have no output interface yet: -o cannot stand here")
    }
    if draft.rule.inInterface != nil, chain == "OUTPUT" || chain == "POSTROUTING" {
      throw SyntaxError(
        at: chain, "packets in chain \(chain.string) have no input interface any more: -i cannot stand here")
    }
  }
}
