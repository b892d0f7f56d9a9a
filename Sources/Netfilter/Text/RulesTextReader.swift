/// Reads one rules text line by line, going on after an error so that several are told at once.
struct RulesTextReader: ~Copyable {
  private let text: UnsafeBufferPointer<UInt8>
  private let file: String
  /// The names of the inputs read before this one.
  private let earlierFiles: [String]
  private let family: Family
  private let format: RulesText.Format
  private let interface: KernelInterface
  private let names: Names
  private let registry: Registry
  private var splitter = LineSplitter(longestLine: RulesText.longestLine)
  private var parser: CommandParser
  private var editor: RulesetEditor
  /// The IPv6 half of a list of commands.
  private var otherParser: CommandParser
  private var otherEditor: RulesetEditor
  private var diagnostics: [Diagnostic] = []
  private var errors = 0
  private var hasCounters = false
  /// The table whose lines are being read, and the line of its `*`.
  private var openTable: (name: TableName, line: Int)?
  private var committed: Set<TableName> = []
  /// Tables of this family that an input before this one has brought.
  private let tablesBefore: Set<TableName>
  private var number = 0
  private var position: SourcePosition { SourcePosition(input: earlierFiles.count, line: number) }
  private let notes = NoteBox()

  /// Collects what host names stood for, and warnings, while one line is read.
  private final class NoteBox: @unchecked Sendable {
    var resolved: [(column: Int, name: String, addresses: [IPAddress])] = []
    var warnings: [SyntaxError] = []
    var isEmpty: Bool { resolved.isEmpty && warnings.isEmpty }
  }

  init(
    text: UnsafeBufferPointer<UInt8>, file: String, after earlierFiles: [String], family: Family,
    format: RulesText.Format, continuing earlier: Ruleset, for interface: KernelInterface, names: Names,
    registry: Registry
  ) {
    self.text = text
    self.file = file
    self.earlierFiles = earlierFiles
    self.family = family
    self.format = format
    self.interface = interface
    var names = names
    let notes = self.notes
    names.resolved = { notes.resolved.append(($0, $1, $2)) }
    names.warned = { notes.warnings.append($0) }
    self.names = names
    self.registry = registry
    let first: Family = format == .commands ? .ipv4 : family
    editor = RulesetEditor(family: first, registry: registry, continuing: earlier)
    otherEditor = RulesetEditor(family: .ipv6, registry: registry, continuing: earlier.only(.ipv6))
    editor.expectedRules = text.count / 40
    editor.expectedBytes = text.count * 4
    tablesBefore = Set(earlier.only(first).tables.map(\.name))
    parser = CommandParser(
      family: first, names: names, registry: registry, for: interface, isRestore: format == .save)
    otherParser = CommandParser(family: .ipv6, names: names, registry: registry, for: interface, isRestore: false)
  }

  mutating func read(afterByteOrderMark isMarked: Bool) -> RulesText.Reading {
    if isMarked {
      append(
        .warning, "the text begins with a byte order mark; it is read without it", at: 1,
        UnsafeBufferPointer(start: nil, count: 0))
    }
    readLines(in: 0..<text.count)
    finish()
    let ruleset = format == .commands ? editor.ruleset.replacing(with: otherEditor.ruleset) : editor.ruleset
    if errors == 0 { check(ruleset) }
    return RulesText.Reading(ruleset: ruleset, diagnostics: diagnostics, hasCounters: hasCounters)
  }

  /// Reads the lines that begin in a part of the text.
  private mutating func readLines(in part: Range<Int>) {
    var start = part.lowerBound
    var sawCarriageReturn = false
    while start < part.upperBound {
      let end = endOfLine(from: start)
      var line = UnsafeBufferPointer(rebasing: text[start..<end])
      number += 1
      if line.last == UInt8(ascii: "\r") {
        line = UnsafeBufferPointer(rebasing: line.dropLast())
        if !sawCarriageReturn {
          warn("the lines end in carriage returns (Windows line ends); they are read without them", line)
          sawCarriageReturn = true
        }
      }
      if end == text.count, text[end - 1] != UInt8(ascii: "\n"), !line.isEmpty {
        warn("the last line has no line end; it is read all the same", line)
      }
      read(line)
      if errors >= RulesText.errorLimit { break }
      start = end + 1
    }
  }

  // MARK: Half a text

  /// Reads the first half of a text that is read in two.
  mutating func readFirstHalf(_ split: SplitReading) { readLines(in: 0..<split.middle) }

  /// Reads the second half, as if the open table's chains had just been declared.
  mutating func readSecondHalf(_ split: SplitReading) {
    readLines(in: split.head)
    number = split.linesBefore
    readLines(in: split.middle..<text.count)
    finish()
  }

  /// What both halves say together; nil when there is anything to tell, which only a reading from top to bottom does right.
  /// The readers are empty then: the second half's rules follow the first's in their memory.
  static func join(_ first: inout RulesTextReader, _ second: inout RulesTextReader) -> RulesText.Reading? {
    guard first.diagnostics.isEmpty, second.diagnostics.isEmpty, let open = first.openTable else { return nil }
    var ruleset = first.editor.takeRuleset()
    for table in second.editor.takeRuleset().tables {
      guard let index = ruleset.index(table.name, table.family) else {
        ruleset[table.name, table.family] = table
        continue
      }
      guard table.name == open.name, ruleset.tables[index].chains.count == table.chains.count else { return nil }
      ruleset.withTable(at: index) { whole in
        for chain in table.chains.indices { whole.withRules(of: chain) { $0.append(table.chains[chain].rules) } }
      }
    }
    let (interface, registry) = (first.interface, first.registry)
    guard ruleset.tables.allSatisfy({ $0.problems(for: interface, registry: registry).isEmpty }) else { return nil }
    return RulesText.Reading(ruleset: ruleset, hasCounters: first.hasCounters || second.hasCounters)
  }

  private func endOfLine(from start: Int) -> Int { LineScanner.endOfLine(text, from: start) }

  private mutating func read(_ line: UnsafeBufferPointer<UInt8>) {
    guard line.count <= RulesText.longestLine else {
      return report(
        SyntaxError(
          column: RulesText.longestLine + 1,
          "the line has \(line.count) bytes, at most \(RulesText.longestLine) are read"), line)
    }
    guard let first = line.first(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) else { return }
    guard first != UInt8(ascii: "#") else { return }
    if let place = line.firstIndex(where: { !canStandInText($0) }) {
      return report(
        SyntaxError(
          column: place + 1, "byte 0x\(String(line[place], radix: 16)) cannot stand in rules text",
          hint: "is this a text file?"), line)
    }
    do throws(SyntaxError) {
      switch format {
      case .save: try readSave(line)
      case .commands: try readCommand(line)
      }
    } catch {
      report(error, line)
    }
    if !notes.isEmpty { tellNotes(line) }
  }

  private mutating func tellNotes(_ line: UnsafeBufferPointer<UInt8>) {
    for note in notes.resolved {
      let addresses = note.addresses.map { "\($0)" }.joined(separator: ", ")
      append(
        .warning, "host '\(note.name)' is \(addresses) now; the rules keep the address, not the name",
        column: note.column, length: note.name.utf8.count, line)
    }
    notes.resolved.removeAll()
    for note in notes.warnings {
      append(.warning, note.message, hint: note.hint, column: note.column, length: note.length, line)
    }
    notes.warnings.removeAll()
  }

  // MARK: iptables-save text

  private mutating func readSave(_ line: UnsafeBufferPointer<UInt8>) throws(SyntaxError) {
    switch line[0] {
    case UInt8(ascii: "*") where openTable == nil: try readTableLine(line)
    case UInt8(ascii: "*"):
      throw SyntaxError(
        column: 1, "table \(openTable!.name) of line \(openTable!.line) is still open",
        hint: "end it with a line COMMIT")
    case UInt8(ascii: ":"): try readChainLine(line)
    default:
      try splitter.splitRestore(line)
      guard let first = splitter.tokens.first else { return }
      if first == "COMMIT", splitter.tokens.count == 1 { return try closeTable(first) }
      guard let openTable else {
        throw SyntaxError(at: first, "rules begin after a line that names their table", hint: "for example: *filter")
      }
      try readRule(in: openTable.name)
    }
  }

  private mutating func readTableLine(_ line: UnsafeBufferPointer<UInt8>) throws(SyntaxError) {
    try splitter.splitRestore(line, from: 1)
    guard let token = splitter.tokens.first else {
      throw SyntaxError(column: 2, "the table's name is missing", hint: "for example: *filter")
    }
    guard let name = TableName(rawValue: token.string) else {
      throw SyntaxError(
        at: token, "there is no table '\(token.string)'",
        hint: suggestion(for: token.string, among: TableName.allCases.map(\.rawValue)))
    }
    if tablesBefore.contains(name) {
      throw SyntaxError(
        at: token, "an earlier input has brought table \(name) already",
        hint: "iptables-save text replaces whole tables; put the rules into one file, or write commands")
    }
    if committed.contains(name) {
      warn("table \(name) stands here for the second time; the later one counts, as with iptables-restore", line)
    }
    editor.reset(name)
    openTable = (name, number)
  }

  private mutating func closeTable(_ word: Token) throws(SyntaxError) {
    guard let table = openTable else { throw SyntaxError(at: word, "COMMIT without a table") }
    committed.insert(table.name)
    openTable = nil
  }

  /// `:CHAIN POLICY [packets:bytes]`
  private mutating func readChainLine(_ line: UnsafeBufferPointer<UInt8>) throws(SyntaxError) {
    guard let table = openTable else {
      throw SyntaxError(column: 1, "a chain is declared inside its table", hint: "for example: *filter")
    }
    try splitter.splitRestore(line, from: 1)
    let words = splitter.tokens
    guard let chain = words.first else {
      throw SyntaxError(column: 2, "the chain's name is missing", hint: "':NAME -' makes a chain")
    }
    guard words.count >= 2 else {
      throw SyntaxError(
        at: chain, "the chain's policy is missing",
        hint: "':\(chain.string) -' makes a chain, ':INPUT DROP' sets a policy")
    }
    let isBuiltIn = Table(table.name, family: family).contains(ChainName(unchecked: chain.string))
    guard isBuiltIn else { return try declareChain(chain, policy: words[1], in: table.name, line) }
    guard words[1] != "-" else { return }
    let counters = words.count > 2 ? try counters(words[2]) : .zero
    try editor.setPolicy(words[1], of: chain, in: table.name, counters: counters)
  }

  /// A chain that is not built in. iptables-nft-restore reads nothing into its policy, and empties a chain that is there
  /// already; the iptables-restore of ip_tables refuses both. Chains with the names of targets, which only restore makes,
  /// are refused for ip_tables although it takes them: the same line of a script fails there (`-N LOG`).
  private mutating func declareChain(
    _ chain: Token, policy: Token, in table: TableName, _ line: UnsafeBufferPointer<UInt8>
  ) throws(SyntaxError) {
    let hasPolicy = policy != "-"
    if hasPolicy, interface == .ipTables {
      throw SyntaxError(
        at: policy, "chain '\(chain.string)' is not built into table \(table) and has no policy",
        hint: "write '-' instead")
    }
    if interface == .nfTables, editor.empty(chain, in: table) {
      warn("chain \(chain.string) is declared for the second time; its rules so far go, as with iptables-restore", line)
    } else {
      try editor.addChain(chain, to: table, mayHideTarget: interface == .nfTables)
    }
    guard hasPolicy else { return }
    warn(
      "chain \(chain.string) is not built into table \(table) and has no policy: '\(policy.string)' has no effect", line
    )
  }

  /// `[packets:bytes]`
  private func counters(_ token: Token) throws(SyntaxError) -> Counters {
    guard let counters = Counters(bracketed: token) else {
      throw SyntaxError(at: token, "'\(token.string)' is not [packets:bytes]")
    }
    return counters
  }

  private mutating func readRule(in table: TableName) throws(SyntaxError) {
    var words = splitter.tokens
    var stated: Counters?
    if let word = words.takeCounters() { stated = try counters(word) }
    guard var command = try parse(words, family: family, table: table) else { return }
    if let stated {
      for index in command.rules.indices { command.rules[index].counters = stated }
    }
    if stated != nil || command.hasCounters { hasCounters = true }
    try editor.perform(command, at: position)
  }

  private mutating func parse(_ words: [Token], family: Family, table: TableName) throws(SyntaxError) -> Command? {
    if format == .commands, family == .ipv6 {
      return try otherParser.parse(words, table: table, chains: otherEditor)
    }
    return try parser.parse(words, table: table, chains: editor)
  }

  // MARK: Lists of commands

  private mutating func readCommand(_ line: UnsafeBufferPointer<UInt8>) throws(SyntaxError) {
    try splitter.splitShell(line)
    var words = splitter.tokens[...]
    if words.first?.equalsIgnoringCase("sudo") == true { words = words.dropFirst() }
    guard let first = words.first else { return }
    if first == "set" { return }
    guard let name = CommandName(first) else {
      throw SyntaxError(
        at: first, "'\(first.string)' is not iptables or ip6tables; a list of commands holds nothing else",
        hint: "write the commands out, one a line")
    }
    guard let command = try parse(Array(words.dropFirst()), family: name.family, table: .filter) else { return }
    if name.family == .ipv4 {
      try editor.perform(command, at: position)
    } else {
      try otherEditor.perform(command, at: position)
    }
  }

  // MARK: The end

  private mutating func finish() {
    guard let openTable, errors < RulesText.errorLimit else { return }
    append(
      .error, "table \(openTable.name) is not committed: the line COMMIT is missing",
      hint: "has the file been cut off?",
      column: 1, at: openTable.line, lineText(openTable.line))
    errors += 1
  }

  /// What only the whole text shows: loops, targets out of reach of their hooks.
  private mutating func check(_ ruleset: Ruleset) {
    for table in ruleset.tables {
      for problem in table.problems(for: interface, registry: registry) {
        report(problem)
      }
    }
  }

  private mutating func report(_ problem: TableProblem) {
    let place = problem.position
    if let place, place.input < earlierFiles.count {  // this input has made a problem of an earlier one's rule
      diagnostics.append(
        Diagnostic(
          .error, file: earlierFiles[place.input], line: place.line, message: problem.message, hint: problem.hint))
      return
    }
    let line = lineText(place?.line ?? 0)
    append(
      .error, problem.message, hint: problem.hint, column: column(of: problem.word, in: line),
      length: problem.word.utf8.count, at: place?.line ?? 0, line)
  }

  /// Where an extension or chain is named in a line that was read before: behind `-j`, `-g` or `-m`, or any such word.
  private mutating func column(of word: String, in line: UnsafeBufferPointer<UInt8>) -> Int {
    do throws(SyntaxError) {
      switch format {
      case .save: try splitter.splitRestore(line)
      case .commands: try splitter.splitShell(line)
      }
    } catch {
      return 0
    }
    let tokens = splitter.tokens
    let options: [StaticString] = ["-j", "-g", "-m"]
    let place = tokens.indices.dropFirst().last { index in
      tokens[index].holds(word) && options.contains { tokens[index - 1] == $0 }
    }
    return (place ?? tokens.lastIndex { $0.holds(word) }).map { tokens[$0].column } ?? 1
  }

  private func lineText(_ wanted: Int) -> UnsafeBufferPointer<UInt8> {
    var start = 0
    var number = 1
    while number < wanted, start < text.count {
      start = endOfLine(from: start) + 1
      number += 1
    }
    guard wanted > 0, start < text.count else { return UnsafeBufferPointer(start: nil, count: 0) }
    return UnsafeBufferPointer(rebasing: text[start..<endOfLine(from: start)])
  }

  // MARK: Messages

  private mutating func report(_ error: SyntaxError, _ line: UnsafeBufferPointer<UInt8>) {
    errors += 1
    append(.error, error.message, hint: error.hint, column: error.column, length: error.length, line)
    if errors == RulesText.errorLimit {
      append(.note, "\(errors) errors; the rest is not read", line)
    }
  }

  private mutating func warn(_ message: String, _ line: UnsafeBufferPointer<UInt8>) {
    append(.warning, message, line)
  }

  private mutating func append(
    _ severity: Diagnostic.Severity, _ message: String, hint: String? = nil, column: Int = 0, length: Int = 1,
    at line: Int? = nil, _ text: UnsafeBufferPointer<UInt8>
  ) {
    let shown = text.count > 4096 ? nil : String(decoding: text, as: UTF8.self)
    diagnostics.append(
      Diagnostic(
        severity, file: file, line: line ?? number, column: column, length: length, message: message, hint: hint,
        sourceLine: column > 0 || severity == .error ? shown : nil))
  }
}
