import KernelTestSupport
import PacketLab
import Testing

@Suite(.requires(.root, .legacyTables, .tool("ip")))
struct RackspaceTests {
  /// The machine is 192.0.2.1 to strangers, 198.51.100.1 to the admin server, 10.132.0.1 on the inner network.
  private func lab(_ role: String) throws -> Lab {
    try Lab(
      ["rackspace/\(role).rules"],
      [
        Lab.Wire(
          "eth0", machine: ["192.0.2.1/24", "198.51.100.1/24"],
          others: ["192.0.2.2/24", "198.51.100.10/24", "198.51.100.11/24"]),
        Lab.Wire("eth1", machine: ["10.132.0.1/24"], others: ["10.132.0.2/24"]),
      ])
  }

  /// True of every role.
  private let common: [Row] = [
    .into("ssh from the admin server", .tcp(22), to: "198.51.100.1", from: "198.51.100.10", .answered),
    .into("telnet", .tcp(23), to: "192.0.2.1", .dropped),
    .into("SNMP", .udp(161), to: "192.0.2.1", .dropped),
    .into("ping", .ping, to: "192.0.2.1", .dropped),
    .inside("itself", .tcp(3000), to: "127.0.0.1", .answered),
    .out("updates", .tcp(443), to: "192.0.2.2", .answered),
    .out("name server", .udp(53), to: "192.0.2.2", .answered),
    .out("ping", .ping, to: "10.132.0.2", .answered),
  ]

  /// True of the roles that the admin server looks after.
  private let administered: [Row] = [
    .into("ssh from its neighbour", .tcp(22), to: "198.51.100.1", from: "198.51.100.11", .dropped),
    .into("ssh from a stranger", .tcp(22), to: "192.0.2.1", .dropped),
    .into("gmond", .udp(8649), to: "192.0.2.1", .answered),
    .into("gmond over TCP", .tcp(8649), to: "192.0.2.1", .answered),
    .into("gmond of another cluster", .udp(8646), to: "192.0.2.1", .dropped),
  ]

  @Test func admin() throws {
    try lab("admin").check(
      common + [
        .into("ssh from a stranger", .tcp(22), to: "192.0.2.1", .answered),
        .into("web", .tcp(80), to: "192.0.2.1", .answered),
        .into("the first gmond", .udp(8646), to: "192.0.2.1", .answered),
        .into("the last gmond", .udp(8649), to: "192.0.2.1", .answered),
        .into("below gmond", .udp(8645), to: "192.0.2.1", .dropped),
        .into("above gmond", .udp(8650), to: "192.0.2.1", .dropped),
        .into("gmond over TCP", .tcp(8649), to: "192.0.2.1", .dropped),
        .into("VRRP", .ip(112), to: "192.0.2.1", .dropped),
      ])
  }

  @Test func loadBalancer() throws {
    try lab("load-balancer").check(
      common + administered + [
        .into("web", .tcp(80), to: "192.0.2.1", .answered),
        .into("VRRP from the other director", .ip(112), to: "10.132.0.1", .answered),
        .out("VRRP to the other director", .ip(112), to: "10.132.0.2", .answered),
        .into("another protocol", .ip(113), to: "10.132.0.1", .dropped),
        .into("MongoDB", .tcp(27017), to: "10.132.0.1", .dropped),
      ])
  }

  @Test func application() throws {
    try lab("application").check(
      common + administered + [
        .into("web", .tcp(80), to: "192.0.2.1", .answered),
        .into("LVS on the inner network", .tcp(80), to: "10.132.0.1", .answered),
        .into("anything on the inner network", .tcp(8080), to: "10.132.0.1", .answered),
        .into("a ping on the inner network", .ping, to: "10.132.0.1", .answered),
        .into("the same from outside", .tcp(8080), to: "192.0.2.1", .dropped),
      ])
  }

  @Test func database() throws {
    try lab("database").check(
      common + administered + [
        .into("MongoDB", .tcp(27017), to: "10.132.0.1", .answered),
        .into("its figures", .tcp(28017), to: "10.132.0.1", .answered),
        .into("web", .tcp(80), to: "192.0.2.1", .dropped),
        .into("MongoDB of a shard", .tcp(27018), to: "10.132.0.1", .dropped),
        .into("VRRP", .ip(112), to: "10.132.0.1", .dropped),
      ])
  }
}
