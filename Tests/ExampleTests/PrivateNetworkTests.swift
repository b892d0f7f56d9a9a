import KernelTestSupport
import PacketLab
import Testing

@Suite(.requires(.root, .legacyTables, .tool("ip")))
struct PrivateNetworkTests {
  private static let tunnel = "10.132.1.1"
  private static let haproxy = "10.132.1.2"
  private static let wordpress = ["10.132.1.11", "10.132.1.12"]
  private static let mysql = ["10.132.1.21", "10.132.1.22"]
  /// Another customer on the same network.
  private static let stranger = "10.132.99.99"

  /// A machine with this private address, and all the others.
  private func lab(_ files: String..., address: String) throws -> Lab {
    let all = [Self.tunnel, Self.haproxy] + Self.wordpress + Self.mysql + [Self.stranger]
    return try Lab(
      files.map { "private-network/\($0).rules" },
      [
        Lab.Wire("eth0", machine: ["192.0.2.1/24"], others: ["192.0.2.50/24"]),
        Lab.Wire("eth1", machine: ["\(address)/16"], others: all.filter { $0 != address }.map { "\($0)/16" }),
      ])
  }

  @Test func haproxy() throws {
    let me = Self.haproxy
    try lab("haproxy-www", address: me).check([
      .into("the site", .tcp(80), to: "192.0.2.1", .answered),
      .into("ssh from the Internet", .tcp(22), to: "192.0.2.1", .dropped),
      .into("a ping from the Internet", .ping, to: "192.0.2.1", .dropped),
      .into("ssh from tunnel-1", .tcp(22), to: me, from: Self.tunnel, .answered),
      .into("ssh from wordpress-1", .tcp(22), to: me, from: Self.wordpress[0], .dropped),
      .into("ssh from a stranger", .tcp(22), to: me, from: Self.stranger, .dropped),
      .into("the site on the private network", .tcp(80), to: me, from: Self.stranger, .dropped),
      .into("something else from tunnel-1", .tcp(8080), to: me, from: Self.tunnel, .dropped),
      .out("pages of wordpress-1", .tcp(80), to: Self.wordpress[0], .answered),
      .out("pages of wordpress-2", .tcp(80), to: Self.wordpress[1], .answered),
      .out("MySQL", .tcp(3306), to: Self.mysql[0], .dropped),
      .out("ssh to tunnel-1", .tcp(22), to: Self.tunnel, .dropped),
      .out("a packet on the private network", .udp(53), to: Self.tunnel, .notPermitted),
      .out("updates", .tcp(443), to: "192.0.2.50", .answered),
      .out("name server", .udp(53), to: "192.0.2.50", .answered),
      .out("a ping to the Internet", .ping, to: "192.0.2.50", .answered),
      .inside("itself", .tcp(8080), to: "127.0.0.1", .answered),
    ])
  }

  /// What the private servers have in common.
  private func common(_ me: String, peer: String) -> [Row] {
    [
      .into("ssh from tunnel-1", .tcp(22), to: me, from: Self.tunnel, .answered),
      .into("ssh from a stranger", .tcp(22), to: me, from: Self.stranger, .dropped),
      .into("ssh from haproxy-www", .tcp(22), to: me, from: Self.haproxy, .dropped),
      .into("MySQL from a peer", .tcp(3306), to: me, from: peer, .answered),
      .into("MySQL from a stranger", .tcp(3306), to: me, from: Self.stranger, .dropped),
      .into("MySQL from haproxy-www", .tcp(3306), to: me, from: Self.haproxy, .dropped),
      .into("MySQL from the Internet", .tcp(3306), to: "192.0.2.1", .dropped),
      .into("glusterFS from wordpress-2", .tcp(24007), to: me, from: Self.wordpress[1], .answered),
      .into("UDP from a peer", .udp(5000), to: me, from: peer, .dropped),
      .into("a ping from a stranger", .ping, to: me, from: Self.stranger, .dropped),
      .into("the web from the Internet", .tcp(80), to: "192.0.2.1", .dropped),
      .into("the web from a stranger", .tcp(80), to: me, from: Self.stranger, .dropped),
      .out("updates", .tcp(443), to: "192.0.2.50", .answered),
      .out("MySQL of a peer", .tcp(3306), to: peer, .answered),
      .inside("itself", .tcp(3306), to: "127.0.0.1", .answered),
    ]
  }

  @Test func mysql() throws {
    let me = Self.mysql[0]
    try lab("private-server", address: me).check(
      common(me, peer: Self.mysql[1]) + [
        .into("the web from haproxy-www", .tcp(80), to: me, from: Self.haproxy, .dropped)
      ])
  }

  @Test func wordpress() throws {
    let me = Self.wordpress[0]
    try lab("private-server", "wordpress", address: me).check(
      common(me, peer: Self.mysql[0]) + [
        .into("the web from haproxy-www", .tcp(80), to: me, from: Self.haproxy, .answered)
      ])
  }

  /// Logging changes nothing for a packet.
  @Test func mysqlWithLog() throws {
    let me = Self.mysql[1]
    try lab("private-server", "log-drops", address: me).check(common(me, peer: Self.mysql[0]))
  }
}
