import Netfilter
import Testing

@Suite struct StatisticRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m statistic --mode random --probability 0.33333333333",
      prints: "-m statistic --mode random --probability 0.33333333349",
      wire: [0, 0, 0, 0, 171, 170, 170, 42, 0, 0, 0, 0, 171, 170, 170, 42] + zeros(8),
      lists: "statistic mode random probability 0.33333333349"),
    Row(
      .ipv4, "-m statistic --mode random ! --probability 1",
      prints: "-m statistic --mode random ! --probability 1.00000000000",
      wire: [0, 0, 1, 0, 0, 0, 0, 128] + zeros(7) + [128] + zeros(8),
      lists: "statistic mode random ! probability 1.00000000000"),
    Row(
      .ipv4, "-m statistic --mode random --probability 0",
      prints: "-m statistic --mode random --probability 0.00000000000",
      wire: zeros(24)),
    Row(
      .ipv4, "-m statistic --mode random --probability 1e-9",
      prints: "-m statistic --mode random --probability 0.00000000093",
      wire: [0, 0, 0, 0, 2] + zeros(7) + [2] + zeros(11)),
    Row(
      .ipv4, "-m statistic --mode random --probability 0x1p-2",
      prints: "-m statistic --mode random --probability 0.25000000000",
      wire: zeros(7) + [32] + zeros(7) + [32] + zeros(8)),
    Row(
      .ipv4, "-m statistic --mode random --probability .5",
      prints: "-m statistic --mode random --probability 0.50000000000",
      wire: zeros(7) + [64] + zeros(7) + [64] + zeros(8)),
    Row(
      .ipv4, "-m statistic --mode random --probability 1.",
      prints: "-m statistic --mode random --probability 1.00000000000",
      wire: zeros(7) + [128] + zeros(7) + [128] + zeros(8)),
    Row(
      .ipv4, "-m statistic --mode random --probability 0.00000000025",
      prints: "-m statistic --mode random --probability 0.00000000047",
      wire: [0, 0, 0, 0, 1] + zeros(7) + [1] + zeros(11)),
    Row(
      .ipv4, "-m statistic --mode nth --every 1 --packet 0",
      wire: [1] + zeros(23),
      lists: "statistic mode nth every 1"),
    Row(
      .ipv4, "-m statistic --packet 2 --mode nth ! --every 5", prints: "-m statistic --mode nth ! --every 5 --packet 2",
      wire: [1, 0, 1, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2] + zeros(11),
      lists: "statistic mode nth ! every 5 packet 2"),
    Row(
      .ipv6, "-m statistic --mode nth --every 4294967295 --packet 4294967294",
      wire: [1, 0, 0, 0, 254, 255, 255, 255, 254, 255, 255, 255] + zeros(12)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m statistic --mode random --probability 0.5", .depends(on: "chance")),
    PacketRow(.ipv6, "-m statistic --mode random ! --probability 0.5", .depends(on: "chance")) {
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m statistic --mode random --probability 0", .no),
    PacketRow(.ipv4, "-m statistic --mode random ! --probability 0", .yes),
    PacketRow(.ipv4, "-m statistic --mode random --probability 1", .yes),
    PacketRow(.ipv4, "-m statistic --mode random ! --probability 1", .no),
    PacketRow(.ipv4, "-m statistic --mode nth --every 2 --packet 0", .depends(on: "how many packets came before")),
    PacketRow(.ipv4, "-m statistic --mode nth --every 1 --packet 0", .yes),
    PacketRow(.ipv4, "-m statistic --mode nth ! --every 1 --packet 0", .no),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m statistic --probability 1", refused: "statistic needs --mode random|nth"),
    Row(.ipv4, "-m statistic --mode random", refused: "--mode: random needs --probability P"),
    Row(
      .ipv4, "-m statistic --mode random --probability 1.1", refused: "--probability: '1.1' is not a number from 0 to 1"
    ),
    Row(.ipv4, "-m statistic --mode random --probability x", refused: "--probability: 'x' is not a number from 0 to 1"),
    Row(.ipv4, "-m statistic --mode random --every 2 --packet 0", refused: "--mode: random needs --probability P"),
    Row(.ipv4, "-m statistic --mode nth --every 5", refused: "--mode: nth needs --every N and --packet N"),
    Row(.ipv4, "-m statistic --mode nth --every 5 --packet 5", refused: "--packet: of 5 packets the last is number 4"),
    Row(
      .ipv4, "-m statistic --mode nth --every 0 --packet 0",
      refused: "--every: '0' is not a number from 1 to 4294967295"),
    Row(
      .ipv4, "-m statistic --mode nth --every 5 --packet 0 --probability 1",
      refused: "--probability cannot stand beside --every"),
    Row(.ipv4, "-m statistic --mode often --probability 1", refused: "--mode: 'often' is not one of its values"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came.
  @Test(arguments: [
    [1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 3] + zeros(11),  // begins to count elsewhere
    [0, 0, 0, 0, 1, 0, 0, 128, 0, 0, 0, 0, 1, 0, 0, 128] + zeros(8),  // more than 1
    [2] + zeros(23),
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "statistic", revision: 0, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }
}
