import Testing

@testable import Netfilter

@Suite struct SNPTTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j SNPT --src-pfx dead::/64 --dst-pfx 1c3::/64", in: .mangle, "POSTROUTING", .ipv6, revision: 0,
      wire: "dead 00*14 01c3 00*14 40400000", lists: "SNPT src-pfx dead::/64 dst-pfx 1c3::/64"),
    .reads("-j SNPT --src-pfx dead::/64 --dst-pfx 1c3::/64", in: .mangle, "INPUT", .ipv6),
    .refuses(
      "-j SNPT --src-pfx dead::/64 --dst-pfx 1c3::/64", "SNPT cannot be used in PREROUTING", in: .mangle, "PREROUTING",
      .ipv6),
    .refuses("-j SNPT", "SNPT needs --src-pfx ADDRESS/LENGTH", in: .mangle, "INPUT", .ipv6),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(SNPT.self) }

  @Test(arguments: [
    ActionRow(
      .ipv6, "-j SNPT --src-pfx fd01:203:405::/48 --dst-pfx 2001:db8:1::/48", .proceed, in: .mangle,
      chain: "POSTROUTING",
      from: { $0.source = IPAddress("fd01:203:405:1::1234")! },
      leaves: { $0.source = IPAddress("2001:db8:1:d550::1234")! })
  ])
  func action(_ row: ActionRow) throws { try row.check() }
}
