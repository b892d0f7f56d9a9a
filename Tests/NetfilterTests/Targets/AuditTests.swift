import Testing

@testable import Netfilter

@Suite struct AuditTests {
  static let rows: [TargetRow] = [
    .reads("-j AUDIT --type accept", revision: 0, wire: "00"),
    .reads("-j AUDIT --type reject", in: .mangle, "OUTPUT", .ipv6, revision: 0, wire: "02"),
    .reads("-j AUDIT --type DROP", prints: "-j AUDIT --type drop"),
    .refuses("-j AUDIT", "AUDIT needs --type accept|drop|reject"),
    .refuses("-j AUDIT --type wrong", "--type: 'wrong' is not one of its values"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Audit.self) }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("AUDIT", revision: 0, .ipv4, [3]) is OpaqueTarget)
  }
}
