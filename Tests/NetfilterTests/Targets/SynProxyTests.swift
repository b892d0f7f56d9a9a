import Testing

@testable import Netfilter

@Suite struct SynProxyTests {
  static let rows: [TargetRow] = [
    .reads(
      "-p tcp -j SYNPROXY --sack-perm --timestamp --wscale 9 --mss 1460", revision: 0, wire: "0f09b405",
      lists: "SYNPROXY sack-perm timestamp wscale 9 mss 1460 "),
    .reads(
      "-p tcp -j SYNPROXY --ecn", in: .filter, "FORWARD", .ipv6, revision: 0, wire: "10000000", lists: "SYNPROXY ecn "),
    .reads("-p tcp -j SYNPROXY", in: .mangle, "FORWARD", revision: 0, wire: "00000000", lists: "SYNPROXY "),
    .reads(
      "-p tcp -j SYNPROXY --ecn --mss 65535 --wscale 0 --timestamp --sack-perm",
      prints: "-p tcp -j SYNPROXY --sack-perm --timestamp --wscale 0 --mss 65535 --ecn"),
    .refuses("-j SYNPROXY --mss 1460", "SYNPROXY needs -p tcp"),
    .refuses("-p tcp -j SYNPROXY --mss 1460", "SYNPROXY cannot be used in OUTPUT", in: .filter, "OUTPUT"),
    .refuses("-p tcp -j SYNPROXY --wscale 256", "'256' is not a number from 0 to 255"),
    .refuses("-p tcp -j SYNPROXY --mss 65536", "'65536' is not a number from 0 to 65535"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(SynProxy.self) }

  @Test(arguments: [
    ActionRow(.ipv4, "-p tcp -j SYNPROXY", .drop, from: { $0.tcpFlags = .syn }),
    ActionRow(.ipv6, "-p tcp -j SYNPROXY", .drop, from: { $0.tcpFlags = [.ack, .psh] }),
    ActionRow(.ipv4, "-p tcp -j SYNPROXY", .proceed, from: { $0.tcpFlags = [.syn, .ack] }),
    ActionRow(.ipv4, "-p tcp -j SYNPROXY", .proceed, from: { $0.tcpFlags = [.ack, .fin] }),
    ActionRow(.ipv4, "-p tcp -j SYNPROXY", .depends(on: "the TCP flags")),
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(decodeTarget("SYNPROXY", revision: 0, .ipv4, [0x20, 0, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("SYNPROXY", revision: 0, .ipv4, [0, 1, 0, 0]) is OpaqueTarget)
    #expect(decodeTarget("SYNPROXY", revision: 0, .ipv4, [0, 0, 1, 0]) is OpaqueTarget)
  }
}
