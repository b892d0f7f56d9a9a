import Netfilter
import Testing

@Suite struct RPFilterRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m rpfilter", in: "PREROUTING", table: .mangle,
      wire: [0],
      lists: "rpfilter"),
    Row(
      .ipv4, "-m rpfilter --loose", in: "PREROUTING", table: .raw,
      wire: [1]),
    Row(
      .ipv4, "-m rpfilter --invert --accept-local --validmark", in: "PREROUTING", table: .mangle,
      prints: "-m rpfilter --validmark --accept-local --invert",
      wire: [14],
      lists: "rpfilter validmark accept-local invert"),
    Row(
      .ipv6, "-m rpfilter --invert", in: "PREROUTING", table: .raw,
      wire: [8]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m rpfilter", .depends(on: "the routing table"), in: "PREROUTING", table: .raw),
    PacketRow(.ipv6, "-m rpfilter --invert", .depends(on: "the routing table"), in: "PREROUTING", table: .mangle) {
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m rpfilter", .yes, in: "PREROUTING", table: .raw) { $0.inInterface = InterfaceName("lo")! },
    PacketRow(.ipv6, "-m rpfilter --invert", .no, in: "PREROUTING", table: .raw) {
      $0.inInterface = InterfaceName("lo")!
    },
    PacketRow(.ipv6, "-m rpfilter", .yes, in: "PREROUTING", table: .raw) { $0.source = IPAddress("::")! },
    PacketRow(.ipv4, "-m rpfilter", .depends(on: "the routing table"), in: "PREROUTING", table: .raw) {
      $0.source = IPAddress("0.0.0.0")!
    },
    PacketRow(.ipv4, "-m rpfilter --invert", .no, in: "PREROUTING", table: .raw) {
      $0.source = IPAddress("0.0.0.0")!
      $0.destination = IPAddress("255.255.255.255")!
    },
    PacketRow(.ipv4, "-m rpfilter", .yes, in: "PREROUTING", table: .raw) {
      $0.source = IPAddress("0.0.0.0")!
      $0.destination = IPAddress("224.0.0.22")!
    },
    PacketRow(.ipv4, "-m rpfilter", .depends(on: "the routing table"), in: "PREROUTING", table: .raw) {
      $0.source = IPAddress("0.0.0.0")!
      $0.destination = IPAddress("224.0.1.22")!
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m rpfilter", in: "INPUT", table: .mangle, refused: "rpfilter cannot be used in INPUT"),
    Row(.ipv4, "-m rpfilter", in: "PREROUTING", table: .nat, refused: "rpfilter cannot stand in table nat"),
    Row(.ipv4, "-m rpfilter ! --loose", in: "PREROUTING", table: .raw, refused: "'!' cannot stand before --loose"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
