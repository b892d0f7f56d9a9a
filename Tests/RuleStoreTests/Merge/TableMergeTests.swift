import KernelTestSupport
import Netfilter
@testable import RuleStore
import Testing

/// Tables as iptables-save prints them, with the rules of programs that many machines run.
@Suite struct TableMergeTests {
  private func table(_ text: String, _ name: TableName = .filter) -> Table {
    rules("*\(name)\n\(text)\nCOMMIT\n").tables[0]
  }

  /// Rules and user chains, a line each.
  private func lines(_ table: Table) -> [String] {
    var out = SaveText(family: table.family)
    out.print(table)
    return out.string.split(separator: "\n").map(String.init).filter { line in
      line.hasPrefix("-A") || (line.hasPrefix(":") && line.contains(" - ")) || line.contains(" DROP [")
    }.map { $0.replacing(" - [0:0]", with: "").replacing(" [0:0]", with: "") }
  }

  private let docker = """
    :DOCKER - [0:0]
    :DOCKER-ISOLATION-STAGE-1 - [0:0]
    :DOCKER-ISOLATION-STAGE-2 - [0:0]
    :DOCKER-USER - [0:0]
    -A FORWARD -j DOCKER-USER
    -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    -A FORWARD -o docker0 -j DOCKER
    -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    -A FORWARD -i docker0 -o docker0 -j ACCEPT
    -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
    -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    -A DOCKER-ISOLATION-STAGE-2 -j RETURN
    -A DOCKER-USER -j RETURN
    """

  @Test func aFirstCommitKeepsDockerAndReplacesTheRest() {
    let live = table(docker + "\n-A FORWARD -s 192.0.2.1/32 -j DROP\n-A INPUT -p tcp -m tcp --dport 23 -j ACCEPT")
    let wanted = table(":INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A FORWARD -i eth1 -j ACCEPT")
    let merge = TableMerge(base: nil, live: live, wanted: wanted)
    #expect(
      lines(merge.result)
        == lines(
          table(
            ":INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n"
              + docker.replacing("-A DOCKER -d", with: "-A FORWARD -i eth1 -j ACCEPT\n-A DOCKER -d"))))
    #expect(merge.own == wanted)
    #expect(merge.notes == [])
    #expect(Set(merge.kept.map(\.owner)) == [.docker])
    #expect(
      merge.kept.map(\.description) == [
        "6 rules in FORWARD (Docker)", "chain DOCKER (Docker, 1 rule)",
        "chain DOCKER-ISOLATION-STAGE-1 (Docker, 2 rules)", "chain DOCKER-ISOLATION-STAGE-2 (Docker, 2 rules)",
        "chain DOCKER-USER (Docker, 1 rule)",
      ])
  }

  @Test func whatStaysIsSaid() {
    let live = table(docker + "\n-A INPUT -j LOG\n:mine - [0:0]")
    let merge = TableMerge(base: table(""), live: live, wanted: table("-A INPUT -i lo -j ACCEPT"))
    #expect(
      TableMerge.sentences(for: merge.kept) == [
        "Docker: 12 rules stay, in 4 chains of its own and beside ours in FORWARD",
        "somebody else: 1 rule stays, in a chain of its own and beside ours in INPUT",
      ])
  }

  /// A dump of a machine with Docker, applied when Docker has gone on.
  @Test func aStaleDumpDoesNotBringDockersOldRulesBack() {
    let stale = docker.replacing("172.17.0.2/32", with: "172.17.0.9/32")
    let live = table(docker)
    let merge = TableMerge(base: nil, live: live, wanted: table(stale + "\n-A INPUT -i lo -j ACCEPT"))
    #expect(lines(merge.result) == lines(table(docker + "\n-A INPUT -i lo -j ACCEPT")))
    #expect(
      merge.notes == [
        "chain DOCKER of IPv4 filter is Docker's and stays as the kernel has it; the input's 1 rule for it is left out; "
          + "--exclusive puts them in"
      ])
    // Docker's rules are not ours although the dump has them: a later input without them leaves them alone.
    #expect(lines(merge.own) == [":DOCKER-USER", "-A INPUT -i lo -j ACCEPT"])
    let later = TableMerge(base: merge.own, live: merge.result, wanted: table("-A INPUT -i lo -j ACCEPT"))
    #expect(later.result.sameRules(as: merge.result))
    #expect(later.notes == [])
  }

  @Test func withoutDockerItsOldRulesAreOurs() {
    let merge = TableMerge(base: nil, live: table("-A INPUT -j ACCEPT"), wanted: table(docker))
    #expect(merge.result.sameRules(as: table(docker)))
    #expect(merge.own.sameRules(as: table(docker)))
    // Docker starts and writes its own.
    let fresh = table(docker.replacing("172.17.0.2/32", with: "172.17.0.5/32"))
    let next = TableMerge(base: merge.own, live: fresh, wanted: table(docker))
    #expect(next.result.sameRules(as: fresh))
    #expect(next.notes.count == 1)
  }

  /// People's own rules belong into DOCKER-USER, before its RETURN.
  @Test func rulesForDockersUsersChainAreCommitted() {
    let wanted = table(":DOCKER-USER - [0:0]\n-A DOCKER-USER -i eth0 -s 203.0.113.0/24 -j DROP")
    let merge = TableMerge(base: nil, live: table(docker), wanted: wanted)
    #expect(
      lines(merge.result).filter { $0.hasPrefix("-A DOCKER-USER") } == [
        "-A DOCKER-USER -s 203.0.113.0/24 -i eth0 -j DROP", "-A DOCKER-USER -j RETURN",
      ])
    #expect(merge.notes == [])
    let gone = TableMerge(base: merge.own, live: merge.result, wanted: table(":DOCKER-USER - [0:0]"))
    #expect(gone.result.sameRules(as: table(docker)))
  }

  @Test func dockersJumpThatItMovesToTheTopIsNotDoubled() {
    let wanted = table(":DOCKER-USER - [0:0]\n-A FORWARD -i eth1 -j ACCEPT\n-A FORWARD -j DOCKER-USER")
    let live = table(
      ":DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n-A FORWARD -i eth1 -j ACCEPT\n-A DOCKER-USER -j RETURN")
    let merge = TableMerge(base: wanted, live: live, wanted: wanted)
    #expect(merge.own.problems().isEmpty)
    #expect(lines(merge.result).count { $0 == "-A FORWARD -j DOCKER-USER" } == 1)
  }

  private let jail = """
    :f2b-sshd - [0:0]
    -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
    -A f2b-sshd -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable
    -A f2b-sshd -j RETURN
    """

  @Test func bansStayAndStandFirst() {
    let ours = table(":INPUT DROP [0:0]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT")
    let live = table(":INPUT DROP [0:0]\n\(jail)\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT")
    let wanted = table(
      ":INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT")
    let merge = TableMerge(base: ours, live: live, wanted: wanted)
    #expect(
      lines(merge.result) == [
        ":INPUT DROP", ":f2b-sshd", "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd", "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT",
        "-A f2b-sshd -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable", "-A f2b-sshd -j RETURN",
      ])
    #expect(merge.own.sameRules(as: wanted))
    #expect(merge.kept.map(\.description) == ["1 rule in INPUT (fail2ban)", "chain f2b-sshd (fail2ban, 2 rules)"])
  }

  /// A file from iptables-save with the jail in it; bans go on, and the file can be applied again and again.
  @Test func aSavedJailIsOursUntilFail2banWritesIntoIt() {
    let saved = table(jail.split(separator: "\n").filter { !$0.contains("REJECT") }.joined(separator: "\n"))
    let first = TableMerge(base: nil, live: table(""), wanted: saved)
    #expect(first.own.sameRules(as: saved))
    let banned = TableMerge(base: first.own, live: table(jail), wanted: saved)
    #expect(banned.result.sameRules(as: table(jail)))
    #expect(banned.own["f2b-sshd"]?.rules.isEmpty == true)
    let unbanned = TableMerge(base: banned.own, live: saved, wanted: saved)
    #expect(unbanned.result.sameRules(as: saved))
    // fail2ban stops.
    let stopped = TableMerge(base: unbanned.own, live: table(""), wanted: saved)
    #expect(stopped.result.sameRules(as: saved))
  }

  @Test func aDroppedChainStaysForOthers() {
    let base = table(":web - [0:0]\n:old - [0:0]\n:bare - [0:0]\n-A INPUT -j web\n-A web -j ACCEPT\n-A old -j DROP")
    let live = table(
      ":web - [0:0]\n:old - [0:0]\n:bare - [0:0]\n:theirs - [0:0]\n-A INPUT -j web\n-A web -s 192.0.2.1/32 -j LOG\n"
        + "-A web -j ACCEPT\n-A old -j DROP\n-A theirs -j bare")
    let merge = TableMerge(base: base, live: live, wanted: table("-A INPUT -j ACCEPT"))
    #expect(
      lines(merge.result) == [
        ":bare", ":theirs", ":web", "-A INPUT -j ACCEPT", "-A theirs -j bare", "-A web -s 192.0.2.1/32 -j LOG",
      ])
    #expect(
      merge.notes == [
        "chain bare of IPv4 filter is not wanted any more and stays, without our rules: rules of others lead to it",
        "chain web of IPv4 filter is not wanted any more and stays, without our rules: it holds 1 rule of others",
      ])
    #expect(merge.own.sameRules(as: table("-A INPUT -j ACCEPT")))
  }

  @Test func aChainOfTheSameNameIsNoted() {
    let merge = TableMerge(
      base: table(""), live: table(":web - [0:0]\n-A web -j LOG"), wanted: table(":web - [0:0]\n-A web -j ACCEPT"))
    #expect(lines(merge.result) == [":web", "-A web -j LOG", "-A web -j ACCEPT"])
    #expect(merge.notes.count == 1)
    #expect(merge.notes[0].hasPrefix("chain web of IPv4 filter was there already"))
  }

  @Test func ourRulesMayLeadToOthersChains() {
    var wanted = table(":theirs - [0:0]\n-A INPUT -j theirs")
    let live = table(":theirs - [0:0]\n-A theirs -j LOG")
    let declared = TableMerge(base: table(""), live: live, wanted: wanted)
    #expect(lines(declared.result) == [":theirs", "-A INPUT -j theirs", "-A theirs -j LOG"])
    #expect(declared.notes == [])
    wanted = Table(.filter, family: .ipv4)
    wanted.setRules(of: 0, RuleList([Rule(target: .jump("theirs"))], family: .ipv4))
    let undeclared = TableMerge(base: table(""), live: live, wanted: wanted)
    #expect(undeclared.result.sameRules(as: declared.result))
    #expect(undeclared.own.problems().isEmpty)
  }

  @Test func policiesAreTheInputs() {
    let merge = TableMerge(
      base: table(":FORWARD ACCEPT [0:0]"), live: table(":INPUT ACCEPT [3:30]\n:FORWARD DROP [7:70]"),
      wanted: table(":FORWARD ACCEPT [0:0]"))
    #expect(merge.result[.forward]?.policy == .accept)
    #expect(merge.result[.forward]?.policyCounters == .zero)
    #expect(merge.result[.input]?.policyCounters == Counters(packets: 3, bytes: 30))
  }

  @Test func exclusiveKeepsNothing() {
    let wanted = table("-A INPUT -j ACCEPT")
    let merge = TableMerge(base: nil, live: table(docker), wanted: wanted, keeping: .nothing)
    #expect(merge.result == wanted)
    #expect(merge.own == wanted)
    #expect(merge.kept == [])
  }

  @Test func aTableThatIsNotThereIsTheInputs() {
    let wanted = table(docker)
    #expect(TableMerge(base: nil, live: nil, wanted: wanted).result == wanted)
    #expect(TableMerge(base: wanted, live: nil, wanted: wanted).result == wanted)
  }

  /// Programs that load a ruleset once: theirs on a first commit, ours when we loaded it.
  @Test func ufwIsOursWhenWeLoadedIt() {
    let ufw =
      ":ufw-user-input - [0:0]\n-A INPUT -j ufw-user-input\n-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT"
    let changed = ufw.replacing("--dport 22", with: "--dport 2222")
    let theirs = TableMerge(base: nil, live: table(ufw), wanted: table(changed))
    #expect(theirs.result.sameRules(as: table(ufw)))
    #expect(theirs.notes.count == 1)
    let ours = TableMerge(base: table(ufw), live: table(ufw), wanted: table(changed))
    #expect(ours.result.sameRules(as: table(changed)))
    let more = ufw + "\n-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT"
    let merged = TableMerge(base: table(ufw), live: table(more), wanted: table(changed))
    #expect(
      lines(merged.result).suffix(2) == [
        "-A ufw-user-input -p tcp -m tcp --dport 2222 -j ACCEPT",
        "-A ufw-user-input -p tcp -m tcp --dport 80 -j ACCEPT",
      ])
  }

  /// Half of such a firewall would be worse than none.
  @Test func shorewallIsReplacedAsAWhole() {
    let live = table(":net2fw - [0:0]\n:shorewall - [0:0]\n:sfilter - [0:0]\n-A INPUT -j net2fw\n-A net2fw -j DROP")
    let merge = TableMerge(base: nil, live: live, wanted: table("-A INPUT -j ACCEPT"))
    #expect(lines(merge.result) == ["-A INPUT -j ACCEPT"])
    #expect(
      merge.notes == [
        "the rules of Shorewall in IPv4 filter are replaced; switch it off, or it will write them again"
      ])
  }
}
