import Testing

@testable import Netfilter

@Suite struct IdleTimerTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j IDLETIMER --timeout 42 --label foo", revision: 1, wire: "2a000000666f6f 00*41", lists: "timeout:42 label:foo"),
    .reads(
      "-j IDLETIMER --timeout 2147482 --label bar.0123456789-0123456789_0 --alarm", in: .nat, "OUTPUT", .ipv6,
      revision: 1, wire: "9ac420006261722e303132333435363738392d303132333435363738395f3000 0001 00*14",
      lists: "timeout:2147482 label:bar.0123456789-0123456789_0 alarm"),
    .refuses("-j IDLETIMER --timeout 0 --label foo", "--timeout: '0' is not a number from 1 to 2147482"),
    .refuses("-j IDLETIMER --timeout 2147483 --label foo", "--timeout: '2147483' is not a number from 1 to 2147482"),
    .refuses("-j IDLETIMER --timeout 42", "IDLETIMER needs --label TEXT"),
    .refuses("-j IDLETIMER --label foo", "IDLETIMER needs --timeout N"),
    .refuses("-j IDLETIMER --timeout 42 --label power", "--label: the kernel has no timer of this name"),
    .refuses("-j IDLETIMER --timeout 42 --label a/b", "--label: the kernel has no timer of this name"),
    .refuses(#"-j IDLETIMER --timeout 42 --label """#, "--label: the name is empty"),
    .refuses(#"-j IDLETIMER --timeout 42 --label "a b""#, "'a b' cannot be a name"),
    .refuses("-j IDLETIMER --timeout 42 --label 0123456789012345678901234567", "the kernel keeps 27"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(IdleTimer.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j IDLETIMER --timeout 42 --label foo", .proceed)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(
      decodeTarget("IDLETIMER", revision: 1, .ipv4, [1, 0, 0, 0] + Array(repeating: 0, count: 44)) is OpaqueTarget)
    #expect(
      decodeTarget("IDLETIMER", revision: 1, .ipv4, [0, 0, 0, 0, 0x61] + Array(repeating: 0, count: 43)) is OpaqueTarget
    )
    #expect(
      decodeTarget("IDLETIMER", revision: 1, .ipv4, [1, 0, 0, 0, 0x2f] + Array(repeating: 0, count: 43)) is OpaqueTarget
    )
    #expect(
      decodeTarget(
        "IDLETIMER", revision: 1, .ipv4,
        [1, 0, 0, 0, 0x61] + Array(repeating: 0, count: 27) + [1] + Array(repeating: 0, count: 15)) is OpaqueTarget)
    #expect(
      decodeTarget(
        "IDLETIMER", revision: 1, .ipv4,
        [1, 0, 0, 0, 0x61] + Array(repeating: 0, count: 28) + [2] + Array(repeating: 0, count: 14)) is OpaqueTarget)
  }
}
