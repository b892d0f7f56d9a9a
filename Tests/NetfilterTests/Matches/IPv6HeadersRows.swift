import Netfilter
import Testing

@Suite struct IPv6HeadersRows {
  private static func packet(_ next: UInt8, _ rest: [UInt8]) -> [UInt8] {
    [0x60] + zeros(5) + [next] + zeros(33) + rest
  }

  @Test(arguments: [
    Row(
      .ipv6, "-m ipv6header --header hop-by-hop", wire: [128, 0, 0],
      lists: Listing("ipv6header flags:0x80", named: "ipv6header flags:hop-by-hop")),
    Row(
      .ipv6, "-m ipv6header ! --header ipv6-nonxt", wire: [2, 255, 0],
      lists: Listing("ipv6header flags:!0x02", named: "ipv6header flags:!ipv6-nonxt")),
    Row(
      .ipv6, "-m ipv6header --header prot,none,esp,auth,frag,route,dst,hop --soft",
      prints: "-m ipv6header --header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol --soft",
      wire: [255, 0, 255],
      lists: Listing(
        "ipv6header flags:0xFF soft",
        named: "ipv6header flags:hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol soft")),
    Row(
      .ipv6, "-m ipv6header --header 0,60,43,44,51,50,59,255",
      prints: "-m ipv6header --header hop-by-hop,ipv6-opts,ipv6-route,ipv6-frag,ah,esp,ipv6-nonxt,protocol",
      wire: [255, 0, 0]),
    Row(.ipv6, "-m ipv6header --header protocol", wire: [1, 0, 0]),
    Row(
      .ipv6, "-m ipv6header --header ipv6-route,,ah", prints: "-m ipv6header --header ipv6-route,ah", wire: [40, 0, 0]),
    Row(
      .ipv6, "-m ipv6header ! --header frag --soft", prints: "-m ipv6header ! --header ipv6-frag --soft",
      wire: [16, 255, 255]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m ipv6header --header prot", .yes) { $0.bytes = packet(6, zeros(20)) },
    PacketRow(.ipv6, "-m ipv6header --header prot", .no) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header ! --header prot", .yes) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header --header hop,prot", .yes) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header --header prot --soft", .yes) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header --header prot,frag --soft", .no) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header ! --header prot,frag --soft", .no) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header ! --header esp,frag --soft", .yes) { $0.bytes = packet(0, [6] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header --header dst,route,auth,none", .yes) {
      $0.bytes = packet(60, [43, 1] + zeros(14) + [51] + zeros(7) + [59, 1] + zeros(10))
    },
    PacketRow(.ipv6, "-m ipv6header --header esp", .yes) { $0.bytes = packet(50, zeros(8)) },
    PacketRow(.ipv6, "-m ipv6header --header frag,prot", .yes) {
      $0.bytes = packet(44, [6, 200, 1, 0] + zeros(4))
      $0.isLaterFragment = true
    },
    PacketRow(.ipv6, "-m ipv6header --header hop,prot", .yes) { $0.bytes = packet(0, [6, 9] + zeros(7)) },
    PacketRow(.ipv6, "-m ipv6header ! --header prot", .no) { $0.bytes = packet(0, [6]) },
    PacketRow(.ipv6, "-m ipv6header ! --header prot", .depends(on: "the packet's bytes")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m ipv6header --header tcp", refused: "--header: 'tcp' is not an extension header"),
    Row(.ipv6, "-m ipv6header --header 6", refused: "--header: '6' is not an extension header"),
    Row(.ipv6, "-m ipv6header --header ,", refused: "--header: no header is named"),
    Row(.ipv6, "-m ipv6header --header wrong", refused: "--header: 'wrong' is not an extension header"),
    Row(.ipv6, "-m ipv6header --soft", refused: "ipv6header needs --header HEADER[,HEADER]…"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
