import Netfilter
@testable import RuleStore
import Testing

/// Rows of what `base` (ours before), `start` (copied), `live` (now) and `wanted` (the copy after a script) make.
@Suite struct StagedMergeTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var base: [String]?
    var start: [String]?
    var live: [String]?
    let wanted: [String]
    let result: [String]
    let own: [String]
  }

  private static let rows = [
    Row(
      testDescription: "nothing there before", base: nil, start: nil, live: nil, wanted: ["-A INPUT -i a"],
      result: ["-A INPUT -i a"], own: ["-A INPUT -i a"]),
    Row(
      testDescription: "first commit: what nobody known wrote is ours", base: nil,
      start: ["-A INPUT -i a", ":DOCKER", "-A DOCKER -i docker0"],
      live: ["-A INPUT -i a", ":DOCKER", "-A DOCKER -i docker0"],
      wanted: ["-A INPUT -i a", "-A INPUT -i b", ":DOCKER", "-A DOCKER -i docker0"],
      result: ["-A INPUT -i a", "-A INPUT -i b", ":DOCKER", "-A DOCKER -i docker0"],
      own: ["-A INPUT -i a", "-A INPUT -i b"]),
    Row(
      testDescription: "rules of others that were left alone stay theirs", base: ["-A INPUT -i a"],
      start: ["-A INPUT -i x", "-A INPUT -i a"], live: ["-A INPUT -i x", "-A INPUT -i a"],
      wanted: ["-A INPUT -i x", "-A INPUT -i a", "-A INPUT -i b"],
      result: ["-A INPUT -i x", "-A INPUT -i a", "-A INPUT -i b"], own: ["-A INPUT -i a", "-A INPUT -i b"]),
    Row(
      testDescription: "written again: it counts from zero", base: ["-A INPUT -i a"],
      start: ["[5:500] -A INPUT -i x", "-A INPUT -i a"], live: ["[7:700] -A INPUT -i x", "-A INPUT -i a"],
      wanted: ["-A INPUT -i x", "-A INPUT -i b"], result: ["-A INPUT -i x", "-A INPUT -i b"],
      own: ["-A INPUT -i x", "-A INPUT -i b"]),
    Row(
      testDescription: "a flush takes the rules of others too", base: ["-A INPUT -i a"],
      start: ["-A INPUT -i x", "-A INPUT -i a", ":f2b-sshd", "-A f2b-sshd -i b"],
      live: ["-A INPUT -i x", "-A INPUT -i a", ":f2b-sshd", "-A f2b-sshd -i b"], wanted: ["-A INPUT -i b"],
      result: ["-A INPUT -i b"], own: ["-A INPUT -i b"]),
    Row(
      testDescription: "what came meanwhile stays at its place", base: ["-A INPUT -i a"],
      start: ["-A INPUT -i a", "-A INPUT -i z"],
      live: [":f2b-sshd", "-A INPUT -j f2b-sshd", "-A INPUT -i a", "-A INPUT -i z", "-A f2b-sshd -i q"],
      wanted: ["-A INPUT -i a", "-A INPUT -i b"],
      result: [":f2b-sshd", "-A INPUT -j f2b-sshd", "-A INPUT -i a", "-A INPUT -i b", "-A f2b-sshd -i q"],
      own: ["-A INPUT -i a", "-A INPUT -i b"]),
    Row(
      testDescription: "what went meanwhile does not come back", base: ["-A INPUT -i a"],
      start: ["-A INPUT -i x", "-A INPUT -i a"], live: ["-A INPUT -i a"],
      wanted: ["-A INPUT -i x", "-A INPUT -i a", "-A INPUT -i b"],
      result: ["-A INPUT -i a", "-A INPUT -i b"], own: ["-A INPUT -i a", "-A INPUT -i b"]),
    Row(
      testDescription: "a chain of others to which our rule leads is ours without its rules", base: [],
      start: [":theirs", "-A theirs -i x"], live: [":theirs", "-A theirs -i x"],
      wanted: [":theirs", "-A INPUT -j theirs", "-A theirs -i x"],
      result: [":theirs", "-A INPUT -j theirs", "-A theirs -i x"], own: [":theirs", "-A INPUT -j theirs"]),
  ]

  private func table(_ lines: [String]) -> Table {
    let text = lines.map { $0.hasPrefix(":") ? $0 + " - [0:0]" : $0 }
    let heads = text.filter { $0.hasPrefix(":") }
    return rules("*filter\n\((heads + text.filter { !$0.hasPrefix(":") }).joined(separator: "\n"))\nCOMMIT\n").tables[0]
  }

  private func lines(_ table: Table) -> Set<String> {
    var out = SaveText(family: table.family)
    out.print(table)
    return Set(
      out.string.split(separator: "\n").map(String.init).compactMap { line in
        if line.hasPrefix("-A") { return line }
        return line.hasPrefix(":") && line.contains(" - ") ? String(line.split(separator: " ")[0]) : nil
      })
  }

  @Test(arguments: rows) func theCopyComesBack(_ row: Row) {
    let merge = StagedMerge(
      base: row.base.map(table), start: row.start.map(table), live: row.live.map(table), wanted: table(row.wanted))
    #expect(lines(merge.result) == Set(row.result))
    #expect(lines(merge.own) == Set(row.own))
    // The order within the chain that packets meet first.
    let order = row.result.filter { $0.hasPrefix("-A INPUT") }
    #expect(
      merge.result["INPUT"].map { chain in chain.rules.map { "-A INPUT" + SaveText.rule($0, family: .ipv4) } } == order)
  }
}
