import Testing

@testable import Netfilter

@Suite struct TraceTests {
  static let rows: [TargetRow] = [
    .reads("-j TRACE", in: .raw, "PREROUTING", revision: 0, wire: "", lists: ""),
    .reads("-j TRACE", in: .raw, "OUTPUT", .ipv6),
    .refuses("-j TRACE", "TRACE cannot stand in table filter"),
    .reads("-j TRACE", for: .nfTables),
    .reads("-j TRACE", in: .nat, "POSTROUTING", .ipv6, for: .nfTables),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Trace.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j TRACE", .proceed, in: .raw, chain: "PREROUTING")
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("TRACE", revision: 0, .ipv4, [1]) is OpaqueTarget)
  }
}
