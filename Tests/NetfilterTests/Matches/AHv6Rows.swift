import Netfilter
import Testing

@Suite struct AHv6Rows {
  @Test(arguments: [
    Row(.ipv6, "-m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(8), lists: "ah "),
    Row(.ipv6, "-m ah --ahspi 0", wire: zeros(16)),
    Row(
      .ipv6, "-p ah -m ah ! --ahspi 1:2 ! --ahlen 32 --ahres", wire: [1, 0, 0, 0, 2, 0, 0, 0, 32, 0, 0, 0, 1, 3, 0, 0],
      lists: "ah spis:!1:2length:!32 reserved"),
    Row(.ipv6, "-m ah --ahlen 0", prints: "-m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv6, "-m ah ! --ahlen 0", wire: zeros(4) + [255, 255, 255, 255] + zeros(5) + [2, 0, 0], lists: "ah length:!0"),
    Row(.ipv6, "-m ah --ahspi :", prints: "-m ah", wire: zeros(4) + [255, 255, 255, 255] + zeros(8)),
    Row(
      .ipv6, "-m ah ! --ahspi :", prints: "-m ah ! --ahspi 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255] + zeros(5) + [1, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv6, "-m ah --ahspi 258 --ahlen 16 --ahres", .yes) {
      $0.bytes = ipv6Bytes(51, [6, 2, 0, 0, 0, 0, 1, 2] + zeros(8))
    },
    PacketRow(.ipv6, "-m ah ! --ahspi 258", .no) { $0.bytes = ipv6Bytes(51, [6, 2, 0, 0, 0, 0, 1, 2] + zeros(8)) },
    PacketRow(.ipv6, "-m ah --ahlen 12", .no) { $0.bytes = ipv6Bytes(51, [6, 2, 0, 0, 0, 0, 1, 2] + zeros(8)) },
    PacketRow(.ipv6, "-m ah ! --ahlen 12", .yes) { $0.bytes = ipv6Bytes(51, [6, 2, 0, 0, 0, 0, 1, 2] + zeros(8)) },
    PacketRow(.ipv6, "-m ah ! --ahlen 0", .yes) { $0.bytes = ipv6Bytes(51, [6, 2, 0, 0, 0, 0, 1, 2] + zeros(8)) },
    PacketRow(.ipv6, "-m ah --ahres", .no) { $0.bytes = ipv6Bytes(51, [6, 2, 0, 1, 0, 0, 1, 2] + zeros(8)) },
    PacketRow(.ipv6, "-m ah", .yes) { $0.bytes = ipv6Bytes(0, [51, 0] + zeros(6) + [6, 1] + zeros(10)) },
    PacketRow(.ipv6, "-m ah", .no) { $0.bytes = ipv6Bytes(6, zeros(20)) },
    PacketRow(.ipv6, "-m ah", .broken) { $0.bytes = ipv6Bytes(51, [6, 1] + zeros(9)) },
    PacketRow(.ipv6, "-m ah", .depends(on: "the packet's bytes")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv6, "-m ah --ahspi 0:invalid", refused: "--ahspi: 'invalid' is not a number from 0 to 4294967295")
  ])
  func refused(_ row: Row) throws { try row.check() }
}
