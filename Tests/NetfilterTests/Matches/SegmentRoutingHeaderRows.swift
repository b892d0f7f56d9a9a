import Netfilter
import Testing

@Suite struct SegmentRoutingHeaderRows {
  /// A packet with a TCP header behind the segments `a::3`, `a::2`, `a::1`, the last of which stands first.
  private static func routed(left: UInt8, type: UInt8 = 4, tag: [UInt8] = [0, 0]) -> [UInt8] {
    let segments: [UInt8] = [1, 2, 3].flatMap { [0, 10] + zeros(13) + [$0] }
    return [0x60] + zeros(5) + [43] + zeros(33) + [6, 6, type, left, 2, 0] + tag + segments
  }

  @Test(arguments: [
    Row(
      .ipv6, "-m srh", wire: zeros(108),
      lists: "srh"),
    Row(
      .ipv6, "-m srh --srh-segs-left-lt 2 --srh-last-entry-eq 3", wire: [0, 0, 2, 3] + zeros(100) + [192, 0, 0, 0]),
    Row(
      .ipv6, "-m srh --srh-next-hdr 17 --srh-hdr-len-eq 8 --srh-segs-left-gt 1 --srh-last-entry-lt 4 --srh-tag 0",
      wire: [17, 8, 1, 4] + zeros(100) + [35, 6, 0, 0],
      lists: "srh next-hdr:17 hdr-len-eq:8 segs-left-gt:1 last-entry-lt:4 tag:0"),
    Row(
      .ipv6,
      "-m srh ! --srh-next-hdr 17 ! --srh-hdr-len-lt 8 ! --srh-segs-left-eq 1"
        + " ! --srh-last-entry-gt 4 ! --srh-tag 65535",
      wire: [17, 8, 1, 4, 255, 255] + zeros(98) + [25, 5, 25, 5],
      lists: "srh next-hdr:!17 hdr-len-lt:!8 segs-left-eq:!1 last-entry-gt:!4 tag:!65535"),
    Row(
      .ipv6, "-m srh --srh-psid a::/64 --srh-nsid b::/128 --srh-lsid c::/0",
      wire: zeros(9) + [10] + zeros(15) + [11] + zeros(15) + [12] + zeros(14) + ones(8) + zeros(8) + ones(16)
        + zeros(17) + [56, 0, 0],
      lists: "srh psid  a::/64 nsid  b::/128 lsid  c::/0"),
    Row(
      .ipv6, "-m srh ! --srh-psid a::1/64 ! --srh-nsid b:: ! --srh-lsid c::/ffff::",
      prints: "-m srh ! --srh-psid a::1/64 ! --srh-nsid b::/128 ! --srh-lsid c::/16",
      wire: zeros(9) + [10] + zeros(13) + [1, 0, 11] + zeros(15) + [12] + zeros(14) + ones(8) + zeros(8) + ones(18)
        + zeros(15) + [56, 0, 56],
      lists: "srh psid ! a::1/64 nsid ! b::/128 lsid ! c::/16"),
    Row(
      .ipv6, "-m srh ! --srh-hdr-len-gt 8 --srh-hdr-len-eq 8", prints: "-m srh --srh-hdr-len-eq 8 ! --srh-hdr-len-gt 8",
      wire: [0, 8] + zeros(102) + [6, 0, 4, 0],
      lists: "srh hdr-len-eq:8 hdr-len-gt:!8"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m srh", .yes) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh", .no) { $0.bytes = [0x60] + zeros(5) + [6] + zeros(53) },
    PacketRow(.ipv6, "-m srh ! --srh-next-hdr 17", .no) { $0.bytes = [0x60] + zeros(5) + [6] + zeros(53) },
    PacketRow(.ipv6, "-m srh", .no) { $0.bytes = routed(left: 1, type: 2) },
    PacketRow(.ipv6, "-m srh", .no) { $0.bytes = routed(left: 3) },
    PacketRow(.ipv6, "-m srh", .no) { $0.bytes = routed(left: 1).dropLast() },
    PacketRow(.ipv6, "-m srh", .depends(on: "the packet's bytes")),
    PacketRow(.ipv6, "-m srh --srh-next-hdr 6 --srh-hdr-len-eq 6 --srh-segs-left-lt 2 --srh-last-entry-gt 1", .yes) {
      $0.bytes = routed(left: 1)
    },
    PacketRow(.ipv6, "-m srh --srh-hdr-len-eq 6 ! --srh-hdr-len-gt 6 ! --srh-hdr-len-lt 6", .yes) {
      $0.bytes = routed(left: 1)
    },
    PacketRow(.ipv6, "-m srh ! --srh-next-hdr 6", .no) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh --srh-segs-left-gt 1", .no) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh --srh-last-entry-eq 1", .no) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh --srh-tag 1793", .yes) { $0.bytes = routed(left: 1, tag: [1, 7]) },
    PacketRow(.ipv6, "-m srh ! --srh-tag 263", .yes) { $0.bytes = routed(left: 1, tag: [1, 7]) },
    PacketRow(.ipv6, "-m srh --srh-psid a::3 --srh-nsid a::1 --srh-lsid a::1", .yes) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh --srh-psid a::/16 ! --srh-nsid b::/16", .yes) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh --srh-psid a::2", .no) { $0.bytes = routed(left: 1) },
    PacketRow(.ipv6, "-m srh ! --srh-psid a::2", .no) { $0.bytes = routed(left: 2) },
    PacketRow(.ipv6, "-m srh ! --srh-nsid a::9", .no) { $0.bytes = routed(left: 0) },
    PacketRow(.ipv6, "-m srh --srh-lsid a::1", .yes) { $0.bytes = routed(left: 0) },
    PacketRow(.ipv6, "-m srh", .no) {
      $0.bytes = [0x60] + zeros(5) + [44] + zeros(33) + [43, 0, 1, 0] + zeros(44)
      $0.isLaterFragment = true
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m srh --srh-next-hdr 256", refused: "--srh-next-hdr: '256' is not a number from 0 to 255"),
    Row(.ipv6, "-m srh --srh-tag 65536", refused: "--srh-tag: '65536' is not a number from 0 to 65535"),
    Row(.ipv6, "-m srh --srh-psid a::/129", refused: "invalid mask '129'"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(
      .ipv6, "-m srh --srh-hdr-len-gt 8 --srh-hdr-len-lt 9",
      refused: "--srh-hdr-len-lt: the kernel compares the field with one number only, here 8")
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
