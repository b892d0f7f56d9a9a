import Testing

@testable import Netfilter

@Suite struct MarkTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j MARK --set-xmark 0xfeedcafe/0xfeedcafe", in: .mangle, "PREROUTING", revision: 2, wire: "fecaedfefecaedfe",
      lists: "MARK or 0xfeedcafe"),
    .reads("-j MARK --set-mark 1", prints: "-j MARK --set-xmark 0x1/0xffffffff", in: .mangle, "OUTPUT", .ipv6),
    .reads("-j MARK --set-mark 1/2", prints: "-j MARK --set-xmark 0x1/0x3", lists: "MARK xset 0x1/0x3"),
    .reads("-j MARK --and-mark 0xff", prints: "-j MARK --set-xmark 0x0/0xffffff00", lists: "MARK and 0xff"),
    .reads("-j MARK --or-mark 4", prints: "-j MARK --set-xmark 0x4/0x4"),
    .reads("-j MARK --xor-mark 4", prints: "-j MARK --set-xmark 0x4/0x0"),
    .refuses("-j MARK", "--set-mark"),
    .refuses("-j MARK --set-mark 0x100000000", "--set-mark"),
    .refuses("-j MARK --set-mark 1 --or-mark 2", "cannot stand beside"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(MarkTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j MARK --set-mark 5", .proceed, leaves: { $0.mark = 5 }),
    ActionRow(.ipv4, "-j MARK --or-mark 4", .proceed),
    ActionRow(.ipv4, "-j MARK --or-mark 4", .proceed, from: { $0.mark = 3 }, leaves: { $0.mark = 7 }),
    ActionRow(.ipv6, "-j MARK --xor-mark 4", .proceed, from: { $0.mark = 6 }, leaves: { $0.mark = 2 }),
    ActionRow(.ipv6, "-j MARK --set-mark 0x10/0xf0", .proceed, from: { $0.mark = 0xfff }, leaves: { $0.mark = 0xf1f }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }
}
