import Netfilter
import Testing

@Suite struct DSCPMatchRows {
  @Test(arguments: [
    Row(.ipv4, "-m dscp --dscp 0x00", wire: [0, 0], lists: "DSCP match 0x00"),
    Row(.ipv6, "-m dscp ! --dscp 0x3f", wire: [63, 1], lists: "DSCP match !0x3f"),
    Row(.ipv4, "-m dscp --dscp 46", prints: "-m dscp --dscp 0x2e", wire: [46, 0]),
    Row(.ipv4, "-m dscp --dscp-class EF", prints: "-m dscp --dscp 0x2e", wire: [46, 0]),
    Row(.ipv4, "-m dscp ! --dscp-class af43", prints: "-m dscp ! --dscp 0x26", wire: [38, 1]),
    Row(.ipv4, "-m dscp --dscp-class be", prints: "-m dscp --dscp 0x00", wire: [0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m dscp --dscp-class EF", .yes) { $0.trafficClass = 0xba },
    PacketRow(.ipv4, "-m dscp --dscp-class EF", .no) { $0.trafficClass = 0x2e },
    PacketRow(.ipv6, "-m dscp ! --dscp 0", .no) { $0.trafficClass = 3 },
    PacketRow(.ipv6, "-m dscp --dscp 0", .depends(on: "the traffic class")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m dscp --dscp 64", refused: "--dscp: '64' is not a number from 0 to 63"),
    Row(.ipv4, "-m dscp --dscp-class AF44", refused: "--dscp-class: 'AF44' is not one of its values"),
    Row(.ipv4, "-m dscp --dscp 1 --dscp-class EF", refused: "--dscp-class cannot stand beside --dscp"),
    Row(.ipv4, "-m dscp", refused: "dscp needs --dscp or --dscp-class"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(.ipv4, "-m dscp --dscp-class AF111", refused: "--dscp-class: 'AF111' is not one of its values")
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
