import Testing

@testable import Netfilter

@Suite struct AuditTests {
  static let rows: [TargetRow] = [
    .reads("-j AUDIT --type accept", revision: 0, wire: "00", lists: "AUDIT accept"),
    .reads("-j AUDIT --type reject", in: .mangle, "OUTPUT", .ipv6, revision: 0, wire: "02"),
    .reads("-j AUDIT --type DROP", prints: "-j AUDIT --type drop"),
    .refuses("-j AUDIT", "AUDIT needs --type accept|drop|reject"),
    .refuses("-j AUDIT --type wrong", "--type: 'wrong' is not one of its values"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Audit.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j AUDIT --type drop", .proceed)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("AUDIT", revision: 0, .ipv4, [3]) is OpaqueTarget)
  }
}
