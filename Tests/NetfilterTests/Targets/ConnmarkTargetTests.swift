import Testing

@testable import Netfilter

@Suite struct ConnmarkTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j CONNMARK --restore-mark", prints: "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
      in: .mangle, "PREROUTING", revision: 2, wire: "00000000ffffffffffffffff00000200", lists: "CONNMARK restore"),
    .reads(
      "-j CONNMARK --save-mark", prints: "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff", in: .mangle,
      "PREROUTING", .ipv6, revision: 2, wire: "00000000ffffffffffffffff00000100"),
    .reads(
      "-j CONNMARK --save-mark --nfmask 0xfffffff --ctmask 0xffffffff", in: .mangle, "PREROUTING", revision: 2,
      wire: "00000000ffffffffffffff0f00000100", lists: "CONNMARK save nfmask 0xfffffff ctmask ~0xffffffff"),
    .reads(
      "-j CONNMARK --restore-mark --ctmask 0x1", prints: "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0x1",
      in: .mangle, "PREROUTING", lists: "CONNMARK restore ctmask 0x1 nfmask ~0xffffffff"),
    .reads(
      "-j CONNMARK --restore-mark --mask 0xff", prints: "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
      in: .mangle, "PREROUTING", revision: 2, wire: "00000000ff000000ff00000000000200",
      lists: "CONNMARK restore mask 0xff"),
    .reads(
      "-j CONNMARK --set-xmark 0xfeedcafe/0xfeedcafe", in: .mangle, "PREROUTING", revision: 2,
      wire: "fecaedfefecaedfeffffffff00000000"),
    .reads("-j CONNMARK --set-xmark 1", prints: "-j CONNMARK --set-xmark 0x1/0xffffffff"),
    .reads("-j CONNMARK --set-mark 1/2", prints: "-j CONNMARK --set-xmark 0x1/0x3", lists: "CONNMARK xset 0x1/0x3"),
    .reads("-j CONNMARK --and-mark 0xff", prints: "-j CONNMARK --set-xmark 0x0/0xffffff00"),
    .reads("-j CONNMARK --or-mark 4", prints: "-j CONNMARK --set-xmark 0x4/0x4"),
    .reads("-j CONNMARK --xor-mark 4", prints: "-j CONNMARK --set-xmark 0x4/0x0", lists: "CONNMARK xor 0x4"),
    .reads(
      "-j CONNMARK --save-mark --left-shift-mark 31",
      prints: "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff --left-shift-mark 31", revision: 2,
      wire: "00000000ffffffffffffffff001f0100"),
    .reads(
      "-j CONNMARK --set-mark 1 --right-shift-mark 3",
      prints: "-j CONNMARK --set-xmark 0x1/0xffffffff --right-shift-mark 3", revision: 2,
      wire: "01000000ffffffffffffffff01030000", lists: "CONNMARK set 0x1 right-shift-mark 3"),
    .reads(
      "-j CONNMARK --save-mark --left-shift-mark 0",
      prints: "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"),
    .reads("-j CONNMARK --set-mark 1 --mask 3", prints: "-j CONNMARK --set-xmark 0x1/0x3"),
    .reads(
      "-j CONNMARK --set-mark 1 --ctmask 3 --right-shift-mark 1",
      prints: "-j CONNMARK --set-xmark 0x1/0x3 --right-shift-mark 1"),
    .refuses(
      "-j CONNMARK --left-shift-mark 1",
      "CONNMARK needs one of --set-xmark, --set-mark, --and-mark, --or-mark, --xor-mark, --save-mark, --restore-mark"),
    .refuses("-j CONNMARK --save-mark --left-shift-mark 32", "--left-shift-mark: '32' is not a number from 0 to 31"),
    .refuses(
      "-j CONNMARK",
      "CONNMARK needs one of --set-xmark, --set-mark, --and-mark, --or-mark, --xor-mark, --save-mark, --restore-mark"),
    .refuses("-j CONNMARK --set-mark 0x100000000", "--set-mark: '0x100000000' is not a number from 0 to 4294967295"),
    .refuses("-j CONNMARK --set-mark 1 --save-mark", "--save-mark cannot stand beside --set-mark"),
    .refuses("-j CONNMARK --save-mark --mask 1 --ctmask 1", "--ctmask cannot stand beside --mask"),
    .refuses("-j CONNMARK --mask 3 --set-mark 1", "the option after it replaces this mask"),
    .refuses("-j CONNMARK --set-mark 1 --nfmask 3", "--nfmask cannot stand beside --set-mark"),
    .refuses(
      "-j CONNMARK --save-mark --left-shift-mark 1 --right-shift-mark 1", "cannot stand beside --left-shift-mark"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(ConnmarkTarget.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j CONNMARK --set-mark 5", .proceed, from: { $0.connection.mark = 0 }, leaves: { $0.connection.mark = 5 }),
    ActionRow(
      .ipv4, "-j CONNMARK --set-xmark 0xff/0xf --right-shift-mark 4", .proceed, from: { $0.connection.mark = 0xf5 },
      leaves: { $0.connection.mark = 0 }),
    ActionRow(.ipv6, "-j CONNMARK --set-mark 5", .proceed),
    ActionRow(.ipv4, "-j CONNMARK --set-mark 5", .proceed, from: { $0.connection.state = .untracked }),
    ActionRow(
      .ipv4, "-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff00 --left-shift-mark 8", .proceed,
      from: { ($0.mark, $0.connection.mark) = (0x1234, 0xaaaaaa) }, leaves: { $0.connection.mark = 0xaa34aa }),
    ActionRow(
      .ipv4, "-j CONNMARK --save-mark", .proceed, from: { $0.connection.mark = 1 }, leaves: { $0.connection.mark = nil }
    ),
    ActionRow(
      .ipv4, "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf", .proceed,
      from: { ($0.mark, $0.connection.mark) = (0x1234, 0x57) }, leaves: { $0.mark = 0x1207 }),
    ActionRow(.ipv4, "-j CONNMARK --restore-mark", .proceed, from: { $0.mark = 1 }, leaves: { $0.mark = nil }),
    ActionRow(
      .ipv4, "-j CONNMARK --restore-mark", .proceed, from: { ($0.mark, $0.connection.state) = (1, .invalid) }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    let mark: [UInt8] = [1, 0, 0, 0] + Array(repeating: 0xff, count: 8)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [0, 0, 3, 0]) is OpaqueTarget)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [2, 1, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [0, 32, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [1, 0, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [0, 0, 2, 0]) is OpaqueTarget)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [0, 0, 0, 1]) is OpaqueTarget)
    #expect(decodeTarget("CONNMARK", revision: 2, .ipv4, mark + [0, 0, 1, 0]) is OpaqueTarget)
  }

  /// What iptables writes for `--set-mark 1 --mask 3`.
  @Test func aMaskWithoutMeaningIsKept() throws {
    let bytes: [UInt8] = [1, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
    let target = try #require(decodeTarget("CONNMARK", revision: 2, .ipv4, bytes) as? ConnmarkTarget)
    #expect(target.operation == .set(value: 1, mask: 3))
    var out = ByteWriter()
    target.encode(to: &out, family: .ipv4)
    #expect(out.bytes == bytes)
  }
}
