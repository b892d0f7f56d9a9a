import Netfilter
import Testing

@Suite struct ECNMatchRows {
  @Test(arguments: [
    Row(.ipv4, "-p tcp -m ecn --ecn-tcp-cwr", wire: [32, 0, 0, 0]),
    Row(.ipv6, "-p tcp -m ecn --ecn-tcp-ece --ecn-tcp-cwr --ecn-ip-ect 2", wire: [49, 0, 2, 0]),
    Row(.ipv4, "-p tcp -m ecn ! --ecn-tcp-ece ! --ecn-tcp-cwr ! --ecn-ip-ect 2", wire: [49, 49, 2, 0]),
    Row(.ipv4, "-m ecn --ecn-ip-ect 0", wire: [1, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m ecn --ecn-tcp-cwr", refused: "--ecn-tcp-cwr: needs -p tcp"),
    Row(.ipv4, "! -p tcp -m ecn --ecn-tcp-ece", refused: "--ecn-tcp-ece: needs -p tcp"),
    Row(.ipv4, "-m ecn --ecn-ip-ect 4", refused: "--ecn-ip-ect: '4' is not a number from 0 to 3"),
    Row(.ipv4, "-m ecn", refused: "ecn needs --ecn-tcp-cwr, --ecn-tcp-ece or --ecn-ip-ect"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
