import Netfilter
import Testing

@Suite struct RateEstimateMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps 8bit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 2] + zeros(9) + [1] + zeros(27),
      lists: Listing("rateest match RE1 bps 1 lt", named: "rateest match RE1 bps 8bit lt")),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-eq --rateest-pps 5",
      wire: [82, 69, 49] + zeros(29) + [34, 0, 1] + zeros(13) + [5] + zeros(23),
      lists: "rateest match RE1 pps eq 5"),
    Row(
      .ipv6, "-m rateest --rateest1 RE1 ! --rateest-gt --rateest-bps2 5kbit",
      prints: "-m rateest --rateest RE1 ! --rateest-gt --rateest-bps 5000bit",
      wire: [82, 69, 49] + zeros(29) + [19, 0, 3] + zeros(9) + [113, 2] + zeros(26),
      lists: Listing("rateest match RE1 bps 625 ! gt", named: "rateest match RE1 bps 5000bit ! gt")),
    Row(
      .ipv4, "-m rateest --rateest-delta --rateest RE1 --rateest-bps1 8bit --rateest-lt --rateest-bps2 16bit",
      wire: [82, 69, 49] + zeros(29) + [26, 0, 2, 0, 1] + zeros(7) + [2] + zeros(27),
      lists: Listing("rateest match RE1 delta bps 1 2 lt", named: "rateest match RE1 delta bps 8bit 16bit lt")),
    Row(
      .ipv4, "-m rateest --rateest1 RE1 --rateest-lt --rateest-bps --rateest2 RE2",
      wire: [82, 69, 49] + zeros(13) + [82, 69, 50] + zeros(13) + [20, 0, 2] + zeros(37),
      lists: "rateest match RE1 bps lt RE2 bps"),
    Row(
      .ipv4, "-m rateest --rateest1 RE1 --rateest-lt --rateest-bps1 --rateest2 RE2",
      prints: "-m rateest --rateest1 RE1 --rateest-lt --rateest-bps --rateest2 RE2",
      wire: [82, 69, 49] + zeros(13) + [82, 69, 50] + zeros(13) + [20, 0, 2] + zeros(37)),
    Row(
      .ipv4, "-m rateest --rateest-delta --rateest1 RE1 --rateest-pps1 0 --rateest-lt --rateest-pps2 42 --rateest2 RE2",
      wire: [82, 69, 49] + zeros(13) + [82, 69, 50] + zeros(13) + [44, 0, 2] + zeros(13) + [42] + zeros(23),
      lists: "rateest match RE1 delta pps 0 lt RE2 pps 42"),
    Row(
      .ipv4, "-m rateest --rateest-delta --rateest RE1 --rateest-pps1 8 --rateest-gt --rateest-pps2 9",
      wire: [82, 69, 49] + zeros(29) + [42, 0, 3] + zeros(5) + [8] + zeros(7) + [9] + zeros(23),
      lists: "rateest match RE1 delta pps 8 gt 9"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1mbit",
      prints: "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1000Kbit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 3] + zeros(9) + [72, 232, 1] + zeros(25)),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 2.5Gbit",
      prints: "-m rateest --rateest RE1 --rateest-gt --rateest-bps 2500Mbit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 3] + zeros(9) + [32, 95, 160, 18] + zeros(24),
      lists: Listing("rateest match RE1 bps 312500000 gt", named: "rateest match RE1 bps 2500Mbit gt")),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1MiBps",
      prints: "-m rateest --rateest RE1 --rateest-gt --rateest-bps 8388608bit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 3] + zeros(11) + [16] + zeros(25),
      lists: Listing("rateest match RE1 bps 1048576 gt", named: "rateest match RE1 bps 8389Kbit gt")),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 125001Bps",
      prints: "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1000008bit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 3] + zeros(9) + [73, 232, 1] + zeros(25)),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1000500Kbit",
      lists: Listing("rateest match RE1 bps 125062500 gt", named: "rateest match RE1 bps 1000Mbit gt")),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1001500Kbit",
      lists: Listing("rateest match RE1 bps 125187500 gt", named: "rateest match RE1 bps 1002Mbit gt")),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1000",
      prints: "-m rateest --rateest RE1 --rateest-gt --rateest-bps 1000bit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 3] + zeros(9) + [125] + zeros(27)),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-gt --rateest-bps 34359738360",
      prints: "-m rateest --rateest RE1 --rateest-gt --rateest-bps 34359738360bit",
      wire: [82, 69, 49] + zeros(29) + [18, 0, 3] + zeros(9) + [255, 255, 255, 255] + zeros(24)),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps 8bit --rateest-pps 5",
      wire: [82, 69, 49] + zeros(29) + [50, 0, 2] + zeros(9) + [1, 0, 0, 0, 5] + zeros(23),
      lists: Listing("rateest match RE1 bps 1 lt pps lt 5", named: "rateest match RE1 bps 8bit lt pps lt 5")),
    Row(
      .ipv4, "-m rateest --rateest1 RE1 --rateest-lt --rateest-pps --rateest-bps --rateest2 RE2",
      prints: "-m rateest --rateest1 RE1 --rateest-lt --rateest-bps --rateest-pps --rateest2 RE2",
      wire: [82, 69, 49] + zeros(13) + [82, 69, 50] + zeros(13) + [52, 0, 2] + zeros(37)),
    Row(
      .ipv4, "-m rateest --rateest abcdefghijklmno --rateest-lt --rateest-pps 1",
      wire: [97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111] + zeros(17) + [34, 0, 2]
        + zeros(13) + [1] + zeros(23)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m rateest --rateest A --rateest-lt --rateest-bps 8bit", .depends(on: "the estimated rates")),
    PacketRow(
      .ipv6, "-m rateest --rateest1 A --rateest-gt --rateest-pps --rateest2 B", .depends(on: "the estimated rates")
    ) { $0.isLaterFragment = true },
    PacketRow(.ipv4, "-m rateest --rateest A --rateest-lt --rateest-pps 0", .no),
    PacketRow(.ipv4, "-m rateest --rateest A ! --rateest-lt --rateest-bps 8bit --rateest-pps 0", .yes),
    PacketRow(.ipv4, "-m rateest --rateest A --rateest-gt --rateest-pps 0", .depends(on: "the estimated rates")),
    PacketRow(.ipv4, "-m rateest --rateest-delta --rateest A --rateest-pps1 0 --rateest-eq --rateest-pps2 0", .yes),
    PacketRow(.ipv4, "-m rateest --rateest-delta --rateest A --rateest-pps1 0 ! --rateest-eq --rateest-pps2 7", .yes),
    PacketRow(.ipv4, "-m rateest --rateest-delta --rateest A --rateest-pps1 0 --rateest-lt --rateest-pps2 7", .yes),
    PacketRow(
      .ipv4, "-m rateest --rateest-delta --rateest1 A --rateest-pps1 0 --rateest-gt --rateest-pps2 7 --rateest2 B",
      .no),
    PacketRow(
      .ipv4, "-m rateest --rateest-delta --rateest1 A --rateest-pps1 7 --rateest-lt --rateest-pps2 0 --rateest2 B",
      .no),
    PacketRow(
      .ipv4, "-m rateest --rateest-delta --rateest1 A --rateest-pps1 0 --rateest-lt --rateest-pps2 7 --rateest2 B",
      .depends(on: "the estimated rates")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m rateest --rateest RE1 --rateest-lt", refused: "rateest needs --rateest-bps or --rateest-pps"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-bps 8bit",
      refused: "rateest needs one of --rateest-lt, --rateest-gt, --rateest-eq"),
    Row(.ipv4, "-m rateest --rateest-lt --rateest-bps 8bit", refused: "rateest needs --rateest1 NAME"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps 8foo",
      refused: "--rateest-bps2: '8foo' is not a rate up to 4294967295 a second"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps bit",
      refused: "--rateest-bps2: 'bit' is not a rate up to 4294967295 a second"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-pps 1.5",
      refused: "--rateest-pps2: '1.5' is not a rate up to 4294967295 a second"),
    Row(
      .ipv4, "-m rateest ! --rateest RE1 --rateest-lt --rateest-pps 1", refused: "'!' cannot stand before --rateest1"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-lt --rateest-pps 1",
      refused: "--rateest-lt is given twice"),
    Row(
      .ipv4, "-m rateest --rateest \"RE 1\" --rateest-lt --rateest-pps 1",
      refused: "--rateest1: 'RE 1' cannot name an estimator"),
    Row(.ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps -8bit", refused: "unknown option '-8bit'"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables takes these, and means something else.
  @Test(arguments: [
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-gt --rateest-pps 1",
      refused: "--rateest-gt cannot stand beside --rateest-lt"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps",
      refused: "--rateest-bps2: needs a number to compare with, or --rateest2 NAME"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps1 8bit --rateest-bps2 9bit",
      refused: "--rateest-bps1: the kernel does not look at this number without --rateest-delta"),
    Row(
      .ipv4, "-m rateest --rateest1 RE1 --rateest-lt --rateest-bps 8bit --rateest2 RE2",
      refused: "--rateest-bps2: the kernel does not look at this number without --rateest-delta"),
    Row(
      .ipv4, "-m rateest --rateest abcdefghijklmnopq --rateest-lt --rateest-pps 1",
      refused: "--rateest1: 'abcdefghijklmnopq' cannot name an estimator"),
    Row(
      .ipv4, "-m rateest --rateest RE1 --rateest-lt --rateest-bps 5gbps",
      refused: "--rateest-bps2: '5gbps' is not a rate up to 4294967295 a second"),
  ])
  func misunderstood(_ row: Row) throws { try row.check() }
}
