import Netfilter
import Testing

@Suite struct MACRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m mac --mac-source 42:01:02:03:04:05", wire: [66, 1, 2, 3, 4, 5] + zeros(6),
      lists: "MAC 42:01:02:03:04:05"),
    Row(
      .ipv4, "-m mac ! --mac-source 0:1:2:A:b:FF",
      prints: "-m mac ! --mac-source 00:01:02:0a:0b:ff",
      wire: [0, 1, 2, 10, 11, 255, 0, 0, 1, 0, 0, 0], lists: "MAC ! 00:01:02:0a:0b:ff"),
    Row(.ipv6, "-m mac --mac-source 42:01:02:03:04:05", wire: [66, 1, 2, 3, 4, 5] + zeros(6)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m mac --mac-source 42:01:02:03:04:05", .yes) { $0.sourceMAC = MACAddress("42:1:2:3:4:5") },
    PacketRow(.ipv6, "-m mac --mac-source 42:01:02:03:04:06", .no) { $0.sourceMAC = MACAddress("42:1:2:3:4:5") },
    PacketRow(.ipv4, "-m mac ! --mac-source 42:01:02:03:04:06", .yes) {
      $0.sourceMAC = MACAddress("42:1:2:3:4:5")
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m mac ! --mac-source 42:01:02:03:04:05", .depends(on: "the Ethernet source address")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m mac --mac-source 42:01:02:03:04:05", in: "OUTPUT", refused: "mac cannot be used in OUTPUT"),
    Row(.ipv4, "-m mac --mac-source 42:01:02:03:04", refused: "--mac-source: '42:01:02:03:04' is not a MAC address"),
    Row(
      .ipv4, "-m mac --mac-source 42:01:02:03:04:05:06",
      refused: "--mac-source: '42:01:02:03:04:05:06' is not a MAC address"),
    Row(
      .ipv4, "-m mac --mac-source 421:01:02:03:04:05",
      refused: "--mac-source: '421:01:02:03:04:05' is not a MAC address"),
    Row(
      .ipv4, "-m mac --mac-source 4g:01:02:03:04:05",
      refused: "--mac-source: '4g:01:02:03:04:05' is not a MAC address"),
    Row(.ipv4, "-m mac", refused: "mac needs --mac-source XX:XX:XX:XX:XX:XX"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
