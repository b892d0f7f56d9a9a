import Netfilter
import Testing

@Suite struct ConntrackRows {
  @Test(arguments: [
    Row(.ipv4, "-m conntrack --ctstate NEW", wire: zeros(146) + [1, 0, 0, 0, 8] + zeros(13)),
    Row(
      .ipv4, "-m conntrack --ctstate established,related",
      prints: "-m conntrack --ctstate RELATED,ESTABLISHED",
      wire: zeros(146) + [1, 0, 0, 0, 6] + zeros(13), lists: "ctstate RELATED,ESTABLISHED"),
    Row(
      .ipv4, "-m conntrack --ctstate E,R",
      prints: "-m conntrack --ctstate RELATED,ESTABLISHED",
      wire: zeros(146) + [1, 0, 0, 0, 6] + zeros(13)),
    Row(
      .ipv4, "-m conntrack ! --ctstate INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED,SNAT,DNAT",
      wire: zeros(146) + [1, 0, 1, 0, 207, 1] + zeros(12),
      lists: "! ctstate INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED,SNAT,DNAT"),
    Row(
      .ipv4, "-m conntrack --ctproto tcp",
      prints: "-m conntrack --ctproto 6",
      wire: zeros(136) + [6] + zeros(9) + [2] + zeros(17)),
    Row(
      .ipv4, "-m conntrack ! --ctproto 132", wire: zeros(136) + [132] + zeros(9) + [2, 0, 2] + zeros(15),
      lists: "! ctproto 132"),
    Row(.ipv4, "-m conntrack --ctproto 0", wire: zeros(146) + [2] + zeros(17)),
    Row(.ipv4, "-m conntrack ! --ctproto 0", wire: zeros(146) + [2, 0, 2] + zeros(15)),
    Row(
      .ipv4, "-m conntrack --ctorigsrc 10.0.0.1",
      wire: [10, 0, 0, 1] + zeros(12) + ones(16) + zeros(114) + [4] + zeros(17)),
    Row(
      .ipv4, "-m conntrack --ctorigsrc 10.0.0.1/32",
      prints: "-m conntrack --ctorigsrc 10.0.0.1",
      wire: [10, 0, 0, 1] + zeros(12) + [255, 255, 255, 255] + zeros(126) + [4] + zeros(17)),
    Row(
      .ipv4, "-m conntrack --ctorigsrc 10.0.0.1/8",
      wire: [10, 0, 0, 1] + zeros(12) + [255] + zeros(129) + [4] + zeros(17)),
    Row(
      .ipv4, "-m conntrack --ctorigdst 10.0.0.0/255.0.0.0",
      prints: "-m conntrack --ctorigdst 10.0.0.0/8",
      wire: zeros(32) + [10] + zeros(15) + [255] + zeros(97) + [8] + zeros(17)),
    Row(
      .ipv4, "-m conntrack ! --ctreplsrc 10.0.0.1 ! --ctrepldst 192.0.2.0/24",
      wire: zeros(64) + [10, 0, 0, 1] + zeros(12) + ones(16) + [192, 0, 2] + zeros(13) + [255, 255, 255]
        + zeros(31) + [48, 0, 48] + zeros(15), lists: "! ctreplsrc 10.0.0.1 ! ctrepldst 192.0.2.0/24"),
    Row(
      .ipv4, "-m conntrack --ctorigsrc 0.0.0.0/0", wire: zeros(146) + [4] + zeros(17),
      lists: Listing("ctorigsrc 0.0.0.0/0", named: "ctorigsrc anywhere")),
    Row(
      .ipv6, "-m conntrack --ctorigsrc 2001:db8::1",
      wire: [32, 1, 13, 184] + zeros(11) + [1] + ones(16) + zeros(114) + [4] + zeros(17),
      lists: Listing("ctorigsrc 2001:db8::1", named: "ctorigsrc host.example")),
    Row(
      .ipv6, "-m conntrack --ctorigsrc 2001:db8::1/64 ! --ctrepldst ::/0",
      wire: [32, 1, 13, 184] + zeros(11) + [1] + ones(8) + zeros(122) + [36, 0, 32] + zeros(15),
      lists: Listing(
        "ctorigsrc 2001:db8::1/64 ! ctrepldst ::/0", named: "ctorigsrc host.example/64 ! ctrepldst anywhere")),
    Row(
      .ipv6, "-m conntrack --ctorigsrc 2001:db8::1/128",
      prints: "-m conntrack --ctorigsrc 2001:db8::1",
      wire: [32, 1, 13, 184] + zeros(11) + [1] + ones(16) + zeros(114) + [4] + zeros(17)),
    Row(
      .ipv6, "-m conntrack --ctorigsrc 2001:db8::/ffff:ffff::",
      prints: "-m conntrack --ctorigsrc 2001:db8::/32",
      wire: [32, 1, 13, 184] + zeros(12) + [255, 255, 255, 255] + zeros(126) + [4] + zeros(17)),
    Row(
      .ipv4, "-m conntrack --ctorigsrcport 22 ! --ctorigdstport 80:90 --ctreplsrcport :4 --ctrepldstport 4:",
      prints: "-m conntrack --ctorigsrcport 22 ! --ctorigdstport 80:90 --ctreplsrcport 0:4 --ctrepldstport 4:65535",
      wire: zeros(138) + [22, 0, 80, 0, 0, 0, 4, 0, 0, 15, 0, 2, 0, 0, 0, 0, 22, 0, 90, 0, 4, 0, 255, 255, 0, 0],
      lists: "ctorigsrcport 22 ! ctorigdstport 80:90 ctreplsrcport 0:4 ctrepldstport 4:65535"),
    Row(
      .ipv4, "-m conntrack --ctorigsrcport :",
      prints: "-m conntrack --ctorigsrcport 0:65535",
      wire: zeros(147) + [1] + zeros(6) + [255, 255] + zeros(8)),
    Row(
      .ipv4, "-m conntrack --ctorigsrcport 4:3",
      wire: zeros(138) + [4] + zeros(8) + [1] + zeros(6) + [3] + zeros(9)),
    Row(.ipv4, "-m conntrack --ctorigsrcport 0", wire: zeros(147) + [1] + zeros(16)),
    Row(
      .ipv4, "-m conntrack --ctorigsrcport ssh",
      prints: "-m conntrack --ctorigsrcport 22",
      wire: zeros(138) + [22] + zeros(8) + [1] + zeros(6) + [22] + zeros(9)),
    Row(.ipv4, "-m conntrack --ctstatus NONE", wire: zeros(146) + [64] + zeros(17), lists: "ctstatus NONE"),
    Row(
      .ipv4, "-m conntrack ! --ctstatus none,EXPECTED,seen,ASSURED,CONFIRMED",
      prints: "-m conntrack ! --ctstatus EXPECTED,SEEN_REPLY,ASSURED,CONFIRMED",
      wire: zeros(146) + [64, 0, 64, 0, 0, 0, 15] + zeros(11), lists: "! ctstatus EXPECTED,SEEN_REPLY,ASSURED,CONFIRMED"
    ),
    Row(.ipv4, "-m conntrack --ctexpire 0", wire: zeros(146) + [128] + zeros(17)),
    Row(
      .ipv4, "-m conntrack --ctexpire 4:3", wire: zeros(128) + [4, 0, 0, 0, 3] + zeros(13) + [128] + zeros(17),
      lists: "ctexpire 4:3"),
    Row(
      .ipv4, "-m conntrack ! --ctexpire :",
      prints: "-m conntrack ! --ctexpire 0:4294967295",
      wire: zeros(132) + [255, 255, 255, 255] + zeros(10) + [128, 0, 128] + zeros(15)),
    Row(.ipv4, "-m conntrack --ctdir ORIGINAL", wire: zeros(147) + [16] + zeros(16), lists: "ctdir ORIGINAL"),
    Row(
      .ipv4, "-m conntrack --ctdir reply",
      prints: "-m conntrack --ctdir REPLY",
      wire: zeros(147) + [16, 0, 16] + zeros(14), lists: "ctdir REPLY"),
    Row(
      .ipv4,
      "-m conntrack --ctdir REPLY --ctexpire 1:2 --ctstatus ASSURED --ctrepldst 1.2.3.4 --ctproto 17 --ctstate NEW",
      prints:
        "-m conntrack --ctstate NEW --ctproto 17 --ctrepldst 1.2.3.4 --ctstatus ASSURED --ctexpire 1:2 --ctdir REPLY",
      wire: zeros(96) + [1, 2, 3, 4] + zeros(12) + ones(16) + [1, 0, 0, 0, 2, 0, 0, 0, 17] + zeros(9)
        + [227, 16, 0, 16, 8, 0, 4] + zeros(11)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(.ipv4, "-m conntrack --ctstate NEW", .yes) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack --ctstate NEW", .depends(on: "the connection's state")),
    PacketRow(.ipv4, "-m conntrack --ctstate INVALID,UNTRACKED,NEW,RELATED,ESTABLISHED", .yes),
    PacketRow(.ipv6, "-m conntrack ! --ctstate RELATED,ESTABLISHED", .no) { $0.connection.state = .related },
    PacketRow(.ipv6, "-m conntrack --ctstate INVALID", .yes) { $0.connection.state = .invalid },
    PacketRow(.ipv4, "-m conntrack --ctstate INVALID --ctproto 17", .yes) { $0.connection.state = .invalid },
    PacketRow(.ipv4, "-m conntrack ! --ctproto 17", .no) { $0.connection.state = .untracked },
    PacketRow(.ipv4, "-m conntrack --ctproto 17", .no),
    PacketRow(.ipv4, "-m conntrack --ctproto 6", .depends(on: "the connection's state")),
    PacketRow(.ipv4, "-m conntrack --ctproto 6", .yes) { $0.connection.state = .established },
    PacketRow(.ipv4, "-m conntrack --ctproto 6", .depends(on: "the connection's protocol")) {
      ($0.proto, $0.connection.state) = (.icmp, .related)
    },
    PacketRow(.ipv4, "-m conntrack --ctstate DNAT", .depends(on: "the connection's status")) {
      $0.connection.state = .new
    },
    PacketRow(.ipv4, "-m conntrack --ctstate NEW,DNAT", .yes) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack --ctstate DNAT", .yes) {
      ($0.connection.state, $0.connection.statuses) = (.new, .destinationTranslated)
    },
    PacketRow(.ipv4, "-m conntrack ! --ctstate SNAT", .yes) {
      ($0.connection.state, $0.connection.statuses) = (.new, [])
    },
    PacketRow(.ipv4, "-m conntrack --ctstatus NONE", .no) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack ! --ctstatus NONE", .yes) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack --ctstatus SEEN_REPLY,ASSURED", .yes) {
      ($0.connection.state, $0.connection.statuses) = (.established, [.seenReply, .confirmed])
    },
    PacketRow(.ipv4, "-m conntrack --ctstatus ASSURED", .depends(on: "the connection's status")) {
      $0.connection.state = .established
    },
    PacketRow(.ipv4, "-m conntrack --ctdir REPLY", .no) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack --ctdir REPLY", .yes) {
      ($0.connection.state, $0.connection.direction) = (.established, .reply)
    },
    PacketRow(.ipv4, "-m conntrack --ctdir ORIGINAL", .depends(on: "the connection's direction")) {
      $0.connection.state = .established
    },
    PacketRow(.ipv4, "-m conntrack --ctexpire 5:4", .no) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack --ctexpire 0:4294967295", .yes) { $0.connection.state = .new },
    PacketRow(.ipv4, "-m conntrack --ctexpire 10", .depends(on: "the connection's timeout")) {
      $0.connection.state = .new
    },
    PacketRow(.ipv4, "-m conntrack --ctorigsrc 192.0.2.0/24", .depends(on: "the connection's addresses")) {
      $0.connection.state = .new
    },
    PacketRow(.ipv4, "-m conntrack --ctorigsrc 192.0.2.0/24 --ctreplsrcport 22", .yes) {
      ($0.connection.state, $0.connection.statuses) = (.new, [])
    },
    PacketRow(.ipv4, "-m conntrack --ctorigsrcport 22 ! --ctorigdst 192.0.2.2", .yes) {
      ($0.connection.state, $0.connection.statuses, $0.connection.direction) = (.established, .seenReply, .reply)
    },
    PacketRow(.ipv4, "-m conntrack --ctorigdst 203.0.113.9 --ctorigdstport 80:90", .yes) {
      $0.connection.state = .established;
      $0.connection.original = ConnectionEnds(
        source: $0.source, destination: IPAddress("203.0.113.9")!, destinationPort: 80)
    },
    PacketRow(.ipv4, "-m conntrack --ctorigsrcport 1024", .depends(on: "the connection's ports")) {
      $0.connection.state = .established;
      $0.connection.original = ConnectionEnds(source: $0.source, destination: $0.destination)
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(.ipv4, "-m conntrack --ctstate NEW,", refused: "--ctstate: a word is missing between the commas"),
    Row(.ipv4, "-m conntrack --ctstate ,NEW", refused: "--ctstate: a word is missing between the commas"),
    Row(.ipv4, "-m conntrack --ctstate wrong", refused: "--ctstate: 'wrong' is not one of its values"),
    Row(.ipv4, "-m conntrack", refused: "conntrack needs at least one option"),
    Row(.ipv4, "-m conntrack --ctproto 256", refused: "256 is not an IP protocol"),
    Row(.ipv4, "-m conntrack --ctorigsrc 10.0.0.1/33", refused: "invalid mask '33'"),
    Row(
      .ipv4, "-m conntrack --ctorigsrc 10.0.0.1,10.0.0.2",
      refused: "'10.0.0.1,10.0.0.2' is not an IPv4 address, a network or a host name"),
    Row(
      .ipv4, "-m conntrack --ctorigsrcport 1:2:3",
      refused: "--ctorigsrcport: '2:3' is neither a port number nor a known service"),
    Row(.ipv4, "-m conntrack --ctstatus bad", refused: "--ctstatus: 'bad' is not one of its values"),
    Row(
      .ipv4, "-m conntrack --ctexpire 4294967296",
      refused: "--ctexpire: '4294967296' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m conntrack --ctexpire 1:2:3", refused: "--ctexpire: '2:3' is not a number from 0 to 4294967295"),
    Row(.ipv4, "-m conntrack ! --ctdir REPLY", refused: "'!' cannot stand before --ctdir"),
    Row(.ipv4, "-m conntrack --ctdir REP", refused: "--ctdir: 'REP' is not one of its values"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What neither spelling can say stays as it came.
  @Test(arguments: [
    zeros(136) + [6] + zeros(9) + [3, 0x20, 0, 0, 8] + zeros(13),  // alias flag and a protocol
    zeros(146) + [1, 0, 0, 0, 0x10] + zeros(13),  // unknown state
    zeros(136) + [6] + zeros(9) + [1, 0, 0, 0, 8] + zeros(13),  // protocol without its flag
    zeros(164),
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "conntrack", revision: 3, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }
}
