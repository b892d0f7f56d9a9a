import Netfilter
import Testing

@Suite struct AddrTypeRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m addrtype --src-type LOCAL --limit-iface-out", in: "FORWARD", wire: [4, 0, 0, 0, 8, 0, 0, 0],
      lists: "ADDRTYPE match src-type LOCAL limit-out"),
    Row(.ipv4, "-m addrtype --src-type UNSPEC", wire: [1] + zeros(7)),
    Row(.ipv4, "-m addrtype --src-type LOCAL --dst-type LOCAL", wire: [4, 0, 4] + zeros(5)),
    Row(
      .ipv4,
      "-m addrtype ! --src-type local,uni,BROADCAST ! --dst-type XRESOLVE,NAT,THROW,PROHIBIT,UNREACHABLE,BLACKHOLE,MULTICAST,ANYCAST",
      prints:
        "-m addrtype ! --src-type UNICAST,LOCAL,BROADCAST ! --dst-type ANYCAST,MULTICAST,BLACKHOLE,UNREACHABLE,PROHIBIT,THROW,NAT,XRESOLVE",
      wire: [14, 0, 240, 15, 3, 0, 0, 0],
      lists:
        "ADDRTYPE match src-type !UNICAST,LOCAL,BROADCAST dst-type !ANYCAST,MULTICAST,BLACKHOLE,UNREACHABLE,PROHIBIT,THROW,NAT,XRESOLVE"
    ),
    Row(.ipv4, "-m addrtype --src-type un", prints: "-m addrtype --src-type UNSPEC", wire: [1] + zeros(7)),
    Row(
      .ipv4, "-m addrtype --dst-type LOCAL --limit-iface-in", wire: [0, 0, 4, 0, 4, 0, 0, 0],
      lists: "ADDRTYPE match dst-type LOCAL limit-in"),
    Row(.ipv6, "-m addrtype ! --dst-type LOCAL --limit-iface-in", wire: [0, 0, 4, 0, 6, 0, 0, 0]),
    Row(.ipv6, "-m addrtype --src-type UNSPEC", wire: [1] + zeros(7)),
    Row(.ipv6, "-m addrtype --src-type UNICAST", wire: [2] + zeros(7)),
    Row(.ipv6, "-m addrtype --src-type ANYCAST", wire: [16] + zeros(7)),
    Row(.ipv6, "-m addrtype --src-type MULTICAST", wire: [32] + zeros(7)),
    Row(.ipv6, "-m addrtype --src-type UNREACHABLE", wire: [128] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m addrtype --dst-type LOCAL", .depends(on: "the routing table")),
    PacketRow(.ipv4, "-m addrtype --dst-type LOCAL,UNICAST,BROADCAST,ANYCAST", .yes),
    PacketRow(.ipv4, "-m addrtype ! --dst-type MULTICAST", .yes),
    PacketRow(.ipv4, "-m addrtype --dst-type MULTICAST", .yes) { $0.destination = IPAddress("224.0.0.1")! },
    PacketRow(.ipv4, "-m addrtype --dst-type LOCAL", .no) { $0.destination = IPAddress("239.255.255.255")! },
    PacketRow(.ipv4, "-m addrtype --dst-type BROADCAST", .yes) { $0.destination = IPAddress("255.255.255.255")! },
    PacketRow(.ipv4, "-m addrtype --src-type UNSPEC", .no) { $0.source = IPAddress("0.0.0.0")! },
    PacketRow(.ipv4, "-m addrtype ! --src-type BROADCAST", .no) { $0.source = IPAddress("0.0.0.0")! },
    PacketRow(.ipv4, "-m addrtype --src-type LOCAL --dst-type UNSPEC", .no),
    PacketRow(.ipv6, "-m addrtype --src-type UNICAST", .yes),
    PacketRow(.ipv6, "-m addrtype ! --src-type UNICAST", .yes) { $0.source = IPAddress("::ffff:192.0.2.1")! },
    PacketRow(.ipv6, "-m addrtype --src-type UNSPEC", .yes) { $0.source = IPAddress("::")! },
    PacketRow(.ipv6, "-m addrtype --dst-type MULTICAST", .yes) { $0.destination = IPAddress("ff02::1")! },
    PacketRow(.ipv6, "-m addrtype --dst-type MULTICAST,LOCAL", .no),
    PacketRow(.ipv6, "-m addrtype --dst-type LOCAL", .depends(on: "the routing table")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(
      .ipv4, "-m addrtype --src-type LOCAL --limit-iface-out", in: "INPUT",
      refused: "addrtype with these options cannot be used in INPUT"),
    Row(
      .ipv4, "-m addrtype --src-type LOCAL --limit-iface-in", in: "OUTPUT",
      refused: "addrtype with these options cannot be used in OUTPUT"),
    Row(
      .ipv4, "-m addrtype --src-type LOCAL --limit-iface-in --limit-iface-out",
      refused: "--limit-iface-out cannot stand beside --limit-iface-in"),
    Row(.ipv4, "-m addrtype --limit-iface-in", refused: "addrtype needs --src-type or --dst-type"),
    Row(.ipv4, "-m addrtype", refused: "addrtype needs --src-type or --dst-type"),
    Row(.ipv4, "-m addrtype --src-type wrong", refused: "--src-type: 'wrong' is not one of its values"),
    Row(.ipv4, "-m addrtype --src-type LOCAL,", refused: "--src-type: a word is missing between the commas"),
    Row(.ipv4, "-m addrtype --src-type LOCAL --src-type LOCAL", refused: "--src-type is given twice"),
    Row(
      .ipv6, "-m addrtype --src-type LOCAL,UNICAST,UNREACHABLE,BLACKHOLE,ANYCAST,MULTICAST,UNSPEC",
      refused: "--src-type: the kernel cannot tell BLACKHOLE addresses in IPv6 rules"),
    Row(
      .ipv6, "-m addrtype --src-type BROADCAST",
      refused: "--src-type: the kernel cannot tell BROADCAST addresses in IPv6 rules"),
    Row(
      .ipv6, "-m addrtype --src-type PROHIBIT",
      refused: "--src-type: the kernel cannot tell PROHIBIT addresses in IPv6 rules"),
    Row(
      .ipv6, "-m addrtype --src-type BLACKHOLE",
      refused: "--src-type: the kernel cannot tell BLACKHOLE addresses in IPv6 rules"),
    Row(
      .ipv6, "-m addrtype ! --src-type BLACKHOLE",
      refused: "--src-type: the kernel cannot tell BLACKHOLE addresses in IPv6 rules"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
