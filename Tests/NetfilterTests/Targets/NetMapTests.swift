import Testing

@testable import Netfilter

@Suite struct NetMapTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j NETMAP --to 192.0.2.0/24", in: .nat, "PREROUTING", revision: 0,
      wire: "0100000001000000c0000200c00002ff00000000", lists: "to:192.0.2.0/24"),
    .reads(
      "-j NETMAP --to 192.0.2.9", prints: "-j NETMAP --to 192.0.2.9/32", in: .nat, "INPUT", revision: 0,
      wire: "0100000001000000c0000209c000020900000000"),
    .reads("-j NETMAP --to 192.0.2.9/255.255.255.0", prints: "-j NETMAP --to 192.0.2.0/24", in: .nat, "OUTPUT"),
    .reads("-j NETMAP --to 192.0.2.9/0", prints: "-j NETMAP --to 0.0.0.0/0", in: .nat, "POSTROUTING"),
    .reads(
      "-j NETMAP --to 2001:db8::/64", in: .nat, "PREROUTING", .ipv6, revision: 0,
      wire: "0100000020010db8 00*12 20010db800000000ffffffffffffffff00000000"),
    .reads(
      "-j NETMAP --to 2001:db8::beef", prints: "-j NETMAP --to 2001:db8::beef/128", in: .nat, "POSTROUTING", .ipv6,
      lists: "to:2001:db8::beef/128"),
    .reads(
      "-j NETMAP --to 2001:db8::beef/ffff:ffff::", prints: "-j NETMAP --to 2001:db8::/32", in: .nat, "POSTROUTING",
      .ipv6),
    .refuses("-j NETMAP", "NETMAP needs --to ADDRESS[/LENGTH]", in: .nat, "PREROUTING"),
    .refuses("-j NETMAP --to 192.0.2.0/33", "invalid mask '33'", in: .nat, "PREROUTING"),
    .refuses("-j NETMAP --to ::1", "'::1' is an IPv6 address in IPv4 rules", in: .nat, "PREROUTING"),
    .refuses(
      "-j NETMAP --to 192.0.2.1:80", "'192.0.2.1:80' is not an IPv4 address, a network or a host name", in: .nat,
      "PREROUTING"),
    .refuses("-j NETMAP --to 192.0.2.0/24", "NETMAP cannot stand in table filter"),
    .reads(
      "-j NETMAP --to 192.0.2.9/255.0.255.0", prints: "-j NETMAP --to 192.0.2.9/32", in: .nat, "PREROUTING"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(NetMap.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j NETMAP --to 10.1.0.0/16", .accept, in: .nat, chain: "PREROUTING", from: { $0.hook = .prerouting },
      leaves: { $0.destination = IPAddress("10.1.100.2")! }),
    ActionRow(
      .ipv6, "-j NETMAP --to 2001:db8:5::/64", .accept, in: .nat, chain: "POSTROUTING",
      from: { $0.hook = .postrouting },
      leaves: { $0.source = IPAddress("2001:db8:5::1")! }),
    ActionRow(.ipv4, "-j NETMAP --to 10.1.0.0/16", .depends(on: "the hook"), in: .nat, chain: "PREROUTING"),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    let head: [UInt8] = [1, 0, 0, 0, 1, 0, 0, 0]
    #expect(
      decodeTarget("NETMAP", revision: 0, .ipv4, head + [192, 0, 2, 0, 192, 0, 2, 0xfe, 0, 0, 0, 0]) is OpaqueTarget)
    #expect(
      decodeTarget("NETMAP", revision: 0, .ipv4, head + [192, 0, 2, 0xff, 192, 0, 2, 0, 0, 0, 0, 0]) is OpaqueTarget)
    #expect(
      decodeTarget("NETMAP", revision: 0, .ipv4, head + [192, 0, 2, 0, 192, 0, 2, 0xff, 0, 1, 0, 0]) is OpaqueTarget)
    #expect(
      decodeTarget("NETMAP", revision: 0, .ipv4, [1, 0, 0, 0, 0, 0, 0, 0] + Array(repeating: 0, count: 12))
        is OpaqueTarget)
  }

  @Test func aMaskWithHolesIsNoNetwork() {
    #expect(NetMap(to: AddressMask(address: IPAddress(ipv4: 0), mask: 0xff00ff00)) == nil)
  }
}
