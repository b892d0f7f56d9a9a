import Netfilter
import Testing

@Suite struct ManualTests {
  static let all = Registry.standard.matchManuals + Registry.standard.targetManuals

  /// Every extension has an example, which the reader takes and in which the extension stands.
  @Test(arguments: all.map { ($0.isTarget ? "target " : "match ") + $0.definition.name + " \($0.families)" })
  func examplesAreRules(_ title: String) throws {
    let manual = try #require(
      Self.all.first { ($0.isTarget ? "target " : "match ") + $0.definition.name + " \($0.families)" == title })
    let reading = RulesText.read("\(manual.example)\n")
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    let rule = try #require(reading.ruleset.tables.flatMap(\.chains).flatMap { Array($0.rules) }.first)
    if manual.isTarget {
      guard case .extension(let target) = rule.target else {
        Issue.record("no target in \(manual.example)")
        return
      }
      #expect(type(of: target).definition === manual.definition)
    } else {
      #expect(rule.matches.contains { type(of: $0).definition === manual.definition })
    }
  }

  @Test func aNameMayMeanOneForEachFamily() {
    #expect(Registry.standard.manuals(ofMatch: "tcp").count == 1)
    #expect(Registry.standard.manuals(ofMatch: "ah").map(\.families) == [[.ipv4], [.ipv6]])
    #expect(Registry.standard.manuals(ofMatch: "icmpv6").map(\.definition.name) == ["icmp6"])
    #expect(Registry.standard.manuals(ofTarget: "tcp").isEmpty)
    #expect(Registry.standard.manuals(ofTarget: "SNPT").first?.protocols == [])
    #expect(Registry.standard.manuals(ofMatch: "multiport").first?.protocols.prefix(2) == ["tcp", "udp"])
  }
}
