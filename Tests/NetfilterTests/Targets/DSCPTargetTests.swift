import Testing

@testable import Netfilter

@Suite struct DSCPTargetTests {
  static let rows: [TargetRow] = [
    .reads("-j DSCP --set-dscp 0x3f", in: .mangle, "PREROUTING", revision: 0, wire: "3f", lists: "DSCP set 0x3f"),
    .reads("-j DSCP --set-dscp 10", prints: "-j DSCP --set-dscp 0x0a", in: .mangle, "OUTPUT", .ipv6),
    .reads("-j DSCP --set-dscp-class CS7", prints: "-j DSCP --set-dscp 0x38", in: .mangle, "INPUT"),
    .reads("-j DSCP --set-dscp-class be", prints: "-j DSCP --set-dscp 0x00", in: .mangle, "INPUT"),
    .reads("-j DSCP --set-dscp-class af42", prints: "-j DSCP --set-dscp 0x24", in: .mangle, "INPUT"),
    .reads("-j DSCP --set-dscp-class EF", prints: "-j DSCP --set-dscp 0x2e", in: .mangle, "INPUT"),
    .refuses("-j DSCP --set-dscp 0x40", "--set-dscp: '0x40' is not a number from 0 to 63", in: .mangle, "INPUT"),
    .refuses("-j DSCP --set-dscp -1", "--set-dscp: '-1' is not a number from 0 to 63", in: .mangle, "INPUT"),
    .refuses(
      "-j DSCP --set-dscp 0x3f --set-dscp-class CS0", "--set-dscp-class cannot stand beside --set-dscp", in: .mangle,
      "INPUT"),
    .refuses(
      "-j DSCP --set-dscp-class AF14", "--set-dscp-class: 'AF14' is not one of its values", in: .mangle, "INPUT"),
    .refuses("-j DSCP", "DSCP needs --set-dscp or --set-dscp-class", in: .mangle, "INPUT"),
    .refuses("-j DSCP --set-dscp 1", "DSCP cannot stand in table filter"),
    .refuses("-j DSCP --set-dscp-class AF111", "did you mean AF11", in: .mangle, "INPUT"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(DSCPTarget.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j DSCP --set-dscp 0x2e", .proceed, in: .mangle, from: { $0.trafficClass = 0x03 },
      leaves: { $0.trafficClass = 0xbb }),
    ActionRow(.ipv6, "-j DSCP --set-dscp 0x2e", .proceed, in: .mangle),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("DSCP", revision: 0, .ipv4, [64]) is OpaqueTarget)
  }
}
