import Testing

@testable import Netfilter

@Suite struct TTLTargetTests {
  static let rows: [TargetRow] = [
    .reads("-j TTL --ttl-set 42", in: .mangle, "PREROUTING", revision: 0, wire: "002a", lists: "TTL set to 42"),
    .reads("-j TTL --ttl-inc 255", in: .mangle, "INPUT", revision: 0, wire: "01ff", lists: "TTL increment by 255"),
    .reads("-j TTL --ttl-dec 1", in: .mangle, "INPUT", revision: 0, wire: "0201", lists: "TTL decrement by 1"),
    .reads("-j TTL --ttl-set 0", in: .mangle, "INPUT"),
    .refuses("-j TTL --ttl-set 256", "--ttl-set: '256' is not a number from 0 to 255", in: .mangle, "INPUT"),
    .refuses("-j TTL --ttl-inc 0", "--ttl-inc: '0' is not a number from 1 to 255", in: .mangle, "INPUT"),
    .refuses("-j TTL --ttl-dec 0", "--ttl-dec: '0' is not a number from 1 to 255", in: .mangle, "INPUT"),
    .refuses("-j TTL --ttl-dec 1 --ttl-inc 1", "--ttl-inc cannot stand beside --ttl-dec", in: .mangle, "INPUT"),
    .refuses("-j TTL --ttl-set --ttl-inc 1", "bad argument '1'", in: .mangle, "INPUT"),
    .refuses("-j TTL", "TTL needs one of --ttl-set, --ttl-dec, --ttl-inc", in: .mangle, "INPUT"),
    .refuses("-j TTL --ttl-set 1", "TTL cannot stand in table filter"),
    .refuses("-j TTL --ttl-set 1", "target 'TTL' is for IPv4 only", in: .mangle, "INPUT", .ipv6),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(TTLTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j TTL --ttl-set 64", .proceed, in: .mangle, leaves: { $0.hopLimit = 64 }),
    ActionRow(
      .ipv4, "-j TTL --ttl-inc 5", .proceed, in: .mangle, from: { $0.hopLimit = 253 }, leaves: { $0.hopLimit = 255 }),
    ActionRow(
      .ipv4, "-j TTL --ttl-dec 5", .proceed, in: .mangle, from: { $0.hopLimit = 64 }, leaves: { $0.hopLimit = 59 }),
    ActionRow(
      .ipv4, "-j TTL --ttl-dec 5", .proceed, in: .mangle, from: { $0.hopLimit = 4 }, leaves: { $0.hopLimit = 0 }),
    ActionRow(.ipv4, "-j TTL --ttl-dec 5", .proceed, in: .mangle),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("TTL", revision: 0, .ipv4, [3, 1]) is OpaqueTarget)
    #expect(decodeTarget("TTL", revision: 0, .ipv4, [1, 0]) is OpaqueTarget)
    #expect(decodeTarget("TTL", revision: 0, .ipv4, [2, 0]) is OpaqueTarget)
  }
}
