import Testing

@testable import Netfilter

@Suite struct ECNTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-p tcp -j ECN --ecn-tcp-remove", in: .mangle, "PREROUTING", revision: 0, wire: "300000", lists: "ECN TCP remove"),
    .reads(
      "-p tcp -j ECN --ecn-tcp-ece 1 --ecn-tcp-cwr 1 --ecn-ip-ect 2", in: .mangle, "PREROUTING", revision: 0,
      wire: "310203", lists: "ECN ECE=1 CWR=1 ECT codepoint=2"),
    .reads("-j ECN --ecn-ip-ect 0", in: .mangle, "PREROUTING", revision: 0, wire: "010000"),
    .reads("-p tcp -j ECN --ecn-tcp-cwr 1", in: .mangle, "PREROUTING", revision: 0, wire: "200002"),
    .reads(
      "-p tcp -j ECN --ecn-tcp-cwr 0 --ecn-tcp-ece 0", prints: "-p tcp -j ECN --ecn-tcp-remove", in: .mangle,
      "PREROUTING"),
    .reads(
      "-p tcp -j ECN --ecn-tcp-remove --ecn-ip-ect 3",
      prints: "-p tcp -j ECN --ecn-tcp-ece 0 --ecn-tcp-cwr 0 --ecn-ip-ect 3", in: .mangle, "PREROUTING", revision: 0,
      wire: "310300", lists: "ECN ECE=0 CWR=0 ECT codepoint=3"),
    .refuses(
      "-p tcp -j ECN", "ECN needs one of --ecn-tcp-remove, --ecn-tcp-cwr, --ecn-tcp-ece, --ecn-ip-ect", in: .mangle,
      "PREROUTING"),
    .refuses("-j ECN --ecn-tcp-remove", "ECN: only TCP has these flags", in: .mangle, "PREROUTING"),
    .refuses("! -p tcp -j ECN --ecn-tcp-ece 1", "ECN: only TCP has these flags", in: .mangle, "PREROUTING"),
    .refuses(
      "-p tcp -j ECN --ecn-tcp-remove --ecn-tcp-cwr 1", "--ecn-tcp-cwr cannot stand beside --ecn-tcp-remove",
      in: .mangle, "PREROUTING"),
    .refuses("-j ECN --ecn-ip-ect 4", "--ecn-ip-ect: '4' is not a number from 0 to 3", in: .mangle, "PREROUTING"),
    .refuses("-p tcp -j ECN --ecn-tcp-remove", "target 'ECN' is for IPv4 only", in: .mangle, "PREROUTING", .ipv6),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(ECNTarget.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j ECN --ecn-ip-ect 2", .proceed, in: .mangle,
      from: { ($0.trafficClass, $0.bytes) = (0xb9, [0x45, 0xb9]) },
      leaves: { ($0.trafficClass, $0.bytes) = (0xba, nil) }),
    ActionRow(
      .ipv4, "-p tcp -j ECN --ecn-tcp-remove", .proceed, in: .mangle,
      from: { ($0.trafficClass, $0.bytes) = (1, [0x45]) },
      leaves: { $0.bytes = nil }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("ECN", revision: 0, .ipv4, [0, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("ECN", revision: 0, .ipv4, [2, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("ECN", revision: 0, .ipv4, [1, 4, 0]) is OpaqueTarget)
    #expect(decodeTarget("ECN", revision: 0, .ipv4, [0x10, 1, 0]) is OpaqueTarget)
    #expect(decodeTarget("ECN", revision: 0, .ipv4, [0x10, 0, 2]) is OpaqueTarget)
    #expect(decodeTarget("ECN", revision: 0, .ipv4, [0x30, 0, 4]) is OpaqueTarget)
  }

  @Test func nothingIsNoChange() {
    #expect(ECNTarget() == nil)
    #expect(ECNTarget(codepoint: 4) == nil)
  }
}
