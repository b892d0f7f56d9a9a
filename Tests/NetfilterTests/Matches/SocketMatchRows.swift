import Netfilter
import Testing

@Suite struct SocketMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m socket", in: "INPUT",
      wire: [0],
      lists: "socket"),
    Row(
      .ipv4, "-m socket --restore-skmark --nowildcard --transparent", in: "PREROUTING", table: .mangle,
      prints: "-m socket --transparent --nowildcard --restore-skmark",
      wire: [7],
      lists: "socket --transparent --nowildcard --restore-skmark"),
    Row(
      .ipv6, "-m socket --nowildcard", in: "INPUT",
      wire: [2]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m socket", .depends(on: "the sockets of this machine")),
    PacketRow(.ipv6, "-m socket --nowildcard", .depends(on: "the sockets of this machine")) {
      $0.proto = .udp
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m socket", .no) { $0.proto = .sctp },
    PacketRow(.ipv6, "-m socket", .no) { $0.proto = .icmp },
    PacketRow(.ipv4, "-m socket", .depends(on: "the sockets of this machine")) { $0.proto = .icmp },
    PacketRow(.ipv4, "-m socket", .no) {
      $0.proto = .icmp
      $0.icmpType = 8
    },
    PacketRow(.ipv4, "-m socket", .depends(on: "the sockets of this machine")) {
      $0.proto = .icmp
      $0.icmpType = 3
    },
    PacketRow(.ipv6, "-m socket", .no) {
      $0.proto = .icmpv6
      $0.icmpType = 128
    },
    PacketRow(.ipv6, "-m socket", .depends(on: "the sockets of this machine")) {
      $0.proto = .icmpv6
      $0.icmpType = 1
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m socket", in: "FORWARD", refused: "socket cannot be used in FORWARD"),
    Row(.ipv4, "-m socket ! --transparent", in: "INPUT", refused: "'!' cannot stand before --transparent"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
