import Testing

@testable import Netfilter

@Suite struct ConnmarkTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j CONNMARK --restore-mark", prints: "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
      in: .mangle, "PREROUTING", revision: 2, wire: "00000000ffffffffffffffff00000200"),
    .reads(
      "-j CONNMARK --save-mark", prints: "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff", in: .mangle,
      "PREROUTING", .ipv6, revision: 2, wire: "00000000ffffffffffffffff00000100"),
    .reads(
      "-j CONNMARK --save-mark --nfmask 0xfffffff --ctmask 0xffffffff", in: .mangle, "PREROUTING", revision: 2,
      wire: "00000000ffffffffffffff0f00000100"),
    .reads(
      "-j CONNMARK --restore-mark --ctmask 0x1", prints: "-j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0x1",
      in: .mangle, "PREROUTING"),
    .reads(
      "-j CONNMARK --restore-mark --mask 0xff", prints: "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
      in: .mangle, "PREROUTING", revision: 2, wire: "00000000ff000000ff00000000000200"),
    .reads(
      "-j CONNMARK --set-xmark 0xfeedcafe/0xfeedcafe", in: .mangle, "PREROUTING", revision: 2,
      wire: "fecaedfefecaedfeffffffff00000000"),
    .reads("-j CONNMARK --set-xmark 1", prints: "-j CONNMARK --set-xmark 0x1/0xffffffff"),
    .reads("-j CONNMARK --set-mark 1/2", prints: "-j CONNMARK --set-xmark 0x1/0x3"),
    .reads("-j CONNMARK --and-mark 0xff", prints: "-j CONNMARK --set-xmark 0x0/0xffffff00"),
    .reads("-j CONNMARK --or-mark 4", prints: "-j CONNMARK --set-xmark 0x4/0x4"),
    .reads("-j CONNMARK --xor-mark 4", prints: "-j CONNMARK --set-xmark 0x4/0x0"),
    .reads(
      "-j CONNMARK --save-mark --left-shift-mark 31",
      prints: "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff --left-shift-mark 31", revision: 2,
      wire: "00000000ffffffffffffffff001f0100"),
    .reads(
      "-j CONNMARK --set-mark 1 --right-shift-mark 3",
      prints: "-j CONNMARK --set-xmark 0x1/0xffffffff --right-shift-mark 3", revision: 2,
      wire: "01000000ffffffffffffffff01030000"),
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
