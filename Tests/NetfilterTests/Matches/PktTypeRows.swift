import Netfilter
import Testing

@Suite struct PktTypeRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m pkttype --pkt-type unicast",
      wire: zeros(8), lists: "PKTTYPE = unicast"),
    Row(
      .ipv4, "-m pkttype ! --pkt-type MCAST", prints: "-m pkttype ! --pkt-type multicast",
      wire: [2, 0, 0, 0, 1, 0, 0, 0], lists: "PKTTYPE != multicast"),
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
    PacketRow(.ipv4, "-m pkttype --pkt-type broadcast", .yes) { $0.kind = .broadcast },
    PacketRow(.ipv6, "-m pkttype --pkt-type broadcast", .no) { $0.kind = .multicast },
    PacketRow(.ipv4, "-m pkttype ! --pkt-type broadcast", .yes) {
      $0.kind = .unicast
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m pkttype ! --pkt-type broadcast", .depends(on: "whom the frame was for")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m pkttype", refused: "pkttype needs --pkt-type"),
    Row(.ipv4, "-m pkttype --pkt-type wrong", refused: "--pkt-type: 'wrong' is not one of its values"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
