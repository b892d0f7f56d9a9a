import Testing

@testable import Netfilter

@Suite struct TCPOptionStripTests {
  static let rows: [TargetRow] = [
    .reads(
      "-p tcp -j TCPOPTSTRIP --strip-options 2,3,8,19,127,128,255", in: .mangle, "PREROUTING", revision: 0,
      wire: "0c0108 00*12 8001 00*14 80",
      lists: Listing(
        "TCPOPTSTRIP options 2,3,8,19,127,128,255", named: "TCPOPTSTRIP options mss,wscale,timestamp,md5,127,128,255")),
    .reads("-p tcp -j TCPOPTSTRIP", in: .mangle, "PREROUTING", .ipv6, revision: 0, wire: "00*32", lists: ""),
    .reads(
      "-p tcp -j TCPOPTSTRIP --strip-options md5,timestamp,sack,sack-permitted,mss,wscale",
      prints: "-p tcp -j TCPOPTSTRIP --strip-options 2,3,4,5,8,19", in: .mangle, "PREROUTING"),
    .reads(
      "-p tcp -j TCPOPTSTRIP --strip-options 0x10,2", prints: "-p tcp -j TCPOPTSTRIP --strip-options 2,16", in: .mangle,
      "PREROUTING"),
    .refuses("-j TCPOPTSTRIP", "TCPOPTSTRIP needs -p tcp", in: .mangle, "PREROUTING"),
    .refuses(
      "-p tcp -j TCPOPTSTRIP --strip-options 1", "--strip-options: '1' is not a TCP option", in: .mangle, "PREROUTING"),
    .refuses(
      "-p tcp -j TCPOPTSTRIP --strip-options 256", "--strip-options: '256' is not a TCP option", in: .mangle,
      "PREROUTING"),
    .refuses(
      "-p tcp -j TCPOPTSTRIP --strip-options 3,wscale", "--strip-options: option 3 is named twice", in: .mangle,
      "PREROUTING"),
    .refuses(
      "-p tcp -j TCPOPTSTRIP --strip-options WSCALE", "--strip-options: 'WSCALE' is not a TCP option", in: .mangle,
      "PREROUTING"),
    .refuses(
      "-p tcp -j TCPOPTSTRIP --strip-options 3,", "--strip-options: '' is not a TCP option", in: .mangle, "PREROUTING"),
    .refuses("-p tcp -j TCPOPTSTRIP --strip-options 3", "TCPOPTSTRIP cannot stand in table filter"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(TCPOptionStrip.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-p tcp -j TCPOPTSTRIP --strip-options mss,timestamp", .proceed, in: .mangle,
      from: { ($0.tcpOptions, $0.maximumSegmentSize) = ([2, 3], 1460) },
      leaves: { ($0.tcpOptions, $0.maximumSegmentSize) = ([1, 3], 0) }),
    ActionRow(
      .ipv6, "-p tcp -j TCPOPTSTRIP --strip-options timestamp", .proceed, in: .mangle,
      from: { ($0.tcpOptions, $0.bytes) = ([2, 3], [0x60]) }),
    ActionRow(
      .ipv4, "-p tcp -j TCPOPTSTRIP --strip-options mss", .proceed, in: .mangle, from: { $0.maximumSegmentSize = 1460 },
      leaves: { $0.maximumSegmentSize = 0 }),
    ActionRow(
      .ipv4, "-p tcp -j TCPOPTSTRIP --strip-options mss", .proceed, in: .mangle,
      from: { ($0.tcpOptions, $0.isLaterFragment) = ([2], true) }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("TCPOPTSTRIP", revision: 0, .ipv4, [1] + Array(repeating: 0, count: 31)) is OpaqueTarget)
    #expect(decodeTarget("TCPOPTSTRIP", revision: 0, .ipv4, [2] + Array(repeating: 0, count: 31)) is OpaqueTarget)
  }

  @Test func paddingIsNoOption() {
    #expect(TCPOptionStrip([1]) == nil)
    #expect(TCPOptionStrip([255, 2, 130])?.options == [2, 130, 255])
  }
}
