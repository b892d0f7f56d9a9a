import Netfilter
import Testing

@Suite struct LimitRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m limit", prints: "-m limit --limit 3/hour", wire: [0, 27, 183, 0, 5] + zeros(35),
      lists: "limit: avg 3/hour burst 5"),
    Row(.ipv4, "-m limit --limit 1/sec", wire: [16, 39, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 5", prints: "-m limit --limit 5/sec", wire: [208, 7, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 13/minute", prints: "-m limit --limit 13/min", wire: [73, 180, 0, 0, 5] + zeros(35)),
    Row(
      .ipv4, "-m limit --limit 1000/h",
      prints: "-m limit --limit 1000/hour",
      wire: [160, 140, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 1000/DAY", prints: "-m limit --limit 1000/day", wire: [0, 47, 13, 0, 5] + zeros(35)),
    Row(
      .ipv4, "-m limit --limit 7/second --limit-burst 100",
      prints: "-m limit --limit 7/sec --limit-burst 100",
      wire: [148, 5, 0, 0, 100] + zeros(35), lists: "limit: avg 7/sec burst 100"),
    Row(
      .ipv4, "-m limit --limit 10000/second",
      prints: "-m limit --limit 10000/sec",
      wire: [1, 0, 0, 0, 5] + zeros(35)),
    Row(
      .ipv4, "-m limit --limit 3333/second",
      prints: "-m limit --limit 3333/sec",
      wire: [3, 0, 0, 0, 5] + zeros(35)),
    Row(
      .ipv4, "-m limit --limit 100/minute",
      prints: "-m limit --limit 100/min",
      wire: [112, 23, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 90/minute", prints: "-m limit --limit 90/min", wire: [10, 26, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 59/minute", prints: "-m limit --limit 59/min", wire: [185, 39, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 61/hour", wire: [83, 1, 9, 0, 5] + zeros(35)),
    Row(
      .ipv4, "-m limit --limit 864000000/day",
      prints: "-m limit --limit 10000/sec",
      wire: [1, 0, 0, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit 25/hour --limit-burst 10000", wire: [0, 249, 21, 0, 16, 39] + zeros(34)),
    Row(.ipv4, "-m limit --limit 1/day --limit-burst 1", wire: [0, 152, 127, 51, 1] + zeros(35)),
    Row(.ipv4, "-m limit --limit 1/hour --limit-burst 119", wire: [0, 81, 37, 2, 119] + zeros(35)),
    Row(.ipv4, "-m limit --limit 010/sec", prints: "-m limit --limit 10/sec", wire: [232, 3, 0, 0, 5] + zeros(35)),
    Row(.ipv6, "-m limit --limit 2/min", wire: [224, 147, 4, 0, 5] + zeros(35)),
    Row(.ipv4, "-m limit --limit-burst 0", for: .nfTables, prints: "-m limit --limit 3/hour"),
    Row(.ipv4, "-m limit --limit 1/day", for: .nfTables),
    Row(.ipv6, "-m limit --limit 1/hour --limit-burst 10000", for: .nfTables),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m limit", .depends(on: "how many packets came before")),
    PacketRow(.ipv6, "-m limit --limit 1/sec", .depends(on: "how many packets came before")) {
      $0.isLaterFragment = true
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m limit --limit 10001/second", refused: "--limit: '10001/second' is too fast"),
    Row(.ipv4, "-m limit --limit 1/day", refused: "--limit: the kernel cannot count a burst of 5 at so slow a rate"),
    Row(
      .ipv4, "-m limit --limit 1/day --limit-burst 2",
      refused: "--limit-burst: the kernel cannot count a burst of 2 at so slow a rate"),
    Row(
      .ipv4, "-m limit --limit 1/hour --limit-burst 120",
      refused: "--limit-burst: the kernel cannot count a burst of 120 at so slow a rate"),
    Row(.ipv4, "-m limit --limit 0/sec", refused: "--limit: '0/sec' is not a rate"),
    Row(.ipv4, "-m limit --limit 1/week", refused: "--limit: 'week' is not a unit of time"),
    Row(.ipv4, "-m limit --limit 1/", refused: "--limit: '' is not a unit of time"),
    Row(
      .ipv4, "-m limit --limit-burst 0",
      refused: "--limit-burst: with a burst of 0 nothing would ever match, and the kernel refuses it"),
    Row(
      .ipv4, "-m limit --limit-burst 10000",
      refused: "--limit-burst: the kernel cannot count a burst of 10000 at so slow a rate"),
    Row(.ipv4, "-m limit --limit-burst 10001", refused: "--limit-burst: '10001' is not a number from 0 to 10000"),
    Row(
      .ipv4, "-m limit --limit-burst 10001", for: .nfTables,
      refused: "--limit-burst: '10001' is not a number from 0 to 10000"),
    Row(.ipv4, "-m limit ! --limit 1/sec", refused: "'!' cannot stand before --limit"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
