import Netfilter
import Testing

@Suite struct IPRangeRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m iprange --src-range 1.1.1.1-1.1.1.10",
      wire: [1, 1, 1, 1] + zeros(12) + [1, 1, 1, 10] + zeros(44) + [1, 0, 0, 0]),
    Row(
      .ipv4, "-m iprange ! --src-range 1.1.1.1-1.1.1.10 ! --dst-range 9.0.0.0-9.0.0.1",
      wire: [1, 1, 1, 1] + zeros(12) + [1, 1, 1, 10] + zeros(12) + [9] + zeros(15) + [9, 0, 0, 1] + zeros(12)
        + [51, 0, 0, 0], lists: "source IP range ! 1.1.1.1-1.1.1.10 destination IP range ! 9.0.0.0-9.0.0.1"),
    Row(
      .ipv4, "-m iprange --dst-range 1.1.1.1",
      prints: "-m iprange --dst-range 1.1.1.1-1.1.1.1",
      wire: zeros(32) + [1, 1, 1, 1] + zeros(12) + [1, 1, 1, 1] + zeros(12) + [2, 0, 0, 0]),
    Row(
      .ipv4, "-m iprange --src-range 10-11.1",
      prints: "-m iprange --src-range 10.0.0.0-11.1.0.0",
      wire: [10] + zeros(15) + [11, 1] + zeros(46) + [1, 0, 0, 0]),
    Row(
      .ipv4, "-m iprange --src-range 10.0.0.9-10.0.0.1",
      wire: [10, 0, 0, 9] + zeros(12) + [10, 0, 0, 1] + zeros(44) + [1, 0, 0, 0]),
    Row(
      .ipv6, "-m iprange --src-range 2001:db8::1-2001:db8::10",
      wire: [32, 1, 13, 184] + zeros(11) + [1, 32, 1, 13, 184] + zeros(11) + [16] + zeros(32) + [1, 0, 0, 0],
      lists: "source IP range 2001:db8::1-2001:db8::10"),
    Row(
      .ipv6, "-m iprange ! --dst-range ::1",
      prints: "-m iprange ! --dst-range ::1-::1",
      wire: zeros(47) + [1] + zeros(15) + [1, 34, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m iprange --src-range 192.0.2.1-192.0.2.9 --dst-range 198.51.100.0-198.51.100.2", .yes),
    PacketRow(.ipv4, "-m iprange --src-range 192.0.2.2-192.0.2.9", .no),
    PacketRow(.ipv4, "-m iprange --src-range 192.0.2.9-192.0.2.1", .no),
    PacketRow(.ipv4, "-m iprange ! --src-range 192.0.2.9-192.0.2.1", .yes),
    PacketRow(.ipv6, "-m iprange ! --dst-range 2001:db8::1-2001:db8::2", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m iprange --src-range 1.1.1.1-", refused: "--src-range: '' is not an IPv4 address"),
    Row(.ipv4, "-m iprange --src-range host-host", refused: "--src-range: 'host' is not an IPv4 address"),
    Row(.ipv4, "-m iprange", refused: "iprange needs --src-range or --dst-range"),
    Row(.ipv6, "-m iprange --dst-range 1.2.3.4", refused: "--dst-range: '1.2.3.4' is not an IPv6 address"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
