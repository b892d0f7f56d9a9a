import Netfilter
import Testing

@Suite struct StringMatchRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m string --string \"test\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [116, 101, 115, 116] + zeros(124) + [4] + zeros(11)),
    Row(
      .ipv4, "-m string ! --string \"test\" --algo kmp",
      wire: [0, 0, 255, 255, 107, 109, 112] + zeros(13) + [116, 101, 115, 116] + zeros(124) + [4, 1] + zeros(10),
      lists: "STRING match ! \"test\" ALGO name kmp"),
    Row(
      .ipv4, "-m string --algo bm --from 0 --to 65535 --string test", prints: "-m string --string \"test\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [116, 101, 115, 116] + zeros(124) + [4] + zeros(11)),
    Row(
      .ipv4, "-m string --string abc --algo kmp --from 5 --to 5 --icase",
      prints: "-m string --string \"abc\" --algo kmp --from 5 --to 5 --icase",
      wire: [5, 0, 5, 0, 107, 109, 112] + zeros(13) + [97, 98, 99] + zeros(125) + [3, 2] + zeros(10),
      lists: "STRING match  \"abc\" ALGO name kmp FROM 5 TO 5 ICASE"),
    Row(
      .ipv4, "-m string --string \"a\\\"b\\\\c\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [97, 34, 98, 92, 99] + zeros(123) + [5] + zeros(11),
      lists: "STRING match  \"a\\\"b\\\\c\" ALGO name bm"),
    Row(
      .ipv4, "-m string --string \"ab\\\\\" --algo bm", prints: "-m string --hex-string \"|61625c|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [97, 98, 92] + zeros(125) + [3] + zeros(11)),
    Row(
      .ipv4, "-m string --string \"é\" --algo bm", prints: "-m string --hex-string \"|c3a9|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [195, 169] + zeros(126) + [2] + zeros(11)),
    Row(
      .ipv4, "-m string --string \"a'b|c\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [97, 39, 98, 124, 99] + zeros(123) + [5] + zeros(11)),
    Row(
      .ipv4, "-m string --string \"|aa|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [124, 97, 97, 124] + zeros(124) + [4] + zeros(11)),
    Row(
      .ipv4, "-m string --hex-string \"|0a0a0a0a|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [10, 10, 10, 10] + zeros(124) + [4] + zeros(11)),
    Row(
      .ipv4, "-m string ! --hex-string \"|00|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(142) + [1, 1] + zeros(10), lists: "STRING match ! \"|00|\" ALGO name bm"),
    Row(
      .ipv4, "-m string --hex-string \"a|\" --algo bm", prints: "-m string --string \"a\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [97] + zeros(127) + [1] + zeros(11)),
    Row(
      .ipv4, "-m string --hex-string \"a| \" --algo bm", prints: "-m string --string \"a\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [97] + zeros(127) + [1] + zeros(11)),
    Row(
      .ipv4, "-m string --hex-string \"|aa \" --algo bm", prints: "-m string --hex-string \"|aa|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [170] + zeros(127) + [1] + zeros(11)),
    Row(
      .ipv4, "-m string --hex-string \"|aa||bb|\" --algo bm", prints: "-m string --hex-string \"|aa7c6262|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [170, 124, 98, 98] + zeros(124) + [4] + zeros(11)),
    Row(
      .ipv4, "-m string --hex-string \"| 0d 0A|GET \\\\| |20|\" --algo bm",
      prints: "-m string --hex-string \"|0d0a474554207c2020|\" --algo bm",
      wire: [0, 0, 255, 255, 98, 109] + zeros(14) + [13, 10, 71, 69, 84, 32, 124, 32, 32] + zeros(119) + [9] + zeros(11)
    ),
    Row(
      .ipv4, "-m string --hex-string \"|0000000000000000|\" --algo fsm",
      wire: [0, 0, 255, 255, 102, 115, 109] + zeros(141) + [8] + zeros(11)),
    Row(
      .ipv6, "-m string --string \"a b\" --algo bm --to 100",
      wire: [0, 0, 100, 0, 98, 109] + zeros(14) + [97, 32, 98] + zeros(125) + [3] + zeros(11)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m string --string abc --algo bm", .yes) { $0.bytes = zeros(28) + Array("xxabcx".utf8) },
    PacketRow(.ipv6, "-m string --string abd --algo kmp", .no) { $0.bytes = zeros(28) + Array("xxabcx".utf8) },
    PacketRow(.ipv4, "-m string ! --string abc --algo bm", .no) { $0.bytes = Array("abc".utf8) },
    PacketRow(.ipv4, "-m string ! --string abc --algo bm", .yes) { $0.bytes = Array("ab".utf8) },
    PacketRow(.ipv4, "-m string --string aBC --algo bm --icase", .yes) { $0.bytes = Array("xAbc".utf8) },
    PacketRow(.ipv4, "-m string --string aBC --algo bm", .no) { $0.bytes = Array("xAbc".utf8) },
    PacketRow(.ipv4, "-m string --hex-string |c4bf| --algo bm --icase", .yes) { $0.bytes = [0, 0xe4, 0xdf] },
    PacketRow(.ipv4, "-m string --hex-string |d7f7| --algo bm --icase", .no) { $0.bytes = [0xf7, 0xd7] },
    PacketRow(.ipv4, "-m string --string abc --algo bm --from 1 --to 4", .yes) {
      $0.bytes = Array("xabcx".utf8)
      $0.isLaterFragment = true
    },
    PacketRow(.ipv4, "-m string --string abc --algo bm --from 1 --to 3", .no) { $0.bytes = Array("xabcx".utf8) },
    PacketRow(.ipv4, "-m string --string abc --algo bm --from 2", .no) { $0.bytes = Array("xabcx".utf8) },
    PacketRow(.ipv4, "-m string --string abc --algo bm --from 200", .no) { $0.bytes = Array("xabcx".utf8) },
    PacketRow(.ipv4, "-m string --string abc --algo bm --from 5 --to 5", .no),
    PacketRow(.ipv4, "-m string ! --string abc --algo bm --from 5 --to 7", .yes),
    PacketRow(.ipv4, "-m string --string abc --algo bm --from 5 --to 8", .depends(on: "the packet's bytes")),
    PacketRow(
      .ipv4, "-m string --hex-string |0000000000000000| --algo fsm",
      .depends(on: "the search of a finite state machine")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m string --string \"\" --algo bm", refused: "--string: there is nothing to look for"),
    Row(.ipv4, "-m string --hex-string \"|\" --algo bm", refused: "--hex-string: there is nothing to look for"),
    Row(.ipv4, "-m string --string abc", refused: "string needs --algo bm|kmp"),
    Row(.ipv4, "-m string --algo bm", refused: "string needs --string TEXT or --hex-string TEXT"),
    Row(.ipv4, "-m string --string abc --algo BM", refused: "--algo: the kernel does not know 'BM'"),
    Row(.ipv4, "-m string --string abc --algo fsm", refused: "--algo: 'fsm' takes a pattern of 8-byte tokens"),
    Row(
      .ipv4, "-m string --string abc --hex-string abc --algo bm", refused: "--hex-string cannot stand beside --string"),
    Row(
      .ipv4, "-m string --string abc --algo bm --from 5 --to 4", refused: "--to: nothing begins between byte 5 and 4"),
    Row(.ipv4, "-m string --string abc --algo bm --to 65536", refused: "--to: '65536' is not a number from 0 to 65535"),
    Row(
      .ipv4, "-m string --hex-string \"|aa|\\\\|b\" --algo bm",
      refused: "--hex-string: two hexadecimal digits are missing here"),
    Row(
      .ipv4, "-m string --hex-string \"||\" --algo bm", refused: "--hex-string: two hexadecimal digits are missing here"
    ),
    Row(
      .ipv4, "-m string --hex-string \"|a|\" --algo bm",
      refused: "--hex-string: two hexadecimal digits are missing here"),
    Row(
      .ipv4, "-m string --hex-string \"|aa\" --algo bm",
      refused: "--hex-string: the bar that closes the block is missing"),
    Row(.ipv4, "-m string --hex-string \"aa\\\\\" --algo bm", refused: "--hex-string: a backslash stands at the end"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came.
  @Test(arguments: [
    zeros(2) + ones(2) + [98, 109] + zeros(142) + [0] + zeros(11),  // no pattern
    zeros(2) + ones(2) + [98, 109] + zeros(14) + [97] + zeros(127) + [1, 4] + zeros(10),  // unknown flag
    zeros(2) + ones(2) + [120, 109] + zeros(14) + [97] + zeros(127) + [1] + zeros(11),  // unknown algorithm
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "string", revision: 1, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }

  /// iptables saves a pattern that fills the field and does not read it again, for the bar that closes it.
  @Test func longestPattern() throws {
    let digits = String(repeating: "01", count: 128)
    try Row(.ipv4, "-m string --hex-string \"|\(digits)|\" --algo bm").check()
    try Row(.ipv4, "-m string --hex-string \"|\(digits)01|\" --algo bm", refused: "more bytes than the 128").check()
    try Row(.ipv4, "-m string --string \(digits) --algo bm", refused: "more bytes than the 128").check()
  }
}
