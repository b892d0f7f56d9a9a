import Netfilter
import Testing

@Suite struct RecentRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m recent --set",
      prints: "-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: zeros(8) + [2, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16),
      lists: "recent: SET name: DEFAULT side: source mask: 255.255.255.255"),
    Row(
      .ipv4, "-m recent ! --set",
      prints: "-m recent ! --set --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: zeros(8) + [2, 1, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16)),
    Row(
      .ipv4, "-m recent --rcheck --hitcount 8 --name foo --mask 255.255.255.255 --rsource",
      wire: [0, 0, 0, 0, 8, 0, 0, 0, 1, 0, 102, 111, 111, 0, 85, 76, 84] + zeros(195) + [255, 255, 255, 255]
        + zeros(12)),
    Row(
      .ipv4, "-m recent --update --seconds 60 --reap --hitcount 4 --rttl --name SSH --mask 255.255.255.0 --rdest",
      wire: [60, 0, 0, 0, 4, 0, 0, 0, 52, 0, 83, 83, 72, 0, 85, 76, 84] + zeros(193) + [1, 0, 255, 255, 255]
        + zeros(13),
      lists: "recent: UPDATE seconds: 60 reap hit_count: 4 TTL-Match name: SSH side: dest mask: 255.255.255.0"),
    Row(
      .ipv4, "-m recent ! --remove --name a.b",
      prints: "-m recent ! --remove --name a.b --mask 255.255.255.255 --rsource",
      wire: zeros(8) + [8, 1, 97, 46, 98, 0, 85, 76, 84] + zeros(195) + ones(16),
      lists: "! recent: REMOVE name: a.b side: source mask: 255.255.255.255"),
    Row(
      .ipv4, "-m recent --rcheck --hitcount 0",
      prints: "-m recent --rcheck --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: zeros(8) + [1, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16)),
    Row(
      .ipv4, "-m recent --rcheck --hitcount 255",
      prints: "-m recent --rcheck --hitcount 255 --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: [0, 0, 0, 0, 255, 0, 0, 0, 1, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16),
      lists: "recent: CHECK hit_count: 255 name: DEFAULT side: source mask: 255.255.255.255"),
    Row(
      .ipv4, "-m recent --rcheck --hitcount 256",
      prints: "-m recent --rcheck --hitcount 256 --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: zeros(5) + [1, 0, 0, 1, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16)),
    Row(
      .ipv4, "-m recent --rcheck --seconds 2147483647",
      prints: "-m recent --rcheck --seconds 2147483647 --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: [255, 255, 255, 127, 0, 0, 0, 0, 1, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16)),
    Row(
      .ipv4, "-m recent --set --mask 255.0.255.0",
      prints: "-m recent --set --name DEFAULT --mask 255.0.255.0 --rsource",
      wire: zeros(8) + [2, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + [255, 0, 255] + zeros(13)),
    Row(
      .ipv6, "-m recent --set --mask ffff::",
      prints: "-m recent --set --name DEFAULT --mask ffff:: --rsource",
      wire: zeros(8) + [2, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + [255, 255] + zeros(14),
      lists: "recent: SET name: DEFAULT side: source mask: ffff::"),
    Row(
      .ipv6, "-m recent --update --rdest",
      prints: "-m recent --update --name DEFAULT --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rdest",
      wire: zeros(8) + [4, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(193) + [1, 0] + ones(16)),
    Row(
      .ipv4, "-m recent --rcheck --hitcount 65535",
      prints: "-m recent --rcheck --hitcount 65535 --name DEFAULT --mask 255.255.255.255 --rsource",
      wire: [0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 68, 69, 70, 65, 85, 76, 84] + zeros(195) + ones(16)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m recent --set", .yes),
    PacketRow(.ipv6, "-m recent ! --set", .no) { $0.isLaterFragment = true },
    PacketRow(.ipv4, "-m recent --rcheck", .depends(on: "the list of addresses seen lately")),
    PacketRow(.ipv4, "-m recent ! --update --seconds 60", .depends(on: "the list of addresses seen lately")),
    PacketRow(.ipv6, "-m recent --remove", .depends(on: "the list of addresses seen lately")),
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m recent --set --rttl", refused: "--rttl cannot stand beside --set"),
    Row(.ipv4, "-m recent --set --seconds 5", refused: "--seconds cannot stand beside --set"),
    Row(.ipv4, "-m recent --set --hitcount 5", refused: "--hitcount cannot stand beside --set"),
    Row(.ipv4, "-m recent --set --update", refused: "--update cannot stand beside --set"),
    Row(.ipv4, "-m recent --rcheck --reap", refused: "--reap: needs --seconds N"),
    Row(.ipv4, "-m recent --rcheck --seconds 0", refused: "--seconds: '0' is not a number from 1 to 2147483647"),
    Row(.ipv4, "-m recent --name x", refused: "recent needs one of --set, --rcheck, --update, --remove"),
    Row(.ipv4, "-m recent --set --name a/b", refused: "--name: 'a/b' cannot name a list"),
    Row(.ipv4, "-m recent --set --name ..", refused: "--name: '..' cannot name a list"),
    Row(.ipv4, "-m recent --set --mask 24", refused: "--mask: '24' is not an IPv4 mask"),
    Row(.ipv4, "-m recent --rcheck --hitcount 65536", refused: "--hitcount: '65536' is not a number from 0 to 65535"),
    Row(
      .ipv4, "-m recent --rcheck --seconds 4294967295",
      refused: "--seconds: '4294967295' is not a number from 1 to 2147483647"),
    Row(.ipv4, "-m recent --rcheck --rsource --rdest", refused: "--rdest cannot stand beside --rsource"),
    Row(.ipv4, "-m recent --set --name \"a b\"", refused: "--name: 'a b' cannot name a list"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// Other tools leave nothing of the default name behind a shorter one.
  @Test func nameWithoutRestOfDefault() throws {
    let bytes = zeros(8) + [2, 0, 102, 111, 111] + zeros(199) + ones(16)
    let match = Registry.standard.decodeMatch(
      kernelName: "recent", revision: 1, family: .ipv4, payload: bytes.span.bytes)
    let recent = try #require(match as? Recent)
    var out = ByteWriter()
    recent.encode(to: &out, family: .ipv4)
    #expect(out.bytes == bytes)
  }
}
