import Testing

@testable import Netfilter

@Suite struct SCTPRows {
  /// A packet with an INIT_ACK, a DATA with the flags B and E, of five bytes of text, and what else is given.
  private static func chunks(_ more: [UInt8] = []) -> [UInt8] {
    [0x45] + zeros(31) + [2, 0, 0, 8] + zeros(4) + [0, 3, 0, 21] + zeros(20) + more
  }

  @Test(arguments: [
    Row(.ipv4, "-p sctp -m sctp", wire: zeros(268) + [255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(14)),
    Row(
      .ipv4, "-p sctp -m sctp --sport 1",
      wire: zeros(4) + [1, 0, 1] + zeros(261) + [255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [1] + zeros(7),
      lists: "sctp spt:1"),
    Row(
      .ipv6, "-p sctp -m sctp ! --sport 1:1023 --dport 1024:",
      prints: "-p sctp -m sctp ! --sport 1:1023 --dport 1024:65535",
      wire: [0, 4, 255, 255, 1, 0, 255, 3] + zeros(260) + [255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [
        3, 0, 0, 0, 1, 0, 0, 0,
      ],
      lists: "sctp spts:!1:1023 dpts:1024:65535"),
    Row(
      .ipv4, "-p sctp -m sctp --sport :", prints: "-p sctp -m sctp --sport 0:65535",
      wire: zeros(6) + [255, 255] + zeros(260) + [255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [1] + zeros(7),
      lists: "sctp"),
    Row(
      .ipv4, "-p sctp -m sctp --dport 22:22", prints: "-p sctp -m sctp --dport 22",
      wire: [22, 0, 22] + zeros(265) + [255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [2] + zeros(7),
      lists: Listing("sctp dpt:22", named: "sctp dpt:ssh")),
    Row(
      .ipv4, "-p sctp -m sctp ! --chunk-types only DATA,INIT_ACK",
      wire: zeros(8) + [5] + zeros(255) + [4, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [
        4, 0, 0, 0, 4, 0, 0, 0,
      ],
      lists: Listing("sctp ! only 0x0000,0x0002", named: "sctp ! only DATA,INIT_ACK")),
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types ANY ABORT:T,data:Be,SHUTDOWN_COMPLETE:t",
      prints: "-p sctp -m sctp --chunk-types any DATA:Be,ABORT:T,SHUTDOWN_COMPLETE:t",
      wire: zeros(8) + [65, 64] + zeros(254) + [1, 0, 0, 0, 6, 1, 1, 0, 2, 3, 14, 0, 1, 255, 0, 0, 3, 0, 0, 0, 4]
        + zeros(7),
      lists: Listing(
        "sctp any 0x0000:Be,0x0006:T,0x000E:t", named: "sctp any DATA:Be,ABORT:T,SHUTDOWN_COMPLETE:t")),
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types any DATA:B,DATA:b-", prints: "-p sctp -m sctp --chunk-types any DATA:-B",
      wire: zeros(8) + [1] + zeros(255) + [1] + zeros(4) + [2, 130, 255, 0, 0, 255, 0, 0, 255, 0, 0, 1, 0, 0, 0, 4]
        + zeros(7)),
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types all all", prints: "-p sctp -m sctp --chunk-types all ALL",
      wire: zeros(8) + ones(256) + [2, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [4] + zeros(7),
      lists: "sctp all ALL"),
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types all NONE",
      wire: zeros(264) + [2, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [4] + zeros(7),
      lists: "sctp all NONE"),
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types all DATA,,INIT:", prints: "-p sctp -m sctp --chunk-types all DATA,INIT",
      wire: zeros(8) + [3] + zeros(255) + [2, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 255] + zeros(6) + [4] + zeros(7)
    ),
    Row(
      .ipv4,
      "-p sctp -m sctp --chunk-types all I_FORWARD_TSN,ASCONF,FORWARD_TSN,PAD,RE_CONFIG,"
        + "ASCONF_ACK,I_DATA,SHUTDOWN_COMPLETE,ECN_CWR,"
        + "ECN_ECNE,COOKIE_ACK,COOKIE_ECHO,ERROR,SHUTDOWN_ACK,SHUTDOWN,HEARTBEAT_ACK,HEARTBEAT,SACK,INIT",
      prints:
        "-p sctp -m sctp --chunk-types all INIT,SACK,HEARTBEAT,HEARTBEAT_ACK,SHUTDOWN,SHUTDOWN_ACK,"
        + "ERROR,COOKIE_ECHO,COOKIE_ACK,ECN_ECNE,ECN_CWR,SHUTDOWN_COMPLETE,I_DATA,"
        + "ASCONF_ACK,RE_CONFIG,PAD,FORWARD_TSN,ASCONF,I_FORWARD_TSN",
      wire: zeros(8) + [186, 127] + zeros(6) + [1] + zeros(7) + [21] + zeros(7) + [7] + zeros(231) + [
        2, 0, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 255,
      ] + zeros(6) + [4] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p sctp --sport 1024 --dport 20:22", .yes),
    PacketRow(.ipv6, "-p sctp ! --sport 1024", .no),
    PacketRow(.ipv4, "-p sctp --dport 20:22", .depends(on: "the destination port")) { $0.destinationPort = nil },
    PacketRow(.ipv4, "-p sctp -m sctp", .no) { $0.isLaterFragment = true },
    PacketRow(.ipv4, "-p sctp ! --chunk-types any DATA", .no) {
      $0.bytes = chunks()
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-p sctp --chunk-types any DATA", .depends(on: "the packet's bytes")),
    PacketRow(.ipv4, "-p sctp --dport 1 --chunk-types any DATA", .no),
    PacketRow(.ipv4, "-p sctp --chunk-types any DATA,ABORT", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types any ABORT", .no) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp ! --chunk-types any ABORT", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types any DATA:Bu", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types any DATA:b", .no) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types any ALL", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types all DATA,INIT_ACK", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types all DATA,INIT_ACK,ABORT", .no) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types all DATA:b,INIT_ACK", .no) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types all ALL", .no) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types only DATA,INIT_ACK", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types only DATA,INIT_ACK", .no) { $0.bytes = chunks([77, 0, 0, 4]) },
    PacketRow(.ipv4, "-p sctp --chunk-types only NONE", .no) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types all NONE", .yes) { $0.bytes = chunks() },
    PacketRow(.ipv4, "-p sctp --chunk-types any ABORT", .broken) { $0.bytes = chunks([6, 0]) },
    PacketRow(.ipv4, "-p sctp ! --chunk-types any ABORT", .broken) { $0.bytes = chunks([3, 0, 0, 0]) },
    PacketRow(.ipv4, "-p sctp ! --chunk-types any DATA", .no) { $0.bytes = chunks([3, 0, 0, 0]) },
    PacketRow(.ipv6, "-p sctp --chunk-types any INIT", .yes) {
      $0.bytes = [0x60] + zeros(5) + [60] + zeros(33) + [132] + zeros(19) + [1, 0, 0, 20] + zeros(16)
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m sctp --sport 1", refused: "sctp needs -p sctp"),
    Row(.ipv4, "-p sctp -m sctp --chunk-types none DATA", refused: "--chunk-types: 'none' is not one of its values"),
    Row(.ipv4, "-p sctp -m sctp --chunk-types any DATA:X", refused: "--chunk-types: DATA has no such flag"),
    Row(.ipv4, "-p sctp -m sctp --chunk-types any FOO", refused: "--chunk-types: 'FOO' is not one of its values"),
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types any DATA:B,INIT:-,INIT_ACK:-,SACK:-,ABORT:T",
      refused: "--chunk-types: flags of 5 types, the kernel compares 4 at most"),
    Row(.ipv4, "-p sctp -m sctp --sport 5:4", refused: "--source-port: the range '5:4' runs backwards"),
    Row(.ipv4, "-p sctp -m sctp --sport 65536", refused: "--source-port: 65536 is not a port"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(
      .ipv4, "-p sctp -m sctp --chunk-types any I_DATA:B",
      refused: "--chunk-types: iptables loses flags of I_DATA, so they cannot be compared"),
    Row(.ipv4, "-p sctp -m sctp --chunk-types any ,", refused: "--chunk-types: no type is named"),
  ])
  func misunderstood(_ row: Row) throws { try row.check() }

  /// A type without a name, and flags that iptables put under another type's number.
  @Test(arguments: [
    zeros(9) + [128] + zeros(254) + [1] + zeros(3) + unusedFlags + zeros(4) + [4] + zeros(7),
    zeros(16) + [1] + zeros(247) + [1, 0, 0, 0, 15, 2, 2] + unusedFlags.dropLast(3) + [1, 0, 0, 0, 4] + zeros(7),
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "sctp", revision: 0, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }

  private static let unusedFlags: [UInt8] = [255, 0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0]
}
