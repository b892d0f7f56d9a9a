import Netfilter
import Testing

/// A packet with the option 5 of two bytes and the padding option 1.
private let routerAlert = ipv6Bytes(0, [58, 0, 5, 2, 0, 0, 1, 0])

@Suite struct IPv6OptionHeadersRows {
  @Test(arguments: [
    Row(.ipv6, "-m hbh", wire: zeros(40)),
    Row(.ipv6, "-m hbh ! --hbh-len 42", wire: [42, 0, 0, 0, 1, 1] + zeros(34), lists: "hbh length:!42"),
    Row(
      .ipv6, "-m hbh --hbh-len 42 --hbh-opts 1:2,23:42,4:6,8:10,42,23,4:5",
      wire: [42, 0, 0, 0, 3, 0, 2, 1, 42, 23, 6, 4, 10, 8, 255, 42, 255, 23, 5, 4] + zeros(18) + [7, 0],
      lists: "hbh length:42 opts 1:2,23:42,4:6,8:10,42,23,4:5"),
    Row(.ipv6, "-m dst --dst-len 8", wire: [8, 0, 0, 0, 1] + zeros(35), lists: "dst length:8"),
    Row(
      .ipv6, "-m dst ! --dst-len 0 --dst-opts 0", wire: zeros(4) + [3, 1, 255] + zeros(31) + [1, 0],
      lists: "dst length:!0 opts 0"),
    Row(
      .ipv6, "-m dst --dst-opts 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
      wire: zeros(4) + [
        2, 0, 255, 1, 255, 2, 255, 3, 255, 4, 255, 5, 255, 6, 255, 7, 255, 8, 255, 9, 255, 10, 255, 11, 255, 12, 255,
        13, 255, 14, 255, 15, 255, 16, 16, 0,
      ]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m hbh", .yes) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m hbh --hbh-len 8 --hbh-opts 5:2,1", .yes) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m hbh ! --hbh-len 8", .no) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m hbh --hbh-opts 5:3", .no) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m hbh --hbh-opts 1", .no) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m hbh --hbh-opts 5,1,0", .no) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m hbh --hbh-opts 0,0,5", .yes) { $0.bytes = ipv6Bytes(0, [58, 0, 0, 0, 5, 2, 0, 0]) },
    PacketRow(.ipv6, "-m hbh --hbh-opts 7", .yes) { $0.bytes = ipv6Bytes(0, [58, 0, 7, 200, 0, 0, 0, 0]) },
    PacketRow(.ipv6, "-m hbh --hbh-opts 7,0", .no) { $0.bytes = ipv6Bytes(0, [58, 0, 7, 200, 0, 0, 0, 0]) },
    PacketRow(.ipv6, "-m hbh", .no) { $0.bytes = ipv6Bytes(0, [58, 1, 5, 2, 0, 0, 1, 0]) },
    PacketRow(.ipv6, "-m hbh", .depends(on: "the packet's bytes")),
    PacketRow(.ipv6, "-m dst", .no) { $0.bytes = routerAlert },
    PacketRow(.ipv6, "-m dst ! --dst-len 16", .yes) { $0.bytes = ipv6Bytes(60, [58, 0] + zeros(6)) },
    PacketRow(.ipv6, "-m dst", .depends(on: "the packet's bytes")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(
      .ipv6, "-m dst --dst-opts 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16:1",
      refused: "--dst-opts: iptables takes no length of the option number 16"),
    Row(
      .ipv6, "-m dst --dst-opts 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", refused: "more than 16 options"),
    Row(.ipv6, "-m hbh --hbh-opts 0:1", refused: "--hbh-opts: the option 0 is one byte without a length"),
    Row(.ipv6, "-m hbh --hbh-opts 1,", refused: "--hbh-opts: '' is not a number from 0 to 255"),
    Row(.ipv6, "-m hbh --hbh-opts a", refused: "--hbh-opts: 'a' is not a number from 0 to 255"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(.ipv6, "-m hbh --hbh-opts 1:255", refused: "--hbh-opts: the kernel takes the length 255 for any"),
    Row(.ipv6, "-m hbh --hbh-opts 256", refused: "--hbh-opts: '256' is not a number from 0 to 255"),
    Row(.ipv6, "-m hbh --hbh-opts 1:256", refused: "--hbh-opts: '256' is not a number from 0 to 255"),
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
