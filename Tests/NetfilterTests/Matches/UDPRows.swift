import Netfilter
import Testing

@Suite struct UDPRows {
  @Test(arguments: [
    Row(
      .ipv6, "-p udp ! --sport :4 --dport 5:",
      prints: "-p udp -m udp ! --sport 0:4 --dport 5:65535",
      wire: [0, 0, 4, 0, 5, 0, 255, 255, 1, 0]),
    Row(
      .ipv4, "-p udp ! --dport 0:", prints: "-p udp -m udp ! --dport 0:65535",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 2, 0]),
    Row(
      .ipv4, "-p udp --dport domain",
      prints: "-p udp -m udp --dport 53",
      wire: [0, 0, 255, 255, 53, 0, 53, 0, 0, 0]),
    Row(.ipv4, "-p udp -m udp", wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0]),
    Row(.ipv4, "-p udp --sport 4:3", prints: "-p udp -m udp --sport 4:3", wire: [4, 0, 3, 0, 0, 0, 255, 255, 0, 0]),
    Row(.ipv4, "-p udp --sport 0:4", prints: "-p udp -m udp --sport 0:4", wire: [0, 0, 4, 0, 0, 0, 255, 255, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }
}
