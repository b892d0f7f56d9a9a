import Testing

@testable import Netfilter

@Suite struct ChecksumTests {
  static let rows: [TargetRow] = [
    .reads("-j CHECKSUM --checksum-fill", in: .mangle, "POSTROUTING", revision: 0, wire: "01", lists: "CHECKSUM fill"),
    .reads("-j CHECKSUM --checksum-fill", in: .mangle, "PREROUTING", .ipv6),
    .refuses("-j CHECKSUM", "CHECKSUM needs --checksum-fill", in: .mangle, "POSTROUTING"),
    .refuses("-j CHECKSUM --checksum-fill", "CHECKSUM cannot stand in table filter"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Checksum.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j CHECKSUM --checksum-fill", .proceed, in: .mangle)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("CHECKSUM", revision: 0, .ipv4, [0]) is OpaqueTarget)
    #expect(decodeTarget("CHECKSUM", revision: 0, .ipv4, [3]) is OpaqueTarget)
  }
}
