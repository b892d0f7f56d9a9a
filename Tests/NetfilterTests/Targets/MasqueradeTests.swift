import Testing

@testable import Netfilter

@Suite struct MasqueradeTests {
  static func reads(
    _ rule: String, prints: String? = nil, _ family: Family = .ipv4, wire: String? = nil, lists: Listing? = nil
  ) -> TargetRow {
    .reads(rule, prints: prints, in: .nat, "POSTROUTING", family, revision: 0, wire: wire, lists: lists)
  }

  static let rows: [TargetRow] = [
    reads("-j MASQUERADE", wire: "01000000" + String(repeating: "00", count: 16), lists: ""),
    reads("-o ppp0 -j MASQUERADE", .ipv6, wire: String(repeating: "00", count: 40)),
    reads("-j MASQUERADE --random-fully --random", prints: "-j MASQUERADE --random --random-fully"),
    reads("-p tcp -j MASQUERADE --to-ports 1024", lists: "masq ports: 1024"),
    reads(
      "-p udp -j MASQUERADE --to-ports 1024-65535 --random-fully",
      wire: "01000000120000000000000000000000" + "0400ffff",
      lists: "masq ports: 1024-65535 random-fully"),
    reads(
      "-p udp -j MASQUERADE --to-ports 1024-65535 --random", .ipv6,
      wire: "06000000" + String(repeating: "00", count: 32) + "0400ffff"),
    .refuses("-j MASQUERADE --to-ports 1024", "-p tcp", in: .nat, "POSTROUTING"),
    .refuses("-p udp -j MASQUERADE --to-ports 1024-65536", "65536", in: .nat, "POSTROUTING"),
    .refuses("-p udp -j MASQUERADE --to-ports -1", "-1", in: .nat, "POSTROUTING", .ipv6),
    .refuses("-p udp -j MASQUERADE --to-ports 1-2/3", "only DNAT", in: .nat, "POSTROUTING"),
    .refuses("-j MASQUERADE --persistent", "--persistent", in: .nat, "POSTROUTING"),
    .refuses("-j MASQUERADE", "it belongs to table nat", in: .filter, "FORWARD"),
    .refuses("-j MASQUERADE", "MASQUERADE cannot be used in PREROUTING", in: .nat, "PREROUTING"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Masquerade.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j MASQUERADE", .depends(on: "the address of the outgoing interface"), in: .nat, chain: "POSTROUTING",
      leaves: { $0.sourcePort = nil }),
    ActionRow(
      .ipv6, "-p tcp -j MASQUERADE --to-ports 1024", .depends(on: "the address of the outgoing interface"), in: .nat,
      chain: "POSTROUTING", from: { $0.sourcePort = 7 }, leaves: { $0.sourcePort = 1024 }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func addressesStayOpaque() {
    let bytes: [UInt8] = [1] + Array(repeating: 0, count: 39)
    #expect(decodeTarget("MASQUERADE", revision: 0, .ipv6, bytes) is OpaqueTarget)
  }
}
