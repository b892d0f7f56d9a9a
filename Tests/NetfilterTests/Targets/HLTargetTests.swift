import Testing

@testable import Netfilter

@Suite struct HLTargetTests {
  static let rows: [TargetRow] = [
    .reads("-j HL --hl-set 42", in: .mangle, "PREROUTING", .ipv6, revision: 0, wire: "002a", lists: "HL set to 42"),
    .reads("-j HL --hl-inc 1", in: .mangle, "INPUT", .ipv6, revision: 0, wire: "0101", lists: "HL increment by 1"),
    .reads("-j HL --hl-dec 255", in: .mangle, "INPUT", .ipv6, revision: 0, wire: "02ff"),
    .refuses("-j HL --hl-set 256", "--hl-set: '256' is not a number from 0 to 255", in: .mangle, "INPUT", .ipv6),
    .refuses("-j HL --hl-dec 0", "--hl-dec: '0' is not a number from 1 to 255", in: .mangle, "INPUT", .ipv6),
    .refuses("-j HL --hl-dec 1 --hl-inc 1", "--hl-inc cannot stand beside --hl-dec", in: .mangle, "INPUT", .ipv6),
    .refuses("-j HL", "HL needs one of --hl-set, --hl-dec, --hl-inc", in: .mangle, "INPUT", .ipv6),
    .refuses("-j HL --hl-set 1", "target 'HL' is for IPv6 only", in: .mangle, "INPUT"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(HLTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv6, "-j HL --hl-set 64", .proceed, in: .mangle, leaves: { $0.hopLimit = 64 }),
    ActionRow(.ipv6, "-j HL --hl-inc 5", .proceed, in: .mangle, from: { $0.hopLimit = 1 }, leaves: { $0.hopLimit = 6 }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("HL", revision: 0, .ipv6, [3, 1]) is OpaqueTarget)
    #expect(decodeTarget("HL", revision: 0, .ipv6, [1, 0]) is OpaqueTarget)
    #expect(decodeTarget("HL", revision: 0, .ipv6, [2, 0]) is OpaqueTarget)
  }
}
