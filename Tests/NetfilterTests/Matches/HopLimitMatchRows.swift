import Netfilter
import Testing

@Suite struct HopLimitMatchRows {
  @Test(arguments: [
    Row(
      .ipv6, "-m hl --hl-eq 5",
      wire: [0, 5], lists: "HL match HL == 5"),
    Row(
      .ipv6, "-m hl ! --hl-eq 5",
      wire: [1, 5], lists: "HL match HL != 5"),
    Row(
      .ipv6, "-m hl --hl 255", prints: "-m hl --hl-eq 255",
      wire: [0, 255]),
    Row(
      .ipv6, "-m hl --hl-lt 0",
      wire: [2, 0], lists: "HL match HL < 0"),
    Row(
      .ipv6, "-m hl --hl-gt 64",
      wire: [3, 64], lists: "HL match HL > 64"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m hl --hl-eq 255", .yes) { $0.hopLimit = 255 },
    PacketRow(.ipv6, "-m hl ! --hl-eq 255", .no) { $0.hopLimit = 255 },
    PacketRow(.ipv6, "-m hl --hl-lt 64", .no) { $0.hopLimit = 64 },
    PacketRow(.ipv6, "-m hl --hl-gt 63", .yes) { $0.hopLimit = 64 },
    PacketRow(.ipv6, "-m hl --hl-lt 0", .no),
    PacketRow(.ipv6, "-m hl --hl-gt 255", .no),
    PacketRow(.ipv6, "-m hl --hl-eq 1", .depends(on: "the packet's hop limit")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m hl", refused: "hl: needs one of --hl-eq, --hl-lt, --hl-gt"),
    Row(.ipv6, "-m hl --hl-gt 42 --hl-eq 42", refused: "--hl-eq cannot stand beside --hl-gt"),
    Row(.ipv6, "-m hl --hl-eq 256", refused: "--hl-eq: '256' is not a number from 0 to 255"),
    Row(.ipv4, "-m hl --hl-eq 5", refused: "match 'hl' is for IPv6 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
