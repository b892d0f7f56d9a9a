import Netfilter
import Testing

@Suite struct TTLMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m ttl --ttl-eq 5",
      wire: [0, 5]),
    Row(
      .ipv4, "-m ttl ! --ttl-eq 5",
      wire: [1, 5]),
    Row(
      .ipv4, "-m ttl --ttl 255", prints: "-m ttl --ttl-eq 255",
      wire: [0, 255]),
    Row(
      .ipv4, "-m ttl ! --ttl 5", prints: "-m ttl ! --ttl-eq 5",
      wire: [1, 5]),
    Row(
      .ipv4, "-m ttl --ttl-lt 0",
      wire: [2, 0]),
    Row(
      .ipv4, "-m ttl --ttl-gt 64",
      wire: [3, 64]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m ttl", refused: "ttl: needs one of --ttl-eq, --ttl-lt, --ttl-gt"),
    Row(.ipv4, "-m ttl --ttl-gt 256", refused: "--ttl-gt: '256' is not a number from 0 to 255"),
    Row(.ipv4, "-m ttl ! --ttl-gt 5", refused: "'!' cannot stand before --ttl-gt"),
    Row(.ipv4, "-m ttl --ttl-gt 5 --ttl-lt 7", refused: "--ttl-lt cannot stand beside --ttl-gt"),
    Row(.ipv6, "-m ttl --ttl-eq 5", refused: "match 'ttl' is for IPv4 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
