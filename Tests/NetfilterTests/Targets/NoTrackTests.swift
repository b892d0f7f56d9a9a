import Testing

@testable import Netfilter

@Suite struct NoTrackTests {
  static let rows: [TargetRow] = [
    .reads("-j NOTRACK", in: .raw, "PREROUTING", revision: 2, wire: "03 00*71"),
    .reads("-j NOTRACK", in: .raw, "OUTPUT", .ipv6, revision: 2, wire: "03 00*71"),
    .refuses("-j NOTRACK", "NOTRACK cannot stand in table filter"),
    .refuses("-j NOTRACK --notrack", "unknown option '--notrack'", in: .raw, "OUTPUT"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(NoTrack.self) }

  @Test func isTheOtherSpellingOfCT() {
    #expect(NoTrack().canonical as? CT == CT(isUntracked: true))
    #expect(decodeTarget("CT", revision: 2, .ipv4, [3] + Array(repeating: 0, count: 71)) is NoTrack)
    #expect(decodeTarget("CT", revision: 2, .ipv4, [1] + Array(repeating: 0, count: 71)) is CT)
    #expect(decodeTarget("CT", revision: 2, .ipv4, [2] + Array(repeating: 0, count: 71)) is OpaqueTarget)
  }
}
