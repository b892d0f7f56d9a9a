import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Chains that say the same in both families, in one table: what is held there, how it changes, and when it ends.
@Suite(.requires(.nfTables, .tool("nft")))
struct CompiledSharingTests {
  private static let ports = (0..<40).map { "[\($0):\($0)00] -A INPUT -p tcp -m tcp --dport \(1000 + $0) -j ACCEPT\n" }

  /// Rules that both families can say: maps, linear rules, chains, and rules in a chain of their own.
  private static let common =
    """
    -A INPUT -m conntrack --ctstate INVALID -j DROP
    [5:500] -A INPUT -i lo -j ACCEPT
    \(ports.joined())-A INPUT -p udp -m udp --dport 53 -m limit --limit 3/sec -j ACCEPT
    -A INPUT -p tcp -m tcp --dport 8080 -j user
    -A INPUT -p tcp -m multiport --dports 25,465 -m comment --comment mail -j ACCEPT
    -A INPUT -p tcp -j REJECT --reject-with tcp-reset
    -A INPUT -j NFLOG --nflog-prefix rest
    -A user -p tcp -m tcp --sport 1024:65535 -j RETURN
    -A user -m statistic --mode random --probability 0.5 -j DROP

    """

  private func filter(
    _ family: Family, _ body: String = common, _ rest: String? = nil, policy: String = "DROP [3:300]"
  ) -> Ruleset {
    let own =
      rest
      ?? (0..<20).map { number in
        let host = family == .ipv4 ? "10.0.0.\(number)/32" : "fd00::\(number)/128"
        return "[1:60] -A FORWARD -s \(host) -j ACCEPT\n"
      }.joined()
    return rules(
      "*filter\n:INPUT \(policy)\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [7:70]\n:user - [0:0]\n\(body)\(own)COMMIT\n",
      family)
  }

  private func both(_ body: String = common, _ rest: String? = nil) -> Ruleset {
    Ruleset(Family.allCases.flatMap { filter($0, body, rest).tables })
  }

  @discardableResult
  private func commit(_ wanted: Ruleset, _ form: NFTablesBackend.Form, in site: ContractSite) throws -> Plan {
    var options = RuleStore.CommitOptions()
    options.counters = .wanted
    return try site.inside { try RuleStore(NFTablesBackend(form: form)).commit(wanted, options).plan }
  }

  private func listing(_ site: ContractSite) throws -> String {
    try site.namespace.require(["nft", "list", "ruleset"]).stdout
  }

  @Test func whatBothSayStandsOnce() throws {
    let (site, other) = (try ContractSite(.nft), try ContractSite(.nft))
    try other.commit(both())
    let linear = try other.snapshot().ruleset
    let plan = try commit(both(), .compiled, in: site)
    #expect(plan.notes.last?.hasSuffix("stands once, in table inet firebreak: INPUT, user") == true, "\(plan.notes)")
    let held = try listing(site)
    #expect(held.contains("table inet firebreak"))
    #expect(held.contains("ipv4 . 1007 counter packets 7 bytes 700 : accept"), "\(held)")
    #expect(held.contains("ipv6 . 1007 counter packets 7 bytes 700 : accept"))
    #expect(held.components(separated: "chain filter.INPUT") == 1)
    #expect(held.components(separated: "chain filter.FORWARD") == 2, "it differs")
    #expect(try site.snapshot().ruleset == linear, "with counters, of policies too")
    for id in linear.tables.map(\.id) {
      #expect(
        try site.inside { try NFTablesBackend().snapshot(of: .only([id])).ruleset[id] } == linear[id], "read alone")
    }
    #expect(try commit(both(), .compiled, in: site).isEmpty)
    #expect(try commit(both(), .asItIs, in: site).isEmpty)
    try commit(both(), .linear, in: site)
    #expect(try !listing(site).contains("firebreak"))
    #expect(try site.snapshot().ruleset == linear)
  }

  /// Elements with ranges are those of one family each, and each has its own counters.
  @Test func rangesOfBothStandOnce() throws {
    let ranges = (0..<30).map {
      "[\($0):\($0)0] -A INPUT -p udp -m udp --dport \(1000 + 50 * $0):\(1049 + 50 * $0) -j DROP\n"
    }
    let body = Self.common + ranges.joined()
    let (site, other) = (try ContractSite(.nft), try ContractSite(.nft))
    try commit(both(body), .compiled, in: site)
    let held = try listing(site)
    #expect(held.contains("1050-1099 . ipv4 counter packets 1 bytes 10 : drop"), "\(held)")
    #expect(held.contains("1050-1099 . ipv6 counter packets 1 bytes 10 : drop"), "\(held)")
    #expect(held.components(separated: "flags interval") == 1)
    try commit(both(body), .linear, in: other)
    #expect(try site.snapshot().ruleset == other.snapshot().ruleset)
    // One family takes a range out, then the other; then one comes in both.
    let less = body.replacing(ranges[3], with: "")
    for wanted in [
      Ruleset(filter(.ipv4, body).tables + filter(.ipv6, less).tables), both(less),
      both(less.replacing(ranges[4], with: "-A INPUT -p udp -m udp --dport 1150:1249 -j DROP\n")),
    ] {
      try commit(wanted, .compiled, in: site)
      #expect(try site.snapshot().ruleset.sameRules(as: wanted))
    }
    #expect(try listing(site).contains("1150-1249 . ipv6"))
  }

  /// Nothing is left in the tables of one family where all is the same.
  @Test func wholeTablesAreShared() throws {
    let site = try ContractSite(.nft)
    try commit(both(Self.common, ""), .compiled, in: site)
    let held = try listing(site)
    #expect(held.contains("table inet firebreak") && held.components(separated: "table ") == 1, "\(held)")
    #expect(held.contains("hook output"), "it counts too")
    let linear = try ContractSite(.nft)
    try linear.commit(both(Self.common, ""))
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
  }

  /// Rules that stay linear are asked twice: where there are many of them the chain stays apart, one goes along.
  @Test(arguments: [1, 12]) func linearRulesAreNotAskedTwiceForNothing(_ count: Int) throws {
    let site = try ContractSite(.nft)
    let rest = (0..<count).map { "-A FORWARD -m mark --mark \($0) -j DROP\n" }.joined()
    try commit(both(Self.ports.joined(), rest), .compiled, in: site)
    let held = try listing(site)
    #expect(held.contains("table inet firebreak") && held.contains("table ip firebreak") == (count > 4), "\(held)")
    #expect(held.components(separated: "chain filter.INPUT") == 1)
    #expect(try site.snapshot().ruleset.sameRules(as: both(Self.ports.joined(), rest)))
  }

  /// Tables that were compiled one after the other come together, with the counters that they have then.
  @Test func theSecondFamilyJoins() throws {
    let site = try ContractSite(.nft)
    try commit(filter(.ipv4), .compiled, in: site)
    #expect(try !listing(site).contains("table inet"))
    try commit(filter(.ipv6), .compiled, in: site)
    #expect(try listing(site).contains("table inet firebreak"))
    let linear = try ContractSite(.nft)
    try linear.commit(both())
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
  }

  private static let changes: [(String, String)] = [
    ("--dport 1003 -j ACCEPT", "--dport 999 -j ACCEPT"),  // an element
    ("-A INPUT -m conntrack", "-A INPUT -p icmp -j user\n-A INPUT -m conntrack"),
    ("[5:500] -A INPUT -i lo", "-A INPUT ! -i lo -j user\n[5:500] -A INPUT -i lo"),  // a linear rule
    ("-A INPUT -j NFLOG", "-A INPUT -m mark --mark 1 -j user\n-A INPUT -j NFLOG"),
    ("-A INPUT -j NFLOG --nflog-prefix rest\n", ""),
    ("--limit 3/sec", "--limit 4/sec"),  // a chain of one rule
    ("-A user -m statistic", "-A user -p tcp -m tcp --sport 7 -j DROP\n-A user -m statistic"),
  ]

  @Test(arguments: changes.indices)
  func aChangeOfBothKeepsIt(_ number: Int) throws {
    let site = try ContractSite(.nft)
    try commit(both(), .compiled, in: site)
    let (old, new) = Self.changes[number]
    #expect(Self.common.contains(old))
    let wanted = both(Self.common.replacing(old, with: new))
    for (ruleset, form) in [(wanted, NFTablesBackend.Form.asItIs), (both(), .compiled), (wanted, .compiled)] {
      try commit(ruleset, form, in: site)
      let linear = try ContractSite(.nft)
      try linear.commit(ruleset)
      #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
      #expect(try listing(site).contains("table inet firebreak") || number == 1)
    }
  }

  /// A change of one family ends it in one transaction, and the other family keeps rules and counters.
  @Test(arguments: changes.indices, Family.allCases)
  func aChangeOfOneEndsIt(_ number: Int, _ family: Family) throws {
    let site = try ContractSite(.nft)
    try commit(both(), .compiled, in: site)
    let (old, new) = Self.changes[number]
    let changed = filter(family, Self.common.replacing(old, with: new))
    let wanted = Ruleset(changed.tables + filter(family == .ipv4 ? .ipv6 : .ipv4).tables)
    let plan = try commit(changed, .asItIs, in: site)
    #expect(plan.tables == [TableID(.filter, family)], "the other one says what it said")
    let held = try listing(site)
    #expect(!held.contains("table inet"))
    #expect(held.contains("table ip firebreak") && held.contains("table ip6 firebreak"))
    let linear = try ContractSite(.nft)
    try linear.commit(wanted)
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
    try commit(both(), .compiled, in: site)
    #expect(try listing(site).contains("table inet firebreak"))
    try linear.commit(both())
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
    #expect(try commit(filter(family), .linear, in: site).tables == [TableID(.filter, family)])
    #expect(try !listing(site).contains("table inet"))
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
  }

  /// What is not shared changes without anything that is.
  @Test func whatDiffersChangesAlone() throws {
    let site = try ContractSite(.nft)
    try commit(both(), .compiled, in: site)
    let shared = { try site.namespace.require(["nft", "-a", "list", "table", "inet", "firebreak"]).stdout }
    let before = try shared()
    let changed = filter(.ipv6, Self.common, "-A FORWARD -s fd00::7/128 -j DROP\n-A OUTPUT -d fd00::8/128 -j DROP\n")
    try commit(changed, .asItIs, in: site)
    #expect(try shared() == before)
    #expect(try site.snapshot().ruleset.sameRules(as: Ruleset(filter(.ipv4).tables + changed.tables)))
  }

  /// Two rules that read the same and are not: messages, answers and addresses are of one family.
  @Test func whatOnlyReadsTheSameStaysApart() throws {
    for rule in ["-A INPUT -j REJECT", "-A INPUT -p 1 -j DROP", "-A INPUT -p icmp -j DROP"] {
      let site = try ContractSite(.nft)
      let wanted = Ruleset(
        Family.allCases.flatMap { family in
          let own = rule.replacing("icmp", with: family == .ipv4 ? "icmp" : "ipv6-icmp")
          return filter(family, Self.common + own + "\n", "").tables
        })
      try commit(wanted, .compiled, in: site)
      #expect(try listing(site).contains("table inet") == (rule.contains("-p 1")), "\(rule)")
      #expect(try site.snapshot().ruleset.sameRules(as: wanted))
    }
  }

  /// The kernel takes in a table of both families what is written there, and what it would not take stays apart.
  @Test(arguments: [
    ("-m comment --comment x", true), ("-m conntrack --ctstate NEW", true), ("-m state --state NEW", true),
    ("-m helper --helper ftp", true), ("-m mac --mac-source 02:00:00:00:00:01", false),
    ("-m pkttype --pkt-type unicast", true), ("-m statistic --mode nth --every 2 --packet 0", true),
    ("-m mark --mark 1", true), ("-m limit --limit 3/sec", true), ("-j NFQUEUE --queue-num 3", true),
    ("-p udp -m udp ! --dport 7", true), ("-p tcp -m tcp --syn", true), ("-j NFLOG --nflog-group 2", true),
    ("-m connmark --mark 1", false), ("-j MARK --set-xmark 0x1/0xffffffff", false), ("-j LOG", false),
    ("-p tcp -m multiport --ports 1,2", false), ("-m length --length 40:60", false), ("-m dscp --dscp 0x04", false),
  ])
  func whatTheKernelHasForBothIsShared(_ condition: String, isShared: Bool) throws {
    let site = try ContractSite(.nft)
    let wanted = both(Self.ports.joined() + "-A INPUT \(condition)\n", "")
    try commit(wanted, .compiled, in: site)
    #expect(try listing(site).contains("table inet") == isShared)
    #expect(try site.snapshot().ruleset.sameRules(as: wanted))
  }

  /// An element that leads to what the kernel would not take there.
  @Test(arguments: [("-j LOG --log-prefix x", false), ("-j NFLOG --nflog-prefix x", true)])
  func targetsOfElementsAreLookedAtToo(_ target: String, isShared: Bool) throws {
    let site = try ContractSite(.nft)
    let logs = (0..<20).map { "-A INPUT -p tcp -m tcp --dport \(2000 + $0) \(target)\n" }.joined()
    let wanted = both(Self.ports.joined() + logs, "")
    try commit(wanted, .compiled, in: site)
    #expect(try listing(site).contains("table inet") == isShared)
    #expect(try site.snapshot().ruleset.sameRules(as: wanted))
  }

  /// In a map the kernel takes it, alone it would not: beside rules that stay it would stand alone.
  @Test func whatComesAloneIsLaidOutAnew() throws {
    let site = try ContractSite(.nft)
    let first = Self.ports[..<5].joined() + "-A INPUT -j NFLOG --nflog-prefix x\n" + Self.ports[5...].joined()
    try commit(both(first, ""), .compiled, in: site)
    #expect(try listing(site).contains("table inet"))
    let wanted = both("-A INPUT -p tcp -m multiport --dports 1000,465 -j DROP\n" + Self.ports.joined(), "")
    try commit(wanted, .asItIs, in: site)
    #expect(try listing(site).contains("table inet"))
    let linear = try ContractSite(.nft)
    try linear.commit(wanted)
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
  }

  /// Tables that were taken apart stay so until they are asked for in one form; a table of another program that would
  /// be in the way is then no matter of other commits.
  @Test func onlyWhoAsksMakesTheTableOfBoth() throws {
    let site = try ContractSite(.nft)
    try commit(both(), .compiled, in: site)
    let changed = Ruleset(Family.allCases.flatMap { filter($0, Self.common + "-A INPUT -p tcp -j DROP\n").tables })
    try commit(Ruleset([changed[.filter, .ipv4]!]), .asItIs, in: site)
    #expect(try !listing(site).contains("table inet"))
    try commit(Ruleset([changed[.filter, .ipv6]!]), .asItIs, in: site)
    try commit(both(), .asItIs, in: site)
    #expect(try !listing(site).contains("table inet"))
    #expect(try site.snapshot().ruleset.sameRules(as: both()))
    try commit(both(), .compiled, in: site)
    #expect(try listing(site).contains("table inet"))
  }

  /// No table is left behind empty.
  @Test func theLastChainOfOneFamilyTakesItsTableAlong() throws {
    let site = try ContractSite(.nft)
    let rules = (["INPUT", "FORWARD", "OUTPUT"]).map { chain in
      Self.ports.joined().replacing("INPUT", with: chain)
    }.joined()
    let wanted = both(rules + "-A INPUT -p tcp -j user\n", "")
    try commit(wanted, .compiled, in: site)
    let apart = { try listing(site).contains("table ip6 firebreak") }
    #expect(try !apart())
    var six = wanted[.filter, .ipv6]!
    try six.addChain("more")
    try commit(Ruleset([six]), .asItIs, in: site)
    #expect(try apart() && listing(site).contains("table inet"))
    #expect(try site.snapshot().ruleset.sameRules(as: Ruleset([wanted[.filter, .ipv4]!, six])))
    try commit(Ruleset([wanted[.filter, .ipv6]!]), .asItIs, in: site)
    #expect(try !apart())
    #expect(try site.snapshot().ruleset.sameRules(as: wanted))
  }

  /// No rule leads from one table of nf_tables to another, not even one that no packet comes to.
  @Test(arguments: Family.allCases, ["-j", "-g"])
  func aChainThatIsCalledFromOutsideStays(_ family: Family, _ call: String) throws {
    let site = try ContractSite(.nft)
    let text = "*filter\n:user - [0:0]\n\(Self.ports.joined())-A INPUT -p tcp -j user\nCOMMIT\n"
    let same = Ruleset(Family.allCases.flatMap { rules(text, $0).tables })
    let called = text.replacing("COMMIT", with: "-A other \(call) user\nCOMMIT")
      .replacing(":user", with: ":other - [0:0]\n:user")
    let wanted = Ruleset(rules(called, family).tables + [same[.filter, family == .ipv4 ? .ipv6 : .ipv4]!])
    for ruleset in [wanted, same, wanted] {
      try commit(ruleset, .compiled, in: site)
      #expect(try listing(site).contains("table inet") == (ruleset == same))
      #expect(try site.snapshot().ruleset.sameRules(as: ruleset))
    }
  }

  /// Tables of iptables in one table of nf_tables come and go each for itself.
  @Test(arguments: Family.allCases)
  func tablesShareThePlaceAndNothingElse(_ family: Family) throws {
    let site = try ContractSite(.nft)
    let body = Self.ports.joined() + "-A INPUT -p udp -j user\n-A user -p udp -m udp --dport 7 -j DROP\n"
    let mangle = { (body: String, family: Family) in
      rules("*mangle\n:INPUT ACCEPT [1:10]\n:user - [0:0]\n\(body)COMMIT\n", family).tables
    }
    let all = Ruleset(both(body, "").tables + Family.allCases.flatMap { mangle(body, $0) })
    try commit(all, .compiled, in: site)
    let linear = try ContractSite(.nft)
    try linear.commit(all)
    #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
    for (number, table) in (mangle(body + "-A INPUT -j NFLOG\n", family) + filter(family, Self.common).tables)
      .enumerated()
    {
      try commit(Ruleset([table]), .asItIs, in: site)
      try linear.commit(Ruleset([table]))
      #expect(try site.snapshot().ruleset == linear.snapshot().ruleset)
      let held = try listing(site)
      #expect(held.contains("table inet firebreak") == (number == 0), "\(held)")
      #expect(held.contains("chain filter.INPUT") && held.components(separated: "chain mangle.INPUT") == 2)
    }
  }

  @Test(arguments: [
    "delete element inet firebreak filter/inet/1 { ipv4 . 1003 }", "add rule inet firebreak filter.INPUT accept",
    "insert rule inet firebreak filter.INPUT meta nfproto ipv4 accept", "add chain inet firebreak own",
    "add set inet firebreak own { type ipv4_addr; }",
    "add chain inet firebreak filter.INPUT { policy accept; }",
    "add rule inet firebreak filter.INPUT meta nfproto ipv6 ip6 saddr fd00::1 accept",
    "add element inet firebreak filter/inet/1 { ipv6 . 22 : accept }", "flush chain inet firebreak filter.INPUT",
    "add chain ip firebreak filter.user",
    "add chain ip6 firebreak filter.INPUT { type filter hook input priority 0; }",
  ])
  func changesByHandAreTold(_ command: String) throws {
    let site = try ContractSite(.nft)
    try commit(both(), .compiled, in: site)
    let (listed, ruleset) = (try listing(site), both())
    let map = listed.split(separator: "map filter/inet/").dropFirst().first { $0.contains("1003") }?.first
    try site.namespace.require(["nft", command.replacing("filter/inet/1", with: "filter/inet/\(try #require(map))")])
    let seen = try? site.snapshot().ruleset
    if command.hasPrefix("delete element") {
      let left = Ruleset(filter(.ipv4, Self.common.replacing(Self.ports[3], with: "")).tables + filter(.ipv6).tables)
      #expect(seen?.sameRules(as: left) == true, "a rule gone")
      #expect(seen?[.filter, .ipv6]?.sameRules(as: ruleset[.filter, .ipv6]!) == true)
    } else {
      let thrown = #expect(throws: BackendError.self) { try site.snapshot() }
      #expect(thrown?.kind == .refused && thrown?.message.contains("firebreak") == true, "\(thrown as Any)")
    }
  }

  @Test func anotherProgramsTableIsLeftAlone() throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(["nft", "-f", "-"], input: "table inet firebreak {\n chain filter { }\n}\n")
    let before = try listing(site)
    let error = #expect(throws: BackendError.self) { try commit(both(), .compiled, in: site) }
    #expect(error?.kind == .refused && error?.message.contains("table inet firebreak") == true)
    #expect(try listing(site) == before)
    // What needs no table of both is no matter of it.
    try commit(filter(.ipv4), .compiled, in: site)
    #expect(try site.snapshot().ruleset.sameRules(as: filter(.ipv4)))
  }

  /// Rulesets as people have them, so far as both families can say them, come back with counters; so they do when one
  /// family, then the other, loses a rule.
  @Test(.requires(.corpus)) func realRulesetsOfBothComeBack() throws {
    let (compiled, linear) = (try ContractSite(.nft), try ContractSite(.nft))
    var (pairs, shared) = (0, 0)
    for entry in Corpus.entries where entry.kind.hasPrefix("save") && entry.isAcceptedByNFT {
      let text = Self.withoutAddresses(String(decoding: try readFile(entry.path), as: UTF8.self))
      guard let both = Self.readInBoth(text) else { continue }
      for tables in Dictionary(grouping: both.tables, by: \.name).values.map({ Ruleset($0) }) {
        guard tables.tables.count == 2, (try? linear.commit(tables)) != nil else { continue }
        pairs += 1
        var wanted = tables
        for change in 0...Family.allCases.count {
          if change > 0 {
            var table = wanted[tables.tables[0].name, Family.allCases[change - 1]]!
            guard
              let longest = table.chains.indices.max(by: { table.chains[$0].rules.count < table.chains[$1].rules.count }
              ),
              !table.chains[longest].rules.isEmpty
            else { continue }
            table.withRules(of: longest) { $0.remove(at: $0.count / 2) }
            wanted[table.id] = table
          }
          var options = RuleStore.CommitOptions()
          options.counters = .wanted
          _ = try compiled.inside {
            try RuleStore(NFTablesBackend(form: change == 1 ? .asItIs : .compiled, smallestMap: 1)).commit(
              wanted, options)
          }
          if change > 0 { try linear.commit(wanted) }
          if try listing(compiled).contains("table inet") { shared += 1 }
          #expect(try compiled.snapshot().ruleset == linear.snapshot().ruleset, "\(entry), \(change)")
        }
        for site in [compiled, linear] {
          try site.commit(Ruleset(tables.tables.map { Table($0.name, family: $0.family) }))
        }
      }
    }
    print("corpus: \(shared) times shared, \(pairs) pairs of tables")
    #expect(pairs > 100 && shared > 30)
  }

  private static func withoutAddresses(_ text: String) -> String {
    let words = ["-s", "-d", "--source", "--destination", "--src", "--dst", "icmp", "set"]
    return text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { line in !line.split(separator: " ").contains { words.contains(String($0)) } }
      .joined(separator: "\n")
  }

  /// Less the lines that one of the families does not take; nil where that leaves none.
  private static func readInBoth(_ text: String) -> Ruleset? {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for _ in 0..<20 {
      let readings = Family.allCases.map { RulesText.read(lines.joined(separator: "\n"), family: $0) }
      guard readings.contains(where: \.hasErrors) else { return Ruleset(readings.flatMap(\.ruleset.tables)) }
      let bad = Set(readings.flatMap(\.diagnostics).filter { $0.severity == .error }.map { $0.line - 1 })
      guard !bad.contains(-1) else { return nil }
      for line in bad.sorted(by: >) { lines.remove(at: line) }
    }
    return nil
  }

  /// Where a packet may come to the policy in the middle of the chain the families' policies would count together.
  @Test(arguments: ["-A INPUT -p tcp -m tcp --dport 7 -j RETURN", "-A INPUT -p tcp -m tcp --dport 7 -g user"])
  func chainsThatAreLeftEarlyStayApart(_ rule: String) throws {
    let site = try ContractSite(.nft)
    try commit(both(Self.common + rule + "\n"), .compiled, in: site)
    #expect(try !listing(site).contains("table inet"))
    #expect(try site.snapshot().ruleset.sameRules(as: both(Self.common + rule + "\n")))
  }
}

extension String {
  fileprivate func components(separated part: String) -> Int { ranges(of: part).count }
}
