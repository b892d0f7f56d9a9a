import Testing

@testable import Netfilter

@Suite struct TCPMSSTests {
  static let rows: [TargetRow] = [
    .reads(
      "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TCPMSS --set-mss 42", in: .mangle, "FORWARD", revision: 0,
      wire: "2a00", lists: "TCPMSS set 42"),
    .reads(
      "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu", in: .mangle, "FORWARD", .ipv6, revision: 0,
      wire: "ffff", lists: "TCPMSS clamp to PMTU"),
    .reads(
      "-p tcp --syn -j TCPMSS --set-mss 65515",
      prints: "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TCPMSS --set-mss 65515"),
    .reads(
      "-p tcp --syn -j TCPMSS --set-mss 0",
      prints: "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j TCPMSS --set-mss 0"),
    .reads(
      "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG SYN,ACK -j TCPMSS --clamp-mss-to-pmtu", in: .mangle,
      "POSTROUTING"),
    .refuses("-p tcp --syn -j TCPMSS --set-mss 65516", "--set-mss: '65516' is not a number from 0 to 65515"),
    .refuses(
      "-p tcp --syn -j TCPMSS --set-mss 65496", "--set-mss: '65496' is not a number from 0 to 65495", in: .filter,
      "INPUT", .ipv6),
    .refuses("-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu", "TCPMSS with these options cannot be used in INPUT"),
    .refuses("-p tcp --syn -j TCPMSS", "TCPMSS needs --set-mss or --clamp-mss-to-pmtu"),
    .refuses("-j TCPMSS --set-mss 42", "TCPMSS needs -p tcp"),
    .refuses("-p tcp -j TCPMSS --set-mss 42", "TCPMSS works on the first segments of connections only"),
    .refuses("-p tcp ! --syn -j TCPMSS --set-mss 42", "TCPMSS works on the first segments of connections only"),
    .refuses(
      "-p tcp --tcp-flags SYN,RST RST -j TCPMSS --set-mss 42", "TCPMSS works on the first segments of connections only"),
    .reads("-p tcp -j TCPMSS --set-mss 42", for: .nfTables),
    .reads("-p tcp -j TCPMSS --clamp-mss-to-pmtu", in: .mangle, "FORWARD", .ipv6, for: .nfTables),
    .refuses(
      "-p tcp -j TCPMSS --clamp-mss-to-pmtu", "TCPMSS with these options cannot be used in INPUT", for: .nfTables),
    .refuses("-j TCPMSS --set-mss 42", "TCPMSS needs -p tcp", for: .nfTables),
    .refuses("-p tcp --syn -j TCPMSS --set-mss 1 --clamp-mss-to-pmtu", "cannot stand beside --set-mss"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(TCPMSS.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-p tcp --syn -j TCPMSS --set-mss 1400", .proceed, from: { $0.maximumSegmentSize = 1460 },
      leaves: { $0.maximumSegmentSize = 1400 }),
    ActionRow(.ipv6, "-p tcp --syn -j TCPMSS --set-mss 1400", .proceed, from: { $0.maximumSegmentSize = 1220 }),
    ActionRow(
      .ipv4, "-p tcp --syn -j TCPMSS --set-mss 1400", .proceed,
      from: { ($0.maximumSegmentSize, $0.tcpOptions, $0.length) = (0, [], 40) },
      leaves: { ($0.maximumSegmentSize, $0.tcpOptions, $0.length) = (nil, nil, nil) }),
    ActionRow(
      .ipv4, "-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu", .proceed, in: .mangle, chain: "FORWARD",
      from: { $0.maximumSegmentSize = 1460 }, leaves: { $0.maximumSegmentSize = nil }),
    ActionRow(
      .ipv4, "-p tcp --syn -j TCPMSS --set-mss 1400", .proceed,
      from: { ($0.maximumSegmentSize, $0.isLaterFragment) = (1460, true) }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func theKernelsNumberForThePathIsNoSize() {
    #expect(TCPMSS(.bytes(65535)) == nil)
  }
}
