import Netfilter
import Testing

@Suite struct LengthRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m length --length 1",
      wire: [1, 0, 1, 0, 0, 0], lists: "length 1"),
    Row(
      .ipv4, "-m length --length :2", prints: "-m length --length 0:2",
      wire: [0, 0, 2, 0, 0, 0]),
    Row(
      .ipv4, "-m length ! --length 0:65535",
      wire: [0, 0, 255, 255, 1, 0]),
    Row(
      .ipv4, "-m length --length 4:", prints: "-m length --length 4:65535",
      wire: [4, 0, 255, 255, 0, 0]),
    Row(
      .ipv4, "-m length --length :", prints: "-m length --length 0:65535",
      wire: [0, 0, 255, 255, 0, 0]),
    Row(
      .ipv4, "-m length --length 4:4", prints: "-m length --length 4",
      wire: [4, 0, 4, 0, 0, 0]),
    Row(
      .ipv6, "-m length ! --length 4:3",
      wire: [4, 0, 3, 0, 1, 0], lists: "length !4:3"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m length --length 40:60", .yes) { $0.length = 60 },
    PacketRow(.ipv6, "-m length --length 40:60", .no) { $0.length = 61 },
    PacketRow(.ipv4, "-m length ! --length 40", .yes) {
      $0.length = 39
      $0.isLaterFragment = true
    },
    PacketRow(.ipv6, "-m length --length 0:", .no) { $0.length = 65_576 },
    PacketRow(.ipv4, "-m length --length 40:60", .depends(on: "the packet's length")),
    PacketRow(.ipv4, "-m length --length 4:3", .no),
    PacketRow(.ipv4, "-m length ! --length 4:3", .yes),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m length", refused: "length needs --length N[:N]"),
    Row(.ipv4, "-m length --length 0:65536", refused: "--length: '65536' is not a number from 0 to 65535"),
    Row(.ipv4, "-m length --length -1:65535", refused: "--length: '-1' is not a number from 0 to 65535"),
    Row(.ipv4, "-m length --length 1:2:3", refused: "--length: '2:3' is not a number from 0 to 65535"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
