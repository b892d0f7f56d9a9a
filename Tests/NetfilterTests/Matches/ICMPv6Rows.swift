import Netfilter
import Testing

@Suite struct ICMPv6Rows {
  @Test(arguments: [
    Row(
      .ipv6, "-p ipv6-icmp -m icmp6 --icmpv6-type 1/0", wire: [1, 0, 0, 0],
      lists: Listing("ipv6-icmptype 1 code 0", named: "ipv6-icmp no-route")),
    Row(
      .ipv6, "-p icmpv6 -m icmpv6 --icmpv6-type packet-too-big",
      prints: "-p ipv6-icmp -m icmp6 --icmpv6-type 2",
      wire: [2, 0, 255, 0]),
    Row(
      .ipv6, "-p icmpv6 --icmpv6-type neighbour-s",
      prints: "-p ipv6-icmp -m icmp6 --icmpv6-type 135",
      wire: [135, 0, 255, 0]),
    Row(
      .ipv6, "-p icmpv6 -m ipv6-icmp ! --icmpv6-type no-route",
      prints: "-p ipv6-icmp -m icmp6 ! --icmpv6-type 1/0",
      wire: [1, 0, 0, 1], lists: Listing("ipv6-icmp !type 1 code 0", named: "ipv6-icmp !no-route")),
    Row(
      .ipv6, "-p icmpv6 --icmpv6-type 255",
      prints: "-p ipv6-icmp -m icmp6 --icmpv6-type 255",
      wire: [255, 0, 255, 0], lists: "ipv6-icmptype 255"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-p icmpv6 --icmpv6-type 1/0", .yes) { ($0.icmpType, $0.icmpCode) = (1, 0) },
    PacketRow(.ipv6, "-p icmpv6 ! --icmpv6-type 1/0", .yes) { ($0.icmpType, $0.icmpCode) = (1, 4) },
    PacketRow(.ipv6, "-p icmpv6 --icmpv6-type 255", .no) { $0.icmpType = 128 },
    PacketRow(.ipv6, "-p icmpv6 --icmpv6-type 128", .depends(on: "the ICMP type")),
    PacketRow(.ipv6, "-p icmpv6 --icmpv6-type 128", .no) { ($0.icmpType, $0.isLaterFragment) = (128, true) },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-p icmpv6 --icmpv6-type any", refused: "--icmpv6-type: 'any' is not a message type"),
    Row(.ipv6, "-p icmpv6 --icmpv6-type 256", refused: "--icmpv6-type: '256' is not a message type"),
    Row(.ipv6, "-p icmpv6 --icmpv6-type echo", refused: "--icmpv6-type: 'echo' is the beginning of several names"),
    Row(.ipv6, "-p icmpv6 -m icmp6", refused: "icmp6 needs --icmpv6-type TYPE[/CODE[:CODE]]|NAME"),
    Row(.ipv6, "-p tcp -m icmp6 --icmpv6-type 1", refused: "icmp6 needs -p ipv6-icmp"),
    Row(.ipv6, "-p icmpv6 --icmpv6-type 1 --icmpv6-type 2", refused: "--icmpv6-type is given twice"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
