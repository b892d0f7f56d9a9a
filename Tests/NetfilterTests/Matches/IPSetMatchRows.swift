import Testing

@testable import Netfilter

@Suite struct IPSetMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m set --match-set foo src", wire: [0, 0, 1, 2] + zeros(44), lists: "match-set foo src"),
    Row(
      .ipv6, "-m set ! --match-set foo6 dst,src", wire: [1, 0, 2, 5] + zeros(44), lists: "! match-set foo6 dst,src"),
    Row(
      .ipv4, "-m set --match-set both src,dst,src,src,dst,src", wire: [2, 0, 6, 0x5a] + zeros(44),
      lists: "match-set both src,dst,src,src,dst,src"),
    Row(
      .ipv4, "-m set --match-set foo dst --return-nomatch ! --update-counters ! --update-subcounters",
      wire: [0, 0, 1, 0] + zeros(36) + [0x98] + zeros(7),
      lists: "match-set foo dst return-nomatch ! update-counters ! update-subcounters"),
    Row(
      .ipv4, "-m set --match-set foo src --packets-eq 5 ! --bytes-eq 18446744073709551615",
      wire: [0, 0, 1, 2] + zeros(4) + [5] + zeros(7) + [1] + zeros(7) + ones(8) + [2] + zeros(15),
      lists: "match-set foo src packets-eq 5 ! bytes-eq 18446744073709551615"),
    Row(
      .ipv4, "-m set --match-set foo src --packets-lt 5 --bytes-gt 0x10",
      prints: "-m set --match-set foo src --packets-lt 5 --bytes-gt 16",
      wire: [0, 0, 1, 2] + zeros(4) + [5] + zeros(7) + [3] + zeros(7) + [16] + zeros(7) + [4] + zeros(15),
      lists: "match-set foo src packets-lt 5 bytes-gt 16"),
    Row(.ipv4, "-m set --match-set foo src --packets-gt 5 --bytes-lt 0"),
    Row(
      .ipv4, "-m set --match-set foo src --update-counters --update-subcounters",
      prints: "-m set --match-set foo src"),
    Row(.ipv4, "-m set --set foo src", prints: "-m set --match-set foo src"),
    Row(.ipv4, "-m set --match-set foo srcip,dstport", prints: "-m set --match-set foo src,dst"),
    Row(.ipv4, #"-m set --match-set "a b" src"#),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m set", refused: "set needs --match-set NAME src|dst"),
    Row(.ipv4, "-m set --match-set bar src", refused: "--match-set: set 'bar' does not exist"),
    Row(.ipv4, "-m set --match-set foo6 src", refused: "set 'foo6' is of family IPv6, the rule of IPv4"),
    Row(.ipv4, "-m set --match-set foo source", refused: "'source' is neither src nor dst"),
    Row(.ipv4, "-m set --match-set foo src,", refused: "'' is neither src nor dst"),
    Row(.ipv4, "-m set --match-set foo src,src,src,src,src,src,src", refused: "at most 6 of src and dst fit, not 7"),
    Row(.ipv4, "-m set --match-set 0123456789012345678901234567890x src", refused: "1 to 31 bytes, this one 32"),
    Row(.ipv4, #"-m set --match-set "" src"#, refused: "1 to 31 bytes, this one 0"),
    Row(.ipv4, "-m set --match-set foo src --match-set both src", refused: "--match-set is given twice"),
    Row(.ipv4, "-m set --match-set foo src --packets-eq 1 --packets-gt 1", refused: "cannot stand beside"),
    Row(.ipv4, "-m set --match-set foo src ! --packets-lt 1", refused: "'!' cannot stand before --packets-lt"),
    Row(.ipv4, "-m set --match-set foo src ! --return-nomatch", refused: "'!' cannot stand before"),
    Row(.ipv4, "-m set --match-set foo src --bytes-eq -1", refused: "--bytes-eq: '-1' is not a number"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m set --match-set foo src", .depends(on: "the members of a set")),
    PacketRow(.ipv6, "-m set ! --match-set foo6 src", .depends(on: "the members of a set")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  /// Bytes of older programs stay as they came.
  @Test(arguments: [
    (UInt8(1), [1, 0, 2, 5, 0, 0, 0, 0] as [UInt8], " ! --match-set foo6 dst,src"),
    (2, [0, 0, 1, 0x82, 0, 0, 0, 0], " --match-set foo src --return-nomatch"),
    (3, [0, 0, 1, 2] + zeros(4) + [2] + zeros(7) + [5] + zeros(31), " --match-set foo src ! --packets-eq 5"),
  ])
  func olderRevisions(_ revision: UInt8, _ bytes: [UInt8], _ text: String) throws {
    let match = try #require(Self.decode(bytes, revision) as? IPSetMatch)
    #expect(match.revision(for: .ipv4) == revision)
    var wire = ByteWriter()
    match.encode(to: &wire, family: .ipv4)
    wire.align(8)
    #expect(wire.bytes == bytes)
    var out = RuleWriter(family: .ipv4, names: .ofRows)
    match.print(to: &out)
    #expect(out.text.string == text)
  }

  @Test func whatTextCannotSayStaysOpaque() {
    func isOpaque(_ bytes: [UInt8]) -> Bool { Self.decode(bytes, 4) is OpaqueMatch }
    #expect(!isOpaque([0, 0, 1, 2] + zeros(44)))
    #expect(isOpaque([255, 255, 1, 2] + zeros(44)))
    #expect(isOpaque([0, 0, 0, 0] + zeros(44)))
    #expect(isOpaque([0, 0, 7, 0] + zeros(44)))
    #expect(isOpaque([0, 0, 1, 4] + zeros(44)))
    #expect(isOpaque([0, 0, 1, 2] + zeros(4) + [1] + zeros(39)))
    #expect(isOpaque([0, 0, 1, 2] + zeros(12) + [5] + zeros(31)))
    #expect(isOpaque([0, 0, 1, 2] + zeros(36) + [1] + zeros(7)))
    #expect(Self.decode([0, 0, 1, 2] + zeros(28), 0) is OpaqueMatch)
  }

  private static func decode(_ bytes: [UInt8], _ revision: UInt8) -> any Match {
    Registry.standard.decodeMatch(kernelName: "set", revision: revision, family: .ipv4, payload: bytes.span.bytes)
  }

  /// Without a kernel rules can be read and printed, and their numbers are those of no set.
  @Test func setsCanBeImagined() throws {
    let rule = "-m set --match-set imagined src -j ACCEPT"
    let reading = RulesText.read("*filter\n-A INPUT \(rule)\nCOMMIT\n")
    let table = try #require(reading.ruleset[.filter, .ipv4])
    #expect(SaveText.rule(table[.input]!.rules[0], family: .ipv4) == " \(rule)")
    #expect(table.setIndices.count == 1 && table.setIndices.allSatisfy { $0 > 32000 })
  }

  @Test func setsAreRenumbered() throws {
    let text = "*mangle\n-A INPUT -m set --match-set foo src -j SET --add-set both dst\n-A INPUT -j ACCEPT\nCOMMIT\n"
    let table = try #require(RulesText.read(text, names: .ofRows).ruleset[.mangle, .ipv4])
    #expect(table.setIndices == [0, 2])
    let moved = table.renumberingSets { $0 == 0 ? 9 : nil }
    #expect(moved.setIndices == [9, 2])
    #expect(moved.renumberingSets { $0 == 9 ? 0 : nil } == table)
    #expect(table[.input]!.rules.firstUse(of: [2])! == (rule: 0, set: 2))
    #expect(table[.input]!.rules.firstUse(of: [3]) == nil)
  }
}
