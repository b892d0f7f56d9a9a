import Netfilter
import Testing

@Suite struct UDPRows {
  @Test(arguments: [
    Row(.ipv4, "-p udp --dport 65558", prints: "-p udp -m udp --dport 22", wire: [0, 0, 255, 255, 22, 0, 22, 0, 0, 0]),
    Row(
      .ipv6, "-p udp ! --sport :4 --dport 5:",
      prints: "-p udp -m udp ! --sport 0:4 --dport 5:65535",
      wire: [0, 0, 4, 0, 5, 0, 255, 255, 1, 0], lists: "udp spts:!0:4 dpts:5:65535"),
    Row(
      .ipv4, "-p udp ! --dport 0:", prints: "-p udp -m udp ! --dport 0:65535",
      wire: [0, 0, 255, 255, 0, 0, 255, 255, 2, 0], lists: "udp dpts:!0:65535"),
    Row(
      .ipv4, "-p udp --dport domain",
      prints: "-p udp -m udp --dport 53",
      wire: [0, 0, 255, 255, 53, 0, 53, 0, 0, 0], lists: Listing("udp dpt:53", named: "udp dpt:domain")),
    Row(.ipv4, "-p udp -m udp", wire: [0, 0, 255, 255, 0, 0, 255, 255, 0, 0], lists: "udp"),
    Row(.ipv4, "-p udp --sport 4:3", prints: "-p udp -m udp --sport 4:3", wire: [4, 0, 3, 0, 0, 0, 255, 255, 0, 0]),
    Row(.ipv4, "-p udp --sport 0:4", prints: "-p udp -m udp --sport 0:4", wire: [0, 0, 4, 0, 0, 0, 255, 255, 0, 0]),
    Row(.ipv4, "-p udp --sport +53 --dport \" 54\"", prints: "-p udp -m udp --sport 53 --dport 54"),
    Row(.ipv4, "-p udp ! --sport :4", for: .nfTables, prints: "-p udp -m udp --sport 5:65535"),
    Row(.ipv6, "-p udp ! --dport 0:65534", for: .nfTables, prints: "-p udp -m udp --dport 65535"),
    Row(.ipv4, "-p udp ! --sport 0 ! --dport 1:5", for: .nfTables, prints: "-p udp -m udp ! --sport 0 ! --dport 1:5"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p udp --dport 22 --sport 1024:", .yes),
    PacketRow(.ipv6, "-p udp ! --dport 22", .no),
    PacketRow(.ipv4, "-p udp --sport 4:3", .no),
    PacketRow(.ipv4, "-p udp ! --sport 4:3", .yes),
    PacketRow(.ipv4, "-p udp --sport 1:2000", .depends(on: "the source port")) { $0.sourcePort = nil },
    PacketRow(.ipv4, "-p udp --sport 1:2000 --dport 1", .no) { $0.sourcePort = nil },
    PacketRow(.ipv6, "-p udp ! --dport 23", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-p udp --sport nosuchservice", refused: "neither a port number nor a known service"),
    Row(.ipv4, "-p udp --dport 2147483648", refused: "2147483648 is not a port"),
    Row(.ipv4, "-p udp --dport +", refused: "neither a port number nor a known service"),
    Row(.ipv4, "-p udp --dport ++5", refused: "neither a port number nor a known service"),
    Row(.ipv4, "-p udp --dport 1 --dport 2", refused: "--destination-port is given twice"),
    Row(.ipv4, "-p tcp -m udp --dport 53", refused: "udp needs -p udp"),
    Row(.ipv4, "-m udp --dport 53", refused: "udp needs -p udp"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
