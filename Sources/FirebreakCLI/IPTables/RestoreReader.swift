internal import Firebreak

/// Carries out restore text line by line.
struct RestoreReader: ~Copyable {
  private let tool: Tool
  private let settings: IPTablesRestore.Settings
  private var parser: CommandParser
  private var splitter = LineSplitter(longestLine: RulesText.longestLine)
  private var line = 0
  /// The table whose lines are being read.
  private var live: LiveTable?
  /// What the kernel will refuse when it is committed, and the line.
  private var objection: (error: SyntaxError, line: Int)?
  /// Its name, or that of one that is skipped.
  private var tableName: String?

  init(_ tool: Tool, _ settings: IPTablesRestore.Settings) {
    self.tool = tool
    self.settings = settings
    parser = CommandParser(
      family: tool.family, names: .system, registry: .standard, for: tool.interface, isRestore: true)
    parser.leavesPlacesToKernel = true
  }

  /// Whether a chain that is there, or was named before, can be named again; it is emptied then.
  private var mayBeThere: Bool { !settings.flushes || tool.interface == .nfTables }

  /// Whether a policy of a user chain says nothing, as to iptables-nft-restore.
  private var leavesUserPolicies: Bool { tool.interface == .nfTables }

  private var isSkipped: Bool { settings.table != nil && settings.table != tableName }

  mutating func read(_ text: UnsafeRawBufferPointer, _ output: inout ToolOutput) throws(ToolFailure) {
    let bytes = text.assumingMemoryBound(to: UInt8.self)
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      line += 1
      try read(UnsafeBufferPointer(rebasing: bytes[start..<end]), &output)
      start = end + 1
    }
    if live != nil {
      throw ToolFailure(.failed, .name, "COMMIT expected at line \(line + 1)", hint: "has the text been cut off?")
    }
  }

  private func usage(_ message: String, hint: String? = nil) -> ToolFailure {
    ToolFailure(.usage, .version, message, hint: hint, line: line)
  }

  private func failed(_ refusal: CommandRefusal) -> ToolFailure {
    switch refusal.source {
    case .command: break
    case .transaction:
      return ToolFailure(.busy, .version, "line \(line): \(refusal.reason)", hint: objectionHint ?? refusal.hint)
    case .form: return usage(refusal.reason, hint: objectionHint ?? refusal.hint)
    }
    return ToolFailure(.failed, .name, "line \(line) failed: \(refusal.reason).", hint: objectionHint)
  }

  private var objectionHint: String? {
    objection.map { "line \($0.line): \($0.error.message)" + ($0.error.hint.map { "; \($0)" } ?? "") }
  }

  private mutating func read(_ text: UnsafeBufferPointer<UInt8>, _ output: inout ToolOutput) throws(ToolFailure) {
    guard let first = text.first else { return }
    guard text.count <= RulesText.longestLine else {
      throw usage("the line has \(text.count) bytes, at most \(RulesText.longestLine) are read")
    }
    if first == UInt8(ascii: "#") {
      if settings.verbosity > 0 { output.print(bytes: Array(text) + [UInt8(ascii: "\n")]) }
      return
    }
    let hasSign = first == (live == nil ? UInt8(ascii: "*") : UInt8(ascii: ":"))
    do throws(SyntaxError) {
      try splitter.splitRestore(text, from: hasSign ? 1 : 0)
    } catch {
      throw ToolFailure(error, line: line, tool)
    }
    let words = splitter.tokens
    guard let live else {
      if hasSign { return try openTable(words, &output) }
      if isSkipped { return }
      throw ToolFailure(
        .failed, .name, "line \(line) failed: it stands in no table", hint: "a line '*TABLE' begins one")
    }
    if hasSign { return try readChain(words, live) }
    if words.count == 1, words[0] == "COMMIT" { return try commit(live) }
    try readCommand(words, live, &output)
  }

  private mutating func openTable(_ words: [Token], _ output: inout ToolOutput) throws(ToolFailure) {
    guard let name = words.first?.string, !name.isEmpty else { throw usage("line \(line) table name invalid") }
    tableName = name
    if isSkipped { return }
    guard let table = TableName(rawValue: name) else {
      throw usage(
        "\(tool.name): unable to initialize table '\(name)'",
        hint: suggestion(for: name, among: TableName.allCases.map(\.rawValue)))
    }
    let live: LiveTable
    do throws(ToolFailure) {
      live = try LiveTable(
        TableID(table, tool.family), wait: settings.wait, settings.flushes ? .counters : .chains, tool)
    } catch {
      guard error.status == .noTable else { throw error }
      throw usage("\(tool.name): unable to initialize table '\(name)'", hint: error.message)
    }
    self.live = live
    objection = nil
    guard settings.flushes else { return }
    do throws(CommandRefusal) {
      try live.clear(settings.verbosity > 0, &output)
    } catch {
      throw failed(error)
    }
  }

  private mutating func commit(_ live: LiveTable) throws(ToolFailure) {
    self.live = nil
    guard !settings.isTest else { return }
    do throws(CommandRefusal) {
      try live.commit()
    } catch {
      throw failed(error)
    }
  }

  /// `:CHAIN POLICY [packets:bytes]`
  private func readChain(_ words: [Token], _ live: LiveTable) throws(ToolFailure) {
    let table = live.table
    guard let word = words.first, word.count > 0 else { throw usage("line \(line) chain name invalid") }
    guard word.count <= ChainName.maxBytes else {
      throw usage("Invalid chain name `\(word.string)' (\(ChainName.maxBytes) chars max)")
    }
    let chain = ChainName(unchecked: word.string)
    if !table.isBuiltIn(chain) {
      try checkName(word)
      do throws(CommandRefusal) {
        if mayBeThere { try table.declare(chain) } else { try table.create(chain) }
      } catch {
        throw usage("error creating chain '\(chain)': \(error.reason)")
      }
    }
    guard words.count > 1 else {
      throw usage("line \(line) policy invalid", hint: "':\(chain) -' makes a chain, ':INPUT DROP' sets a policy")
    }
    guard words[1] != "-", table.isBuiltIn(chain) || !leavesUserPolicies else { return }
    var counters = Counters.zero
    if settings.readsCounters {
      guard words.count > 2, let given = Counters(bracketed: words[2]) else {
        throw usage("invalid policy counters for chain '\(chain)'", hint: "they are written [packets:bytes]")
      }
      counters = given
    }
    do throws(CommandRefusal) {
      try table.setPolicy(words[1].string, of: chain, counters: counters)
    } catch {
      throw ToolFailure(
        .failed, .version, "Can't set policy `\(words[1].string)' on `\(chain)' line \(line): \(error.reason)")
    }
  }

  /// libiptc looks at the names of chains itself; nf_tables would take any.
  private func checkName(_ chain: Token) throws(ToolFailure) {
    guard tool.interface == .nfTables else { return }
    do throws(SyntaxError) {
      _ = try parser.declaredChainName(chain)
    } catch {
      throw ToolFailure(error, line: line, tool)
    }
  }

  private mutating func readCommand(_ words: [Token], _ live: LiveTable, _ output: inout ToolOutput)
    throws(ToolFailure)
  {
    var words = words
    var counters: Counters?
    if let word = words.takeCounters() {
      counters = Counters(bracketed: word)
      guard counters != nil else { throw usage("'\(word.string)' is not [packets:bytes]") }
    }
    guard var command = try parse(words, live) else { return }
    if let error = command.objection, objection == nil { objection = (error, line) }
    if settings.readsCounters, let counters {
      command.counters = counters
      command.hasCounters = true
      for index in command.rules.indices { command.rules[index].counters = counters }
    }
    if settings.flushes { command.display.verbosity += settings.verbosity }
    do throws(CommandRefusal) {
      try live.perform(command, showing: &output)
    } catch {
      throw failed(error)
    }
  }

  private mutating func parse(_ words: [Token], _ live: LiveTable) throws(ToolFailure) -> Command? {
    do throws(SyntaxError) {
      guard let command = try parser.parse(words, table: live.table.id.name, chains: AnyChain()) else { return nil }
      if let error = parser.jumpProblem(command, { live.table.contains($0) }) { throw error }
      if command.operation == .newChain { _ = try parser.newChainName(command.chain!) }
      return command
    } catch {
      throw ToolFailure(error, line: line, tool)
    }
  }
}
