import Netfilter
import Testing

@Suite struct SocketMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m socket", in: "INPUT",
      wire: [0]),
    Row(
      .ipv4, "-m socket --restore-skmark --nowildcard --transparent", in: "PREROUTING", table: .mangle,
      prints: "-m socket --transparent --nowildcard --restore-skmark",
      wire: [7]),
    Row(
      .ipv6, "-m socket --nowildcard", in: "INPUT",
      wire: [2]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m socket", in: "FORWARD", refused: "socket cannot be used in FORWARD"),
    Row(.ipv4, "-m socket ! --transparent", in: "INPUT", refused: "'!' cannot stand before --transparent"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
