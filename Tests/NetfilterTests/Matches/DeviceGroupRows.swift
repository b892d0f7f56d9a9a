import Netfilter
import Testing

@Suite struct DeviceGroupRows {
  @Test(arguments: [
    Row(.ipv4, "-m devgroup --src-group 0x1", wire: [1, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv6, "-m devgroup ! --src-group 0x1 ! --dst-group 0x0/0xff",
      wire: [15, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255] + zeros(4) + [255, 0, 0, 0],
      lists: "! src-group 0x1 ! dst-group 0x0/0xff"),
    Row(
      .ipv4, "-m devgroup --dst-group 0x2a/0x2a", wire: [4] + zeros(11) + [42, 0, 0, 0, 42, 0, 0, 0],
      lists: "dst-group 0x2a/0x2a"),
    Row(
      .ipv4, "-m devgroup --src-group 2/4294967295", prints: "-m devgroup --src-group 0x2",
      wire: [1, 0, 0, 0, 2, 0, 0, 0, 255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv4, "-m devgroup --src-group 0x1", in: "INPUT", wire: [1, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv4, "-m devgroup --src-group 0", prints: "-m devgroup --src-group 0x0",
      wire: [1] + zeros(7) + [255, 255, 255, 255] + zeros(8)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m devgroup --src-group 1", .depends(on: "the group of the incoming interface")),
    PacketRow(.ipv4, "-m devgroup --src-group 1/0", .yes),
    PacketRow(.ipv4, "-m devgroup ! --src-group 1/0", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  /// Names of groups, which a numeric listing and a mask leave out.
  @Test func namesOfGroups() throws {
    var names = Names.wellKnown
    names.numberName = { number, file in number == 2 && file == .deviceGroups ? "uplinks" : nil }
    let group = try #require(
      DeviceGroup(
        incoming: Negatable(NumberUnderMask(2), inverted: true), outgoing: Negatable(NumberUnderMask(2, mask: 3))))
    for (isNumeric, listing) in [
      (false, " ! src-group uplinks dst-group 0x2/0x3"), (true, " ! src-group 0x2 dst-group 0x2/0x3"),
    ] {
      var out = RuleWriter(family: .ipv4, names: names)
      out.isNumeric = isNumeric
      group.list(to: &out)
      #expect(out.text.string == listing)
    }
  }

  @Test(arguments: [
    Row(
      .ipv4, "-m devgroup --dst-group 0x1", in: "INPUT", refused: "with these options cannot be used in INPUT"),
    Row(
      .ipv4, "-m devgroup --src-group 0x1", in: "OUTPUT",
      refused: "devgroup with these options cannot be used in OUTPUT"),
    Row(.ipv4, "-m devgroup --src-group wrong", refused: "--src-group: 'wrong' is neither a number nor a known name"),
    Row(.ipv4, "-m devgroup --src-group 1/", refused: "--src-group: '1/' is neither a number nor a known name"),
    Row(.ipv4, "-m devgroup", refused: "devgroup needs --src-group or --dst-group"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
