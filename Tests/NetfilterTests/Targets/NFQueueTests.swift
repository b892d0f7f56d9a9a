import Testing

@testable import Netfilter

@Suite struct NFQueueTests {
  static let rows: [TargetRow] = [
    .reads("-j NFQUEUE", prints: "-j NFQUEUE --queue-num 0", revision: 3, wire: "000001000000", lists: "NFQUEUE num 0"),
    .reads("-j NFQUEUE --queue-num 65535", in: .mangle, "FORWARD", .ipv6, revision: 3, wire: "ffff01000000"),
    .reads("-j NFQUEUE --queue-balance 0:65534", revision: 3, wire: "0000ffff0000"),
    .reads(
      "-j NFQUEUE --queue-bypass --queue-cpu-fanout --queue-balance 0:6",
      prints: "-j NFQUEUE --queue-balance 0:6 --queue-bypass --queue-cpu-fanout", revision: 3, wire: "000007000300",
      lists: "NFQUEUE balance 0:6 bypass cpu-fanout"),
    .reads("-j NFQUEUE --queue-num 10 --queue-bypass", revision: 3, wire: "0a0001000100"),
    .reads("-j NFQUEUE --queue-balance 5:", prints: "-j NFQUEUE --queue-balance 5:65535"),
    .reads("-j NFQUEUE --queue-balance :5", prints: "-j NFQUEUE --queue-balance 0:5"),
    .reads("-j NFQUEUE --queue-balance 1:65535"),
    .refuses("-j NFQUEUE --queue-num 65536", "--queue-num: '65536' is not a number from 0 to 65535"),
    .refuses(
      "-j NFQUEUE --queue-balance 0:65535",
      "--queue-balance: a range goes from one queue to a greater one and has at most 65535 of them"),
    .refuses("-j NFQUEUE --queue-balance 0:65536", "--queue-balance: '65536' is not a number from 0 to 65535"),
    .refuses(
      "-j NFQUEUE --queue-balance 5",
      "--queue-balance: a range goes from one queue to a greater one and has at most 65535 of them"),
    .refuses(
      "-j NFQUEUE --queue-balance 6:5",
      "--queue-balance: a range goes from one queue to a greater one and has at most 65535 of them"),
    .refuses("-j NFQUEUE --queue-balance 1:2 --queue-num 1", "--queue-num cannot stand beside --queue-balance"),
    .refuses("-j NFQUEUE --queue-cpu-fanout", "--queue-cpu-fanout: needs --queue-balance FIRST:LAST"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(NFQueue.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-j NFQUEUE --queue-bypass", .depends(on: "the program that listens to the queue"))
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("NFQUEUE", revision: 3, .ipv4, [0, 0, 0, 0, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("NFQUEUE", revision: 3, .ipv4, [1, 0, 1, 0, 4, 0]) is OpaqueTarget)
    #expect(decodeTarget("NFQUEUE", revision: 3, .ipv4, [1, 0, 1, 0, 2, 0]) is OpaqueTarget)
    #expect(decodeTarget("NFQUEUE", revision: 3, .ipv4, [1, 0, 0xff, 0xff, 0, 0, 0, 1]) is OpaqueTarget)
    #expect(decodeTarget("NFQUEUE", revision: 3, .ipv4, [0xff, 0xff, 2, 0, 0, 0]) is OpaqueTarget)
  }
}
