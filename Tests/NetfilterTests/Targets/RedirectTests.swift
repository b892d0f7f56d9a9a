import Testing

@testable import Netfilter

@Suite struct RedirectTests {
  static func reads(
    _ rule: String, prints: String? = nil, _ family: Family = .ipv4, wire: String? = nil, lists: Listing? = nil
  ) -> TargetRow {
    .reads(rule, prints: prints, in: .nat, "PREROUTING", family, revision: 0, wire: wire, lists: lists)
  }

  static let rows: [TargetRow] = [
    reads("-j REDIRECT", lists: ""),
    .reads("-j REDIRECT --random", in: .nat, "OUTPUT", .ipv6),
    reads(
      "-p tcp -j REDIRECT --to-ports 42-1234 --random", wire: "01000000060000000000000000000000" + "002a04d2",
      lists: "redir ports 42-1234 random"),
    reads(
      "-p tcp -j REDIRECT --to-ports 8080", .ipv6, wire: "02000000" + String(repeating: "00", count: 32) + "1f901f90"),
    reads("-p udp -j REDIRECT --to-ports 0-0", prints: "-p udp -j REDIRECT --to-ports 0"),
    reads("-p tcp -j REDIRECT --to-ports ftp-data", prints: "-p tcp -j REDIRECT --to-ports 20"),
    reads("-p tcp -j REDIRECT --to-port 80", prints: "-p tcp -j REDIRECT --to-ports 80"),
    .refuses("-p tcp -j REDIRECT --to-ports 42-1234/567", "only DNAT", in: .nat, "PREROUTING"),
    .refuses("-p tcp -j REDIRECT --to-ports 80:90", "'-'", in: .nat, "PREROUTING"),
    .refuses("-p tcp -j REDIRECT --to-ports 10-ssh", "ends in a number", in: .nat, "PREROUTING"),
    .refuses("-j REDIRECT --to-ports 42", "-p tcp", in: .nat, "OUTPUT"),
    .refuses("-p 58 -j REDIRECT --to-ports 42", "-p tcp", in: .nat, "OUTPUT", .ipv6),
    .refuses("-j REDIRECT --random-fully", "--random-fully", in: .nat, "OUTPUT"),
    .refuses("-j REDIRECT", "it belongs to table nat", in: .mangle, "PREROUTING"),
    .refuses("-j REDIRECT", "REDIRECT cannot be used in POSTROUTING", in: .nat, "POSTROUTING"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(Redirect.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-p tcp -j REDIRECT --to-ports 8080", .accept, in: .nat, chain: "OUTPUT",
      leaves: { ($0.destination, $0.destinationPort) = (IPAddress("127.0.0.1")!, 8080) }),
    ActionRow(
      .ipv6, "-j REDIRECT", .accept, in: .nat, chain: "OUTPUT",
      from: { ($0.hook, $0.inInterface) = (.output, InterfaceName("eth0")!) },
      leaves: { $0.destination = IPAddress("::1")! }),
    ActionRow(
      .ipv4, "-p tcp -j REDIRECT --to-ports 8080", .depends(on: "the address of the incoming interface"), in: .nat,
      chain: "PREROUTING", from: { $0.inInterface = InterfaceName("eth0")! }, leaves: { $0.destinationPort = 8080 }),
    ActionRow(
      .ipv4, "-j REDIRECT", .depends(on: "the address of the incoming interface"), in: .nat, chain: "PREROUTING",
      from: { $0.hook = .prerouting }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func optionsItDoesNotHaveStayOpaque() {
    let bytes: [UInt8] = [0x08] + Array(repeating: 0, count: 39)
    #expect(decodeTarget("REDIRECT", revision: 0, .ipv6, bytes) is OpaqueTarget)
  }
}
