import Testing

@testable import Netfilter

@Suite struct RateEstTargetTests {
  static let rows: [TargetRow] = [
    .reads(
      "-j RATEEST --rateest-name RE1 --rateest-interval 250.0ms --rateest-ewmalog 500.0ms", revision: 0,
      wire: "524531 00*13 fe01 00*14", lists: "name RE1 interval 250.0ms ewmalog 500.0ms"),
    .reads(
      "-j RATEEST --rateest-name RE2 --rateest-interval 8.0s --rateest-ewmalog 4096.0s", in: .mangle, "OUTPUT", .ipv6,
      revision: 0, wire: "524532 00*13 0309 00*14"),
    .reads(
      "-j RATEEST --rateest-name a0 --rateest-interval 1.5s --rateest-ewmalog 8s",
      prints: "-j RATEEST --rateest-name a0 --rateest-interval 2.0s --rateest-ewmalog 8.0s"),
    .reads(
      "-j RATEEST --rateest-name b --rateest-interval 0.5SEC --rateest-ewmalog 2000msecs",
      prints: "-j RATEEST --rateest-name b --rateest-interval 500.0ms --rateest-ewmalog 2.0s"),
    .reads(
      "-j RATEEST --rateest-name c --rateest-interval 1 --rateest-ewmalog 100",
      prints: "-j RATEEST --rateest-name c --rateest-interval 250.0ms --rateest-ewmalog 16.0s"),
    .reads(
      "-j RATEEST --rateest-name d --rateest-interval 250000us --rateest-ewmalog 4294s",
      prints: "-j RATEEST --rateest-name d --rateest-interval 250.0ms --rateest-ewmalog 4096.0s"),
    .reads(
      "-j RATEEST --rateest-name e --rateest-interval 1s --rateest-ewmalog 1.5s",
      prints: "-j RATEEST --rateest-name e --rateest-interval 1.0s --rateest-ewmalog 2.0s"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval 8.1s --rateest-ewmalog 16s",
      "--rateest-interval: a rate is measured every 8 seconds at least"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval 1s --rateest-ewmalog 1s",
      "--rateest-ewmalog: the kernel cannot average over that time"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval 0 --rateest-ewmalog 1s",
      "--rateest-ewmalog: the kernel cannot average over that time"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval 1m --rateest-ewmalog 1s",
      "--rateest-interval: '1m' is not a time of at most 4294 seconds"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval s --rateest-ewmalog 1s",
      "--rateest-interval: 's' is not a time of at most 4294 seconds"),
    .refuses("-j RATEEST --rateest-name e --rateest-interval 1s", "RATEEST needs --rateest-ewmalog TIME"),
    .refuses("-j RATEEST --rateest-interval 1s --rateest-ewmalog 4s", "RATEEST needs --rateest-name TEXT"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval 1us --rateest-ewmalog 1000s", "cannot average over that time"),
    .refuses(
      "-j RATEEST --rateest-name e --rateest-interval 1s --rateest-ewmalog 4295s", "a time of at most 4294 seconds"),
    .refuses("-j RATEEST --rateest-name 0123456789abcdef --rateest-interval 1s --rateest-ewmalog 4s", "keeps 15"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(RateEstTarget.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j RATEEST --rateest-name a --rateest-interval 1s --rateest-ewmalog 4s", .proceed)
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("RATEEST", revision: 0, .ipv4, [0x61] + Array(repeating: 0, count: 31)) is OpaqueTarget)
    #expect(
      decodeTarget(
        "RATEEST", revision: 0, .ipv4, Array(repeating: 0, count: 16) + [0, 1] + Array(repeating: 0, count: 14))
        is OpaqueTarget)
    #expect(
      decodeTarget(
        "RATEEST", revision: 0, .ipv4,
        [0x61] + Array(repeating: 0, count: 15) + [4, 1] + Array(repeating: 0, count: 14)) is OpaqueTarget)
    #expect(
      decodeTarget(
        "RATEEST", revision: 0, .ipv4,
        [0x61] + Array(repeating: 0, count: 15) + [3, 10] + Array(repeating: 0, count: 14)) is OpaqueTarget)
  }
}
