import Testing

@testable import Netfilter

@Suite struct MarkTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j MARK --set-xmark 0xfeedcafe/0xfeedcafe", in: .mangle, "PREROUTING", revision: 2, wire: "fecaedfefecaedfe"),
    .reads("-j MARK --set-mark 1", prints: "-j MARK --set-xmark 0x1/0xffffffff", in: .mangle, "OUTPUT", .ipv6),
    .reads("-j MARK --set-mark 1/2", prints: "-j MARK --set-xmark 0x1/0x3"),
    .reads("-j MARK --and-mark 0xff", prints: "-j MARK --set-xmark 0x0/0xffffff00"),
    .reads("-j MARK --or-mark 4", prints: "-j MARK --set-xmark 0x4/0x4"),
    .reads("-j MARK --xor-mark 4", prints: "-j MARK --set-xmark 0x4/0x0"),
    .refuses("-j MARK", "--set-mark"),
    .refuses("-j MARK --set-mark 0x100000000", "--set-mark"),
    .refuses("-j MARK --set-mark 1 --or-mark 2", "cannot stand beside"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(MarkTarget.self) }
}
