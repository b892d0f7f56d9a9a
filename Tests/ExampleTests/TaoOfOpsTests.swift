import KernelTestSupport
import PacketLab
import Testing

@Suite(.requires(.root, .legacyTables, .tool("ip")))
struct TaoOfOpsTests {
  private let base = "tao-of-ops/firewall.rules"

  private func lab(_ files: String...) throws -> Lab {
    try Lab(
      files,
      [
        Lab.Wire(
          "eth2", machine: ["192.0.2.1/24", "2001:db8::1/64"],
          others: ["192.0.2.2/24", "192.0.2.66/24", "2001:db8::2/64"])
      ])
  }

  private let always: [Row] = [
    .into("ssh", .tcp(22), to: "192.0.2.1", .answered),
    .into("something else", .tcp(8080), to: "192.0.2.1", .dropped),
    .into("ping", .ping, to: "192.0.2.1", .dropped),
    .into("time that nobody asked for", .udp(123), to: "192.0.2.1", port: 123, .dropped),
    .into("UDP from port 53, which the guide lets in", .udp(5000), to: "192.0.2.1", port: 53, .answered),
    .into("UDP from another port", .udp(5000), to: "192.0.2.1", .dropped),
    .into("ssh over IPv6, which the guide does not open", .tcp(22), to: "2001:db8::1", .dropped),
    .into("ping over IPv6", .ping, to: "2001:db8::1", .answered),
    .out("name server", .udp(53), to: "192.0.2.2", .answered),
    .out("time server", .udp(123), to: "192.0.2.2", .answered),
    .out("the web", .tcp(80), to: "192.0.2.2", .dropped),
    .out("the web over IPv6", .tcp(80), to: "2001:db8::2", .dropped),
    .out("another packet", .udp(5000), to: "192.0.2.2", .notPermitted),
    .out("ping", .ping, to: "192.0.2.2", .notPermitted),
    .out("ping over IPv6", .ping, to: "2001:db8::2", .answered),
    .inside("itself", .tcp(3306), to: "127.0.0.1", .answered),
    .inside("itself over IPv6", .tcp(3306), to: "::1", .answered),
  ]

  @Test func theBase() throws {
    try lab(base).check(
      always + [
        .into("web", .tcp(80), to: "192.0.2.1", .dropped),
        .into("web over IPv6", .tcp(80), to: "2001:db8::1", .dropped),
        .out("etcd", .tcp(4001), to: "192.0.2.2", .dropped),
      ])
  }

  @Test func theBaseAndItsPieces() throws {
    try lab(base, "tao-of-ops/conf.d").check(
      always + [
        .into("web", .tcp(80), to: "192.0.2.1", .answered),
        .into("web with TLS", .tcp(443), to: "192.0.2.1", .answered),
        .into("web over IPv6", .tcp(80), to: "2001:db8::1", .answered),
        .into("etcd from outside", .tcp(4001), to: "192.0.2.1", .dropped),
        .out("etcd", .tcp(4001), to: "192.0.2.2", .answered),
        .out("etcd over IPv6, which the guide does not open", .tcp(4001), to: "2001:db8::2", .dropped),
      ])
  }

  /// The chain is there for fail2ban: a ban in it stops one address and nobody else. The refusal is silent, for OUTPUT
  /// drops the ICMP error.
  @Test func aBan() throws {
    let lab = try lab(base)
    try lab.serve(.into, [.tcp(22)])
    let ban = try lab.machine.file("ban.rules", "iptables -I fail2ban-ssh -s 192.0.2.66 -j REJECT\n")
    let applied = try lab.firebreak("apply", ["-q"] + lab.files + [ban])
    #expect(applied.status == 0, "\(applied)")
    let call = Traffic(.tcp(22), to: "192.0.2.1", from: "192.0.2.66")
    #expect(try lab.send(call, .into, patience: .milliseconds(150)) == .dropped)
    #expect(try lab.send(Traffic(.tcp(22), to: "192.0.2.1"), .into, patience: .seconds(5)) == .answered)
  }

  /// The guide jumps to the chain before it makes it. A shell script carries on from there; nothing of it is loaded here.
  @Test func theGuidesOwnOrderIsRefused() throws {
    let lab = try lab(base)
    let text = """
      iptables -P INPUT DROP
      iptables -A INPUT -p tcp -m multiport --dports 22 -j fail2ban-ssh
      iptables -A fail2ban-ssh -j RETURN

      """
    let refused = try lab.firebreak("apply", [try lab.machine.file("guide.rules", text)])
    #expect(refused.status == 65, "\(refused)")
    #expect(refused.stderr.contains("guide.rules:2:") && refused.stderr.contains("fail2ban-ssh"), "\(refused)")
    #expect(try lab.firebreak("save").stdout.contains("DROP") == false)
  }
}
