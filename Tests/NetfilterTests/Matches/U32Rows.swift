import Netfilter
import Testing

@Suite struct U32Rows {
  /// A TCP segment from port 1024 to port 22, nothing of it beyond the headers.
  private static let segment: [UInt8] =
    [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2] + [4, 0, 0, 22] + zeros(16)

  @Test(arguments: [
    Row(
      .ipv4, "-m u32 --u32 \"0x0=0x0&&0x0=0x1\"",
      wire: zeros(176) + [1, 1] + zeros(90) + [1, 0, 0, 0, 1] + zeros(83) + [1, 1] + zeros(1622) + [2, 0, 0, 0],
      lists: "u32 \"0x0=0x0&&0x0=0x1\""),
    Row(
      .ipv6, "-m u32 ! --u32 \"6&0xFF=17&&4&0x3FFF=0x0&&0>>22&0x3C@ 4 = 0x0:0x4, 0xff\"",
      prints: "-m u32 ! --u32 \"0x6&0xff=0x11&&0x4&0x3fff=0x0&&0x0>>0x16&0x3c@0x4=0x0:0x4,0xff\"",
      wire: [6] + zeros(7) + [255] + zeros(79) + [17, 0, 0, 0, 17] + zeros(83) + [2, 1, 0, 0, 4] + zeros(7) + [255, 63]
        + zeros(166) + [2, 1] + zeros(10) + [22, 0, 0, 0, 2, 0, 0, 0, 60] + zeros(7) + [4, 0, 0, 0, 3] + zeros(63) + [
          4, 0, 0, 0, 255, 0, 0, 0, 255,
        ] + zeros(75) + [4, 2] + zeros(1442) + [3, 1, 0, 0],
      lists: "u32 ! \"0x6&0xff=0x11&&0x4&0x3fff=0x0&&0x0>>0x16&0x3c@0x4=0x0:0x4,0xff\""),
    Row(
      .ipv4, "-m u32 --u32 \"0<<010>>1 @ 5 &7=9:3\"", prints: "-m u32 --u32 \"0x0<<0x8>>0x1@0x5&0x7=0x9:0x3\"",
      wire: zeros(8) + [8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 7] + zeros(55) + [
        9, 0, 0, 0, 3,
      ] + zeros(83) + [5, 1] + zeros(1802) + [1, 0, 0, 0]),
    Row(
      .ipv4, "-m u32 --u32 \"0=1,2,3,4,5,6,7,8,9,10\"",
      prints: "-m u32 --u32 \"0x0=0x1,0x2,0x3,0x4,0x5,0x6,0x7,0x8,0x9,0xa\"",
      wire: zeros(88) + [
        1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 5,
        0, 0, 0, 6, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0, 10, 0,
        0, 0, 10,
      ] + zeros(11) + [1, 10] + zeros(1802) + [1, 0, 0, 0]),
    Row(
      .ipv4, "-m u32 --u32 \"0&1&2&3&4&5&6&7&8&9=4294967295\"",
      prints: "-m u32 --u32 \"0x0&0x1&0x2&0x3&0x4&0x5&0x6&0x7&0x8&0x9=0xffffffff\"",
      wire: zeros(8) + [1] + zeros(7) + [2] + zeros(7) + [3] + zeros(7) + [4] + zeros(7) + [5] + zeros(7) + [6]
        + zeros(7) + [7] + zeros(7) + [8] + zeros(7) + [9] + zeros(15) + ones(8) + zeros(80) + [10, 1] + zeros(1802) + [
          1, 0, 0, 0,
        ]),
    Row(
      .ipv4, "-m u32 --u32 \"0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0\"",
      prints:
        "-m u32 --u32 \"0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0&&0x0=0x0\"",
      wire: zeros(176) + [1, 1] + zeros(178) + [1, 1] + zeros(178) + [1, 1] + zeros(178) + [1, 1] + zeros(178) + [1, 1]
        + zeros(178) + [1, 1] + zeros(178) + [1, 1] + zeros(178) + [1, 1] + zeros(178) + [1, 1] + zeros(178) + [1, 1]
        + zeros(182) + [10, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m u32 --u32 \"6&0xff=6:17\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"6&0xff=17\"", .no) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 ! --u32 \"6&0xff=17&&0>>28=4\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"0>>22&0x3c@0&0xffff=22\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"0>>22&0x3c@0>>16=22,1024\"", .yes) {
      $0.bytes = segment
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m u32 --u32 \"0<<24=0x28000000\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"20=0x4000016\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"36=0\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"37=0\"", .no) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 ! --u32 \"4294967295=0\"", .yes) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"0@4294967295=0\"", .no) { $0.bytes = segment },
    PacketRow(.ipv4, "-m u32 --u32 \"0=9:3\"", .no) { $0.bytes = segment },
    PacketRow(.ipv6, "-m u32 --u32 \"0>>28=6\"", .depends(on: "the packet's bytes")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m u32 --u32 \"0=1,2,3,4,5,6,7,8,9,10,11\"", refused: "--u32: more than 10 values in a test"),
    Row(.ipv4, "-m u32 --u32 \"0&1&2&3&4&5&6&7&8&9&10=1\"", refused: "--u32: more than 10 numbers in a location"),
    Row(
      .ipv4, "-m u32 --u32 \"0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0&&0=0\"",
      refused: "--u32: more than 10 tests"),
    Row(.ipv4, "-m u32 --u32 \"0\"", refused: "--u32: the test has no value"),
    Row(.ipv4, "-m u32 --u32 \"0=\"", refused: "--u32: a number is missing"),
    Row(.ipv4, "-m u32 --u32 \"=0\"", refused: "--u32: a number is missing"),
    Row(.ipv4, "-m u32 --u32 \"0=1&&\"", refused: "--u32: a number is missing"),
    Row(.ipv4, "-m u32 --u32 \"0=1&2\"", refused: "--u32: ',' or '&&' is missing"),
    Row(.ipv4, "-m u32 --u32 \"0=4294967296\"", refused: "--u32: '4294967296' is not a number of 32 bits"),
    Row(.ipv4, "-m u32 --u32 \"0=-1\"", refused: "--u32: a number is missing"),
    Row(.ipv4, "-m u32 --u32 \"0=1 2\"", refused: "--u32: ',' or '&&' is missing"),
    Row(.ipv4, "-m u32 --u32 \"0<1=1\"", refused: "--u32: an operator or '=' is missing"),
    Row(.ipv4, "-m u32 --u32 \"\"", refused: "--u32: a number is missing"),
    Row(.ipv4, "-m u32", refused: "u32 needs --u32 LOCATION=VALUES[&&LOCATION=VALUES]…"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
