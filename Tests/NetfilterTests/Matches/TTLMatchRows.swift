import Netfilter
import Testing

@Suite struct TTLMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m ttl --ttl-eq 5",
      wire: [0, 5], lists: "TTL match TTL == 5"),
    Row(
      .ipv4, "-m ttl ! --ttl-eq 5",
      wire: [1, 5], lists: "TTL match TTL != 5"),
    Row(
      .ipv4, "-m ttl --ttl 255", prints: "-m ttl --ttl-eq 255",
      wire: [0, 255]),
    Row(
      .ipv4, "-m ttl ! --ttl 5", prints: "-m ttl ! --ttl-eq 5",
      wire: [1, 5]),
    Row(
      .ipv4, "-m ttl --ttl-lt 0",
      wire: [2, 0], lists: "TTL match TTL < 0"),
    Row(
      .ipv4, "-m ttl --ttl-gt 64",
      wire: [3, 64], lists: "TTL match TTL > 64"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m ttl --ttl-eq 64", .yes) { $0.hopLimit = 64 },
    PacketRow(.ipv4, "-m ttl ! --ttl-eq 64", .no) { $0.hopLimit = 64 },
    PacketRow(.ipv4, "-m ttl --ttl-lt 64", .no) { $0.hopLimit = 64 },
    PacketRow(.ipv4, "-m ttl --ttl-gt 63", .yes) {
      $0.hopLimit = 64
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m ttl --ttl-gt 63", .depends(on: "the packet's hop limit")),
    PacketRow(.ipv4, "-m ttl --ttl-lt 0", .no),
    PacketRow(.ipv4, "-m ttl --ttl-gt 255", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m ttl", refused: "ttl: needs one of --ttl-eq, --ttl-lt, --ttl-gt"),
    Row(.ipv4, "-m ttl --ttl-gt 256", refused: "--ttl-gt: '256' is not a number from 0 to 255"),
    Row(.ipv4, "-m ttl ! --ttl-gt 5", refused: "'!' cannot stand before --ttl-gt"),
    Row(.ipv4, "-m ttl --ttl-gt 5 --ttl-lt 7", refused: "--ttl-lt cannot stand beside --ttl-gt"),
    Row(.ipv6, "-m ttl --ttl-eq 5", refused: "match 'ttl' is for IPv4 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
