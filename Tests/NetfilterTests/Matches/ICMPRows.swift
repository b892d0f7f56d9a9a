import Netfilter
import Testing

@Suite struct ICMPRows {
  @Test(arguments: [
    Row(
      .ipv4, "-p icmp -m icmp --icmp-type any", wire: [255, 0, 255, 0],
      lists: Listing("icmptype 255", named: "icmp any")),
    Row(.ipv4, "-p icmp -m icmp ! --icmp-type any", wire: [255, 0, 255, 1]),
    Row(.ipv4, "-p icmp --icmp-type echo-request", prints: "-p icmp -m icmp --icmp-type 8", wire: [8, 0, 255, 0]),
    Row(
      .ipv4, "-p icmp --icmp-type PING", prints: "-p icmp -m icmp --icmp-type 8", wire: [8, 0, 255, 0],
      lists: Listing("icmptype 8", named: "icmp echo-request")),
    Row(
      .ipv4, "-p icmp -m icmp ! --icmp-type 3/4", wire: [3, 4, 4, 1],
      lists: Listing("icmp !type 3 code 4", named: "icmp !fragmentation-needed")),
    Row(.ipv4, "-p icmp --icmp-type network-r", prints: "-p icmp -m icmp --icmp-type 5/0", wire: [5, 0, 0, 0]),
    Row(
      .ipv4, "-p icmp --icmp-type 3/1:4", prints: "-p icmp -m icmp --icmp-type 3/1", wire: [3, 1, 4, 0],
      lists: "icmptype 3 codes 1-4"),
    Row(.ipv4, "-p icmp --icmp-type 255/255", prints: "-p icmp -m icmp --icmp-type any", wire: [255, 255, 255, 0]),
    Row(.ipv4, "-p icmp --icmp-type 254", prints: "-p icmp -m icmp --icmp-type 254", wire: [254, 0, 255, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p icmp --icmp-type 8", .yes) { $0.icmpType = 8 },
    PacketRow(.ipv4, "-p icmp --icmp-type 8", .no) { $0.icmpType = 0 },
    PacketRow(.ipv4, "-p icmp ! --icmp-type 8", .yes) { $0.icmpType = 0 },
    PacketRow(.ipv4, "-p icmp --icmp-type 8", .depends(on: "the ICMP type")),
    PacketRow(.ipv4, "-p icmp --icmp-type 3/1:4", .yes) { ($0.icmpType, $0.icmpCode) = (3, 4) },
    PacketRow(.ipv4, "-p icmp --icmp-type 3/1:4", .no) { ($0.icmpType, $0.icmpCode) = (3, 0) },
    PacketRow(.ipv4, "-p icmp --icmp-type 3/1", .depends(on: "the ICMP code")) { $0.icmpType = 3 },
    PacketRow(.ipv4, "-p icmp --icmp-type 3/1", .no) { $0.icmpType = 8 },
    PacketRow(.ipv4, "-p icmp --icmp-type any", .yes),
    PacketRow(.ipv4, "-p icmp ! --icmp-type any", .no),
    PacketRow(.ipv4, "-p icmp --icmp-type any", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p icmp --icmp-type 256", refused: "--icmp-type: '256' is not a message type"),
    Row(.ipv4, "-p icmp --icmp-type 3/256", refused: "--icmp-type: '256' is not a code"),
    Row(.ipv4, "-p icmp --icmp-type 8:9", refused: "--icmp-type: '8:9' is not a message type"),
    Row(.ipv4, "-p icmp --icmp-type host-un", refused: "--icmp-type: 'host-un' is the beginning of several names"),
    Row(.ipv4, "-p icmp --icmp-type nonsense", refused: "--icmp-type: 'nonsense' is not a message type"),
    Row(.ipv4, "-p icmp --icmp-type 3/", refused: "--icmp-type: '' is not a code"),
    Row(.ipv4, "-p icmp -m icmp", refused: "icmp needs --icmp-type TYPE[/CODE[:CODE]]|NAME"),
    Row(.ipv4, "-p tcp -m icmp --icmp-type 8", refused: "icmp needs -p icmp"),
    Row(.ipv4, "! -p icmp -m icmp --icmp-type 8", refused: "icmp needs -p icmp"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
