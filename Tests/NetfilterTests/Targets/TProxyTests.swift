import Testing

@testable import Netfilter

@Suite struct TProxyTests {
  static let rows: [TargetRow] = [
    .reads(
      "-p tcp -j TPROXY --on-port 12345 --on-ip 10.0.0.1 --tproxy-mark 0x23/0xff", in: .mangle, "PREROUTING",
      revision: 1, wire: "ff000000230000000a000001 00*12 30390000",
      lists: "TPROXY redirect 10.0.0.1:12345 mark 0x23/0xff"),
    .reads(
      "-p udp -j TPROXY --on-port 80 --on-ip 2001:db8::1 --tproxy-mark 0x1/0xffffffff", in: .mangle, "PREROUTING",
      .ipv6, revision: 1, wire: "ffffffff0100000020010db8 00*11 0100500000"),
    .reads(
      "-p tcp -j TPROXY --on-port 0", prints: "-p tcp -j TPROXY --on-port 0 --on-ip 0.0.0.0 --tproxy-mark 0x0/0x0",
      in: .mangle, "PREROUTING", revision: 1, wire: "00*28"),
    .reads(
      "-p tcp -j TPROXY --on-port http --tproxy-mark 1",
      prints: "-p tcp -j TPROXY --on-port 80 --on-ip 0.0.0.0 --tproxy-mark 0x1/0xffffffff", in: .mangle, "PREROUTING"),
    .reads(
      "-p tcp -j TPROXY --on-port 010", prints: "-p tcp -j TPROXY --on-port 10 --on-ip 0.0.0.0 --tproxy-mark 0x0/0x0",
      in: .mangle, "PREROUTING"),
    .reads(
      "-p tcp -j TPROXY --on-port 1", prints: "-p tcp -j TPROXY --on-port 1 --on-ip :: --tproxy-mark 0x0/0x0",
      in: .mangle, "PREROUTING", .ipv6, lists: "TPROXY redirect :::1 mark 0x0/0x0"),
    .refuses("-p tcp -j TPROXY --on-port 0x10", "--on-port: '0x10' is not a port", in: .mangle, "PREROUTING"),
    .refuses("-p tcp -j TPROXY", "TPROXY needs --on-port PORT", in: .mangle, "PREROUTING"),
    .refuses("-j TPROXY --on-port 1", "TPROXY needs -p tcp or -p udp", in: .mangle, "PREROUTING"),
    .refuses("-p icmp -j TPROXY --on-port 1", "TPROXY needs -p tcp or -p udp", in: .mangle, "PREROUTING"),
    .refuses("! -p tcp -j TPROXY --on-port 1", "TPROXY needs -p tcp or -p udp", in: .mangle, "PREROUTING"),
    .refuses("-p tcp -j TPROXY --on-port 1", "TPROXY cannot be used in OUTPUT", in: .mangle, "OUTPUT"),
    .refuses("-p tcp -j TPROXY --on-port 1", "TPROXY cannot stand in table filter"),
    .refuses("-p tcp -j TPROXY --on-port 65536", "'65536' is not a port", in: .mangle, "PREROUTING"),
  ]

  @Test(arguments: rows) func row(_ row: TargetRow) throws { try row.check(TProxy.self) }

  @Test(arguments: [
    ActionRow(
      .ipv4, "-p tcp -j TPROXY --on-port 1", .depends(on: "the sockets of this machine"), in: .mangle,
      chain: "PREROUTING")
  ])
  func action(_ row: ActionRow) throws { try row.check() }

  @Test func whatTextCannotSayStaysOpaque() {
    #expect(
      decodeTarget(
        "TPROXY", revision: 1, .ipv4, Array(repeating: 0, count: 8) + [1, 2, 3, 4, 5] + Array(repeating: 0, count: 15))
        is OpaqueTarget)
    #expect(decodeTarget("TPROXY", revision: 1, .ipv4, Array(repeating: 0, count: 26) + [1, 0]) is OpaqueTarget)
  }
}
