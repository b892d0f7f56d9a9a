import Testing

@testable import Netfilter

@Suite struct TeeTests {
  static let rows: [TargetRow] = [
    .reads("-j TEE --gateway 1.1.1.1", revision: 1, wire: "01010101 00*36", lists: "TEE gw:1.1.1.1"),
    .reads("-j TEE --gateway 192.0.2.1", lists: Listing("TEE gw:192.0.2.1", named: "TEE gw:host.example")),
    .reads(
      "-j TEE --gateway 2001:db8::1 --oif lo", in: .mangle, "FORWARD", .ipv6, revision: 1,
      wire: "20010db8 00*11 016c6f 00*22",
      lists: Listing("TEE gw:2001:db8::1 oif=lo", named: "TEE gw:host.example oif=lo")),
    .refuses("-j TEE --gateway 0.0.0.0", "--gateway: no host has the address 0.0.0.0"),
    .refuses("-j TEE ! --gateway 1.1.1.1", "'!' cannot stand before --gateway"),
    .refuses("-j TEE", "TEE needs --gateway ADDRESS"),
    .refuses("-j TEE --gateway ::1", "'::1' is an IPv6 address in IPv4 rules"),
    .refuses("-j TEE --gateway 1.1.1.0/24", "'1.1.1.0/24' is not an IPv4 address, a network or a host name"),
    .refuses(#"-j TEE --gateway 1.1.1.1 --oif """#, "--oif: the name is empty"),
    .refuses("-j TEE --gateway 1.1.1.1 --oif 0123456789abcdef", "the kernel keeps 15"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Tee.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j TEE --gateway 1.1.1.1", .proceed)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("TEE", revision: 1, .ipv4, Array(repeating: 0, count: 40)) is OpaqueTarget)
    #expect(decodeTarget("TEE", revision: 1, .ipv4, [1, 2, 3, 4, 5] + Array(repeating: 0, count: 35)) is OpaqueTarget)
    #expect(
      decodeTarget(
        "TEE", revision: 1, .ipv4,
        [1, 2, 3, 4] + Array(repeating: 0, count: 12) + Array(repeating: 0x61, count: 16)
          + Array(repeating: 0, count: 8)) is OpaqueTarget)
  }
}
