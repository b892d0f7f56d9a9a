import Testing

@testable import Netfilter

@Suite struct HMarkTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j HMARK --hmark-src-prefix 24 --hmark-dst-prefix 0 --hmark-sport-mask 0xffff "
        + "--hmark-dport-mask 0x00ff --hmark-sport 0x0001 --hmark-dport 0x0010 --hmark-proto-mask 0x05 "
        + "--hmark-rnd 0xcafe0004 --hmark-mod 42 --hmark-offset 1 --hmark-tuple ct",
      revision: 0, wire: "ffffff 00*29 ffff00ff00010010f31f0000050000000400feca2a00000001000000",
      lists: Listing(
        "HMARK mod 42 + 0x1 ct, src-prefix 24 dst-prefix 0 sport-mask 0xffff dport-mask 0xff sport 0x1 dport 0x10 "
          + "proto-mask 0x5 rnd 0xcafe0004 ")),
    .reads(
      "-j HMARK --hmark-src-prefix 64 --hmark-dst-prefix 128 --hmark-spi-mask 0x00000004 --hmark-spi "
        + "0x0a000000 --hmark-proto-mask 0xffff --hmark-rnd 0x00000004 --hmark-mod 4294967295",
      in: .mangle, "PREROUTING", .ipv6, revision: 0,
      wire:
        "ffffffffffffffff 00*8 ffffffffffffffffffffffffffffffff000000040a0000000f070000ffff0000 "
        + "04000000ffffffff00000000",
      lists: Listing(
        "HMARK mod 4294967295 src-prefix 64 dst-prefix  spi-mask 0x4 spi 0xa000000 proto-mask 0xffff rnd 0x4 ")),
    .reads(
      "-j HMARK --hmark-tuple src,dst,sport,dport,proto,ct --hmark-rnd 4 --hmark-mod 2",
      prints:
        "-j HMARK --hmark-src-prefix 128 --hmark-dst-prefix 128 --hmark-sport-mask 0xffff "
        + "--hmark-dport-mask 0xffff --hmark-proto-mask 0xffff --hmark-rnd 0x00000004 --hmark-mod 2 "
        + "--hmark-tuple ct",
      in: .mangle, "PREROUTING", .ipv6, revision: 0,
      wire:
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff "
        + "ffffffff00000000c3170000ffff0000040000000200000000000000"
    ),
    .reads(
      "-j HMARK --hmark-tuple s,d,sp,dp,p --hmark-rnd 1 --hmark-mod 2",
      prints:
        "-j HMARK --hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-sport-mask 0xffff "
        + "--hmark-dport-mask 0xffff --hmark-proto-mask 0xffff --hmark-rnd 0x00000001 --hmark-mod 2"
    ),
    .reads(
      "-j HMARK --hmark-tuple SPI,CT --hmark-rnd 1 --hmark-mod 2 --hmark-offset 0",
      prints:
        "-j HMARK --hmark-spi-mask 0xffffffff --hmark-rnd 0x00000001 --hmark-mod 2 --hmark-offset 0 --hmark-tuple ct"),
    .reads(
      "-j HMARK --hmark-src-prefix 255.255.0.0 --hmark-rnd 0 --hmark-mod 2",
      prints: "-j HMARK --hmark-src-prefix 16 --hmark-rnd 0x00000000 --hmark-mod 2"),
    .reads(
      "-j HMARK --hmark-sport 1 --hmark-spi-mask 2 --hmark-rnd 0 --hmark-mod 2",
      prints: "-j HMARK --hmark-spi-mask 0x00000002 --hmark-sport 0x0001 --hmark-rnd 0x00000000 --hmark-mod 2"),
    .reads(
      "-j HMARK --hmark-spi 1 --hmark-sport-mask 2 --hmark-rnd 0 --hmark-mod 2",
      prints: "-j HMARK --hmark-sport-mask 0x0002 --hmark-spi 0x00000001 --hmark-rnd 0x00000000 --hmark-mod 2"),
    .refuses("-j HMARK", "HMARK needs --hmark-rnd N"),
    .refuses("-j HMARK --hmark-tuple src --hmark-mod 2", "HMARK needs --hmark-rnd N"),
    .refuses("-j HMARK --hmark-tuple src --hmark-rnd 2", "HMARK needs --hmark-mod N"),
    .refuses("-j HMARK --hmark-rnd 2 --hmark-mod 2", "HMARK: nothing is hashed"),
    .refuses(
      "-j HMARK --hmark-tuple src --hmark-rnd 2 --hmark-mod 0",
      "--hmark-mod: '0' is not a number from "
        + "1 to 4294967295"),
    .refuses(
      "-j HMARK --hmark-tuple src --hmark-src-prefix 24 --hmark-rnd 1 --hmark-mod 2",
      "--hmark-tuple: src stands for the whole value of --hmark-src-prefix"),
    .refuses(
      "-j HMARK --hmark-tuple spi,sport --hmark-rnd 1 --hmark-mod 2", "--hmark-tuple: spi cannot stand beside ports"),
    .refuses(
      "-j HMARK --hmark-tuple sport --hmark-spi-mask 1 --hmark-rnd 1 --hmark-mod 2",
      "--hmark-tuple: spi cannot stand beside ports"),
    .refuses(
      "-j HMARK --hmark-sport 1 --hmark-spi 2 --hmark-rnd 1 --hmark-mod 2",
      "--hmark-spi cannot stand beside --hmark-sport"),
    .refuses(
      "-j HMARK --hmark-tuple src,,dst --hmark-rnd 1 --hmark-mod 2",
      "--hmark-tuple: a word is missing between the commas"),
    .refuses("-j HMARK --hmark-src-prefix 33 --hmark-rnd 1 --hmark-mod 2", "invalid mask '33'"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(HMark.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j HMARK --hmark-tuple src --hmark-rnd 1 --hmark-mod 2", .proceed, in: .mangle, from: { $0.mark = 1 },
      leaves: { $0.mark = nil })
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  /// What iptables writes for `--hmark-tuple src,dst` in an IPv4 rule.
  @Test func filledMasksAreKept() throws {
    let bytes: [UInt8] =
      Array(repeating: 0xff, count: 32) + Array(repeating: 0, count: 8) + [0x03, 0x06, 0, 0]
      + [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    let target = try #require(decodeTarget("HMARK", revision: 0, .ipv4, bytes) as? HMark)
    #expect(target.sourcePrefix == 32 && target.destinationPrefix == 32)
    var out = ByteWriter()
    target.encode(to: &out, family: .ipv4)
    #expect(out.bytes == bytes)
    var text = RuleWriter(family: .ipv4, names: .wellKnown)
    target.print(to: &text)
    #expect(
      text.text.string == " --hmark-src-prefix 32 --hmark-dst-prefix 32 --hmark-rnd 0x00000001 --hmark-mod 2")
  }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0400, mask: [255, 0, 0, 0])) is OpaqueTarget)
    #expect(
      decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0601, mask: [255, 0, 255, 0])) is OpaqueTarget)
    #expect(
      decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0601, mask: [255, 0, 0, 0], modulus: 0))
        is OpaqueTarget)
    #expect(decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0600, mask: [0, 0, 0, 0])) is OpaqueTarget)
    #expect(decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x2601, mask: [255, 0, 0, 0])) is OpaqueTarget)
    #expect(decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0602, mask: [255, 0, 0, 0])) is OpaqueTarget)
    #expect(
      decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0601, mask: [255, 0, 0, 0], ports: 1))
        is OpaqueTarget)
    #expect(
      decodeTarget("HMARK", revision: 0, .ipv4, Self.bytes(flags: 0x0649, mask: [255, 0, 0, 0], ports: 1))
        is OpaqueTarget)
  }

  private static func bytes(flags: UInt16, mask: [UInt8], modulus: UInt8 = 2, ports: UInt8 = 0) -> [UInt8] {
    mask + Array(repeating: 0, count: 28) + [0, 0, 0, ports, 0, 0, 0, 0]
      + [UInt8(truncatingIfNeeded: flags), UInt8(flags >> 8), 0, 0] + [0, 0, 0, 0, 1, 0, 0, 0, modulus, 0, 0, 0]
      + [0, 0, 0, 0]
  }
}
