import Netfilter
import Testing

@Suite struct MobilityHeaderRows {
  @Test(arguments: [
    Row(.ipv6, "-p mobility-header -m mh", wire: [0, 255, 0]),
    Row(.ipv6, "-p mobility-header -m mh --mh-type 1", wire: [1, 1, 0]),
    Row(.ipv6, "-p mobility-header -m mh ! --mh-type 4:123", wire: [4, 123, 1]),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type binding-refresh-request:Home-Test",
      prints: "-p mobility-header -m mh --mh-type 0:3", wire: [0, 3, 0]),
    Row(
      .ipv6, "-p mh --mh-type home", prints: "-p mobility-header -m mh --mh-type 1", wire: [1, 1, 0]),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type b", prints: "-p mobility-header -m mh --mh-type 0", wire: [0, 0, 0]),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type be", prints: "-p mobility-header -m mh --mh-type 7", wire: [7, 7, 0]),
    Row(.ipv6, "-p mh --mh-type cot:", prints: "-p mobility-header -m mh --mh-type 4:255", wire: [4, 255, 0]),
    Row(.ipv6, "-p mobility-header -m mh --mh-type :", prints: "-p mobility-header -m mh", wire: [0, 255, 0]),
    Row(
      .ipv6, "-p mobility-header -m mh ! --mh-type :", prints: "-p mobility-header -m mh ! --mh-type 0:255",
      wire: [0, 255, 1]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-p mobility-header -m mh --mh-type 4:3", refused: "--mh-type: the range '4:3' runs backwards"),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type 256",
      refused: "--mh-type: '256' is neither a number up to 255 nor a message"),
    Row(
      .ipv6, "-p mobility-header -m mh --mh-type wrong",
      refused: "--mh-type: 'wrong' is neither a number up to 255 nor a message"),
    Row(.ipv6, "-m mh", refused: "mh needs -p mobility-header"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
