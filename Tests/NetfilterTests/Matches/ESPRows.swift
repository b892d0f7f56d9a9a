import Netfilter
import Testing

@Suite struct ESPRows {
  @Test(arguments: [
    Row(.ipv4, "-p esp -m esp", wire: zeros(4) + [255, 255, 255, 255] + zeros(4), lists: "esp"),
    Row(.ipv4, "-p esp -m esp --espspi 0", wire: zeros(12), lists: "esp spi:0"),
    Row(
      .ipv6, "-p esp -m esp ! --espspi :32", prints: "-p esp -m esp ! --espspi 0:32",
      wire: zeros(4) + [32, 0, 0, 0, 1, 0, 0, 0], lists: "esp spis:!0:32"),
    Row(
      .ipv4, "-p esp -m esp --espspi 0:4294967295", prints: "-p esp -m esp",
      wire: zeros(4) + [255, 255, 255, 255] + zeros(4)),
    Row(.ipv4, "-p esp -m esp ! --espspi 0:4294967294", wire: zeros(4) + [254, 255, 255, 255, 1, 0, 0, 0]),
    Row(.ipv4, "-p esp -m esp ! --espspi 0:4294967295", wire: zeros(4) + [255, 255, 255, 255, 1, 0, 0, 0]),
    Row(.ipv4, "-p esp -m esp --espspi 3:2", wire: [3, 0, 0, 0, 2] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p esp --espspi 258", .yes) { $0.bytes = ipv4Bytes(50, [0, 0, 1, 2] + zeros(4)) },
    PacketRow(.ipv6, "-p esp ! --espspi 258", .no) {
      $0.bytes = ipv6Bytes(0, [50, 0] + zeros(6) + [0, 0, 1, 2] + zeros(4))
    },
    PacketRow(.ipv4, "-p esp --espspi 258", .broken) { $0.bytes = ipv4Bytes(50, [0, 0, 1, 2] + zeros(3)) },
    PacketRow(.ipv4, "-p esp --espspi 3:2", .no),
    PacketRow(.ipv4, "-p esp --espspi 258", .depends(on: "the packet's bytes")),
    PacketRow(.ipv4, "-p esp -m esp", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-p esp -m esp --espspi -1", refused: "--espspi: '-1' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m esp", refused: "esp needs -p esp"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
