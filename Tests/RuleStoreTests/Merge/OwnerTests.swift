import KernelTestSupport
import Netfilter
@testable import RuleStore
import Testing

/// Whose rules and chains are, by rows and by what real programs left in real machines.
@Suite struct OwnerTests {
  @Test(
    arguments: [
      ("DOCKER", RuleOwner.docker), ("DOCKER-ISOLATION-STAGE-1", .docker), ("DOCKERFILES", nil),
      ("f2b-sshd", .fail2ban),
      ("fail2ban-ssh", .fail2ban), ("KUBE-SVC-3WUAALNGPYZZAWAD", .kubernetes), ("cali-FORWARD", .calico),
      ("CNI-FORWARD", .cni), ("FLANNEL-POSTRTG", .flannel), ("CILIUM_INPUT", .cilium), ("LIBVIRT_INP", .libvirt),
      ("ufw-before-input", .ufw), ("ufw6-user-input", .ufw), ("NETAVARK_FORWARD", .podman), ("sshguard", .sshguard),
      ("ts-input", .tailscale), ("ts-mine", nil), ("MINIUPNPD", .miniupnpd), ("LOCALINPUT", .csf),
      ("IN_public", nil), ("web", nil), ("DOCKER_mine", nil), ("CROWDSEC_CHAIN", .crowdsec),
    ] as [(String, RuleOwner?)])
  func chains(_ name: String, _ owner: RuleOwner?) {
    #expect(OwnerDirectory(Table(.filter, family: .ipv4)).owner(of: ChainName(unchecked: name)) == owner)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let table: TableName
    let rule: String
    let owner: RuleOwner?
    init(_ table: TableName, _ rule: String, _ owner: RuleOwner?) {
      (self.table, self.rule, self.owner) = (table, rule, owner)
    }
    var testDescription: String { rule }
  }

  @Test(arguments: [
    Row(.filter, "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", .docker),
    Row(.filter, "-A FORWARD -i br-b74b417b331f ! -o br-b74b417b331f -j ACCEPT", .docker),
    Row(.filter, "-A FORWARD -i docker_gwbridge -o docker_gwbridge -j DROP", .docker),
    Row(.filter, "-A FORWARD -i br-lan -o eth0 -j ACCEPT", nil),
    Row(.filter, "-A FORWARD -i docker0 -p tcp -m tcp --dport 25 -j DROP", nil),
    Row(.filter, "-A FORWARD -s 172.17.0.0/16 -i docker0 -j ACCEPT", nil),
    Row(.filter, "-A INPUT -i docker0 -j ACCEPT", nil),
    Row(.nat, "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", .docker),
    Row(.nat, "-A POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE", .docker),
    Row(.nat, "-A POSTROUTING -o docker0 -j MASQUERADE", nil),
    Row(.nat, "-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE", .docker),
    Row(.nat, "-A POSTROUTING -s 10.0.0.0/8 -o eth0 -j MASQUERADE", nil),
    Row(.raw, "-A PREROUTING -d 172.17.0.2/32 ! -i docker0 -j DROP", .docker),
    Row(.filter, "-A INPUT -i virbr0 -p udp -m udp --dport 53 -j ACCEPT", .libvirt),
    Row(.filter, "-A INPUT -i virbr0 -p tcp -m tcp --dport 9001 -j ACCEPT", nil),
    Row(.filter, "-A OUTPUT -o virbr0 -p udp -m udp --dport 68 -j ACCEPT", .libvirt),
    Row(.filter, "-A FORWARD -o virbr0 -j REJECT --reject-with icmp-port-unreachable", .libvirt),
    Row(.filter, "-A FORWARD -d 192.168.122.0/24 -o virbr0 -m state --state RELATED,ESTABLISHED -j ACCEPT", .libvirt),
    Row(.filter, "-A FORWARD -o virbr0 -p tcp -m tcp --dport 22 -j ACCEPT", nil),
    Row(.nat, "-A POSTROUTING -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE", .libvirt),
    Row(.nat, "-A POSTROUTING -s 192.168.123.0/24 ! -d 192.168.123.0/24 -j MASQUERADE", nil),
    Row(.mangle, "-A POSTROUTING -o virbr0 -p udp -m udp --dport 68 -j CHECKSUM --checksum-fill", .libvirt),
    Row(.filter, "-A INPUT -i lxdbr0 -m comment --comment \"generated for LXD network lxdbr0\" -j ACCEPT", .lxd),
    Row(.raw, "-A PREROUTING ! -i wg0 -m comment --comment \"wg-quick(8) rule for wg0\" -j DROP", .wireguard),
    Row(.nat, "-A POSTROUTING -s 10.244.0.0/16 -m comment --comment \"flanneld masq\" -j MASQUERADE", .flannel),
    Row(.filter, "-A INPUT -m comment --comment \"cali:Cz_u1IQiXIMmKD4c\" -j ACCEPT", .calico),
    Row(.filter, "-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j ACCEPT", .kubernetes),
    Row(.filter, "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd", .fail2ban),
    Row(.filter, "-A INPUT -j ACCEPT", nil),
  ])
  func ruleRows(_ row: Row) {
    var text = "*\(row.table)\n"
    if row.table == .nat { text += ":DOCKER - [0:0]\n-A POSTROUTING -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN\n" }
    if row.rule.contains("f2b-") { text += ":f2b-sshd - [0:0]\n" }
    let table = rules(text + row.rule + "\nCOMMIT\n").tables[0]
    let chain = table[ChainName(unchecked: String(row.rule.split(separator: " ")[1]))]!
    #expect(OwnerDirectory(table).owner(of: chain.rules.last!, in: chain.name) == row.owner)
  }

  /// Bridges with names of their own are known from Docker's chains.
  @Test func namedBridges() {
    let table = rules(
      """
      *nat
      :DOCKER - [0:0]
      -A POSTROUTING -s 172.18.0.0/16 ! -o games0 -j MASQUERADE
      -A POSTROUTING -s 172.19.0.0/16 ! -o eth0 -j MASQUERADE
      -A DOCKER -i games0 -j RETURN
      COMMIT

      """
    ).tables[0]
    #expect(
      Ownership(table).shares.map { "\($0.chain) \($0.owner) \($0.rules) \($0.isWholeChain)" } == [
        "POSTROUTING Docker 1 false", "POSTROUTING unknown 1 false", "DOCKER Docker 1 true",
      ])
  }

  /// firewalld's chains have common names; only beside its unmistakable ones are they its own.
  @Test func firewalld() {
    let text =
      ":IN_public - [0:0]\n:INPUT_ZONES - [0:0]\n-A INPUT -j INPUT_ZONES\n-A INPUT_ZONES -i eth0 -g IN_public\n"
    let table = rules("*filter\n\(text)COMMIT\n").tables[0]
    #expect(Set(Ownership(table).shares.map(\.owner)) == [.firewalld])
    let other = rules("*filter\n:IN_public - [0:0]\n-A INPUT -j IN_public\nCOMMIT\n").tables[0]
    #expect(Set(Ownership(other).shares.map(\.owner)) == [.unknown])
  }

  @Test func oursAreFirebreaks() {
    let live = rules("*filter\n:web - [0:0]\n[5:500] -A INPUT -j web\n[7:700] -A INPUT -j LOG\nCOMMIT\n").tables[0]
    let base = rules("*filter\n:web - [0:0]\n-A INPUT -j web\nCOMMIT\n").tables[0]
    #expect(
      Ownership(live, base: base).shares.map { "\($0.chain) \($0.owner) \($0.rules) \($0.packets)" } == [
        "INPUT Firebreak 1 5", "INPUT unknown 1 7", "web Firebreak 0 0",
      ])
  }

  // MARK: The corpus

  /// File and what of it has to be known, at least.
  struct Found: Sendable, CustomTestStringConvertible {
    let file: String
    let rules: [RuleOwner: Int]
    var testDescription: String { file }
  }

  @Test(
    .requires(.corpus),
    arguments: [
      Found(file: "ImAxolotlicekDev-Anti-DDoS__iptables.save.v4", rules: [.docker: 24, .unknown: 0]),
      Found(file: "diekmann-net-network__configs-corny-docker-docker.txt-L775.v4", rules: [.docker: 17, .unknown: 25]),
      Found(file: "diekmann-net-network__team-a-iptables-save.2016-03-02.v4", rules: [.fail2ban: 2]),
      Found(file: "diekmann-net-network__configs-srvs-ufw-server1-iptables-save.v4", rules: [.ufw: 70, .unknown: 0]),
      Found(file: "k8s-flannel-kubedns-nat.v4", rules: [.kubernetes: 30, .flannel: 7, .unknown: 0]),
      Found(file: "calico-felix-mangle-L37.v4", rules: [.calico: 6, .unknown: 0]),
    ])
  func dumps(_ found: Found) throws {
    let bytes = try readFile(Corpus.directory! + "/save/" + found.file)
    let reading = bytes.withUnsafeBytes { RulesText.read($0, file: found.file) }
    var counts: [RuleOwner: Int] = [:]
    for table in reading.ruleset.tables {
      for share in Ownership(table).shares { counts[share.owner, default: 0] += share.rules }
    }
    #expect(!reading.hasErrors)
    for (owner, rules) in found.rules {
      #expect(owner == .unknown ? counts[owner, default: 0] <= rules : counts[owner, default: 0] >= rules, "\(counts)")
    }
  }
}
