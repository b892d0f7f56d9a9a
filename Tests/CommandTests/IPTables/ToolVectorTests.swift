import KernelTestSupport
import Synchronization
import Testing

/// The vectors of the iptables project through our front end, one command in a namespace each, and what
/// iptables-legacy-save and iptables-nft-save then read.
@Suite(
  .requires(
    .corpus, .legacyTables, .nfTables, .tool("unshare"), .tool("iptables-legacy"), .tool("iptables-legacy-save"),
    .tool("ip6tables-legacy-save"), .tool("iptables-legacy-restore"), .tool("iptables-nft-save"),
    .tool("iptables-nft-restore")))
struct ToolVectorTests {
  /// How many namespaces go one after the other in one test case.
  private static let batch = 100
  static let batches = stride(from: 0, to: VectorRow.all.count, by: batch).map { start in
    start..<min(start + batch, VectorRow.all.count)
  }

  /// Verdict and, where it is accepted, the line that is read back.
  @Test(arguments: batches, TwinSite.Interface.allCases)
  func theKernelHoldsTheRule(_ range: Range<Int>, _ interface: TwinSite.Interface) throws {
    let space = try TestNamespace()
    let script = """
      "$@"; status=$?
      "$SAVE" -t "$TABLE" | grep '^-A'
      exit $status
      """
    for row in VectorRow.all[range] {
      let tool = interface.fullName(row.tool)
      let words = [Built.firebreak, tool, "-t", row.table, "-A", row.chain] + Self.words(row.rule)
      let result = try runProcess(
        ["unshare", "-n", "sh", "-c", script, "sh"] + words,
        environment: [
          "XTABLES_LOCKFILE": space.lockPath, "SAVE": "\(tool)-save", "TABLE": row.table,
        ])
      let isAccepted = result.status == 0
      let wasAccepted = row.wasAccepted(interface)
      #expect([0, 1, 2, interface == .nft ? 4 : 2].contains(result.status), "\(row)\n\(result)")
      #expect(isAccepted == wasAccepted || isAccepted == row.expectsAcceptance, "\(row)\n\(result)")
      if isAccepted, wasAccepted, interface == .legacy || !Self.isForgotten(row) {
        let read = result.stdout.split(separator: "\n").joined(separator: "\n")
        #expect(read == row.saved(interface), "\(row)")
      }
    }
  }

  /// iptables-nft 1.8.9 forgets "no port at all", so that its rule is true of every packet.
  private static func isForgotten(_ row: VectorRow) -> Bool { row.rule.hasSuffix("port :") && row.rule.contains("!") }

  /// All rules of one file that iptables accepts, in one table.
  struct Group: Sendable, Hashable, CustomTestStringConvertible {
    let interface: TwinSite.Interface
    let tool: String
    let table: String
    let source: String
    var testDescription: String { "\(source) \(interface.fullName(tool)) \(table)" }

    init(_ row: VectorRow, _ interface: TwinSite.Interface) {
      (self.interface, tool, table, source) = (interface, row.tool, row.table, row.source)
    }

    var rules: [VectorRow] {
      VectorRow.all.filter {
        $0.wasAccepted(interface) && $0.tool == tool && $0.table == table && $0.source == source
      }
    }

    /// As restore text, each line beginning with a command.
    func text(_ command: String) -> String {
      "*\(table)\n" + rules.map { command + $0.saved(interface).dropFirst(2) + "\n" }.joined() + "COMMIT\n"
    }
  }

  static let groups = Set(
    TwinSite.Interface.allCases.flatMap { interface in
      VectorRow.all.filter { $0.wasAccepted(interface) }.map { Group($0, interface) }
    }
  ).sorted { $0.testDescription < $1.testDescription }

  /// Listings of what iptables itself has put there, byte for byte.
  @Test(arguments: groups) func listingsAreTheSame(_ group: Group) throws {
    let space = try TestNamespace()
    let tool = group.interface.fullName(group.tool)
    try space.require([tool + "-restore"], input: group.text("-A"))
    for options in [["-n", "-v", "-x", "--line-numbers"], ["-L"], ["-v"], ["-n"], ["-S"], ["-S", "-v"]] {
      let list = options.contains("-S") || options.contains("-L") ? [] : ["-L"]
      let words = ["-t", group.table] + list + options
      let theirs = try space.require([tool] + words)
      let ours = try space.run([Built.firebreak, tool] + words)
      #expect(ours.status == 0 && ours.output == theirs.output, "\(words)\n\(ours)\npeer: \(theirs)")
    }
    let save = ["-c", "-t", group.table]
    let theirs = try space.require([tool + "-save"] + save)
    let ours = try space.run([Built.firebreak, tool + "-save"] + save)
    #expect(TwinSite.undated(ours.stdout) == TwinSite.undated(theirs.stdout))
  }

  /// What iptables put there is found again and taken out.
  @Test(arguments: groups) func rulesOfIPTablesAreFound(_ group: Group) throws {
    let space = try TestNamespace()
    let tool = group.interface.fullName(group.tool)
    try space.require([tool + "-restore"], input: group.text("-A"))
    for command in ["-C", "-D"] {
      let result = try space.run([Built.firebreak, tool + "-restore", "-n"], input: group.text(command))
      #expect(result.status == 0, "\(command)\n\(result)")
    }
    #expect(try !space.require([tool + "-save", "-t", group.table]).stdout.contains("\n-A"))
  }

  /// A shell's words; the vectors quote with double and single quotes.
  static func words(_ text: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in text {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        quote = character
        word = word ?? ""
      } else if quote == nil, character == " " {
        if let done = word { words.append(done) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    return words + (word.map { [$0] } ?? [])
  }
}
