/// The rule that a command takes: its matches and its target, and one rule for each address.
extension CommandParser {
  mutating func readMatch(_ token: Token) throws(SyntaxError) {
    if isOpaqueNext {
      return activate(.match(OpaqueMatch.self), try opaqueDefinition(token), word: token, implicit: false)
    }
    if let type = registry.match(named: token, family: family) {
      return activate(.match(type), type.definition, word: token, implicit: false)
    }
    let name = token.string
    let other: Family = family == .ipv4 ? .ipv6 : .ipv4
    if registry.match(named: name, family: other) != nil {
      throw SyntaxError(at: token, "match '\(name)' is for \(other) only")
    }
    var error = SyntaxError(
      at: token, "unknown match '\(name)'",
      hint: suggestion(for: name, among: registry.knownMatches.map { "\($0.names.name)" }))
    error.unknownExtension = .match(name)
    throw error
  }

  mutating func readJump(_ token: Token) throws(SyntaxError) {
    guard token.count > 0 else { throw SyntaxError(at: token, "a target cannot be empty") }
    guard token.count <= ChainName.maxBytes else {
      throw SyntaxError(
        at: token, "target '\(token.string)' has \(token.count) bytes, names have \(ChainName.maxBytes) at most")
    }
    draft.jump = token
    guard !draft.isGoto else { return }
    if isOpaqueNext {
      activate(.target(OpaqueTarget.self), try opaqueDefinition(token), word: token, implicit: false)
    } else if Verdict(token: token) == nil, let type = registry.target(named: token, family: family) {
      activate(.target(type), type.definition, word: token, implicit: false)
    }
  }

  var isOpaqueNext: Bool { next < tokens.count && tokens[next] == OpaqueExtension.option.name }

  /// - Throws: ``SyntaxError`` for a name that no extension of a kernel has.
  func opaqueDefinition(_ name: Token) throws(SyntaxError) -> ExtensionDefinition {
    let isName = name.bytes.allSatisfy { byte in
      byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'")
        && byte != UInt8(ascii: "\\")
    }
    guard (1..<RuleCodec.extensionNameSize).contains(name.count), isName else {
      throw SyntaxError(
        at: name, "'\(name.string)' cannot be the name of a match or target",
        hint: "a name is 1 to 28 letters, digits and signs")
    }
    return ExtensionDefinition(name.string, summary: "an extension kept as bytes", options: [OpaqueExtension.option])
  }

  mutating func finishRule<Chains: ChainLookup>(in table: TableName, _ chains: borrowing Chains)
    throws(SyntaxError)
  {
    if let jump = draft.jump, chains.hidesTarget(jump, in: table) { try forgetTarget(jump) }
    for item in active {
      pool[item.values].proto = draft.rule.proto
      do throws(SyntaxError) {
        try checkPlace(item, table)
      } catch {
        guard leavesPlacesToKernel else { throw error }
        draft.objection = error
      }
      do throws(SyntaxError) {
        try finish(item)
      } catch {
        throw error.column > 0 ? error : error.placed(at: item.word)
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
    if table.hooks.hooks.contains(where: { $0.chainName == chain }) {
      let error = SyntaxError(at: jump, "a rule cannot jump to the built-in chain \(chain)")
      guard leavesPlacesToKernel else { throw error }
      draft.objection = error
    }
    draft.rule.target = draft.isGoto ? .goto(chain) : .jump(chain)
  }

  /// The word behind `-j` is a chain after all.
  private mutating func forgetTarget(_ jump: Token) throws(SyntaxError) {
    guard let place = active.firstIndex(where: { if case .target = $0.kind { true } else { false } }) else { return }
    if let use = pool[active[place].values].inOrder.first {
      throw SyntaxError(at: use.word, "'\(jump.string)' is a chain here and takes no options")
    }
    active.remove(at: place)
  }

  mutating func finish(_ item: Active) throws(SyntaxError) {
    try pool[item.values].checkRequired()
    switch item.kind {
    case .match(let type): draft.rule.matches.append(try type.init(parsing: pool[item.values]))
    case .target(let type): draft.rule.target = .extension(try type.init(parsing: pool[item.values]))
    }
  }

  /// The error for a target that only the other family has.
  func targetOfOtherFamily(_ jump: Token) -> SyntaxError? {
    let other: Family = family == .ipv4 ? .ipv6 : .ipv4
    guard registry.target(named: jump, family: family) == nil, registry.target(named: jump, family: other) != nil else {
      return nil
    }
    return SyntaxError(at: jump, "target '\(jump.string)' is for \(other) only")
  }

  func unknownTarget(_ jump: Token, _ table: TableName) -> SyntaxError {
    let name = jump.string
    if draft.isGoto { return SyntaxError(at: jump, "goto '\(name)': there is no such chain in table \(table)") }
    if let error = targetOfOtherFamily(jump) { return error }
    let known = registry.knownTargets.map { "\($0.names.name)" } + Verdict.allCases.map { "\($0.label)" }
    let near = suggestion(for: name, among: known).flatMap { $0.hasPrefix("did") ? $0 : nil }
    var error = SyntaxError(
      at: jump, "'\(name)' is neither a target nor a chain of table \(table)",
      hint: near
        ?? (isRestore
          ? "a chain is made before it is used: the line ':\(name) - [0:0]'"
          : "a chain is made before it is used: -N \(name)"))
    error.unknownExtension = .target(name)
    return error
  }

  /// The error for a rule of a command that leads to a chain which is not there; nil where there is none.
  package func jumpProblem(_ command: Command, _ exists: (ChainName) -> Bool) -> SyntaxError? {
    guard let jump = draft.jump else { return nil }
    for rule in command.rules {
      if let chain = rule.target.chain, !exists(chain) { return unknownTarget(jump, command.table) }
    }
    return nil
  }

  /// The name of a chain that a command makes.
  package func newChainName(_ token: Token) throws(SyntaxError) -> ChainName { try ChainName(new: token, registry) }

  /// The name of a chain that a line `:CHAIN -` makes: it may be a target's, but no verdict's.
  package func declaredChainName(_ token: Token) throws(SyntaxError) -> ChainName { try ChainName(new: token) }

  /// Whether the extension may stand in this table, with this protocol.
  func checkPlace(_ item: Active, _ table: TableName) throws(SyntaxError) {
    let definition = pool[item.values].definition
    if interface.limitsTables(of: definition), let tables = definition.tables, !tables.contains(table) {
      let where_ = tables.sorted().map(\.rawValue).joined(separator: " or ")
      throw SyntaxError(
        at: item.word, "\(definition.name) cannot stand in table \(table)", hint: "it belongs to table \(where_)"
      )
    }
    guard let protocols = definition.protocols else { return }
    if let proto = draft.rule.proto, !proto.isInverted, protocols.contains(proto.value) { return }
    let needed = protocols.compactMap { names.name(of: $0) }.map { "-p \($0)" }.joined(separator: " or ")
    throw SyntaxError(at: item.word, "\(definition.name) needs \(needed)")
  }

  // MARK: Addresses

  /// One rule for each pair of source and destination.
  mutating func expandAddresses() throws(SyntaxError) -> [Rule] {
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
  func addresses(_ word: Token?, _ draft: Negatable<AddressMask>?) throws(SyntaxError) -> (
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

  func checkInterfaces() throws(SyntaxError) {
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

extension ChainName {
  /// A name for a new chain.
  /// - Throws: ``SyntaxError`` when the name cannot be.
  init(new token: Token) throws(SyntaxError) {
    do {
      try self.init(token.string)
    } catch {
      throw SyntaxError(at: token, "\(error)")
    }
  }

  /// The same.
  /// - Throws: ``SyntaxError`` too when the name is a target's.
  init(new token: Token, _ registry: Registry) throws(SyntaxError) {
    try self.init(new: token)
    guard Family.allCases.allSatisfy({ registry.target(named: token, family: $0) == nil }) else {
      throw SyntaxError(
        at: token, "chain '\(text)' has the name of a target", hint: "call it otherwise, for example '\(text)-CHAIN'")
    }
  }
}

extension [Token] {
  /// Takes the word `[packets:bytes]` from the beginning of a line; a rule may begin right behind it, as with
  /// iptables-restore.
  /// - Returns: nil where the line does not begin with a bracket.
  package mutating func takeCounters() -> Token? {
    guard let word = first, word.bytes.first == UInt8(ascii: "[") else { return nil }
    if let end = word.firstIndex(of: UInt8(ascii: "]")), end + 1 < word.count {
      self[0] = word.part(end + 1..<word.count)
      return word.part(0..<end + 1)
    }
    return removeFirst()
  }
}

extension Counters {
  /// Reads `[packets:bytes]`; nil where it is something else.
  package init?(bracketed token: Token) {
    guard token.count > 4, token.bytes[0] == UInt8(ascii: "["), token.bytes[token.count - 1] == UInt8(ascii: "]") else {
      return nil
    }
    let parts = token.part(1..<token.count - 1).split(at: UInt8(ascii: ":"))
    guard let packets = parts.before.number, let bytes = parts.after?.number else { return nil }
    self.init(packets: packets, bytes: bytes)
  }
}
