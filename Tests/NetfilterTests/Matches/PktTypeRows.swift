import Netfilter
import Testing

@Suite struct PktTypeRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m pkttype --pkt-type unicast",
      wire: zeros(8)),
    Row(
      .ipv4, "-m pkttype ! --pkt-type MCAST", prints: "-m pkttype ! --pkt-type multicast",
      wire: [2, 0, 0, 0, 1, 0, 0, 0]),
    Row(
      .ipv4, "-m pkttype --pkt-type host", prints: "-m pkttype --pkt-type unicast",
      wire: zeros(8)),
    Row(
      .ipv4, "-m pkttype --pkt-type bcast", prints: "-m pkttype --pkt-type broadcast",
      wire: [1] + zeros(7)),
    Row(
      .ipv6, "-m pkttype ! --pkt-type otherhost",
      wire: [3, 0, 0, 0, 1, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m pkttype", refused: "pkttype needs --pkt-type"),
    Row(.ipv4, "-m pkttype --pkt-type wrong", refused: "--pkt-type: 'wrong' is not one of its values"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
