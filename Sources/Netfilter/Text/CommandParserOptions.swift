/// The options of the command itself: what to do, to which chain of which table, and the head of a rule.
extension CommandParser {
  mutating func begin(_ operation: Command.Operation, _ word: Token, inverted: Bool) throws(SyntaxError) {
    if inverted { throw SyntaxError(at: word, "'!' cannot stand before \(word.string)") }
    if let earlier = draft.operationWord {
      if operation == .zero, draft.operation!.lists {
        draft.zeroesToo = true
        return
      }
      guard draft.operation == .zero, operation.lists else {
        throw SyntaxError(at: word, "\(word.string) cannot stand beside \(earlier.string)")
      }
      draft.zeroesToo = true
    }
    draft.operation = operation
    draft.operationWord = word
  }

  mutating func ruleNumber(_ token: Token) throws(SyntaxError) -> Int {
    guard let number = token.number(in: 1...UInt32.max) else {
      throw SyntaxError(at: token, "'\(token.string)' is not a rule number", hint: "rule numbers begin at 1")
    }
    return Int(number)
  }

  func once(_ earlier: Token?, _ word: Token) throws(SyntaxError) {
    if earlier != nil { throw SyntaxError(at: word, "\(word.string) is given twice") }
  }

  mutating func read(_ option: BaseOption, _ word: Token, attached: Token?, inverted: Bool) throws(SyntaxError) {
    if inverted, !option.isNegatable {
      throw SyntaxError(at: word, "'!' cannot stand before \(word.string)")
    }
    if attached != nil, !option.mayTakeValue { throw SyntaxError(at: word, "\(word.string) takes no value") }
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
      draft.headWord = word
      draft.rule.inInterface = try interface(try value(of: word, attached: attached), inverted)
    case .outInterface:
      guard draft.rule.outInterface == nil else { throw SyntaxError(at: word, "\(word.string) is given twice") }
      draft.headWord = word
      draft.rule.outInterface = try interface(try value(of: word, attached: attached), inverted)
    case .fragment:
      guard family == .ipv4 else {
        throw SyntaxError(at: word, "-f is for IPv4", hint: "IPv6 fragments are matched with -m frag")
      }
      guard draft.rule.fragment == nil else { throw SyntaxError(at: word, "\(word.string) is given twice") }
      draft.headWord = word
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
      try once(draft.countersWord, word)
      draft.countersWord = word
      try readCounters(try value(of: word, attached: attached), word)
    case .ipv4: draft.isForOtherFamily = family == .ipv6
    case .ipv6: draft.isForOtherFamily = family == .ipv4
    case .wait, .waitInterval:
      if isRestore { throw SyntaxError(at: word, "\(word.string) cannot stand in restore text") }
      try readWait(option, word, attached ?? optionalValue())
    case .modprobe: _ = try value(of: word, attached: attached)
    case .numeric:
      try once(draft.numericWord, word)
      draft.numericWord = word
      draft.display.isNumeric = true
    case .exact:
      try once(draft.exactWord, word)
      draft.exactWord = word
      draft.display.isExact = true
    case .lineNumbers:
      try once(draft.lineNumbersWord, word)
      draft.lineNumbersWord = word
      draft.display.showsNumbers = true
    case .verbose: draft.display.verbosity += 1
    }
  }

  mutating func readOperation(_ option: BaseOption, _ word: Token, attached: Token?, inverted: Bool)
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
    case .list, .listRules:
      let isList = option == .list
      try begin(isList ? .list(number: nil) : .listRules(number: nil), word, inverted: inverted)
    case .help, .version:
      // What stands before is read, what stands behind is not.
      draft.operation = option == .help ? .help : .version
      next = tokens.count
      return
    default: break
    }
    guard option.takesValue else { return try readChainAndNumber(option, attached) }
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

  /// The chain, and the number of a rule, that some operations take.
  private mutating func readChainAndNumber(_ option: BaseOption, _ attached: Token?) throws(SyntaxError) {
    draft.chain = attached ?? optionalValue() ?? draft.chain
    guard option == .zero || option == .list || option == .listRules, let token = optionalValue() else { return }
    let number = try ruleNumber(token)
    switch option {
    case .list: draft.operation = .list(number: number)
    case .listRules: draft.operation = .listRules(number: number)
    default: draft.operation = .zeroNumber(number)
    }
  }

  private mutating func readWait(_ option: BaseOption, _ word: Token, _ value: Token?) throws(SyntaxError) {
    guard let value else {
      guard option == .wait else { throw SyntaxError(at: word, "\(word.string) needs a value") }
      draft.wait = .some(nil)
      return
    }
    guard let number = value.number(in: 0...UInt32(Int32.max)) else {
      throw SyntaxError(at: value, "'\(value.string)' is not a time to wait", hint: "write -w SECONDS")
    }
    if option == .wait { draft.wait = .some(Int(number)) }
  }

  /// Whether each word that only some commands take stands in one that does.
  func checkWords(_ operation: Command.Operation) throws(SyntaxError) {
    func refuse(_ word: Token?, _ hint: String) throws(SyntaxError) {
      guard let word else { return }
      throw SyntaxError(at: word, "'\(word.string)' makes no sense here", hint: hint)
    }
    if let chain = draft.chain, chain.count > ChainName.maxBytes {
      throw SyntaxError(at: chain, "\(ChainName.Problem.tooLong(bytes: chain.count))")
    }
    let isList = if case .list = operation { true } else { false }
    if !isList {
      try refuse(draft.numericWord, "-n is for -L")
      try refuse(draft.exactWord, "-x is for -L")
      try refuse(draft.lineNumbersWord, "--line-numbers is for -L")
    }
    switch operation {
    case .append, .insert, .replace: return
    case .policy: break
    default: try refuse(draft.countersWord, "-c is for -A, -I, -R and -P")
    }
    guard !operation.takesRule else { return }
    let hint = "only -A, -I, -R, -D and -C take a rule"
    try refuse(draft.source, hint)
    try refuse(draft.destination, hint)
    try refuse(draft.proto, hint)
    try refuse(draft.jump, hint)
    try refuse(draft.headWord, hint)
  }

  /// The extensions of which `-h` tells the options: those named before it, else that of the protocol.
  func helpSubjects() -> [ExtensionDefinition] {
    var subjects = active.map { pool[$0.values].definition }
    let hasMatch = active.contains { if case .match = $0.kind { true } else { false } }
    if !hasMatch, let proto = draft.proto, let type = registry.match(named: proto, family: family) {
      subjects.append(type.definition)
    }
    return subjects
  }

  mutating func readProtocol(_ token: Token, inverted: Bool) throws(SyntaxError) {
    if token == "!" { throw SyntaxError(at: token, "'!' cannot follow -p", hint: "write it before: ! -p PROTOCOL") }
    let proto = try names.proto(token)
    if proto.rawValue == 0, inverted {
      throw SyntaxError(at: token, "no packet has none of all protocols: '! -p all' never matches")
    }
    draft.proto = token
    // All of them are none in particular.
    draft.rule.proto = proto.rawValue == 0 ? nil : Negatable(proto, inverted: inverted)
  }

  func interface(_ token: Token, _ inverted: Bool) throws(SyntaxError) -> Negatable<InterfacePattern> {
    guard token.count > 0 else { throw SyntaxError(at: token, "an interface name cannot be empty") }
    guard token != "!" else {
      throw SyntaxError(at: token, "'!' cannot follow the option", hint: "write it before: ! -i INTERFACE")
    }
    guard let pattern = InterfacePattern(bytes: token.bytes) else {
      throw SyntaxError(at: token, "interface name '\(token.string)' is longer than the kernel's 15 bytes")
    }
    return Negatable(pattern, inverted: inverted)
  }

  mutating func readTable(_ token: Token, _ word: Token) throws(SyntaxError) {
    if isRestore {
      throw SyntaxError(at: word, "-t cannot stand here", hint: "the line '*\(token.string)' names the table")
    }
    draft.table = TableName(rawValue: token.string)
    draft.unknownTable = draft.table == nil ? token : nil
  }

  func unknownTable(_ token: Token) -> SyntaxError {
    SyntaxError(
      at: token, "there is no table '\(token.string)'",
      hint: suggestion(for: token.string, among: TableName.allCases.map(\.rawValue)))
  }

  mutating func readCounters(_ first: Token, _ word: Token) throws(SyntaxError) {
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
}
