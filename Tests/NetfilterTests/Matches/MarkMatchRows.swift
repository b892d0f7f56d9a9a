import Netfilter
import Testing

@Suite struct MarkMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m mark --mark 1", prints: "-m mark --mark 0x1", wire: [1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0],
      lists: "mark match 0x1"),
    Row(
      .ipv4, "-m mark ! --mark 0xfeedcafe/0xfeedcafe", wire: [254, 202, 237, 254, 254, 202, 237, 254, 1, 0, 0, 0],
      lists: "mark match ! 0xfeedcafe/0xfeedcafe"),
    Row(.ipv4, "-m mark --mark 4294967295", prints: "-m mark --mark 0xffffffff", wire: ones(8) + [0, 0, 0, 0]),
    Row(.ipv4, "-m mark --mark 0x0/0xff0", wire: [0, 0, 0, 0, 240, 15] + zeros(6)),
    Row(
      .ipv4, "-m mark --mark 010",
      prints: "-m mark --mark 0x8",
      wire: [8, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]),
    Row(.ipv6, "-m mark --mark 5/7", prints: "-m mark --mark 0x5/0x7", wire: [5, 0, 0, 0, 7] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m mark --mark 0x10/0xf0", .yes) { $0.mark = 0xf1f },
    PacketRow(.ipv6, "-m mark --mark 1", .no) { $0.mark = 3 },
    PacketRow(.ipv4, "-m mark ! --mark 1", .yes) { $0.mark = 0 },
    PacketRow(.ipv4, "-m mark --mark 1", .depends(on: "the packet's mark")),
    PacketRow(.ipv4, "-m mark --mark 0/0", .yes),
    PacketRow(.ipv4, "-m mark --mark 4/3", .no),
    PacketRow(.ipv4, "-m mark ! --mark 4/3", .yes) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m mark --mark 4294967296", refused: "--mark: '4294967296' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m mark --mark 1/", refused: "--mark: '' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m mark --mark -1", refused: "--mark: '-1' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m mark", refused: "mark needs --mark VALUE[/MASK]"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
