import Testing

@testable import Netfilter

@Suite struct DNPTTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j DNPT --src-pfx dead::/64 --dst-pfx 1c3::/48", in: .mangle, "PREROUTING", .ipv6, revision: 0,
      wire: "dead 00*14 01c3 00*14 40300000", lists: "DNPT src-pfx dead::/64 dst-pfx 1c3::/48"),
    .reads(
      "-j DNPT --src-pfx dead::/ffff:: --dst-pfx 1c3::/64", prints: "-j DNPT --src-pfx dead::/16 --dst-pfx 1c3::/64",
      in: .mangle, "PREROUTING", .ipv6),
    .refuses(
      "-j DNPT --src-pfx dead::beef --dst-pfx 1c3::/64", "--src-pfx: a prefix has at most 64 bits", in: .mangle,
      "PREROUTING", .ipv6),
    .refuses(
      "-j DNPT --src-pfx dead::1/64 --dst-pfx 1c3::/64", "--src-pfx: the address has bits behind its prefix",
      in: .mangle, "PREROUTING", .ipv6),
    .refuses(
      "-j DNPT --src-pfx dead::/65 --dst-pfx 1c3::/64", "--src-pfx: a prefix has at most 64 bits", in: .mangle,
      "PREROUTING", .ipv6),
    .refuses("-j DNPT --src-pfx dead::/64", "DNPT needs --dst-pfx ADDRESS/LENGTH", in: .mangle, "PREROUTING", .ipv6),
    .refuses("-j DNPT --dst-pfx dead::/64", "DNPT needs --src-pfx ADDRESS/LENGTH", in: .mangle, "PREROUTING", .ipv6),
    .reads("-j DNPT --src-pfx dead::/64 --dst-pfx 1c3::/48", in: .mangle, "OUTPUT", .ipv6),
    .refuses(
      "-j DNPT --src-pfx dead::/64 --dst-pfx 1c3::/48", "DNPT cannot stand in table filter", in: .filter, "INPUT", .ipv6
    ),
    .refuses(
      "-j DNPT --src-pfx dead::/64 --dst-pfx 1c3::/48", "target 'DNPT' is for IPv6 only", in: .mangle, "PREROUTING"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(DNPT.self) }

  @Test(arguments: [
    // The example of RFC 6296 section 3.1, there and back.
    ActionRow(
      .ipv6, "-j DNPT --src-pfx 2001:db8:1::/48 --dst-pfx fd01:203:405::/48", .proceed, in: .mangle,
      chain: "PREROUTING",
      from: { $0.destination = IPAddress("2001:db8:1:d550::1234")! },
      leaves: { $0.destination = IPAddress("fd01:203:405:1::1234")! }),
    ActionRow(
      .ipv6, "-j DNPT --src-pfx 2001:db8:1:2::/64 --dst-pfx 2001:db8:1:3::/64", .proceed, in: .mangle,
      chain: "PREROUTING",
      from: { $0.destination = IPAddress("2001:db8:1:2:ffff:5::1")! },
      leaves: { $0.destination = IPAddress("2001:db8:1:3:ffff:4::1")! }),
    ActionRow(
      .ipv6, "-j DNPT --src-pfx 2001:db8:1:2::/64 --dst-pfx 2001:db8:1:3::/64", .reject, in: .mangle,
      chain: "PREROUTING",
      from: { $0.destination = IPAddress("2001:db8:1:2:ffff:ffff:ffff:ffff")! }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    let prefix: [UInt8] = [0xde, 0xad] + Array(repeating: 0, count: 14)
    #expect(decodeTarget("DNPT", revision: 0, .ipv6, prefix + prefix + [64, 65, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("DNPT", revision: 0, .ipv6, prefix + prefix + [15, 64, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("DNPT", revision: 0, .ipv6, prefix + prefix + [64, 64, 1, 0]) is OpaqueTarget)
  }
}
