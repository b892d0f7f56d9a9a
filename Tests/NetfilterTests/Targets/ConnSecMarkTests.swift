import Testing

@testable import Netfilter

@Suite struct ConnSecMarkTests {
  static let rows: [TargetRow] = [
    .reads("-j CONNSECMARK --save", in: .mangle, "PREROUTING", revision: 0, wire: "01", lists: "CONNSECMARK save"),
    .reads(
      "-j CONNSECMARK --restore", in: .security, "INPUT", .ipv6, revision: 0, wire: "02", lists: "CONNSECMARK restore"),
    .refuses("-j CONNSECMARK", "CONNSECMARK needs --save or --restore", in: .mangle, "PREROUTING"),
    .refuses("-j CONNSECMARK --save --restore", "--restore cannot stand beside --save", in: .mangle, "PREROUTING"),
    .refuses("-j CONNSECMARK --save", "CONNSECMARK cannot stand in table filter"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(ConnSecMark.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j CONNSECMARK --save", .proceed, in: .mangle)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("CONNSECMARK", revision: 0, .ipv4, [0]) is OpaqueTarget)
    #expect(decodeTarget("CONNSECMARK", revision: 0, .ipv4, [3]) is OpaqueTarget)
  }
}
