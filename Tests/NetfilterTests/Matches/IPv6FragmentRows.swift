import Netfilter
import Testing

@Suite struct IPv6FragmentRows {
  @Test(arguments: [
    Row(.ipv6, "-m frag", wire: zeros(4) + [255, 255, 255, 255] + zeros(8), lists: "frag "),
    Row(.ipv6, "-m frag --fragid 1:42", wire: [1, 0, 0, 0, 42] + zeros(7) + [1, 0, 0, 0], lists: "frag ids:1:42"),
    Row(.ipv6, "-m frag --fraglen 42", wire: zeros(4) + [255, 255, 255, 255, 42, 0, 0, 0, 2, 0, 0, 0]),
    Row(
      .ipv6, "-m frag ! --fragid 1 ! --fraglen 42 --fragres --fragfirst",
      wire: [1, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0, 15, 3, 0, 0], lists: "frag id:!1 length:!42 reserved first"),
    Row(
      .ipv6, "-m frag --fragfirst --fragmore", wire: zeros(4) + [255, 255, 255, 255] + zeros(4) + [24, 0, 0, 0],
      lists: "frag  first more"),
    Row(
      .ipv6, "-m frag --fraglast", wire: zeros(4) + [255, 255, 255, 255] + zeros(4) + [32, 0, 0, 0], lists: "frag  last"
    ),
    Row(
      .ipv6, "-m frag --fragid :", prints: "-m frag", wire: zeros(4) + [255, 255, 255, 255] + zeros(4) + [1, 0, 0, 0]),
    Row(
      .ipv6, "-m frag ! --fragid :", prints: "-m frag ! --fragid 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255] + zeros(4) + [1, 1, 0, 0]),
    Row(.ipv6, "-m frag --fragid 5:4", wire: [5, 0, 0, 0, 4] + zeros(7) + [1, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m frag --fragid 258 --fragfirst --fragmore --fragres", .yes) {
      $0.bytes = ipv6Bytes(44, [17, 0, 0, 1, 0, 0, 1, 2])
    },
    PacketRow(.ipv6, "-m frag --fraglast", .no) { $0.bytes = ipv6Bytes(44, [17, 0, 0, 1, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag ! --fragid 258", .no) { $0.bytes = ipv6Bytes(44, [17, 0, 0, 1, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag --fragres", .no) { $0.bytes = ipv6Bytes(44, [17, 0, 0, 2, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag --fragres", .no) { $0.bytes = ipv6Bytes(44, [17, 1, 0, 0, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag --fraglast", .yes) { $0.bytes = ipv6Bytes(44, [17, 0, 0, 8, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag --fragfirst", .no) { $0.bytes = ipv6Bytes(44, [17, 0, 0, 8, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag --fragfirst", .no) { $0.isLaterFragment = true },
    PacketRow(.ipv6, "-m frag ! --fraglen 8", .yes) { $0.bytes = ipv6Bytes(44, [17, 0, 0, 0, 0, 0, 1, 2]) },
    PacketRow(.ipv6, "-m frag", .no) { $0.bytes = ipv6Bytes(17, zeros(8)) },
    PacketRow(.ipv6, "-m frag", .depends(on: "the packet's bytes")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m frag --fragmore --fraglast", refused: "--fraglast cannot stand beside --fragmore"),
    Row(.ipv6, "-m frag ! --fragfirst", refused: "'!' cannot stand before --fragfirst"),
    Row(.ipv6, "-m frag --fraglen 4294967296", refused: "--fraglen: '4294967296' is not a number from 0 to 4294967295"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
