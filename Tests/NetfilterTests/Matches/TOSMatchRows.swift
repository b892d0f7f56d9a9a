import Netfilter
import Testing

@Suite struct TOSMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m tos --tos 0x10/0x3f", wire: [63, 16, 0],
      lists: Listing("tos match0x10/0x3f", named: "tos match Minimize-Delay")),
    Row(.ipv4, "-m tos --tos Minimize-Delay", prints: "-m tos --tos 0x10/0x3f", wire: [63, 16, 0]),
    Row(
      .ipv6, "-m tos ! --tos maximize-throughput", prints: "-m tos ! --tos 0x08/0x3f", wire: [63, 8, 1],
      lists: Listing("tos match!0x08/0x3f", named: "tos match! Maximize-Throughput")),
    Row(.ipv4, "-m tos --tos Maximize-Reliability", prints: "-m tos --tos 0x04/0x3f", wire: [63, 4, 0]),
    Row(.ipv4, "-m tos --tos Minimize-Cost", prints: "-m tos --tos 0x02/0x3f", wire: [63, 2, 0]),
    Row(.ipv4, "-m tos --tos Normal-Service", prints: "-m tos --tos 0x00/0x3f", wire: [63, 0, 0]),
    Row(.ipv4, "-m tos --tos 255", prints: "-m tos --tos 0xff/0xff", wire: [255, 255, 0], lists: "tos match0xff/0xff"),
    Row(.ipv4, "-m tos ! --tos 8/3", prints: "-m tos ! --tos 0x08/0x03", wire: [3, 8, 1]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m tos --tos 0x10/0x3f", .yes) { $0.trafficClass = 0x50 },
    PacketRow(.ipv6, "-m tos --tos 0x10", .no) { $0.trafficClass = 0x50 },
    PacketRow(.ipv6, "-m tos ! --tos 0x10", .yes) {
      $0.trafficClass = 0
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m tos --tos 0x10", .depends(on: "the traffic class")),
    PacketRow(.ipv4, "-m tos ! --tos 8/3", .yes),
    PacketRow(.ipv4, "-m tos --tos 0/0", .yes),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m tos --tos 256", refused: "--tos: '256' is neither a number up to 255 nor a name"),
    Row(.ipv4, "-m tos --tos 1/256", refused: "--tos: the mask '256' is not a number from 0 to 255"),
    Row(.ipv4, "-m tos --tos 1/", refused: "--tos: the mask '' is not a number from 0 to 255"),
    Row(.ipv4, "-m tos --tos wrong", refused: "--tos: 'wrong' is neither a number up to 255 nor a name"),
    Row(.ipv4, "-m tos", refused: "tos needs --tos VALUE[/MASK]|NAME"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
