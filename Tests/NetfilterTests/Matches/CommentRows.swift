import Netfilter
import Testing

@Suite struct CommentRows {
  @Test(arguments: [
    Row(.ipv4, "-m comment --comment foo", wire: [102, 111, 111] + zeros(253)),
    Row(.ipv4, "-m comment --comment a-b_C9", wire: [97, 45, 98, 95, 67, 57] + zeros(250)),
    Row(
      .ipv4, "-m comment --comment \"two words\"", wire: [116, 119, 111, 32, 119, 111, 114, 100, 115] + zeros(247),
      lists: "/* two words */"),
    Row(.ipv4, "-m comment --comment \"\"", wire: zeros(256)),
    Row(
      .ipv4, "-m comment --comment \"it's \\\"a\\\" \\\\ b\"",
      prints: "-m comment --comment \"it\\'s \\\"a\\\" \\\\ b\"",
      wire: [105, 116, 39, 115, 32, 34, 97, 34, 32, 92, 32, 98] + zeros(244), lists: "/* it's \"a\" \\ b */"),
    Row(.ipv4, "-m comment --comment \"größe\"", wire: [103, 114, 195, 182, 195, 159, 101] + zeros(249)),
    Row(.ipv4, "-m comment --comment \(String(repeating: "a", count: 255))"),
    Row(
      .ipv4, "-m comment --comment \(String(repeating: "a", count: 256))",
      prints: "-m comment --comment \(String(repeating: "a", count: 255))"),
    Row(.ipv6, "-m comment --comment \"v6 too\"", wire: [118, 54, 32, 116, 111, 111] + zeros(250)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m comment --comment x", .yes),
    PacketRow(.ipv6, "-m comment --comment x", .yes) { $0.isLaterFragment = true },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m comment", refused: "comment needs --comment TEXT"),
    Row(.ipv4, "-m comment --comment", refused: "bad argument 'ACCEPT'"),
    Row(.ipv4, "-m comment ! --comment x", refused: "'!' cannot stand before --comment"),
    Row(
      .ipv4,
      "-m comment --comment \(String(repeating: "a", count: 257))",
      refused: "--comment: the text has 257 bytes, the kernel keeps 255"),
  ])
  func refused(_ row: Row) throws { try row.check() }
}
