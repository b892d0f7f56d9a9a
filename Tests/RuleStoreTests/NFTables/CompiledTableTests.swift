import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Tables in compiled form: what the kernel gives back, how they change, and that they never stand there twice.
@Suite(.requires(.nfTables, .tool("nft"), .tool("iptables-nft")))
struct CompiledTableTests {
  private func hosts(_ numbers: some Sequence<Int>, target: String = "DROP") -> String {
    numbers.map { "-A INPUT -s 10.0.\($0 >> 8).\($0 & 255)/32 -p tcp -m tcp --dport 22 -j \(target)\n" }.joined()
  }

  private func filter(_ body: String) -> Ruleset {
    rules("*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:user - [0:0]\n\(body)COMMIT\n")
  }

  private func commit(_ wanted: Ruleset, _ form: NFTablesBackend.Form, in site: ContractSite) throws -> Plan {
    try site.inside { try RuleStore(NFTablesBackend(form: form)).commit(wanted).plan }
  }

  private func listing(_ site: ContractSite) throws -> String {
    try site.namespace.require(["nft", "list", "ruleset"]).stdout
  }

  @Test func formsComeAndGoWithCounters() throws {
    let site = try ContractSite(.nft)
    let wanted = filter(hosts(0..<40).replacing("-A INPUT", with: "[7:700] -A INPUT"))
    try site.commit(wanted)
    #expect(try !listing(site).contains("firebreak"))
    let linear = try site.snapshot().ruleset
    let there = try commit(wanted, .compiled, in: site)
    #expect(there.steps.count == 1)
    #expect(there.notes == ["table IPv4 filter: 40 of 40 rules are looked up in one map"])
    let compiled = try listing(site)
    #expect(compiled.contains("map filter/1") && compiled.contains("packets 7 bytes 700"))
    #expect(!compiled.contains("table ip filter"))
    #expect(try site.snapshot().ruleset == linear, "counters too")
    #expect(try commit(wanted, .compiled, in: site).isEmpty)
    #expect(try commit(wanted, .asItIs, in: site).isEmpty, "it keeps its form")
    let back = try commit(wanted, .linear, in: site)
    #expect(back.steps.count == 1)
    #expect(try !listing(site).contains("firebreak"))
    #expect(try site.snapshot().ruleset == linear)
  }

  /// Ranges that share no port, as TCP and UDP, lists and single ports beside them, with counters.
  private func ranges(_ numbers: some Sequence<Int>) -> String {
    numbers.map { number in
      let first = 1000 + 100 * number
      let rule =
        switch number % 4 {
        case 0: "-p tcp -m tcp --dport \(first):\(first + 40) -j ACCEPT"
        case 1: "-p udp -m udp --dport \(first):\(first + 99) -m comment --comment \"number \(number)\" -j DROP"
        case 2: "-p tcp -m multiport --dports \(first):\(first + 30),\(first + 31),\(first + 50) -j user"
        default: "-p udp -m multiport --dports \(first + 20):\(first + 60),\(first) -j DROP"
        }
      return "[\(number):\(100 * number)] -A INPUT \(rule)\n"
    }.joined()
  }

  @Test func rangesOfPortsComeAndGoWithCounters() throws {
    let site = try ContractSite(.nft)
    let wanted = filter(ranges(0..<64))
    try site.commit(wanted)
    let linear = try site.snapshot().ruleset
    let saved = try site.namespace.require(["iptables-nft-save", "-c", "-t", "filter"]).stdout
    let there = try commit(wanted, .compiled, in: site)
    #expect(there.notes == ["table IPv4 filter: 64 of 64 rules are looked up in 2 maps"])
    let compiled = try listing(site)
    #expect(compiled.contains("1100-1199 . ipv4 counter packets 1 bytes 100 comment \"number 1\" : drop"))
    #expect(compiled.contains("1200-1231 . ipv4 counter packets 2 bytes 200 : jump filter.user"), "they touch")
    #expect(compiled.contains("1250 . ipv4 counter packets 0 bytes 0 : jump filter.user"), "counted together")
    #expect(try site.snapshot().ruleset == linear, "counters too")
    #expect(try commit(wanted, .compiled, in: site).isEmpty)
    _ = try commit(wanted, .linear, in: site)
    #expect(try site.snapshot().ruleset == linear)
    let back = try site.namespace.require(["iptables-nft-save", "-c", "-t", "filter"]).stdout
    let body = { (text: String) in text.split(separator: "\n").filter { !$0.hasPrefix("#") } }
    #expect(body(back) == body(saved))
  }

  /// A range changes its ends, goes and comes; what it meets decides where it stands.
  @Test func oneRangeIsFewElements() throws {
    let site = try ContractSite(.nft)
    let rules = ranges(0..<64)
    for (old, new, elements) in [
      ("--dport 1000:1040", "--dport 1000:1080", 2), ("--dport 1000:1040 -j", "--dport 1030:1099 -j", 2),
      ("--dports 1200:1230,1231,1250 -j user", "--dports 1200:1230,1231,1250 -j ACCEPT", 4),
      ("[4:400] -A INPUT", "-A INPUT -p tcp -m tcp --dport 9:99\n[4:400] -A INPUT", 1),
      ("[4:400] -A INPUT", "-A INPUT -p tcp -m tcp --dport 1:65535 -j user\n[4:400] -A INPUT", nil),
      ("[4:400] -A INPUT", "-A INPUT -p tcp -m tcp --dport 1220:1260 -j user\n[4:400] -A INPUT", nil),
      ("[4:400] -A INPUT -p tcp -m tcp --dport 1400:1440 -j ACCEPT\n", "", 1),
    ] as [(String, String, Int?)] {
      #expect(rules.contains(old))
      _ = try commit(filter(rules), .compiled, in: site)
      let wanted = filter(rules.replacing(old, with: new))
      let changes = try site.inside {
        let backend = NFTablesBackend()
        return try backend.messages(for: backend.fitted(Plan(from: backend.snapshot(of: .all), to: wanted)))
      }
      if let elements { #expect(changes <= elements, "\(old): \(changes) messages") }
      _ = try commit(wanted, .asItIs, in: site)
      #expect(try site.snapshot().ruleset.sameRules(as: wanted))
      #expect(try listing(site).contains("flags interval"))
    }
  }

  /// What another program changes in a map with ranges is told, or is a rule gone.
  @Test func rangesChangedByHand() throws {
    let site = try ContractSite(.nft)
    for change in [
      "add element ip firebreak filter/1 { 1-9 . ipv4 : accept }",
      "add element ip firebreak filter/1 { 7 . ipv4 : accept }",
    ] {
      _ = try commit(filter(ranges(0..<64)), .compiled, in: site)
      try site.namespace.require(["nft", change])
      let error = #expect(throws: BackendError.self) { try site.snapshot() }
      #expect(
        error?.message.contains("element of another program in map filter/1") == true, "\(String(describing: error))")
      try site.namespace.require(["nft", change.replacing("add", with: "delete").replacing(" : accept", with: "")])
    }
    try site.namespace.require(["nft", "delete", "element", "ip", "firebreak", "filter/1", "{ 1000-1040 . ipv4 }"])
    #expect(try site.snapshot().ruleset.sameRules(as: filter(ranges(1..<64))))
    try site.namespace.require(["nft", "delete", "element", "ip", "firebreak", "filter/1", "{ 1250 . ipv4 }"])
    #expect(throws: BackendError.self) { try site.snapshot() }
  }

  @Test func smallTablesStayLinear() throws {
    let site = try ContractSite(.nft)
    let plan = try commit(filter(hosts(0..<7)), .compiled, in: site)
    #expect(plan.notes.count == 1 && plan.notes[0].contains("stays linear"))
    #expect(try !listing(site).contains("firebreak"))
  }

  @Test func whatTheKernelTakesInOneTableAloneStaysLinear() throws {
    let site = try ContractSite(.nft)
    let jumps = (0..<20).map {
      "-A PREROUTING -d 10.0.0.\($0)/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.1.0.\($0)\n"
    }
    let plan = try commit(rules("*nat\n\(jumps.joined())COMMIT\n"), .compiled, in: site)
    #expect(plan.notes == ["table IPv4 nat stays linear: the kernel takes DNAT only in a table called 'nat'"])
    #expect(try site.snapshot().ruleset[.nat, .ipv4]?.ruleCount == 20)
  }

  /// What changes is one element; the others are not touched.
  @Test func oneRuleIsOneElement() throws {
    let site = try ContractSite(.nft)
    _ = try commit(filter(hosts(0..<500)), .compiled, in: site)
    let before = Set(try listing(site).split(separator: "\n"))
    for (wanted, gone, come) in [
      (
        hosts(0..<500).replacing("10.0.0.9/32 -p tcp -m tcp --dport 22", with: "10.0.0.9/32 -p tcp -m tcp --dport 23"),
        1, 1
      ),
      (hosts(0..<250) + "-A INPUT -s 10.0.99.1/32 -p tcp -m tcp --dport 22 -j user\n" + hosts(250..<500), 0, 1),
      (hosts(0..<100) + hosts(101..<500), 1, 0),
      (hosts(0..<100) + "-A INPUT -m ttl --ttl-lt 3 -j user\n" + hosts(100..<500), 0, 0),
    ] {
      let changes = try site.inside {
        let backend = NFTablesBackend()
        let snapshot = try backend.snapshot(of: .all)
        return try backend.messages(for: backend.fitted(Plan(from: snapshot, to: filter(wanted))))
      }
      // A rule for all packets in the middle splits the map.
      if gone + come > 0 { #expect(changes == gone + come, "\(changes) messages") } else { #expect(changes < 20) }
      _ = try commit(filter(wanted), .asItIs, in: site)
      #expect(try site.snapshot().ruleset.sameRules(as: filter(wanted)))
      _ = try commit(filter(hosts(0..<500)), .asItIs, in: site)
      #expect(try site.snapshot().ruleset.sameRules(as: filter(hosts(0..<500))))
    }
    #expect(!before.isEmpty)
  }

  /// What the targets of a chain do decides whether rules around its jumps may change places.
  @Test func aTargetThatComesLaterEndsOldProofs() throws {
    let site = try ContractSite(.nft)
    let hosts = (1...40).map { "-A POSTROUTING -s fd00::\($0)/128 -j \($0 % 2 == 0 ? "other" : "ACCEPT")\n" }.joined()
    func mangle(_ rest: String) -> Ruleset { rules("*mangle\n:other - [0:0]\n\(hosts)\(rest)COMMIT\n", .ipv6) }
    _ = try commit(mangle(""), .compiled, in: site)
    #expect(try listing(site).contains("table ip6 firebreak"))
    let rewriting = mangle("-A other -j SNPT --src-pfx fd00::/64 --dst-pfx 2001:db8::/64\n")
    let plan = try commit(rewriting, .asItIs, in: site)
    #expect(plan.notes == ["table IPv6 mangle stays linear: the kernel takes SNPT only in a table called 'mangle'"])
    #expect(try site.snapshot().ruleset.sameRules(as: rewriting))
    #expect(try !listing(site).contains("firebreak"))
  }

  /// iptables-nft does not know of the compiled table and makes its own beside it.
  @Test func aTableInBothFormsIsTold() throws {
    let site = try ContractSite(.nft)
    _ = try commit(filter(hosts(0..<20)), .compiled, in: site)
    try site.namespace.require(["iptables-nft", "-A", "INPUT", "-j", "ACCEPT"])
    let error = #expect(throws: BackendError.self) { try site.snapshot() }
    #expect(error?.kind == .refused)
    #expect(error?.message.contains("twice") == true)
    try site.namespace.require(["nft", "flush", "table", "ip", "filter"])
    #expect(try site.snapshot().ruleset[.filter, .ipv4]?.ruleCount == 20, "an empty one is none")
  }

  /// Nothing is left out because somebody changed the maps by hand.
  @Test(arguments: [
    "delete rule ip firebreak filter.INPUT handle H", "add rule ip firebreak filter.INPUT accept",
    "add element ip firebreak filter/1 { 192.0.2.1 . 22 : accept }", "add set ip firebreak own { type ipv4_addr; }",
  ])
  func changesByHandAreTold(_ command: String) throws {
    let site = try ContractSite(.nft)
    _ = try commit(filter(hosts(0..<20)), .compiled, in: site)
    let rules = try site.namespace.require(["nft", "-a", "list", "chain", "ip", "firebreak", "filter.INPUT"]).stdout
    let handle = rules.split(separator: "\n").first { $0.contains("vmap") }!.split(separator: " ").last!
    try site.namespace.require(["nft", command.replacing("handle H", with: "handle \(handle)")])
    let error = #expect(throws: BackendError.self) { try site.snapshot() }
    #expect(error?.kind == .refused)
    #expect(error?.message.contains("table firebreak") == true)
  }

  @Test func anElementTakenOutByHandIsARuleGone() throws {
    let site = try ContractSite(.nft)
    _ = try commit(filter(hosts(0..<20)), .compiled, in: site)
    try site.namespace.require(["nft", "delete", "element", "ip", "firebreak", "filter/1", "{ 10.0.0.3 . 22 }"])
    #expect(try site.snapshot().ruleset.sameRules(as: filter(hosts(0..<3) + hosts(4..<20))))
  }

  @Test func anotherProgramsTableOfThatNameIsLeftAlone() throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(["nft", "-f", "-"], input: "table ip firebreak {\n chain filter { }\n}\n")
    let before = try listing(site)
    let error = #expect(throws: BackendError.self) { try commit(filter(hosts(0..<20)), .compiled, in: site) }
    #expect(error?.kind == .refused)
    #expect(try listing(site) == before)
  }

  /// Rulesets as people have them are given back as the linear form gives them back, with counters.
  @Test(.requires(.corpus)) func realRulesetsComeBack() throws {
    let compiled = try ContractSite(.compiled)
    let linear = try ContractSite(.nft)
    var (tables, rulesLookedUp, rulesInAll) = (0, 0, 0)
    for entry in Corpus.entries where entry.kind.hasPrefix("save") && entry.isAcceptedByNFT {
      let family: Family = entry.isIPv6 ? .ipv6 : .ipv4
      let reading = RulesText.read(String(decoding: try readFile(entry.path), as: UTF8.self), family: family)
      guard !reading.hasErrors else { continue }
      for table in reading.ruleset.tables {
        // What the linear form cannot have - sets that are missing, for instance - is left out.
        guard (try? linear.commit(Ruleset([table]))) != nil else { continue }
        try compiled.commit(Ruleset([table]))
        #expect(
          try compiled.snapshot().ruleset[table.id] == linear.snapshot().ruleset[table.id], "\(entry), \(table.id)")
        let counts = try compiled.inside { (compiled.backend as! NFTablesBackend).lookups(of: table.id) }
        tables += 1
        rulesLookedUp += counts.lookedUp
        rulesInAll += counts.lookedUp + counts.linear
        try linear.commit(Ruleset([Table(table.name, family: family)]))
        try compiled.commit(Ruleset([Table(table.name, family: family)]))
      }
    }
    print("corpus: \(rulesLookedUp) of \(rulesInAll) rules in \(tables) tables are looked up")
    #expect(tables > 50)
    #expect(rulesLookedUp > 100)
  }
}
