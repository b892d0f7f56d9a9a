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
    Row(
      testDescription: "a policy that others set meanwhile holds", base: ["-A INPUT -i a"], start: ["-A INPUT -i a"],
      live: [":INPUT DROP", "-A INPUT -i a"], wanted: ["-A INPUT -i a", "-A INPUT -i b"],
      result: [":INPUT DROP", "-A INPUT -i a", "-A INPUT -i b"],
      own: [":INPUT DROP", "-A INPUT -i a", "-A INPUT -i b"]),
    Row(
      testDescription: "a policy that was set in the copy holds, whatever came meanwhile", base: [],
      start: [":FORWARD DROP"], live: [":FORWARD DROP", "-A INPUT -i x"], wanted: [":INPUT DROP", "-A INPUT -i b"],
      result: [":INPUT DROP", "-A INPUT -i x", "-A INPUT -i b"], own: [":INPUT DROP", "-A INPUT -i b"]),
    Row(
      testDescription: "a policy that others set where no table was copied", base: nil, start: nil,
      live: [":INPUT DROP"], wanted: ["-A INPUT -i b"], result: [":INPUT DROP", "-A INPUT -i b"],
      own: [":INPUT DROP", "-A INPUT -i b"]),
    Row(
      testDescription: "chains that went meanwhile do not come back", base: nil,
      start: [":one", ":two", ":none", "-A INPUT -j one", "-A one -j two", "-A two -i x"], live: [],
      wanted: [":one", ":two", ":none", "-A INPUT -j one", "-A INPUT -i b", "-A one -j two", "-A two -i x"],
      result: ["-A INPUT -i b"], own: ["-A INPUT -i b"]),
    Row(
      testDescription: "a chain that went meanwhile and that a rule of the copy calls comes back with all it calls",
      base: nil, start: [":one", ":two", "-A INPUT -i a -j one", "-A one -j two", "-A two -i x"], live: [],
      wanted: [":one", ":two", "-A INPUT -i a -j one", "-A INPUT -i b -j one", "-A one -j two", "-A two -i x"],
      result: [":one", ":two", "-A INPUT -i b -j one", "-A one -j two", "-A two -i x"],
      own: [":one", ":two", "-A INPUT -i b -j one", "-A one -j two", "-A two -i x"]),
    Row(
      testDescription: "a chain that went meanwhile comes back with what was written into it", base: nil,
      start: [":one", "-A INPUT -i a -j one", "-A one -i x"], live: [],
      wanted: [":one", "-A INPUT -i a -j one", "-A one -i x", "-A one -i y"],
      result: [":one", "-A one -i y"], own: [":one", "-A one -i y"]),
  ]

  private func table(_ lines: [String]) -> Table {
    let text = lines.map { line in line.hasPrefix(":") ? line + (line.contains(" ") ? "" : " -") + " [0:0]" : line }
    let heads = text.filter { $0.hasPrefix(":") }
    return rules("*filter\n\((heads + text.filter { !$0.hasPrefix(":") }).joined(separator: "\n"))\nCOMMIT\n").tables[0]
  }

  private func lines(_ table: Table) -> Set<String> {
    var out = SaveText(family: table.family)
    out.print(table)
    return Set(
      out.string.split(separator: "\n").map(String.init).compactMap { line in
        if line.hasPrefix("-A") { return line }
        guard line.hasPrefix(":"), !line.contains(" ACCEPT ") else { return nil }
        return line.split(separator: " ").dropLast().filter { $0 != "-" }.joined(separator: " ")
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
