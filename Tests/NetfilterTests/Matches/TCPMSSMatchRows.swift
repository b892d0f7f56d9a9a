import Netfilter
import Testing

@Suite struct TCPMSSMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-p tcp -m tcpmss --mss 42",
      wire: [42, 0, 42, 0, 0, 0], lists: "tcpmss match 42"),
    Row(
      .ipv4, "-p tcp -m tcpmss ! --mss 5:9",
      wire: [5, 0, 9, 0, 1, 0], lists: "tcpmss match !5:9"),
    Row(
      .ipv4, "-p tcp -m tcpmss --mss :42", prints: "-p tcp -m tcpmss --mss 0:42",
      wire: [0, 0, 42, 0, 0, 0]),
    Row(
      .ipv4, "-p tcp -m tcpmss --mss 42:", prints: "-p tcp -m tcpmss --mss 42:65535",
      wire: [42, 0, 255, 255, 0, 0]),
    Row(
      .ipv6, "-p tcp -m tcpmss --mss :", prints: "-p tcp -m tcpmss --mss 0:65535",
      wire: [0, 0, 255, 255, 0, 0]),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-p tcp -m tcpmss --mss 536:1460", .yes) { $0.maximumSegmentSize = 1460 },
    PacketRow(.ipv6, "-p tcp -m tcpmss --mss 536:1459", .no) { $0.maximumSegmentSize = 1460 },
    PacketRow(.ipv4, "-p tcp -m tcpmss --mss :", .no) { $0.maximumSegmentSize = 0 },
    PacketRow(.ipv4, "-p tcp -m tcpmss ! --mss :", .yes) { $0.maximumSegmentSize = 0 },
    PacketRow(.ipv4, "-p tcp -m tcpmss ! --mss 536", .depends(on: "the maximum segment size")),
    PacketRow(.ipv4, "-p tcp -m tcpmss --mss 536", .depends(on: "the packet's bytes")) {
      $0.maximumSegmentSize = 0
      $0.isLaterFragment = true
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m tcpmss --mss 42", refused: "tcpmss needs -p tcp"),
    Row(.ipv4, "-p udp -m tcpmss --mss 42", refused: "tcpmss needs -p tcp"),
    Row(.ipv4, "! -p tcp -m tcpmss --mss 42", refused: "tcpmss needs -p tcp"),
    Row(.ipv4, "-p tcp -m tcpmss", refused: "tcpmss needs --mss N[:N]"),
    Row(.ipv4, "-p tcp -m tcpmss --mss 65535:1000", refused: "--mss: the range '65535:1000' runs backwards"),
    Row(.ipv4, "-p tcp -m tcpmss --mss 42:65536", refused: "--mss: '65536' is not a number from 0 to 65535"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
