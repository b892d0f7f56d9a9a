import Netfilter
import Testing

@Suite struct IPCompRows {
  @Test(arguments: [
    Row(.ipv4, "-p ipcomp -m ipcomp --ipcompspi 18", wire: [18, 0, 0, 0, 18] + zeros(7), lists: "comp spi:18"),
    Row(
      .ipv6, "-p ipcomp -m ipcomp ! --ipcompspi 18:19 --compres", wire: [18, 0, 0, 0, 19, 0, 0, 0, 1, 1, 0, 0],
      lists: "comp spis:!18:19 reserved"),
    Row(.ipv4, "-p ipcomp -m ipcomp", prints: "-p ipcomp -m ipcomp --ipcompspi 0", wire: zeros(12)),
    Row(
      .ipv4, "-p ipcomp -m ipcomp --ipcompspi :", prints: "-p ipcomp -m ipcomp --ipcompspi 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255] + zeros(4), lists: "comp "),
    Row(
      .ipv4, "-p ipcomp -m ipcomp ! --ipcompspi :", prints: "-p ipcomp -m ipcomp ! --ipcompspi 0:4294967295",
      wire: zeros(4) + [255, 255, 255, 255, 1, 0, 0, 0]),
    Row(.ipv4, "-p ipcomp -m ipcomp --ipcompspi 4:3", wire: [4, 0, 0, 0, 3] + zeros(7)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p ipcomp --ipcompspi 258", .yes) { $0.bytes = ipv4Bytes(108, [6, 0, 1, 2]) },
    PacketRow(.ipv6, "-p ipcomp ! --ipcompspi 258", .no) { $0.bytes = ipv6Bytes(108, [6, 0, 1, 2]) },
    PacketRow(.ipv4, "-p ipcomp --ipcompspi 258", .broken) { $0.bytes = ipv4Bytes(108, [6, 0, 1]) },
    PacketRow(.ipv4, "-p ipcomp --ipcompspi :", .yes),
    PacketRow(.ipv4, "-p ipcomp --ipcompspi 258", .depends(on: "the packet's bytes")),
    PacketRow(.ipv4, "-p ipcomp --ipcompspi :", .no) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m ipcomp --ipcompspi 18", refused: "ipcomp needs -p ipcomp"),
    Row(
      .ipv4, "-p ipcomp -m ipcomp --ipcompspi 4294967296",
      refused: "--ipcompspi: '4294967296' is not a number from 0 to 4294967295"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
