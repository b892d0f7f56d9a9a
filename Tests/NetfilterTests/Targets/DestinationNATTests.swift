import Testing

@testable import Netfilter

@Suite struct DestinationNATTests {
  static func reads(
    _ rule: String, prints: String? = nil, _ family: Family = .ipv4, wire: String? = nil, lists: Listing? = nil
  ) -> TargetRow {
    .reads(rule, prints: prints, in: .nat, "PREROUTING", family, revision: 2, wire: wire, lists: lists)
  }
  static func refuses(_ rule: String, _ message: String, _ family: Family = .ipv4) -> TargetRow {
    .refuses(rule, message, in: .nat, "PREROUTING", family)
  }

  static let rows: [TargetRow] = [
    reads("-j DNAT --to-destination 192.0.2.1"),
    .reads("-j DNAT --to-destination 192.0.2.1", in: .nat, "OUTPUT"),
    reads(
      "-p tcp -j DNAT --to-destination 192.0.2.1:8080",
      wire: "03000000c0000201000000000000000000000000c00002010000000000000000000000001f901f9000000000",
      lists: "to:192.0.2.1:8080"),
    reads(
      "-p tcp -j DNAT --to-destination 192.0.2.1-192.0.2.9:1000-2000/3000 --random",
      wire: "27000000c0000201000000000000000000000000c000020900000000000000000000000003e807d00bb80000",
      lists: "to:192.0.2.1-192.0.2.9:1000-2000/3000 random"),
    reads(
      "-p tcp -j DNAT --to-destination [2001:db8::1]:1000-2000/3000 --persistent", .ipv6,
      wire: "2b00000020010db800000000000000000000000120010db800000000000000000000000103e807d00bb80000",
      lists: "to:[2001:db8::1]:1000-2000/3000 persistent"),
    reads(
      "-p tcp -j DNAT --to-destination :80", .ipv6,
      wire: "0200000000000000000000000000000000000000000000000000000000000000000000000050005000000000"),
    reads("-p tcp -j DNAT --to-destination 192.0.2.1:ssh", prints: "-p tcp -j DNAT --to-destination 192.0.2.1:22"),
    reads("-p tcp -j DNAT --to-destination 192.0.2.1:ftp-data", prints: "-p tcp -j DNAT --to-destination 192.0.2.1:20"),
    reads(
      "-p tcp -j DNAT --to-destination 192.0.2.1:10-20/ftp",
      prints: "-p tcp -j DNAT --to-destination 192.0.2.1:10-20/21"),
    reads("-p tcp -j DNAT --to-destination 192.0.2.1:0x50", prints: "-p tcp -j DNAT --to-destination 192.0.2.1:80"),
    reads("-p sctp -j DNAT --to-destination [2001:db8::1-2001:db8::2]:1-2", .ipv6),
    refuses("-j DNAT", "DNAT needs --to-destination"),
    refuses("-j DNAT --to-destination 192.0.2.1:80", "-p tcp"),
    refuses("-p tcp -j DNAT --to-destination 192.0.2.1:ftp-ssh", "neither a port number nor a known service"),
    refuses("-p tcp -j DNAT --to-destination 192.0.2.1:10-ssh", "ends in a number"),
    refuses("-p tcp -j DNAT --to-destination 192.0.2.1:10-20/0", "base from 1 to 65535"),
    refuses("-p tcp -j DNAT --to-destination 192.0.2.1:10-10/5", "write 10 alone"),
    refuses("-p tcp -j DNAT --to-destination 192.0.2.1:10-20/65536", "65536"),
    refuses("-j DNAT --to-destination 192.0.2.1 --random-fully", "--random-fully"),
    refuses("-j DNAT --to-destination 192.0.2.1", "not an IPv6 address", .ipv6),
    .refuses("-j DNAT --to-destination 192.0.2.1", "DNAT cannot stand in table filter"),
    .refuses("-j DNAT --to-destination 192.0.2.1", "DNAT cannot be used in INPUT", in: .nat, "INPUT"),
    .refuses("-j DNAT --to-destination ::1", "DNAT cannot be used in POSTROUTING", in: .nat, "POSTROUTING", .ipv6),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(DestinationNAT.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j DNAT --to-destination 10.0.0.5", .accept, in: .nat, chain: "PREROUTING",
      leaves: { $0.destination = IPAddress("10.0.0.5")! }),
    ActionRow(
      .ipv6, "-p tcp -j DNAT --to-destination [2001:db8:1::1]:8022", .accept, in: .nat, chain: "PREROUTING",
      leaves: { ($0.destination, $0.destinationPort) = (IPAddress("2001:db8:1::1")!, 8022) }),
    ActionRow(
      .ipv4, "-p tcp -j DNAT --to-destination 10.0.0.5:100-110", .accept, in: .nat, chain: "PREROUTING",
      leaves: { ($0.destination, $0.destinationPort) = (IPAddress("10.0.0.5")!, nil) }),
    ActionRow(
      .ipv4, "-p tcp -j DNAT --to-destination :100-110/20", .accept, in: .nat, chain: "PREROUTING",
      leaves: { $0.destinationPort = 102 }),
    ActionRow(
      .ipv4, "-p tcp -j DNAT --to-destination :100-109/20", .accept, in: .nat, chain: "PREROUTING",
      from: { $0.destinationPort = 35 }, leaves: { $0.destinationPort = 105 }),
    ActionRow(
      .ipv4, "-j DNAT --to-destination 10.0.0.5-10.0.0.6", .depends(on: "the address that the kernel chooses"),
      in: .nat, chain: "PREROUTING"),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test(arguments: [(UInt8(0), Family.ipv4, 20), (1, .ipv6, 40), (2, .ipv4, 44), (2, .ipv6, 44)])
  func olderRevisionsStayAsTheyCame(_ revision: UInt8, _ family: Family, _ size: Int) throws {
    var bytes = [UInt8](repeating: 0, count: size)
    bytes[0] = 1  // rangesize, or the flag that addresses are named
    if revision == 0 { bytes[4] = 1 }
    let target = try #require(decodeTarget("DNAT", revision: revision, family, bytes) as? DestinationNAT)
    #expect(target.revision(for: family) == revision)
    var out = ByteWriter()
    target.encode(to: &out, family: family)
    #expect(out.bytes == bytes)
  }

  @Test func revisionsOfTheOtherFamilyStayOpaque() {
    let bytes: [UInt8] = [1] + Array(repeating: 0, count: 39)
    #expect(decodeTarget("DNAT", revision: 1, .ipv4, bytes) is OpaqueTarget)
    #expect(decodeTarget("DNAT", revision: 0, .ipv6, Array(bytes.prefix(20))) is OpaqueTarget)
  }
}
