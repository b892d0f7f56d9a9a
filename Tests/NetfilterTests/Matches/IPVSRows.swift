import Netfilter
import Testing

@Suite struct IPVSRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m ipvs --ipvs", wire: zeros(39) + [1],
      lists: "ipvs"),
    Row(
      .ipv6, "-m ipvs ! --ipvs", wire: zeros(38) + [1, 1],
      lists: "! ipvs"),
    Row(.ipv4, "-m ipvs --vproto tcp", prints: "-m ipvs --vproto 6", wire: zeros(34) + [6, 0, 0, 0, 0, 3]),
    Row(.ipv4, "-m ipvs ! --vproto 23 --ipvs", prints: "-m ipvs ! --vproto 23", wire: zeros(34) + [23, 0, 0, 0, 2, 3]),
    Row(
      .ipv4, "-m ipvs --vaddr 1.2.3.4", wire: [1, 2, 3, 4] + zeros(12) + ones(16) + zeros(7) + [5],
      lists: "vaddr 1.2.3.4"),
    Row(
      .ipv4, "-m ipvs ! --vaddr 1.2.3.4/255.255.255.0", prints: "-m ipvs ! --vaddr 1.2.3.4/24",
      wire: [1, 2, 3, 4] + zeros(12) + [255, 255, 255] + zeros(19) + [4, 5],
      lists: "! vaddr 1.2.3.4/24"),
    Row(
      .ipv6, "-m ipvs --vaddr 2001:db8::1/64", wire: [32, 1, 13, 184] + zeros(11) + [1] + ones(8) + zeros(15) + [5]),
    Row(
      .ipv4, "-m ipvs --vaddr 192.0.2.1", wire: [192, 0, 2, 1] + zeros(12) + ones(16) + zeros(7) + [5],
      lists: Listing("vaddr 192.0.2.1", named: "vaddr host.example")),
    Row(
      .ipv6, "-m ipvs --vaddr ::/64", wire: zeros(16) + ones(8) + zeros(15) + [5],
      lists: Listing("vaddr ::/64", named: "vaddr anywhere")),
    Row(.ipv4, "-m ipvs --vport http", prints: "-m ipvs --vport 80", wire: zeros(32) + [0, 80] + zeros(5) + [9]),
    Row(
      .ipv4, "-m ipvs ! --vport 443", wire: zeros(32) + [1, 187, 0, 0, 0, 0, 8, 9],
      lists: "! vport 443"),
    Row(.ipv4, "-m ipvs --vdir original", prints: "-m ipvs --vdir ORIGINAL", wire: zeros(39) + [17]),
    Row(
      .ipv4, "-m ipvs --vdir REPLY", wire: zeros(38) + [16, 17],
      lists: "vdir REPLY"),
    Row(.ipv4, "-m ipvs --vmethod GATE", wire: zeros(35) + [3, 0, 0, 0, 33]),
    Row(
      .ipv4, "-m ipvs ! --vmethod IPIP", wire: zeros(35) + [2, 0, 0, 32, 33],
      lists: "! vmethod IPIP"),
    Row(.ipv4, "-m ipvs --vmethod MASQ", wire: zeros(39) + [33]),
    Row(
      .ipv4, "-m ipvs ! --vportctl 21", wire: zeros(36) + [0, 21, 64, 65],
      lists: "! vportctl 21"),
    Row(
      .ipv4, "-m ipvs --vproto 6 --vaddr 1.2.3.4/16 --vport 22 --vdir ORIGINAL --vmethod GATE",
      wire: [1, 2, 3, 4] + zeros(12) + [255, 255] + zeros(14) + [0, 22, 6, 3, 0, 0, 0, 63],
      lists: "vproto 6 vaddr 1.2.3.4/16 vport 22 vdir ORIGINAL vmethod GATE"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m ipvs --ipvs", .depends(on: "the connections of IP Virtual Server")),
    PacketRow(.ipv6, "-m ipvs ! --ipvs", .depends(on: "the connections of IP Virtual Server")) {
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m ipvs --vproto tcp --vport 80", .depends(on: "the connections of IP Virtual Server")),
    PacketRow(.ipv4, "-m ipvs --vproto udp --vport 80", .no),
    PacketRow(.ipv4, "-m ipvs ! --vproto tcp", .no),
    PacketRow(.ipv4, "-m ipvs --vdir ORIGINAL", .depends(on: "the connection's direction")),
    PacketRow(.ipv4, "-m ipvs --vdir ORIGINAL", .no) { $0.connection.direction = .reply },
    PacketRow(.ipv4, "-m ipvs --vdir REPLY", .depends(on: "the connections of IP Virtual Server")) {
      $0.connection.direction = .reply
    },
    PacketRow(.ipv4, "-m ipvs --vdir ORIGINAL", .no) { $0.connection.state = .untracked },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m ipvs", refused: "ipvs needs at least one option"),
    Row(
      .ipv4, "-m ipvs ! --ipvs --vport 1",
      refused: "--ipvs: '! --ipvs' cannot stand beside other options, which all need a connection"),
    Row(.ipv4, "-m ipvs ! --vdir REPLY", refused: "'!' cannot stand before --vdir"),
    Row(.ipv4, "-m ipvs --vdir BACK", refused: "--vdir: 'BACK' is not one of its values"),
    Row(.ipv4, "-m ipvs --vmethod NAT", refused: "--vmethod: 'NAT' is not one of its values"),
    Row(.ipv4, "-m ipvs --vaddr ::1", refused: "'::1' is an IPv6 address in IPv4 rules"),
    Row(.ipv4, "-m ipvs --vproto nothing", refused: "unknown protocol 'nothing'"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
