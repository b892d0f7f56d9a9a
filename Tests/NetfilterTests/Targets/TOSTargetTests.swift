import Testing

@testable import Netfilter

@Suite struct TOSTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j TOS --set-tos 0x1f", prints: "-j TOS --set-tos 0x1f/0xff", in: .mangle, "PREROUTING", revision: 1,
      wire: "1fff", lists: "TOS set 0x1f/0xff"),
    .reads("-j TOS --set-tos 0x1f/0x0f", in: .mangle, "OUTPUT", .ipv6, revision: 1, wire: "1f0f"),
    .reads(
      "-j TOS --set-tos Minimize-Delay", prints: "-j TOS --set-tos 0x10/0x3f", in: .mangle, "INPUT",
      lists: Listing("TOS set 0x10/0x3f", named: " TOS setMinimize-Delay")),
    .reads("-j TOS --set-tos normal-service", prints: "-j TOS --set-tos 0x00/0x3f", in: .mangle, "INPUT"),
    .reads(
      "-j TOS --and-tos 0x12", prints: "-j TOS --set-tos 0x00/0xed", in: .mangle, "INPUT",
      lists: Listing("TOS set 0x00/0xed", named: "TOS and 0x12")),
    .reads(
      "-j TOS --or-tos 0x12", prints: "-j TOS --set-tos 0x12/0x12", in: .mangle, "INPUT",
      lists: Listing("TOS set 0x12/0x12", named: "TOS or 0x12")),
    .reads(
      "-j TOS --xor-tos 0x12", prints: "-j TOS --set-tos 0x12/0x00", in: .mangle, "INPUT", revision: 1, wire: "1200",
      lists: Listing("TOS set 0x12/0x00", named: "TOS xor 0x12")),
    .refuses("-j TOS", "TOS needs one of --set-tos, --and-tos, --or-tos, --xor-tos", in: .mangle, "INPUT"),
    .refuses("-j TOS --set-tos 256", "--set-tos: '256' is not a type of service", in: .mangle, "INPUT"),
    .refuses("-j TOS --set-tos 1/256", "--set-tos: '256' is not a number from 0 to 255", in: .mangle, "INPUT"),
    .refuses(
      "-j TOS --set-tos Minimise-Delay", "--set-tos: 'Minimise-Delay' is not a type of service", in: .mangle, "INPUT"),
    .refuses("-j TOS --set-tos 1 --or-tos 2", "--or-tos cannot stand beside --set-tos", in: .mangle, "INPUT"),
    .refuses("-j TOS --set-tos 1", "TOS cannot stand in table filter"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(TOSTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j TOS --set-tos 0x1f", .proceed, in: .mangle, leaves: { $0.trafficClass = 0x1f }),
    ActionRow(.ipv6, "-j TOS --set-tos 0x1f/0x0f", .proceed, in: .mangle),
    ActionRow(
      .ipv6, "-j TOS --set-tos 0x1f/0x0f", .proceed, in: .mangle,
      from: { ($0.trafficClass, $0.bytes) = (0xf0, [0x6f]) },
      leaves: { ($0.trafficClass, $0.bytes) = (0xef, nil) }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }
}
