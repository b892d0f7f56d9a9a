import Netfilter
import Testing

@Suite struct EUI64Rows {
  @Test(arguments: [
    Row(.ipv6, "-m eui64", wire: zeros(4)),
    Row(.ipv6, "-m eui64", in: "INPUT", wire: zeros(4)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m eui64", in: "OUTPUT", refused: "eui64 cannot be used in OUTPUT"),
    Row(.ipv4, "-m eui64", refused: "match 'eui64' is for IPv6 only"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
