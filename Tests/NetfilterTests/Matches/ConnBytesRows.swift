import Netfilter
import Testing

@Suite struct ConnBytesRows {
  @Test(arguments: [
    Row(
      .ipv4, "-m connbytes --connbytes 0:1000 --connbytes-mode packets --connbytes-dir original",
      wire: zeros(8) + [232, 3] + zeros(14),
      lists: "connbytes 0:1000 connbytes mode packets connbytes direction original"),
    Row(
      .ipv4, "-m connbytes --connbytes : --connbytes-mode bytes --connbytes-dir both",
      prints: "-m connbytes --connbytes 0 --connbytes-mode bytes --connbytes-dir both",
      wire: zeros(8) + ones(8) + [1, 2] + zeros(6)),
    Row(
      .ipv4, "-m connbytes --connbytes 1000 --connbytes-mode avgpkt --connbytes-dir reply",
      wire: [232, 3] + zeros(6) + ones(8) + [2, 1] + zeros(6),
      lists: "connbytes 1000 connbytes mode avgpkt connbytes direction reply"),
    Row(
      .ipv4, "-m connbytes --connbytes 1000: --connbytes-mode packets --connbytes-dir original",
      prints: "-m connbytes --connbytes 1000 --connbytes-mode packets --connbytes-dir original",
      wire: [232, 3] + zeros(6) + ones(8) + zeros(8)),
    Row(
      .ipv4, "-m connbytes --connbytes 1000:1000 --connbytes-mode packets --connbytes-dir original",
      wire: [232, 3] + zeros(6) + [232, 3] + zeros(14)),
    Row(
      .ipv4, "-m connbytes ! --connbytes 0 --connbytes-mode bytes --connbytes-dir both",
      wire: ones(8) + zeros(8) + [1, 2] + zeros(6), lists: "! connbytes 0 connbytes mode bytes connbytes direction both"
    ),
    Row(
      .ipv4, "-m connbytes ! --connbytes 7 --connbytes-mode bytes --connbytes-dir both",
      wire: ones(8) + [7] + zeros(7) + [1, 2] + zeros(6)),
    Row(
      .ipv6, "-m connbytes ! --connbytes :7 --connbytes-mode avgpkt --connbytes-dir reply",
      prints: "-m connbytes ! --connbytes 0:7 --connbytes-mode avgpkt --connbytes-dir reply",
      wire: [7] + zeros(15) + [2, 1] + zeros(6)),
    Row(
      .ipv6, "-m connbytes --connbytes 5:18446744073709551615 --connbytes-mode packets --connbytes-dir original",
      prints: "-m connbytes --connbytes 5 --connbytes-mode packets --connbytes-dir original",
      wire: [5] + zeros(7) + ones(8) + zeros(8)),
  ])
  func accepted(_ row: Row) throws { try row.check() }

  @Test(arguments: [
    PacketRow(
      .ipv4, "-m connbytes --connbytes 10 --connbytes-mode bytes --connbytes-dir both",
      .depends(on: "what the connection has carried")),
    PacketRow(.ipv4, "-m connbytes ! --connbytes 0 --connbytes-mode bytes --connbytes-dir both", .no),
    PacketRow(.ipv4, "-m connbytes ! --connbytes :7 --connbytes-mode bytes --connbytes-dir both", .no) {
      $0.connection.state = .untracked
    },
  ])
  func packets(_ row: PacketRow) throws { try row.check() }

  @Test(arguments: [
    Row(
      .ipv4, "-m connbytes ! --connbytes 5:5 --connbytes-mode bytes --connbytes-dir both",
      refused: "--connbytes: iptables forgets a part of '! 5:5' when it saves it"),
    Row(
      .ipv4, "-m connbytes --connbytes 0:0 --connbytes-mode bytes --connbytes-dir both",
      refused: "--connbytes: iptables forgets a part of '0:0' when it saves it"),
    Row(
      .ipv4, "-m connbytes --connbytes 1000:0 --connbytes-mode bytes --connbytes-dir both",
      refused: "--connbytes: the range '1000:0' runs backwards"),
    Row(
      .ipv4, "-m connbytes --connbytes 0:18446744073709551616 --connbytes-mode bytes --connbytes-dir both",
      refused: "is not a number from 0 to 18446744073709551615"),
    Row(
      .ipv4, "-m connbytes --connbytes 1 --connbytes-mode wrong --connbytes-dir both",
      refused: "--connbytes-mode: 'wrong' is not one of its values"),
    Row(
      .ipv4, "-m connbytes --connbytes 1 --connbytes-mode bytes --connbytes-dir wrong",
      refused: "--connbytes-dir: 'wrong' is not one of its values"),
    Row(.ipv4, "-m connbytes --connbytes 1 --connbytes-mode bytes", refused: "connbytes needs --connbytes-dir"),
    Row(.ipv4, "-m connbytes --connbytes 1 --connbytes-dir both", refused: "connbytes needs --connbytes-mode"),
    Row(.ipv4, "-m connbytes", refused: "connbytes needs --connbytes N[:N]"),
  ])
  func refused(_ row: Row) throws { try row.check() }

  /// What no option says stays as it came.
  @Test(arguments: [
    zeros(24),  // iptables prints it as any number
    [1] + zeros(15) + [3] + zeros(7),
  ])
  func foreignBytesStayOpaque(_ bytes: [UInt8]) {
    let match = Registry.standard.decodeMatch(
      kernelName: "connbytes", revision: 0, family: .ipv4, payload: bytes.span.bytes)
    #expect((match as? OpaqueMatch)?.opaque.payload == bytes)
  }
}
