import Netfilter
import Testing

@Suite struct MultiportRows {
  @Test(arguments: [
    Row(
      .ipv4, "-p tcp -m multiport --sports 53,1024:65535",
      wire: [0, 3, 53, 0, 0, 4, 255, 255] + zeros(25) + [1] + zeros(14),
      lists: Listing("multiport sports 53,1024:65535", named: "multiport sports domain,1024:65535")),
    Row(
      .ipv4, "-p tcp -m multiport ! --dports 22,80,443", wire: [1, 3, 22, 0, 80, 0, 187, 1] + zeros(39) + [1],
      lists: Listing("multiport dports  !22,80,443", named: "multiport dports  !ssh,http,443")),
    Row(.ipv4, "-p udp -m multiport --ports 53", wire: [2, 1, 53] + zeros(45)),
    Row(
      .ipv4, "-p sctp -m multiport --destination-ports 1",
      prints: "-p sctp -m multiport --dports 1",
      wire: [1, 1, 1] + zeros(45)),
    Row(
      .ipv4, "-p dccp -m multiport --source-ports 1:2",
      prints: "-p dccp -m multiport --sports 1:2",
      wire: [0, 2, 1, 0, 2] + zeros(27) + [1] + zeros(15)),
    Row(.ipv4, "-p udplite -m multiport --ports 1,2", wire: [2, 2, 1, 0, 2] + zeros(43)),
    Row(
      .ipv4, "-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
      wire: [2, 15, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15]
        + zeros(17)),
    Row(
      .ipv4, "-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14:15",
      wire: [2, 15, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15]
        + zeros(14) + [1, 0, 0]),
    Row(
      .ipv4, "-p tcp -m multiport --ports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15",
      wire: [
        2, 15, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15,
        0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0,
      ]),
    Row(
      .ipv4, "-p tcp -m multiport --dports ssh,http",
      prints: "-p tcp -m multiport --dports 22,80",
      wire: [1, 2, 22, 0, 80] + zeros(43)),
    Row(
      .ipv6, "-p tcp -m multiport ! --ports 1:2,9",
      wire: [2, 3, 1, 0, 2, 0, 9] + zeros(25) + [1] + zeros(14) + [1], lists: "multiport ports  !1:2,9"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p tcp -m multiport --dports 80,20:22", .yes),
    PacketRow(.ipv4, "-p tcp -m multiport --sports 80,20:22", .no),
    PacketRow(.ipv6, "-p tcp -m multiport ! --sports 80,20:22", .yes),
    PacketRow(.ipv4, "-p tcp -m multiport --ports 22", .yes) { $0.sourcePort = nil },
    PacketRow(.ipv4, "-p tcp -m multiport ! --ports 22", .no) { $0.sourcePort = nil },
    PacketRow(.ipv4, "-p tcp -m multiport --ports 23", .depends(on: "the source port")) { $0.sourcePort = nil },
    PacketRow(.ipv4, "-p tcp -m multiport --dports 1", .depends(on: "the destination port")) {
      $0.destinationPort = nil
    },
    PacketRow(.ipv4, "-p tcp -m multiport ! --dports 1", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(
      .ipv4, "-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
      refused: "--ports: more than 15 ports, of which a range counts as two"),
    Row(
      .ipv4, "-p tcp -m multiport --ports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15:16",
      refused: "--ports: more than 15 ports, of which a range counts as two"),
    Row(
      .ipv4, "-p tcp -m multiport --ports 1:2,3:4,5:6,7:8,9:10,11:12,13:14,15:16",
      refused: "--ports: more than 15 ports, of which a range counts as two"),
    Row(
      .ipv4, "-p tcp -m multiport --dports 5:5",
      refused: "--destination-ports: a range goes from a smaller port to a greater one"),
    Row(.ipv4, "-p tcp -m multiport --dports 5:4", refused: "--destination-ports: the range '5:4' runs backwards"),
    Row(.ipv4, "-p tcp -m multiport --dports :5", refused: "--destination-ports: the range ':5' needs both its ends"),
    Row(.ipv4, "-p tcp -m multiport --dports 5:", refused: "--destination-ports: the range '5:' needs both its ends"),
    Row(
      .ipv4, "-p tcp -m multiport --dports 1,,2",
      refused: "--destination-ports: a port is missing between the commas"),
    Row(.ipv4, "-p tcp -m multiport --dports 65536", refused: "--destination-ports: 65536 is not a port"),
    Row(
      .ipv4, "-p tcp -m multiport --dports 1 --sports 2",
      refused: "--source-ports cannot stand beside --destination-ports"),
    Row(.ipv4, "-p tcp -m multiport", refused: "multiport needs --sports, --dports or --ports"),
    Row(
      .ipv4, "-m multiport --dports 1",
      refused: "multiport needs -p tcp or -p udp or -p udplite or -p dccp or -p sctp"),
    Row(
      .ipv4, "-p icmp -m multiport --dports 1",
      refused: "multiport needs -p tcp or -p udp or -p udplite or -p dccp or -p sctp"),
    Row(
      .ipv4, "! -p tcp -m multiport --dports 1",
      refused: "multiport needs -p tcp or -p udp or -p udplite or -p dccp or -p sctp"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
