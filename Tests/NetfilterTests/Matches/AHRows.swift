import Netfilter
import Testing

@Suite struct AHRows {
  @Test(arguments: [
    Row(.ipv4, "-p ah -m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(4), lists: "ah "),
    Row(.ipv4, "-p ah -m ah --ahspi 0", wire: zeros(12), lists: "ah spi:0"),
    Row(.ipv4, "-p ah -m ah ! --ahspi 4294967295", wire: ones(8) + [1, 0, 0, 0], lists: "ah spi:!4294967295"),
    Row(.ipv4, "-p ah -m ah --ahspi 5:3", wire: [5, 0, 0, 0, 3] + zeros(7), lists: "ah spis:5:3"),
    Row(.ipv4, "-p ah --ahspi :7", prints: "-p ah -m ah --ahspi 0:7", wire: zeros(4) + [7] + zeros(7)),
    Row(.ipv4, "-p ah -m ah --ahspi :", prints: "-p ah -m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(4)),
    Row(
      .ipv4, "-p ah -m ah ! --ahspi :", prints: "-p ah -m ah ! --ahspi 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255, 1, 0, 0, 0], lists: "ah spis:!0:4294967295"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p ah --ahspi 258", .yes) { $0.bytes = ipv4Bytes(51, [6, 4, 0, 0, 0, 0, 1, 2] + zeros(4)) },
    PacketRow(.ipv4, "-p ah --ahspi 257", .no) { $0.bytes = ipv4Bytes(51, [6, 4, 0, 0, 0, 0, 1, 2] + zeros(4)) },
    PacketRow(.ipv4, "-p ah ! --ahspi 5:3", .yes) { $0.bytes = ipv4Bytes(51, [6, 4, 0, 0, 0, 0, 1, 2] + zeros(4)) },
    PacketRow(.ipv4, "-p ah --ahspi 258", .broken) { $0.bytes = ipv4Bytes(51, [6, 4, 0, 0, 0, 0, 1, 2] + zeros(3)) },
    PacketRow(.ipv4, "-p ah --ahspi 258", .depends(on: "the packet's bytes")),
    PacketRow(.ipv4, "-p ah -m ah", .yes),
    PacketRow(.ipv4, "-p ah ! --ahspi :", .no),
    PacketRow(.ipv4, "-p ah -m ah", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p ah -m ah --ahspi 4294967296", refused: "--ahspi: '4294967296' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-p ah -m ah --ahspi invalid", refused: "--ahspi: 'invalid' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m ah", refused: "ah needs -p ah"),
    Row(.ipv4, "-p ah -m ah --ahlen 4", refused: "unknown option '--ahlen'"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
