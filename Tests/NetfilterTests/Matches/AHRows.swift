import Netfilter
import Testing

@Suite struct AHRows {
  @Test(arguments: [
    Row(.ipv4, "-p ah -m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(4)),
    Row(.ipv4, "-p ah -m ah --ahspi 0", wire: zeros(12)),
    Row(.ipv4, "-p ah -m ah ! --ahspi 4294967295", wire: ones(8) + [1, 0, 0, 0]),
    Row(.ipv4, "-p ah -m ah --ahspi 5:3", wire: [5, 0, 0, 0, 3] + zeros(7)),
    Row(.ipv4, "-p ah --ahspi :7", prints: "-p ah -m ah --ahspi 0:7", wire: zeros(4) + [7] + zeros(7)),
    Row(.ipv4, "-p ah -m ah --ahspi :", prints: "-p ah -m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(4)),
    Row(
      .ipv4, "-p ah -m ah ! --ahspi :", prints: "-p ah -m ah ! --ahspi 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255, 1, 0, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p ah -m ah --ahspi 4294967296", refused: "--ahspi: '4294967296' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-p ah -m ah --ahspi invalid", refused: "--ahspi: 'invalid' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m ah", refused: "ah needs -p ah"),
    Row(.ipv4, "-p ah -m ah --ahlen 4", refused: "unknown option '--ahlen'"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
