import Testing

@testable import Netfilter

@Suite struct NoTrackTests {
  static let rows: [TargetRow] = [
    .reads("-j NOTRACK", in: .raw, "PREROUTING", revision: 2, wire: "03 00*71", lists: "NOTRACK"),
    .reads("-j NOTRACK", in: .raw, "OUTPUT", .ipv6, revision: 2, wire: "03 00*71"),
    .refuses("-j NOTRACK", "NOTRACK cannot stand in table filter"),
    .refuses("-j NOTRACK --notrack", "unknown option '--notrack'", in: .raw, "OUTPUT"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(NoTrack.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-j NOTRACK", .proceed, in: .raw, chain: "PREROUTING",
      from: { ($0.connection.state, $0.connection.mark) = (.new, 5) },
      leaves: { ($0.connection.state, $0.connection.mark) = (.untracked, nil) }),
    ActionRow(
      .ipv6, "-j NOTRACK", .proceed, in: .raw, chain: "PREROUTING",
      from: { ($0.connection.state, $0.inInterface) = (.established, InterfaceName("lo")!) }),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func isTheOtherSpellingOfCT() {
    #expect(NoTrack().canonical as? CT == CT(isUntracked: true))
    #expect(decodeTarget("CT", revision: 2, .ipv4, [3] + Array(repeating: 0, count: 71)) is NoTrack)
    #expect(decodeTarget("CT", revision: 2, .ipv4, [1] + Array(repeating: 0, count: 71)) is CT)
    #expect(decodeTarget("CT", revision: 2, .ipv4, [2] + Array(repeating: 0, count: 71)) is OpaqueTarget)
  }
}
