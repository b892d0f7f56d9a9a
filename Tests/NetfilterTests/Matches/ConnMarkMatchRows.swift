import Netfilter
import Testing

@Suite struct ConnMarkMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m connmark --mark 1", prints: "-m connmark --mark 0x1",
      wire: [1, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0], lists: "connmark match  0x1"),
    Row(
      .ipv4, "-m connmark ! --mark 0xfeedcafe/0xfeedcafe",
      wire: [254, 202, 237, 254, 254, 202, 237, 254, 1, 0, 0, 0], lists: "connmark match ! 0xfeedcafe/0xfeedcafe"),
    Row(
      .ipv4, "-m connmark --mark 0xffffffff/0x0",
      wire: [255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv4, "-m connmark --mark 0/0xffffffff", prints: "-m connmark --mark 0x0",
      wire: [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0]),
    Row(
      .ipv6, "-m connmark --mark 010/7", prints: "-m connmark --mark 0x8/0x7",
      wire: [8, 0, 0, 0, 7] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m connmark --mark 1", .yes) { $0.connection.mark = 1 },
    PacketRow(.ipv4, "-m connmark --mark 1/1", .yes) { $0.connection.mark = 3 },
    PacketRow(.ipv4, "-m connmark ! --mark 1", .no) { $0.connection.mark = 1 },
    PacketRow(.ipv4, "-m connmark ! --mark 1", .no) { $0.connection.state = .untracked },
    PacketRow(.ipv4, "-m connmark --mark 1", .depends(on: "the connection's mark")),
    PacketRow(.ipv6, "-m connmark --mark 2/1", .no),
    PacketRow(.ipv6, "-m connmark ! --mark 2/1", .yes) { $0.connection.state = .new },
    PacketRow(.ipv6, "-m connmark --mark 0/0", .yes) { $0.connection.state = .new },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m connmark", refused: "connmark needs --mark VALUE[/MASK]"),
    Row(.ipv4, "-m connmark --mark -1", refused: "--mark: '-1' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m connmark --mark 0xfffffffff", refused: "--mark: '0xfffffffff' is not a number from 0 to 4294967295"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
