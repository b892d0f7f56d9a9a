import Testing

@testable import Netfilter

@Suite struct SNPTTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j SNPT --src-pfx dead::/64 --dst-pfx 1c3::/64", in: .mangle, "POSTROUTING", .ipv6, revision: 0,
      wire: "dead 00*14 01c3 00*14 40400000"),
    .reads("-j SNPT --src-pfx dead::/64 --dst-pfx 1c3::/64", in: .mangle, "INPUT", .ipv6),
    .refuses(
      "-j SNPT --src-pfx dead::/64 --dst-pfx 1c3::/64", "SNPT cannot be used in PREROUTING", in: .mangle, "PREROUTING",
      .ipv6),
    .refuses("-j SNPT", "SNPT needs --src-pfx ADDRESS/LENGTH", in: .mangle, "INPUT", .ipv6),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(SNPT.self) }
}
