import Testing

@testable import Netfilter

@Suite struct ClassifyTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j CLASSIFY --set-class 0001:ffff", in: .mangle, "FORWARD", revision: 0, wire: "ffff0100",
      lists: "CLASSIFY set 1:ffff"),
    .reads("-j CLASSIFY --set-class 0:1", prints: "-j CLASSIFY --set-class 0000:0001", in: .filter, "OUTPUT", .ipv6),
    .reads("-j CLASSIFY --set-class 0xa:0xB", prints: "-j CLASSIFY --set-class 000a:000b", in: .mangle, "POSTROUTING"),
    // In memory a jump to a chain of that name looks much like it.
    .reads("-j CLASSIFY --set-class 504d:554a", in: .mangle, "FORWARD"),
    .refuses("-j CLASSIFY", "CLASSIFY needs --set-class MAJOR:MINOR", in: .mangle, "FORWARD"),
    .refuses("-j CLASSIFY --set-class 1:2", "CLASSIFY cannot be used in INPUT", in: .mangle, "INPUT"),
    .refuses("-j CLASSIFY --set-class 1", "--set-class: '1' is not a class", in: .mangle, "FORWARD"),
    .refuses("-j CLASSIFY --set-class 1:", "--set-class: '1:' is not a class", in: .mangle, "FORWARD"),
    .refuses("-j CLASSIFY --set-class x:1", "--set-class: 'x:1' is not a class", in: .mangle, "FORWARD"),
    .refuses("-j CLASSIFY --set-class 12345:1", "'12345:1' is not a class", in: .mangle, "FORWARD"),
    .refuses("-j CLASSIFY --set-class 1:2x", "'1:2x' is not a class", in: .mangle, "FORWARD"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Classify.self) }

  @Test(arguments: [
    ActionRow(.ipv6, "-j CLASSIFY --set-class 1:2", .proceed, in: .mangle, chain: "FORWARD")
  ])
  func action(_ row: ActionRow) throws { try row.check() }
}
