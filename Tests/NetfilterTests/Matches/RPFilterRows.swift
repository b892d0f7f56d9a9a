import Netfilter
import Testing

@Suite struct RPFilterRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m rpfilter", in: "PREROUTING", table: .mangle,
      wire: [0]),
    Row(
      .ipv4, "-m rpfilter --loose", in: "PREROUTING", table: .raw,
      wire: [1]),
    Row(
      .ipv4, "-m rpfilter --invert --accept-local --validmark", in: "PREROUTING", table: .mangle,
      prints: "-m rpfilter --validmark --accept-local --invert",
      wire: [14]),
    Row(
      .ipv6, "-m rpfilter --invert", in: "PREROUTING", table: .raw,
      wire: [8]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m rpfilter", in: "INPUT", table: .mangle, refused: "rpfilter cannot be used in INPUT"),
    Row(.ipv4, "-m rpfilter", in: "PREROUTING", table: .nat, refused: "rpfilter cannot stand in table nat"),
    Row(.ipv4, "-m rpfilter ! --loose", in: "PREROUTING", table: .raw, refused: "'!' cannot stand before --loose"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
