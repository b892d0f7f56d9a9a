import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// The commands that Docker, fail2ban and libvirt run, before, between and after commits of ours, in real kernels: their
/// rules stay where they put them, and their own commands go on to find them.
@Suite(.requires(.root, .legacyTables, .nfTables))
struct MergeKernelTests {
  static let kinds: [ContractKind] = [.legacy, .nft]

  /// A machine whose rules we commit with what others added.
  struct Machine {
    let site: ContractSite
    var base = Ruleset()
    var notes: [String] = []
    var kept: [TableMerge.Kept] = []

    init(_ kind: ContractKind) throws { site = try ContractSite(kind) }

    /// Commits text as iptables-save prints it; every table that it names.
    mutating func commit(_ text: String, keeping: ForeignKeeping = .foreign) throws {
      let wanted = rules(text)
      let live = try site.snapshot().ruleset
      var result = Ruleset()
      (notes, kept) = ([], [])
      for table in wanted.tables {
        let merge = TableMerge(base: base[table.id], live: live[table.id], wanted: table, keeping: keeping)
        result[table.id] = merge.result
        base[table.id] = merge.own
        notes += merge.notes
        kept += merge.kept
      }
      _ = try site.inside { try RuleStore(site.backend).commit(result) }
      try again(wanted, keeping)
    }

    /// Merging what is there now with what is wanted anyway is no commit.
    private func again(_ wanted: Ruleset, _ keeping: ForeignKeeping) throws {
      let live = try site.snapshot().ruleset
      var result = Ruleset()
      for table in wanted.tables {
        let merge = TableMerge(base: base[table.id], live: live[table.id], wanted: table, keeping: keeping)
        result[table.id] = merge.result
      }
      let outcome = try site.inside { try RuleStore(site.backend).commit(result) }
      #expect(outcome.plan.isEmpty)
    }

    /// Runs lines of iptables commands; each has to succeed.
    func run(_ lines: String) throws {
      for line in lines.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        try site.namespace.require(["iptables-\(site.kind.variant)"] + words)
      }
    }

    func status(_ line: String) throws -> Int32 {
      let words = line.split(separator: " ").map(String.init)
      return try site.namespace.run(["iptables-\(site.kind.variant)"] + words).status
    }

    /// `-A` lines of a chain, as iptables says.
    func listed(_ chain: String, _ table: String = "filter") throws -> [String] {
      try site.namespace.require(["iptables-\(site.kind.variant)", "-t", table, "-S", chain]).stdout.split(
        separator: "\n"
      ).map(String.init).filter { $0.hasPrefix("-A") }
    }
  }

  private let server = """
    *filter
    :INPUT DROP [0:0]
    :FORWARD DROP [0:0]
    :OUTPUT ACCEPT [0:0]
    -A INPUT -i lo -j ACCEPT
    -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
    -A FORWARD -i eth1 -o eth0 -j ACCEPT
    COMMIT
    *nat
    -A POSTROUTING -s 10.0.0.0/24 -o eth0 -j MASQUERADE
    COMMIT

    """

  private var serverWithWeb: String {
    server.replacing("--dport 22 -j ACCEPT", with: "--dport 22 -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT")
  }

  // MARK: Docker

  static let dockerStart = """
    -t nat -N DOCKER
    -t filter -N DOCKER
    -t filter -N DOCKER-ISOLATION-STAGE-1
    -t filter -N DOCKER-ISOLATION-STAGE-2
    -t filter -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    -t filter -A DOCKER-ISOLATION-STAGE-2 -j RETURN
    -t nat -I POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    -t nat -I DOCKER -i docker0 -j RETURN
    -I FORWARD -i docker0 -o docker0 -j ACCEPT
    -I FORWARD -i docker0 ! -o docker0 -j ACCEPT
    -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER ! --dst 127.0.0.0/8
    -I FORWARD -o docker0 -j DOCKER
    -I FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    -I FORWARD -j DOCKER-ISOLATION-STAGE-1
    -I DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    -I DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    -N DOCKER-USER
    -A DOCKER-USER -j RETURN
    -I FORWARD -j DOCKER-USER
    """

  /// A container comes with a published port.
  static let publish = """
    -t nat -A DOCKER -p tcp -d 0/0 --dport 8080 -j DNAT --to-destination 172.17.0.2:80 ! -i docker0
    -t filter -A DOCKER ! -i docker0 -o docker0 -p tcp -d 172.17.0.2 --dport 80 -j ACCEPT
    -t nat -A POSTROUTING -p tcp -s 172.17.0.2 -d 172.17.0.2 --dport 80 -j MASQUERADE
    """

  /// What Docker asks before it writes, and how it removes.
  static func turned(_ lines: String, into command: String) -> String {
    lines.split(separator: "\n").filter { $0.contains("-A ") || $0.contains("-I ") }.map {
      $0.replacing("-A ", with: "\(command) ").replacing("-I ", with: "\(command) ")
    }.joined(separator: "\n")
  }

  @Test(arguments: kinds)
  func dockerBeforeBetweenAndAfter(_ kind: ContractKind) throws {
    var machine = try Machine(kind)
    try machine.run(Self.dockerStart)
    let forward = try machine.listed("FORWARD")
    try machine.commit(server)
    #expect(try machine.listed("FORWARD") == forward + ["-A FORWARD -i eth1 -o eth0 -j ACCEPT"])
    #expect(Set(machine.kept.map(\.owner)) == [.docker])

    try machine.run(Self.publish)
    try machine.commit(serverWithWeb)
    try machine.run(Self.turned(Self.dockerStart + "\n" + Self.publish, into: "-C"))
    #expect(try machine.listed("INPUT").count == 4)

    try machine.run(Self.turned(Self.publish, into: "-D"))
    try machine.commit(server)
    #expect(try machine.listed("DOCKER") == [])
    try machine.run("-D FORWARD -j DOCKER-USER\n-I FORWARD -j DOCKER-USER")  // as at each network that is made
    try machine.commit(serverWithWeb)
    #expect(try machine.listed("FORWARD") == forward + ["-A FORWARD -i eth1 -o eth0 -j ACCEPT"])

    try machine.run(Self.turned(Self.dockerStart, into: "-D"))
    try machine.run("-F DOCKER\n-X DOCKER\n-t nat -F DOCKER\n-t nat -X DOCKER\n-X DOCKER-USER")
    try machine.run("-X DOCKER-ISOLATION-STAGE-1\n-X DOCKER-ISOLATION-STAGE-2")
    try machine.commit(server)
    #expect(machine.kept == [])
    #expect(try machine.listed("FORWARD") == ["-A FORWARD -i eth1 -o eth0 -j ACCEPT"])
    try machine.run(Self.dockerStart)  // and it comes back
    try machine.commit(serverWithWeb)
    try machine.run(Self.turned(Self.dockerStart, into: "-C"))
  }

  /// What iptables-save printed with Docker running, as people keep it, applied days later.
  @Test(arguments: kinds)
  func aSavedDumpWithDockerInIt(_ kind: ContractKind) throws {
    var machine = try Machine(kind)
    try machine.commit(server)
    try machine.run(Self.dockerStart + "\n" + Self.publish)
    let dump = try machine.site.namespace.require(["iptables-\(kind.variant)-save"]).stdout
    try machine.run(Self.turned(Self.publish, into: "-D"))
    let moved = Self.publish.replacing("172.17.0.2", with: "172.17.0.3")
    try machine.run(moved)
    let filter = try machine.listed("DOCKER")
    try machine.commit(dump)
    #expect(try machine.listed("DOCKER") == filter)
    #expect(machine.notes.contains { $0.hasPrefix("chain DOCKER of IPv4 nat is Docker's") })
    try machine.run(Self.turned(Self.dockerStart + "\n" + moved, into: "-C"))
    // The cleaned file of somebody who has understood: Docker's rules stay Docker's.
    try machine.commit(server)
    try machine.run(Self.turned(Self.dockerStart + "\n" + moved, into: "-C"))
    try machine.commit(server, keeping: .nothing)
    #expect(try machine.listed("FORWARD") == ["-A FORWARD -i eth1 -o eth0 -j ACCEPT"])
    #expect(try machine.status("-n -L DOCKER") != 0)
  }

  // MARK: fail2ban

  static let jailStart = """
    -w -N f2b-sshd
    -w -A f2b-sshd -j RETURN
    -w -I INPUT -p tcp -m multiport --dports 22,2222 -j f2b-sshd
    """

  @Test(arguments: kinds)
  func aJailBeforeBetweenAndAfter(_ kind: ContractKind) throws {
    let ban = { (host: Int) in "-w -I f2b-sshd 1 -s 198.51.100.\(host) -j REJECT --reject-with icmp-port-unreachable" }
    let unban = { (host: Int) in "-w -D f2b-sshd -s 198.51.100.\(host) -j REJECT --reject-with icmp-port-unreachable" }
    var machine = try Machine(kind)
    try machine.run(Self.jailStart)
    try machine.run(ban(1))
    try machine.commit(server)
    #expect(machine.kept.map(\.description) == ["1 rule in INPUT (fail2ban)", "chain f2b-sshd (fail2ban, 2 rules)"])
    try machine.run(ban(2))
    try machine.commit(serverWithWeb)
    #expect(try machine.listed("f2b-sshd").count == 3)
    #expect(try machine.listed("INPUT").first == "-A INPUT -p tcp -m multiport --dports 22,2222 -j f2b-sshd")
    #expect(try machine.status("-w -n -L f2b-sshd") == 0)  // actioncheck
    try machine.run(unban(1))
    try machine.run(unban(2))
    try machine.run("-w -D INPUT -p tcp -m multiport --dports 22,2222 -j f2b-sshd\n-w -F f2b-sshd\n-w -X f2b-sshd")
    try machine.commit(server)
    #expect(machine.kept == [])
    try machine.run(Self.jailStart)
    try machine.run(ban(3))
    try machine.commit(server)
    #expect(try machine.status("-w -C f2b-sshd -s 198.51.100.3 -j REJECT --reject-with icmp-port-unreachable") == 0)
  }

  // MARK: libvirt

  static let network = """
    -w --table filter --new-chain LIBVIRT_INP
    -w --table filter --insert INPUT --jump LIBVIRT_INP
    -w --table filter --new-chain LIBVIRT_OUT
    -w --table filter --insert OUTPUT --jump LIBVIRT_OUT
    -w --table filter --new-chain LIBVIRT_FWO
    -w --table filter --insert FORWARD --jump LIBVIRT_FWO
    -w --table filter --new-chain LIBVIRT_FWI
    -w --table filter --insert FORWARD --jump LIBVIRT_FWI
    -w --table filter --new-chain LIBVIRT_FWX
    -w --table filter --insert FORWARD --jump LIBVIRT_FWX
    -w --table nat --new-chain LIBVIRT_PRT
    -w --table nat --insert POSTROUTING --jump LIBVIRT_PRT
    -w --table filter --insert LIBVIRT_INP --in-interface virbr0 --protocol udp --destination-port 67 --jump ACCEPT
    -w --table filter --insert LIBVIRT_FWX --in-interface virbr0 --out-interface virbr0 --jump ACCEPT
    -w --table filter --insert LIBVIRT_FWI --out-interface virbr0 --jump REJECT
    -w --table nat --insert LIBVIRT_PRT --source 192.168.122.0/24 ! --destination 192.168.122.0/24 --jump MASQUERADE
    """

  @Test(arguments: kinds)
  func aVirtualNetworkBeforeBetweenAndAfter(_ kind: ContractKind) throws {
    var machine = try Machine(kind)
    try machine.commit(server)
    try machine.run(Self.network)
    try machine.commit(serverWithWeb)
    #expect(
      try machine.listed("FORWARD") == [
        "-A FORWARD -j LIBVIRT_FWX", "-A FORWARD -j LIBVIRT_FWI", "-A FORWARD -j LIBVIRT_FWO",
        "-A FORWARD -i eth1 -o eth0 -j ACCEPT",
      ])
    #expect(Set(machine.kept.map(\.owner)) == [.libvirt])
    let inserted = Self.network.split(separator: "\n").filter { $0.contains("--insert") }
    for line in inserted { try machine.run(String(line).replacing("--insert", with: "--check")) }
    for line in inserted { try machine.run(String(line).replacing("--insert", with: "--delete")) }
    try machine.commit(server)
    #expect(try machine.listed("LIBVIRT_FWI") == [])
    #expect(try machine.listed("INPUT").count == 3)
  }

  // MARK: All together

  /// Counters of what others wrote go on over our commit.
  @Test(arguments: kinds)
  func countersOfOthersGoOn(_ kind: ContractKind) throws {
    var machine = try Machine(kind)
    try machine.run("-N f2b-lo\n-A f2b-lo -j RETURN\n-I INPUT -i lo -p icmp -j f2b-lo")
    try machine.site.namespace.require(["ping", "-c", "2", "-i", "0.01", "127.0.0.1"])
    let before = try machine.site.snapshot().ruleset[.filter, .ipv4]!
    #expect(before["f2b-lo"]!.rules[0].counters.packets == 4)
    try machine.commit(server)
    let after = try machine.site.snapshot().ruleset[.filter, .ipv4]!
    #expect(after["f2b-lo"]!.rules == before["f2b-lo"]!.rules)
    #expect(after[.input]!.rules[0].counters == before[.input]!.rules[0].counters)
  }

  /// A commit is taken back by the same merge: a ban and a container that came in between stay.
  @Test(arguments: kinds)
  func takingBackKeepsWhatCameMeanwhile(_ kind: ContractKind) throws {
    var machine = try Machine(kind)
    try machine.run(Self.dockerStart + "\n" + Self.jailStart)
    try machine.commit(server)
    let before = try machine.site.snapshot().ruleset
    try machine.commit(serverWithWeb)
    let committed = try machine.site.snapshot().ruleset
    try machine.run(Self.publish + "\n-I f2b-sshd 1 -s 198.51.100.9 -j DROP\n-A INPUT -s 192.0.2.77 -j DROP")
    let now = try machine.site.snapshot().ruleset
    var back = Ruleset()
    for table in before.tables {
      back[table.id] = TableMerge(base: committed[table.id], live: now[table.id], wanted: table).result
    }
    _ = try machine.site.inside { try RuleStore(machine.site.backend).commit(back) }
    try machine.run(Self.turned(Self.dockerStart + "\n" + Self.publish + "\n" + Self.jailStart, into: "-C"))
    #expect(try machine.listed("f2b-sshd") == ["-A f2b-sshd -s 198.51.100.9/32 -j DROP", "-A f2b-sshd -j RETURN"])
    #expect(
      try machine.listed("INPUT") == [
        "-A INPUT -p tcp -m multiport --dports 22,2222 -j f2b-sshd", "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A INPUT -s 192.0.2.77/32 -j DROP",
      ])
    // Taken back already, by whomever: nothing is left to do.
    let restored = try machine.site.snapshot().ruleset
    for table in restored.tables {
      let merge = TableMerge(base: committed[table.id], live: table, wanted: table)
      #expect(merge.result == table)
    }
  }
}
