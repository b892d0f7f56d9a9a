import Testing

@testable import Netfilter

@Suite struct RejectTests {
  /// Printed name, alias and kernel number of each answer.
  static let ipv4 = [
    ("icmp-net-unreachable", "net-unreach", 0), ("icmp-host-unreachable", "host-unreach", 1),
    ("icmp-proto-unreachable", "proto-unreach", 2), ("icmp-port-unreachable", "port-unreach", 3),
    ("icmp-net-prohibited", "net-prohib", 5), ("icmp-host-prohibited", "host-prohib", 6), ("tcp-reset", "tcp-rst", 7),
    ("icmp-admin-prohibited", "admin-prohib", 8),
  ]
  static let ipv6 = [
    ("icmp6-no-route", "no-route", 0), ("icmp6-adm-prohibited", "adm-prohibited", 1),
    ("icmp6-addr-unreachable", "addr-unreach", 3), ("icmp6-port-unreachable", "port-unreach", 4),
    ("tcp-reset", "tcp-reset", 6), ("icmp6-policy-fail", "policy-fail", 7), ("icmp6-reject-route", "reject-route", 8),
  ]

  static let names: [TargetRow] = [(Family.ipv4, ipv4), (.ipv6, ipv6)].flatMap { family, names in
    names.flatMap { name, alias, number in
      [name, alias, name.uppercased()].map { word in
        .reads(
          "-p tcp -j REJECT --reject-with \(word)", prints: "-p tcp -j REJECT --reject-with \(name)",
          in: .filter, "INPUT", family, revision: 0, wire: "0\(number)000000")
      }
    }
  }

  static let rows: [TargetRow] = [
    .reads(
      "-j REJECT", prints: "-j REJECT --reject-with icmp-port-unreachable", wire: "03000000",
      lists: "reject-with icmp-port-unreachable"),
    .reads(
      "-j REJECT", prints: "-j REJECT --reject-with icmp6-port-unreachable", in: .filter, "FORWARD", .ipv6,
      wire: "04000000", lists: "reject-with icmp6-port-unreachable"),
    .reads("-p tcp -j REJECT --reject-with tcp", prints: "-p tcp -j REJECT --reject-with tcp-reset"),
    .reads("-j REJECT --reject-with tcp-reset -p tcp", prints: "-p tcp -j REJECT --reject-with tcp-reset"),
    .refuses("-j REJECT --reject-with tcp-reset", "-p tcp"),
    .refuses("! -p tcp -j REJECT --reject-with tcp-reset", "-p tcp"),
    .refuses("-p udp -j REJECT --reject-with tcp-reset", "-p tcp", in: .filter, "INPUT", .ipv6),
    .refuses("-j REJECT --reject-with icmp-net", "icmp-net-unreachable"),
    .refuses("-j REJECT --reject-with icmp-port-unreachable", "icmp6-port-unreachable", in: .filter, "INPUT", .ipv6),
    .refuses("-j REJECT --reject-with echo-reply", "not an answer to IPv4"),
    .refuses("-j REJECT --reject-with", "needs a value"),
    .refuses("-j REJECT", "REJECT cannot stand in table mangle", in: .mangle, "PREROUTING"),
    .refuses("-j REJECT", "it belongs to table filter", in: .raw, "PREROUTING", .ipv6),
  ]

  @Test(arguments: names + rows) func row(_ row: TargetRow) throws { try row.check(Reject.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j REJECT", .reject),
    ActionRow(.ipv6, "-j REJECT", .reject),
    ActionRow(.ipv4, "-j REJECT", .reject, from: { $0.isLaterFragment = true }),
    ActionRow(.ipv4, "-j REJECT", .reject, from: { ($0.proto, $0.icmpType) = (.icmp, 8) }),
    ActionRow(.ipv6, "-j REJECT", .reject, from: { ($0.proto, $0.icmpType) = (.icmpv6, 128) }),
    ActionRow(.ipv4, "-p tcp -j REJECT --reject-with tcp-reset", .reject, from: { $0.tcpFlags = .syn }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func numbersWithoutAnAnswerStayOpaque() {
    #expect(decodeTarget("REJECT", revision: 0, .ipv4, [4, 0, 0, 0]) is OpaqueTarget)  // echo reply: gone
    #expect(decodeTarget("REJECT", revision: 0, .ipv6, [2, 0, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("REJECT", revision: 0, .ipv6, [9, 0, 0, 0]) is OpaqueTarget)
  }
}
