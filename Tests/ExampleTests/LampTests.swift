import KernelTestSupport
import PacketLab
import Testing

@Suite(.requires(.root, .legacyTables, .tool("ip")))
struct LampTests {
  private func lab(_ files: String...) throws -> Lab {
    try Lab(
      files.map { "lamp/\($0)" },
      [Lab.Wire("eth0", machine: ["192.0.2.1/24", "2001:db8::1/64"], others: ["192.0.2.2/24", "2001:db8::2/64"])])
  }

  private let ipv4: [Row] = [
    .into("ssh", .tcp(22), to: "192.0.2.1", .answered),
    .into("web", .tcp(80), to: "192.0.2.1", .answered),
    .into("web over UDP", .udp(80), to: "192.0.2.1", .answered),
    .into("MySQL", .tcp(3306), to: "192.0.2.1", .hostUnreachable),
    .into("PHP", .tcp(9000), to: "192.0.2.1", .hostUnreachable),
    .into("SNMP", .udp(161), to: "192.0.2.1", .hostUnreachable),
    .into("VRRP", .ip(112), to: "192.0.2.1", .hostUnreachable),
    .into("ping", .ping, to: "192.0.2.1", .hostUnreachable),
    .inside("MySQL from PHP", .tcp(3306), to: "127.0.0.1", .answered),
    .inside("MySQL by the own address", .tcp(3306), to: "192.0.2.1", .answered),
    .out("updates", .tcp(443), to: "192.0.2.2", .answered),
    .out("name server", .udp(53), to: "192.0.2.2", .answered),
    .out("ping", .ping, to: "192.0.2.2", .answered),
  ]

  private let ipv6: [Row] = [
    .into("ssh", .tcp(22), to: "2001:db8::1", .answered),
    .into("web", .tcp(80), to: "2001:db8::1", .answered),
    .into("MySQL", .tcp(3306), to: "2001:db8::1", .addressUnreachable6),
    .into("SNMP", .udp(161), to: "2001:db8::1", .addressUnreachable6),
    .into("ping", .ping, to: "2001:db8::1", .addressUnreachable6),
    .inside("MySQL from PHP", .tcp(3306), to: "::1", .answered),
    .out("updates", .tcp(443), to: "2001:db8::2", .answered),
    .out("ping", .ping, to: "2001:db8::2", .answered),
  ]

  @Test func bothFamiliesAsOneCommit() throws { try lab("lamp.v4", "lamp.v6").check(ipv4 + ipv6) }

  /// What the guide has: IPv6 is not its subject, and all of it is open.
  @Test func theGuidesFamilyAlone() throws {
    let open = ipv6.map { Row(what: $0.what, direction: $0.direction, traffic: $0.traffic, outcome: .answered) }
    try lab("lamp.v4").check(ipv4 + open)
  }
}
