import Netfilter
import Testing

@Suite struct AHv6Rows {
  @Test(arguments: [
    Row(.ipv6, "-m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(8)),
    Row(.ipv6, "-m ah --ahspi 0", wire: zeros(16)),
    Row(
      .ipv6, "-p ah -m ah ! --ahspi 1:2 ! --ahlen 32 --ahres", wire: [1, 0, 0, 0, 2, 0, 0, 0, 32, 0, 0, 0, 1, 3, 0, 0]),
    Row(.ipv6, "-m ah --ahlen 0", prints: "-m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(8)),
    Row(.ipv6, "-m ah ! --ahlen 0", wire: zeros(4) + [255, 255, 255, 255] + zeros(5) + [2, 0, 0]),
    Row(.ipv6, "-m ah --ahspi :", prints: "-m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv6, "-m ah ! --ahspi :", prints: "-m ah ! --ahspi 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255] + zeros(5) + [1, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m ah --ahspi 0:invalid", refused: "--ahspi: 'invalid' is not a number from 0 to 4294967295")
  ])
  func refused(_ row: Row) throws { try row.check() }
}
