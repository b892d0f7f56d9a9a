import Testing

@testable import Netfilter

@Suite struct CTTests {
  static let rows: [TargetRow] = [
    .reads("-j CT --notrack", in: .raw, "PREROUTING", revision: 2, wire: "01 00*71", lists: "CT notrack"),
    .reads("-j CT", in: .raw, "PREROUTING", revision: 2, wire: "00*72"),
    .reads("-p tcp -j CT --helper ftp", in: .raw, "OUTPUT", .ipv6, revision: 2, wire: "00*12 667470 00*57"),
    .reads(
      "-j CT --ctevents new,related,destroy,reply,assured,protoinfo,helper,mark,natseqinfo,secmark", in: .raw,
      "PREROUTING", revision: 2, wire: "00000000ff03 00*66"),
    .reads("-j CT --ctevents mark,new,mark", prints: "-j CT --ctevents new,mark", in: .raw, "PREROUTING"),
    .reads("-j CT --expevents new", in: .raw, "OUTPUT", revision: 2, wire: "00*8 01 00*63"),
    .reads("-j CT --zone 65535", in: .raw, "OUTPUT", revision: 2, wire: "0000ffff 00*68"),
    .reads("-j CT --zone-orig mark", in: .raw, "OUTPUT", .ipv6, revision: 2, wire: "14 00*71"),
    .reads("-j CT --zone-reply 4", in: .raw, "OUTPUT", revision: 2, wire: "080004 00*69", lists: "CT zone-reply 4"),
    .reads("-j CT --zone 0x10", prints: "-j CT --zone 16", in: .raw, "OUTPUT"),
    .reads("-j CT --zone MARK", prints: "-j CT --zone mark", in: .raw, "OUTPUT"),
    .reads("-j CT --zone 0", prints: "-j CT", in: .raw, "OUTPUT"),
    .reads(
      "-j CT --zone mark --expevents new --ctevents new --timeout four --helper any --notrack",
      prints: "-j CT --notrack --helper any --timeout four --ctevents new --expevents new --zone mark", in: .raw,
      "OUTPUT", revision: 2, wire: "110000000100000001000000616e79 00*13 666f7572 00*40",
      lists: "CT notrack helper any timeout four ctevents new expevents new zone mark"),
    .refuses("-j CT --zone 65536", "--zone: '65536' is not a zone", in: .raw, "OUTPUT"),
    .refuses("-j CT --zone -1", "--zone: '-1' is not a zone", in: .raw, "OUTPUT"),
    .refuses("-j CT --ctevents NEW", "--ctevents: 'NEW' is not one of its values", in: .raw, "OUTPUT"),
    .refuses("-j CT --ctevents new,,mark", "--ctevents: a word is missing between the commas", in: .raw, "OUTPUT"),
    .refuses("-j CT --expevents destroy", "--expevents: 'destroy' is not one of its values", in: .raw, "OUTPUT"),
    .refuses("-j CT --helper ftp", "--helper: the rule has to name one protocol", in: .raw, "OUTPUT"),
    .refuses("! -p tcp -j CT --helper ftp", "--helper: the rule has to name one protocol", in: .raw, "OUTPUT"),
    .refuses("-j CT --timeout short", "--timeout: the rule has to name one protocol", in: .raw, "OUTPUT"),
    .refuses("-j CT --notrack --notrack", "--notrack is given twice", in: .raw, "OUTPUT"),
    .refuses("-j CT --notrack", "CT cannot stand in table filter"),
    .refuses(#"-p tcp -j CT --helper """#, "--helper: the name is empty", in: .raw, "OUTPUT"),
    .refuses(
      "-p tcp -j CT --helper 0123456789abcdef", "the name has 16 bytes, the kernel keeps 15", in: .raw, "OUTPUT"),
    .refuses(#"-p tcp -j CT --helper "a b""#, "'a b' cannot be a name", in: .raw, "OUTPUT"),
    .refuses("-j CT --zone-orig 1 --zone-reply 2", "--zone-reply cannot stand beside --zone-orig", in: .raw, "OUTPUT"),
    .reads("-j CT --zone-orig 0", prints: "-j CT", in: .raw, "OUTPUT"),
    .reads("-p tcp -j CT --timeout four", in: .raw, "OUTPUT", wire: "00*28 666f7572 00*40"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(CT.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j CT --notrack", .proceed, in: .raw, chain: "PREROUTING", leaves: { $0.connection.state = .untracked }),
    ActionRow(.ipv6, "-j CT --zone 4", .proceed, in: .raw, chain: "PREROUTING", from: { $0.connection.state = .new }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("CT", revision: 2, .ipv4, [0x03, 0, 1, 0] + Array(repeating: 0, count: 68)) is OpaqueTarget)
    #expect(decodeTarget("CT", revision: 2, .ipv4, [0x10, 0, 1, 0] + Array(repeating: 0, count: 68)) is OpaqueTarget)
    #expect(decodeTarget("CT", revision: 2, .ipv4, [0x20, 0, 0, 0] + Array(repeating: 0, count: 68)) is OpaqueTarget)
    #expect(
      decodeTarget("CT", revision: 2, .ipv4, [0, 0, 0, 0, 0, 4] + Array(repeating: 0, count: 66)) is OpaqueTarget)
    #expect(
      decodeTarget("CT", revision: 2, .ipv4, [0, 0, 0, 0, 0, 0, 0, 0, 2] + Array(repeating: 0, count: 63))
        is OpaqueTarget)
    #expect(
      decodeTarget(
        "CT", revision: 2, .ipv4, Array(repeating: 0, count: 12) + [0x61, 0, 0x62] + Array(repeating: 0, count: 57))
        is OpaqueTarget)
    #expect(
      decodeTarget(
        "CT", revision: 2, .ipv4,
        Array(repeating: 0, count: 12) + Array(repeating: 0x61, count: 16) + Array(repeating: 0, count: 44))
        is OpaqueTarget)
    #expect(decodeTarget("CT", revision: 2, .ipv4, Array(repeating: 0, count: 71) + [1]) is OpaqueTarget)
  }

  @Test func aTimeoutThatIsNotReportedIsWarnedOf() {
    let warning = RulesText.read("*raw\n-A OUTPUT -p tcp -j CT --timeout short\nCOMMIT\n").diagnostics.first
    #expect(warning?.severity == .warning)
    #expect(warning?.message.contains("4 bytes") == true)
    #expect(ConnectionZone(.id(0)) == nil)
  }

  /// What iptables writes for two options that undo each other, or for a zone that is none.
  @Test func directionsWithoutMeaningAreKept() throws {
    for (head, text) in [([0x0c, 0, 2, 0], " --zone 2"), ([0x04, 0, 0, 0], "")] as [([UInt8], String)] {
      let bytes = head + Array(repeating: 0, count: 68)
      let target = try #require(decodeTarget("CT", revision: 2, .ipv4, bytes) as? CT)
      var out = ByteWriter()
      target.encode(to: &out, family: .ipv4)
      #expect(out.bytes == bytes)
      var writer = RuleWriter(family: .ipv4, names: .wellKnown)
      target.print(to: &writer)
      #expect(writer.text.string == text)
    }
  }
}
