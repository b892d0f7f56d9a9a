import Testing

@testable import Netfilter

@Suite struct SourceNATTests {
  static func reads(
    _ rule: String, prints: String? = nil, _ family: Family = .ipv4, revision: UInt8? = nil, wire: String? = nil,
    lists: Listing? = nil
  ) -> TargetRow {
    .reads(rule, prints: prints, in: .nat, "POSTROUTING", family, revision: revision, wire: wire, lists: lists)
  }
  static func refuses(_ rule: String, _ message: String, _ family: Family = .ipv4) -> TargetRow {
    .refuses(rule, message, in: .nat, "POSTROUTING", family)
  }

  static let rows: [TargetRow] = [
    reads("-j SNAT --to-source 192.0.2.1", lists: "to:192.0.2.1"),
    .reads("-j SNAT --to-source 192.0.2.1", in: .nat, "INPUT"),
    reads(
      "-p tcp -j SNAT --random --persistent --random-fully --to-source 192.0.2.1-192.0.2.9:1024-2048",
      prints: "-p tcp -j SNAT --to-source 192.0.2.1-192.0.2.9:1024-2048 --random --random-fully --persistent",
      revision: 0, wire: "010000001f000000c0000201c000020904000800",
      lists: "to:192.0.2.1-192.0.2.9:1024-2048 random random-fully persistent"),
    reads(
      "-p tcp -j SNAT --to-source [2001:db8::1-2001:db8::9]:1024-2048 --persistent", .ipv6, revision: 1,
      wire: "0b00000020010db800000000000000000000000120010db800000000000000000000000904000800",
      lists: "to:[2001:db8::1-2001:db8::9]:1024-2048 persistent"),
    reads("-j SNAT --to-source 192.0.2.1-192.0.2.1", prints: "-j SNAT --to-source 192.0.2.1"),
    reads("-j SNAT --to-source 192.0.2.9-192.0.2.1"),
    reads("-p udp -j SNAT --to-source :53", lists: "to::53"),
    reads("-p udp -j SNAT --to-source :53-53", prints: "-p udp -j SNAT --to-source :53"),
    reads("-p icmp -j SNAT --to-source 192.0.2.1:7"),
    reads("! -p tcp -j SNAT --to-source :8080"),
    reads("-j SNAT --to 192.0.2.1", prints: "-j SNAT --to-source 192.0.2.1"),
    reads("-j SNAT --to-source 2001:DB8::1", prints: "-j SNAT --to-source 2001:db8::1", .ipv6),
    reads("-j SNAT --to-source [2001:db8::1]", prints: "-j SNAT --to-source 2001:db8::1", .ipv6),
    reads("-p tcp -j SNAT --to-source []:80", prints: "-p tcp -j SNAT --to-source :80", .ipv6),
    refuses("-j SNAT", "SNAT needs --to-source"),
    refuses(#"-j SNAT --to-source """#, "missing"),
    refuses("-j SNAT --to-source 192.0.2.1:80", "-p tcp"),
    refuses("-p udplite -j SNAT --to-source 192.0.2.1:80", "-p tcp"),
    refuses("-p tcp -j SNAT --to-source [2001:db8::1-2001:db8::9]:1025-65536", "65536", .ipv6),
    refuses("-p tcp -j SNAT --to-source 192.0.2.1:80:90", "'-'"),
    refuses("-p tcp -j SNAT --to-source 192.0.2.1:90-80", "write 80-90"),
    refuses("-p tcp -j SNAT --to-source 192.0.2.1:10-20/5", "only DNAT"),
    refuses("-p tcp -j SNAT --to-source [192.0.2.1]:80", "brackets are for IPv6"),
    refuses("-p tcp -j SNAT --to-source [2001:db8::1:80", "brackets", .ipv6),
    refuses("-p tcp -j SNAT --to-source [2001:db8::1]80", "can follow the bracket", .ipv6),
    refuses("-j SNAT --to-source 192.0.2.0/24", "FIRST-LAST"),
    refuses("-j SNAT --to-source localhost", "not an IPv4 address"),
    refuses("-j SNAT --to-source 2001:db8::1", "not an IPv4 address"),
    refuses("-j SNAT --to-source 192.0.2.1 --to-source 192.0.2.2", "given twice"),
    .refuses("-j SNAT --to-source 192.0.2.1", "it belongs to table nat"),
    .refuses("-j SNAT --to-source 192.0.2.1", "SNAT cannot be used in OUTPUT", in: .nat, "OUTPUT"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(SourceNAT.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-p tcp -j SNAT --to-source 203.0.113.1:5000", .accept, in: .nat, chain: "POSTROUTING",
      leaves: { ($0.source, $0.sourcePort) = (IPAddress("203.0.113.1")!, 5000) }),
    ActionRow(
      .ipv6, "-j SNAT --to-source 2001:db8:1::1", .accept, in: .nat, chain: "POSTROUTING", from: { $0.bytes = [0x60] },
      leaves: { ($0.source, $0.sourcePort, $0.bytes) = (IPAddress("2001:db8:1::1")!, nil, nil) }),
    ActionRow(
      .ipv4, "-j SNAT --to-source 203.0.113.1-203.0.113.9", .depends(on: "the address that the kernel chooses"),
      in: .nat, chain: "POSTROUTING", leaves: { $0.sourcePort = nil }),
    ActionRow(
      .ipv4, "-p tcp -j SNAT --to-source :5000-5010", .accept, in: .nat, chain: "POSTROUTING",
      leaves: { $0.sourcePort = nil }),
    ActionRow(
      .ipv4, "-p icmp -j SNAT --to-source 203.0.113.1:5", .accept, in: .nat, chain: "POSTROUTING",
      from: { ($0.proto, $0.sourcePort, $0.destinationPort) = (.icmp, nil, nil) },
      leaves: { $0.source = IPAddress("203.0.113.1")! }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func aBackwardRangeIsWarnedOf() {
    let text = "*nat\n-A POSTROUTING -j SNAT --to-source 192.0.2.9-192.0.2.1\nCOMMIT\n"
    let warning = RulesText.read(text).diagnostics.first
    #expect(warning?.severity == .warning)
    #expect(warning?.hint == "write 192.0.2.1-192.0.2.9")
  }

  @Test func whatTextCannotSayStaysOpaque() {
    func range(_ flags: UInt8, count: UInt8 = 1, address: UInt8 = 0) -> [UInt8] {
      [count, 0, 0, 0, flags, 0, 0, 0, address] + Array(repeating: 0, count: 15)
    }
    #expect(decodeTarget("SNAT", revision: 0, .ipv4, range(0x01)) is SourceNAT)
    #expect(decodeTarget("SNAT", revision: 0, .ipv4, range(0x00)) is OpaqueTarget)
    #expect(decodeTarget("SNAT", revision: 0, .ipv4, range(0x01, count: 2)) is OpaqueTarget)
    #expect(decodeTarget("SNAT", revision: 0, .ipv4, range(0x41)) is OpaqueTarget)
    #expect(decodeTarget("SNAT", revision: 0, .ipv4, range(0x02, address: 1)) is OpaqueTarget)
    #expect(decodeTarget("SNAT", revision: 0, .ipv4, range(0x22)) is OpaqueTarget)
    #expect(decodeTarget("SNAT", revision: 1, .ipv4, range(0x01)) is OpaqueTarget)
    #expect(decodeTarget("SNAT", revision: 2, .ipv6, range(0x01)) is OpaqueTarget)
    #expect(SourceNAT(NATRange()) == nil)
    #expect(SourceNAT(NATRange(ports: NATPorts(PortRange(1...2), shiftedFrom: 1))) == nil)
    #expect(NATPorts(PortRange(1...2), shiftedFrom: 0) == nil)
    #expect(NATAddresses(IPAddress("192.0.2.1")!, through: IPAddress("::1")!) == nil)
  }
}
