import Netfilter
import Testing

@Suite struct HashLimitRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a1",
      prints: "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name a1",
      wire: [97, 49] + zeros(254) + [64, 13, 3, 0, 0, 0, 0, 0, 5] + zeros(19) + [232, 3, 0, 0, 232, 3] + zeros(6) + [
        32, 32,
      ] + zeros(14), lists: "limit: up to 5/sec burst 5"),
    Row(
      .ipv4,
      "-m hashlimit --hashlimit-above 10/min --hashlimit-burst 20 --hashlimit-mode dstport|srcip,dstip,srcport --hashlimit-name a2 --hashlimit-htable-size 100 --hashlimit-htable-max 200 --hashlimit-htable-gcinterval 300 --hashlimit-htable-expire 400 --hashlimit-srcmask 24 --hashlimit-dstmask 255.255.0.0",
      prints:
        "-m hashlimit --hashlimit-above 10/min --hashlimit-burst 20 --hashlimit-mode srcip,srcport,dstip,dstport --hashlimit-name a2 --hashlimit-htable-size 100 --hashlimit-htable-max 200 --hashlimit-htable-gcinterval 300 --hashlimit-htable-expire 400 --hashlimit-srcmask 24 --hashlimit-dstmask 16",
      wire: [97, 50] + zeros(254) + [128, 141, 91, 0, 0, 0, 0, 0, 20] + zeros(7) + [
        31, 0, 0, 0, 100, 0, 0, 0, 200, 0, 0, 0, 44, 1, 0, 0, 144, 1,
      ] + zeros(6) + [24, 16] + zeros(14),
      lists:
        "limit: above 10/min burst 20 mode srcip-srcport-dstip-dstport htable-size 100 htable-max 200 htable-gcinterval 300 htable-expire 400 srcmask 24 dstmask 16"
    ),
    Row(
      .ipv4, "-m hashlimit ! --hashlimit-upto 1/h --hashlimit-name a3",
      prints: "-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 5 --hashlimit-name a3",
      wire: [97, 51] + zeros(255) + [164, 147, 214, 0, 0, 0, 0, 5] + zeros(7) + [16] + zeros(11) + [
        232, 3, 0, 0, 128, 238, 54, 0, 0, 0, 0, 0, 32, 32,
      ] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit ! --hashlimit-above 7 --hashlimit-name a4",
      prints: "-m hashlimit --hashlimit-upto 7/sec --hashlimit-burst 5 --hashlimit-name a4",
      wire: [97, 52] + zeros(254) + [9, 46, 2, 0, 0, 0, 0, 0, 5] + zeros(19) + [232, 3, 0, 0, 232, 3] + zeros(6) + [
        32, 32,
      ] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit 3/day --hashlimit-name a5 --hashlimit-burst 1k",
      prints: "-m hashlimit --hashlimit-upto 3/day --hashlimit-burst 1024 --hashlimit-name a5",
      wire: [97, 53] + zeros(255) + [32, 157, 180, 6, 0, 0, 0, 0, 4] + zeros(18) + [
        232, 3, 0, 0, 0, 92, 38, 5, 0, 0, 0, 0, 32, 32,
      ] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit 3/day --hashlimit-name a6 --hashlimit-burst 1000000",
      prints: "-m hashlimit --hashlimit-upto 3/day --hashlimit-burst 1000000 --hashlimit-name a6",
      wire: [97, 54] + zeros(255) + [32, 157, 180, 6, 0, 0, 0, 64, 66, 15] + zeros(17) + [
        232, 3, 0, 0, 0, 92, 38, 5, 0, 0, 0, 0, 32, 32,
      ] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit 1/day --hashlimit-name a7 --hashlimit-burst 1",
      prints: "-m hashlimit --hashlimit-upto 1/day --hashlimit-burst 1 --hashlimit-name a7",
      wire: [97, 55] + zeros(255) + [96, 215, 29, 20, 0, 0, 0, 1] + zeros(19) + [
        232, 3, 0, 0, 0, 92, 38, 5, 0, 0, 0, 0, 32, 32,
      ] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit 1000000/sec --hashlimit-name a8 --hashlimit-mode ,srcip,",
      prints:
        "-m hashlimit --hashlimit-upto 1000000/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name a8",
      wire: [97, 56] + zeros(254) + [1] + zeros(7) + [5] + zeros(7) + [4] + zeros(11) + [232, 3, 0, 0, 232, 3]
        + zeros(6) + [32, 32] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit 60000000/min --hashlimit-name a9 --hashlimit-burst 0x10",
      prints:
        "-m hashlimit --hashlimit-upto 1000000/sec --hashlimit-burst 16 --hashlimit-name a9 --hashlimit-htable-expire 60000",
      wire: [97, 57] + zeros(254) + [1] + zeros(7) + [16] + zeros(19) + [232, 3, 0, 0, 96, 234] + zeros(6) + [32, 32]
        + zeros(14), lists: "limit: up to 1000000/sec burst 16 htable-expire 60000"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 10/min --hashlimit-rate-match --hashlimit-name b1",
      prints:
        "-m hashlimit --hashlimit-upto 10/sec --hashlimit-burst 5 --hashlimit-name b1 --hashlimit-htable-expire 60000 --hashlimit-rate-match --hashlimit-rate-interval 60",
      wire: [98, 49] + zeros(254) + [160, 134, 1, 0, 0, 0, 0, 0, 5] + zeros(7) + [64] + zeros(11) + [
        232, 3, 0, 0, 96, 234, 0, 0, 60, 0, 0, 0, 32, 32,
      ] + zeros(14), lists: "limit: up to 10/min burst 5 rate-match rate-interval 60"),
    Row(
      .ipv4,
      "-m hashlimit --hashlimit-upto 10/sec --hashlimit-rate-match --hashlimit-rate-interval 3 --hashlimit-mode srcip --hashlimit-name b2",
      prints:
        "-m hashlimit --hashlimit-upto 10/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name b2 --hashlimit-rate-match --hashlimit-rate-interval 3",
      wire: [98, 50] + zeros(254) + [160, 134, 1, 0, 0, 0, 0, 0, 5] + zeros(7) + [68] + zeros(11) + [
        232, 3, 0, 0, 232, 3, 0, 0, 3, 0, 0, 0, 32, 32,
      ] + zeros(14), lists: "limit: up to 200/min burst 5 mode srcip htable-expire 1000 rate-match rate-interval 3"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-above 10kb/s --hashlimit-rate-match --hashlimit-name b3",
      prints: "-m hashlimit --hashlimit-above 10kb/s --hashlimit-name b3 --hashlimit-rate-match",
      wire: [98, 51] + zeros(254) + [128, 61, 102] + zeros(13) + [112] + zeros(11) + [
        232, 3, 0, 0, 152, 58, 0, 0, 1, 0, 0, 0, 32, 32,
      ] + zeros(14), lists: "limit: above 10kb/s rate-match"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 1mb --hashlimit-name b4",
      wire: [98, 52] + zeros(254) + [252, 255, 1, 0, 0, 0, 0, 0, 2] + zeros(7) + [32] + zeros(11) + [
        232, 3, 0, 0, 96, 234,
      ] + zeros(6) + [32, 32] + zeros(14), lists: "limit: up to 512kb/s burst 1mb"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1mb/s --hashlimit-burst 1mb --hashlimit-name b5",
      wire: [98, 53] + zeros(254) + [255, 255] + zeros(6) + [1] + zeros(7) + [32] + zeros(11) + [232, 3, 0, 0, 96, 234]
        + zeros(6) + [32, 32] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1000b/s --hashlimit-burst 5000 --hashlimit-name b6",
      prints: "-m hashlimit --hashlimit-upto 992b/s --hashlimit-burst 5kb --hashlimit-name b6",
      wire: [98, 54] + zeros(254) + [4, 65, 16, 4, 0, 0, 0, 0, 6] + zeros(7) + [32] + zeros(11) + [
        232, 3, 0, 0, 96, 234,
      ] + zeros(6) + [32, 32] + zeros(14), lists: "limit: up to 992b/s burst 5kb"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 17b/second --hashlimit-name b7",
      prints: "-m hashlimit --hashlimit-upto 16b/s --hashlimit-name b7",
      wire: [98, 55] + zeros(254) + [255, 255, 255, 127] + zeros(12) + [32] + zeros(11) + [232, 3, 0, 0, 152, 58]
        + zeros(6) + [32, 32] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 4096mb/s --hashlimit-name b8",
      prints: "-m hashlimit --hashlimit-upto 4581298432b/s --hashlimit-name b8",
      wire: [98, 56] + zeros(254) + [15] + zeros(15) + [32] + zeros(11) + [232, 3, 0, 0, 152, 58] + zeros(6) + [32, 32]
        + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1000mb/s --hashlimit-burst 4031mb --hashlimit-name b9",
      prints: "-m hashlimit --hashlimit-upto 1008mb/s --hashlimit-burst 4032mb --hashlimit-name b9",
      wire: [98, 57] + zeros(254) + [65] + zeros(7) + [4] + zeros(7) + [32] + zeros(11) + [232, 3, 0, 0, 96, 234]
        + zeros(6) + [32, 32] + zeros(14)),
    Row(
      .ipv4,
      "-m hashlimit --hashlimit-upto 5kb/s --hashlimit-burst 8kb --hashlimit-htable-expire 60000 --hashlimit-name c1",
      prints: "-m hashlimit --hashlimit-upto 5kb/s --hashlimit-burst 10kb --hashlimit-name c1",
      wire: [99, 49] + zeros(254) + [120, 41, 204, 0, 0, 0, 0, 0, 2] + zeros(7) + [32] + zeros(11) + [
        232, 3, 0, 0, 96, 234,
      ] + zeros(6) + [32, 32] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5kb/s --hashlimit-htable-expire 1000 --hashlimit-name c2",
      prints: "-m hashlimit --hashlimit-upto 5kb/s --hashlimit-name c2 --hashlimit-htable-expire 1000",
      wire: [99, 50] + zeros(254) + [120, 41, 204] + zeros(13) + [32] + zeros(11) + [232, 3, 0, 0, 232, 3] + zeros(6)
        + [32, 32] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 34359738320b/s --hashlimit-name c3",
      prints: "-m hashlimit --hashlimit-upto 34359738336b/s --hashlimit-name c3",
      wire: [99, 51] + zeros(254) + [2] + zeros(15) + [32] + zeros(11) + [232, 3, 0, 0, 152, 58] + zeros(6) + [32, 32]
        + zeros(14), lists: "limit: up to 34359738336b/s"),
    Row(
      .ipv4,
      "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name c4 --hashlimit-htable-size 2000000 --hashlimit-htable-max 0",
      prints:
        "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c4 --hashlimit-htable-size 1048576",
      wire: [99, 52] + zeros(254) + [64, 13, 3, 0, 0, 0, 0, 0, 5] + zeros(13) + [
        16, 0, 0, 0, 0, 0, 232, 3, 0, 0, 232, 3,
      ] + zeros(6) + [32, 32] + zeros(14)),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name c5 --hashlimit-srcmask 0 --hashlimit-dstmask 32",
      prints: "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-name c5 --hashlimit-srcmask 0",
      wire: [99, 53] + zeros(254) + [64, 13, 3, 0, 0, 0, 0, 0, 5] + zeros(19) + [232, 3, 0, 0, 232, 3] + zeros(7) + [32]
        + zeros(14)),
    Row(
      .ipv6, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name d1 --hashlimit-mode dstip",
      prints: "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5 --hashlimit-mode dstip --hashlimit-name d1",
      wire: [100, 49] + zeros(254) + [64, 13, 3, 0, 0, 0, 0, 0, 5] + zeros(7) + [1] + zeros(11) + [
        232, 3, 0, 0, 232, 3,
      ] + zeros(6) + [128, 128] + zeros(14)),
    Row(
      .ipv6, "-m hashlimit --hashlimit-above 2mb/s --hashlimit-name d2 --hashlimit-mode srcip --hashlimit-srcmask 64",
      prints: "-m hashlimit --hashlimit-above 2mb/s --hashlimit-mode srcip --hashlimit-name d2 --hashlimit-srcmask 64",
      wire: [100, 50] + zeros(254) + [255, 127] + zeros(14) + [52] + zeros(11) + [232, 3, 0, 0, 152, 58] + zeros(6) + [
        64, 128,
      ] + zeros(14), lists: "limit: above 2mb/s mode srcip srcmask 64"),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a", .depends(on: "how many packets came before")),
    PacketRow(
      .ipv6, "-m hashlimit --hashlimit-above 5/sec --hashlimit-name a", .depends(on: "how many packets came before")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(
      .ipv4, "-m hashlimit --hashlimit-name a",
      refused: "hashlimit needs --hashlimit-upto RATE or --hashlimit-above RATE"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/s --hashlimit-mode srcip",
      refused: "hashlimit needs --hashlimit-name TEXT"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/s --hashlimit-above 5/s --hashlimit-name a",
      refused: "--hashlimit-above cannot stand beside --hashlimit-upto"),
    Row(
      .ipv4, "-m hashlimit --hashlimit 1000001/sec --hashlimit-name a",
      refused: "--hashlimit-upto: '1000001/sec' is too fast"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 60000001/min --hashlimit-rate-match --hashlimit-name a",
      refused: "--hashlimit-upto: '60000001/min' is too fast"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/year --hashlimit-name a",
      refused: "--hashlimit-upto: 'year' is not a unit of time"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 0/sec --hashlimit-name a",
      refused: "--hashlimit-upto: '0/sec' is not a rate"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1.5/sec --hashlimit-name a",
      refused: "--hashlimit-upto: '1.5/sec' is not a rate"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 512Kb/s --hashlimit-name a",
      refused: "--hashlimit-upto: '512Kb/s' is not a rate"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5kb/min --hashlimit-name a",
      refused: "--hashlimit-upto: '5kb/min' is not a rate"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 15b/s --hashlimit-name a",
      refused: "--hashlimit-upto: the kernel cannot count 15 bytes a second"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 65536mb/s --hashlimit-name a",
      refused: "--hashlimit-upto: the kernel cannot count 68719476736 bytes a second"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 34359738368b/s --hashlimit-name a",
      refused: "--hashlimit-upto: the kernel cannot count so fast"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 511kb --hashlimit-name a",
      refused: "--hashlimit-burst: the burst is between one second's bytes (524288b) and 4095mb"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 4096mb --hashlimit-name a",
      refused: "--hashlimit-burst: the burst is between one second's bytes (524288b) and 4095mb"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1/day --hashlimit-name a",
      refused: "--hashlimit-upto: the kernel cannot count a burst of 5 at so slow a rate"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1/day --hashlimit-burst 2 --hashlimit-name a",
      refused: "--hashlimit-burst: the kernel cannot count a burst of 2 at so slow a rate"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 0 --hashlimit-name a",
      refused: "--hashlimit-burst: '0' is not a number from 1 to 1000000"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 1000001 --hashlimit-name a",
      refused: "--hashlimit-burst: '1000001' is not a number from 1 to 1000000"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 1m --hashlimit-name a",
      refused: "--hashlimit-burst: at most 1000000 packets can come at once"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-burst 5x --hashlimit-name a",
      refused: "--hashlimit-burst: '5x' is not a number from 1 to 1000000"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a/b",
      refused: "--hashlimit-name: 'a/b' cannot name a table"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name .",
      refused: "--hashlimit-name: '.' cannot name a table"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name \"a b\"",
      refused: "--hashlimit-name: 'a b' cannot name a table"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a --hashlimit-htable-gcinterval 0",
      refused: "--hashlimit-htable-gcinterval: '0' is not a number from 1"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a --hashlimit-htable-expire 0",
      refused: "--hashlimit-htable-expire: '0' is not a number from 1"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a --hashlimit-mode none",
      refused: "--hashlimit-mode: 'none' is not one of its values"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 5/sec --hashlimit-name a --hashlimit-srcmask 33",
      refused: "invalid mask '33'"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// iptables saves this burst as 1mb, which it reads as the burst of two seconds and not of three.
  @Test(arguments: [
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 512kb/s --hashlimit-burst 1536kb --hashlimit-name x",
      wire: [120] + zeros(255) + [252, 255, 1, 0, 0, 0, 0, 0, 3] + zeros(7) + [32] + zeros(11)
        + [232, 3, 0, 0, 96, 234, 0, 0, 0, 0, 0, 0, 32, 32] + zeros(14), lists: "limit: up to 512kb/s burst 1mb"),
    Row(
      .ipv4, "-m hashlimit --hashlimit-upto 1000b/s --hashlimit-burst 21000 --hashlimit-name x",
      prints: "-m hashlimit --hashlimit-upto 992b/s --hashlimit-burst 21kb --hashlimit-name x"),
  ])
  func burstThatIptablesCutsOff(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came: an interval that nothing is measured over, a cost between two rates.
  @Test(arguments: [(292, 5), (256, 253)] as [(Int, UInt8)])
  func foreignBytesStayOpaque(_ place: Int, _ byte: UInt8) {
    var payload: [UInt8] =
      [120] + zeros(255) + [252, 255, 1] + zeros(13) + [32] + zeros(11) + [232, 3, 0, 0, 152, 58]
    payload += zeros(6) + [32, 32] + zeros(14)
    #expect(
      Registry.standard.decodeMatch(kernelName: "hashlimit", revision: 3, family: .ipv4, payload: payload.span.bytes)
        is HashLimit)
    payload[place] = byte
    let match = Registry.standard.decodeMatch(
      kernelName: "hashlimit", revision: 3, family: .ipv4, payload: payload.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == payload)
  }
}
