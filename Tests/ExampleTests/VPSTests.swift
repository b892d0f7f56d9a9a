import KernelTestSupport
import PacketLab
import Testing

@Suite(.requires(.root, .legacyTables, .tool("ip")))
struct VPSTests {
  private func lab(_ files: String...) throws -> Lab {
    try Lab(
      files.map { "vps/\($0)" }, [Lab.Wire("eth0", machine: ["192.0.2.1/24"], others: ["192.0.2.2/24"])])
  }

  private let served: [Row] = [
    .into("ssh", .tcp(22), to: "192.0.2.1", .answered),
    .into("web", .tcp(80), to: "192.0.2.1", .answered),
    .into("web with TLS", .tcp(443), to: "192.0.2.1", .answered),
    .into("mail", .tcp(25), to: "192.0.2.1", .answered),
    .into("ping", .ping, to: "192.0.2.1", .answered),
    .into("MySQL", .tcp(3306), to: "192.0.2.1", .dropped),
    .into("SNMP", .udp(161), to: "192.0.2.1", .dropped),
    .into("VRRP", .ip(112), to: "192.0.2.1", .dropped),
    .inside("MySQL from the machine itself", .tcp(3306), to: "127.0.0.1", .answered),
    .out("mail", .tcp(25), to: "192.0.2.2", .answered),
    .out("name server", .udp(53), to: "192.0.2.2", .answered),
    .out("name server over TCP", .tcp(53), to: "192.0.2.2", .answered),
  ]

  @Test func theGuidesRules() throws {
    try lab("vps.rules").check(
      served + [
        .into("MySQL from port 53, which the guide lets in", .tcp(3306), to: "192.0.2.1", port: 53, .answered),
        .into("SNMP from port 53, which the guide lets in", .udp(161), to: "192.0.2.1", port: 53, .answered),
        .out("updates, whose answers the guide drops", .tcp(443), to: "192.0.2.2", .dropped),
      ])
  }

  @Test func answersByState() throws {
    try lab("vps.rules", "answers-by-state.rules").check(
      served + [
        .into("MySQL from port 53", .tcp(3306), to: "192.0.2.1", port: 53, .dropped),
        .into("SNMP from port 53", .udp(161), to: "192.0.2.1", port: 53, .dropped),
        .out("updates", .tcp(443), to: "192.0.2.2", .answered),
      ])
  }
}
