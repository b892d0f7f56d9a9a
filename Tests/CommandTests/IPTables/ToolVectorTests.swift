import KernelTestSupport
import Synchronization
import Testing

/// The vectors of the iptables project through our front end, one command in a namespace each, and what
/// iptables-legacy-save then reads.
@Suite(
  .requires(
    .corpus, .legacyTables, .tool("unshare"), .tool("iptables-legacy"), .tool("iptables-legacy-save"),
    .tool("ip6tables-legacy-save"), .tool("iptables-legacy-restore")))
struct ToolVectorTests {
  /// How many namespaces go one after the other in one test case.
  private static let batch = 100
  static let batches = stride(from: 0, to: VectorRow.all.count, by: batch).map { start in
    start..<min(start + batch, VectorRow.all.count)
  }

  /// Verdict and, where it is accepted, the line that is read back.
  @Test(arguments: batches) func theKernelHoldsTheRule(_ range: Range<Int>) throws {
    let space = try TestNamespace()
    let script = """
      "$@"; status=$?
      "$SAVE" -t "$TABLE" | grep '^-A'
      exit $status
      """
    for row in VectorRow.all[range] {
      let words = [Built.firebreak, row.tool, "-t", row.table, "-A", row.chain] + Self.words(row.rule)
      let result = try runProcess(
        ["unshare", "-n", "sh", "-c", script, "sh"] + words,
        environment: [
          "XTABLES_LOCKFILE": space.lockPath, "SAVE": "\(row.tool)-legacy-save", "TABLE": row.table,
        ])
      let isAccepted = result.status == 0
      #expect([0, 1, 2].contains(result.status), "\(row)\n\(result)")
      #expect(isAccepted == row.wasAccepted || isAccepted == row.expectsAcceptance, "\(row)\n\(result)")
      if isAccepted, row.wasAccepted {
        #expect(result.stdout.split(separator: "\n").joined(separator: "\n") == row.saved, "\(row)")
      }
    }
  }

  /// All rules of one file that iptables accepts, in one table.
  struct Group: Sendable, Hashable, CustomTestStringConvertible {
    let tool: String
    let table: String
    let source: String
    var testDescription: String { "\(source) \(tool) \(table)" }
  }

  static let groups = Set(
    VectorRow.all.filter(\.wasAccepted).map { Group(tool: $0.tool, table: $0.table, source: $0.source) }
  ).sorted { $0.testDescription < $1.testDescription }

  /// Listings of what iptables itself has put there, byte for byte.
  @Test(arguments: groups) func listingsAreTheSame(_ group: Group) throws {
    let space = try TestNamespace()
    let rules = VectorRow.all.filter {
      $0.wasAccepted && $0.tool == group.tool && $0.table == group.table && $0.source == group.source
    }
    let text = "*\(group.table)\n" + rules.map { $0.saved + "\n" }.joined() + "COMMIT\n"
    try space.require([TwinSite.peerName("\(group.tool)-restore")], input: text)
    for options in [["-n", "-v", "-x", "--line-numbers"], ["-L"], ["-v"], ["-n"], ["-S"], ["-S", "-v"]] {
      let list = options.contains("-S") || options.contains("-L") ? [] : ["-L"]
      let words = ["-t", group.table] + list + options
      let theirs = try space.require([TwinSite.peerName(group.tool)] + words)
      let ours = try space.run([Built.firebreak, group.tool] + words)
      #expect(ours.status == 0 && ours.output == theirs.output, "\(words)\n\(ours)\npeer: \(theirs)")
    }
    let save = ["-c", "-t", group.table]
    let theirs = try space.require([TwinSite.peerName("\(group.tool)-save")] + save)
    let ours = try space.run([Built.firebreak, "\(group.tool)-save"] + save)
    #expect(TwinSite.undated(ours.stdout) == TwinSite.undated(theirs.stdout))
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
