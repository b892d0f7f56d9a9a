import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// One transaction of nf_tables beside everything else that lives there.
@Suite(.requires(.nfTables, .tool("nft"), .tool("iptables-nft"), .tool("iptables-nft-save")))
struct TransactionTests {
  /// What somebody else keeps there: sets, maps, elements that time out, objects, and names like those of iptables.
  static let foreign = """
    table inet mine {
      set blocked {
        type ipv4_addr
        flags interval, timeout
        elements = { 192.0.2.0/24 timeout 1d, 198.51.100.7 }
      }
      map ports {
        type inet_service : verdict
        elements = { 22 : accept, 23 : drop }
      }
      counter seen { packets 5 bytes 500; }
      chain INPUT {
        type filter hook input priority -5; policy accept;
        ip saddr @blocked counter drop
        tcp dport vmap @ports
      }
    }
    table ip firebreak {
      counter x { packets 1 bytes 2; }
      chain filter { counter name "x"; }
    }
    table arp filter {
      chain INPUT { type filter hook input priority 0; policy accept; arp operation request accept; }
    }
    table ip6 own {
      chain forward { type filter hook forward priority 0; policy drop; ct state established accept; }
    }

    """

  private func listing(_ site: ContractSite, _ what: [String] = ["ruleset"]) throws -> String {
    // What is left of a time-out differs from look to look.
    try site.namespace.require(["nft", "list"] + what).stdout.replacingExpiries()
  }

  @Test func otherTablesStayAsTheyAre() throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(["nft", "-f", "-"], input: Self.foreign)
    let before = try listing(site)
    #expect(try site.snapshot().existing.isEmpty, "none of them is ours")
    let wanted = twoTablesTwoFamilies()
    try site.commit(wanted)
    let tables = [["table", "inet", "mine"], ["table", "ip", "firebreak"], ["table", "arp", "filter"]]
    for table in tables + [["table", "ip6", "own"]] { #expect(before.contains(try listing(site, table))) }
    try site.commit(rules("*filter\n-A INPUT -j DROP\nCOMMIT\n"))
    for table in tables { #expect(before.contains(try listing(site, table))) }
    for table in ["ip filter", "ip mangle", "ip6 filter", "ip6 mangle"] {
      try site.namespace.require(["nft", "delete", "table"] + table.split(separator: " ").map(String.init))
    }
    #expect(try listing(site) == before)
  }

  /// The last message of all is refused, whichever family it is of.
  @Test(arguments: [false, true], Family.allCases)
  func aRefusedTransactionLeavesNothing(_ hasTables: Bool, _ family: Family) throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(["nft", "-f", "-"], input: Self.foreign)
    if hasTables { try site.commit(twoTablesTwoFamilies()) }
    let before = try listing(site)
    // A batch goes through IPv4 first.
    var wanted = Ruleset(twoTablesTwoFamilies().tables.filter { family == .ipv6 || $0.family == .ipv4 })
    for table in wanted.tables where table.name == .filter { wanted[.filter, table.family]!.flush() }
    let bad = OpaqueTarget(OpaqueExtension(kernelName: "NOSUCH", revision: 0, payload: [UInt8](repeating: 1, count: 8)))
    try wanted[.filter, family]!.append(Rule(target: .drop), to: .output)
    try wanted[.filter, family]!.append(
      Rule(target: .extension(bad)), to: .output, at: SourcePosition(input: 1, line: 77))
    let error = #expect(throws: BackendError.self) { try site.commit(wanted) }
    #expect(error?.kind == .refused)
    #expect(error?.culprit?.table == TableID(.filter, family))
    #expect(error?.culprit?.chain == .output)
    #expect(error?.culprit?.ruleNumber == 2)
    #expect(error?.culprit?.position == SourcePosition(input: 1, line: 77))
    #expect(try listing(site) == before)
  }

  /// More than a socket takes at first; and more refusals than it keeps.
  @Test func largeBatchesGoThrough() throws {
    let site = try ContractSite(.nft)
    var table = Table(.filter, family: .ipv4)
    for number in 0..<20_000 {
      let source = AddressMask("10.0.\(number >> 8).\(number & 255)/32")!
      try table.append(Rule(source: .init(source), target: .drop), to: .forward)
    }
    try site.commit(Ruleset([table]))
    #expect(try site.snapshot().ruleset[.filter, .ipv4]!.sameRules(as: table))
    let saved = try site.namespace.require(["iptables-nft-save"]).stdout
    #expect(saved.split(separator: "\n").count { $0.hasPrefix("-A FORWARD -s 10.0.") } == 20_000)

    var lost = table
    let index = lost.index(of: .input)!
    lost.setRules(of: index, RuleList((0..<20_000).map { _ in Rule(target: .jump("nowhere")) }, family: .ipv4))
    let error = #expect(throws: BackendError.self) { try site.commit(Ruleset([lost])) }
    #expect(error?.kind == .refused)
    #expect(error?.culprit?.chain == .input)
    #expect(error?.culprit?.ruleNumber == 1)
    #expect(try site.snapshot().ruleset[.filter, .ipv4]!.sameRules(as: table))
  }

  @Test func rulesThatStayAreNotTouched() throws {
    let site = try ContractSite(.nft)
    try site.commit(twoTablesTwoFamilies())
    func handles() throws -> [String] {
      try site.namespace.require(["nft", "-a", "list", "chain", "ip", "filter", "web"]).stdout.split(separator: "\n")
        .filter { $0.contains("counter") }.map { String($0.split(separator: " ").last!) }
    }
    let before = try handles()
    var wanted = twoTablesTwoFamilies()
    try wanted[.filter, .ipv4]!.append(Rule(target: .drop), to: "web")
    try site.commit(wanted)
    #expect(try handles().count == 3)
    #expect(try handles().starts(with: before))
  }

  /// Chains that lead to each other go together, and what a chain was called is free again.
  @Test func chainsComeAndGo() throws {
    let site = try ContractSite(.nft)
    try site.commit(
      rules("*filter\n:a - [0:0]\n:b - [0:0]\n:c - [0:0]\n-A INPUT -j a\n-A a -j b\n-A b -g c\n-A c -j DROP\nCOMMIT\n"))
    let next = rules("*filter\n:c - [0:0]\n:d - [0:0]\n-A INPUT -j c\n-A c -j d\nCOMMIT\n")
    try site.commit(next)
    #expect(try site.snapshot().ruleset.sameRules(as: next))
    try site.commit(rules("*filter\nCOMMIT\n"))
    #expect(try site.snapshot().ruleset[.filter, .ipv4]!.isPristine)
  }

  /// Reading is no change, although it waits for commits by beginning one.
  @Test func readingMakesNoGeneration() throws {
    let site = try ContractSite(.nft)
    try site.commit(twoTablesTwoFamilies())
    let stamps = try (0..<5).map { _ in try site.snapshot().stamp }
    #expect(Set(stamps).count == 1)
  }

  /// Another program's change of anything at all is noticed.
  @Test func aChangeElsewhereIsNoticedToo() throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(["nft", "-f", "-"], input: Self.foreign)
    let before = try site.snapshot()
    let plan = Plan(from: before, to: twoTablesTwoFamilies())
    try site.namespace.require(["nft", "add", "element", "inet", "mine", "ports", "{ 24 : drop }"])
    let error = #expect(throws: BackendError.self) {
      try site.inside { try site.backend.apply(plan, expecting: before.stamp) }
    }
    #expect(error?.kind == .stale)
    #expect(try site.snapshot().existing.isEmpty)
    let outcome = try site.inside { try RuleStore(site.backend).commit(twoTablesTwoFamilies()) }
    #expect(outcome.plan.steps.count == 4)
  }

  /// Two programs change the same table at once: no change of either is lost.
  @Test func noUpdateIsLost() async throws {
    let site = try ContractSite(.nft)
    try site.commit(rules("*filter\n:ours - [0:0]\n:theirs - [0:0]\nCOMMIT\n"))
    let rounds = 40
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for number in 0..<rounds {
          try site.namespace.require(["iptables-nft", "-A", "theirs", "-s", "203.0.113.\(number)", "-j", "DROP"])
        }
      }
      group.addTask {
        for number in 0..<rounds {
          try Self.commitUntilTaken(site) { table in
            try table.append(Rule(source: .init(AddressMask("192.0.2.\(number)/32")!), target: .drop), to: "ours")
          }
        }
      }
      try await group.waitForAll()
    }
    let table = try site.snapshot().ruleset[.filter, .ipv4]!
    #expect(table["ours"]!.rules.count == rounds)
    #expect(table["theirs"]!.rules.count == rounds)
  }

  private static func commitUntilTaken(_ site: ContractSite, _ change: (inout Table) throws -> Void) throws {
    for _ in 0..<1000 {
      do {
        try site.inside {
          let before = try site.backend.snapshot(of: .all)
          var table = before.ruleset[.filter, .ipv4]!
          try change(&table)
          try site.backend.apply(Plan(from: before, to: Ruleset([table])), expecting: before.stamp)
        }
        return
      } catch let error as BackendError where error.kind == .stale {}
    }
    throw ProcessFailure("stale a thousand times")
  }

  /// What nf_tables says in another way is planned in that way, so that the same rules are no commit.
  @Test func whatComesBackOtherwiseIsPlannedSo() throws {
    let site = try ContractSite(.nft)
    let wanted = rules("*filter\n-A INPUT -s 0.0.0.0/0 -p all -m state --state NEW -j DROP\nCOMMIT\n")
      .replacing(with: rules("*filter\n-A INPUT -p all -m state --state NEW -j DROP\nCOMMIT\n", .ipv6))
    let outcome = try site.inside { try RuleStore(site.backend).commit(wanted) }
    let live = try site.snapshot().ruleset
    #expect(outcome.plan.steps.count == 2)
    for step in outcome.plan.steps { #expect(live[step.id]!.sameRules(as: step.after), "\(step.id)") }
    #expect(try site.inside { try RuleStore(site.backend).commit(wanted) }.plan.isEmpty)
  }

  /// Text without the time that elements have left.
  @Test func expiriesAreLeftOut() {
    #expect(
      "{ 192.0.2.0/24 timeout 1d expires 23h59m59s9ms, 1.2.3.4 }".replacingExpiries()
        == "{ 192.0.2.0/24 timeout 1d, 1.2.3.4 }")
  }
}

extension String {
  func replacingExpiries() -> String {
    var words: [Substring] = []
    var skipsComma = false
    for word in split(separator: " ", omittingEmptySubsequences: false) {
      if word == "expires" {
        skipsComma = true
      } else if skipsComma {
        skipsComma = false
        if word.hasSuffix(",") { words[words.count - 1] = Substring(words[words.count - 1] + ",") }
      } else {
        words.append(word)
      }
    }
    return words.joined(separator: " ")
  }
}
