import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Compiled tables of which a few rules change: what is remembered and the little that is asked for make the same of them
/// as reading everything does.
@Suite(.requires(.nfTables, .tool("nft"), .tool("ping")))
struct CompiledMemoryTests {
  private func filter(_ rules: some Sequence<String>) -> Ruleset {
    RuleStoreTests.rules(
      "*filter\n:one - [0:0]\n:two - [0:0]\n\(rules.map { "-A \($0)\n" }.joined())COMMIT\n")
  }

  /// Rules of every kind of place: whole in maps, with targets that share a chain, with ranges, in chains of their own, and
  /// linear.
  private func rule(_ dice: inout SeededDice) -> String {
    let host = "-s 192.0.2.\(dice.roll(60))/32"
    let port = 1000 + dice.roll(200)
    let condition = [
      host, "\(host) -p tcp -m tcp --dport \(port)", "-p udp -m udp --dport \(port)",
      "\(host) -p tcp -m multiport --dports \(port),\(port + 300),\(port + 600)",
      "-p tcp -m tcp --dport \(port):\(port + dice.roll(30))",
      "\(host) -m limit --limit \(dice.roll(9) + 1)/min",
      "\(host) -p tcp -m conntrack --ctstate NEW -m tcp --dport \(port)",
      "-m ttl --ttl-lt \(dice.roll(5) + 1)", "-i eth\(dice.roll(9)) -m comment --comment \"number \(port)\"",
    ][dice.roll(9)]
    let target = [
      "ACCEPT", "DROP", "RETURN", "two", "REJECT --reject-with icmp-port-unreachable", "LOG --log-prefix \"a: \"",
      "LOG --log-prefix \"\(dice.roll(4)): \"",
    ][dice.roll(7)]
    return "\(condition) -j \(target)"
  }

  /// What the kernel would get is the same, byte by byte, however it is known what it holds.
  @Test(arguments: 0..<6) func theBatchIsThatOfAllRead(_ seed: UInt64) throws {
    let site = try CompiledSite()
    var dice = SeededDice(seed)
    var chains = ["INPUT", "one", "two"].map { name in
      (name, (0..<[25, 40, 3][["INPUT", "one", "two"].firstIndex(of: name)!]).map { _ in rule(&dice) })
    }
    // A chain that leads to itself cannot be.
    func text() -> [String] {
      chains.flatMap { name, rules in
        rules.filter { name != "two" || !$0.hasSuffix("-j two") }.map { "\(name) \($0)" }
      }
    }
    if seed % 2 == 1 {
      // The other family's table is compiled as well, and shares nothing.
      let hosts = (1...20).map { "-A INPUT -s 2001:db8::\($0)/128 -j DROP\n" }.joined()
      try site.commit(rules("*filter\n\(hosts)COMMIT\n", .ipv6))
    }
    try site.commit(filter(text()))
    var asked = 0
    for _ in 0..<25 {
      for _ in 0...dice.roll(3) {
        let chain = dice.roll(3)
        var rules = chains[chain].1
        let place = dice.roll(rules.count + 1)
        switch dice.roll(4) {
        case 0 where place < rules.count: rules.remove(at: place)
        case 1 where place < rules.count: rules[place] = rule(&dice)
        case 2 where place < rules.count: rules.insert(rules.remove(at: place), at: dice.roll(rules.count))
        default: rules.insert(rule(&dice), at: place)
        }
        chains[chain].1 = rules
      }
      let wanted = filter(text())
      try site.space.enter {
        let (remembering, reading) = (site.backend(), site.backend(remembering: false))
        let whole = try reading.fitted(Plan(from: reading.snapshot(of: .all), to: wanted))
        do {
          let known = try remembering.fitted(Plan(from: remembering.outline(of: .all), to: wanted))
          let (bytes, wantedBytes) = (try remembering.bytes(for: known), try reading.bytes(for: whole))
          #expect(bytes == wantedBytes)
          #expect(known.steps.map(\.after) == whole.steps.map(\.after))
          asked += 1
        } catch let error as BackendError {
          #expect(error.kind == .stale, "\(error)")
        }
      }
      try site.commit(wanted, dice.roll(3) == 0 ? .asItIs : .compiled)
      #expect(try site.snapshot().tables.allSatisfy { $0.sameRules(as: wanted[$0.id] ?? $0) })
    }
    #expect(asked > 12, "only \(asked) commits were made of what is remembered")
  }

  private static let still = (1...30).map { "INPUT -s 203.0.113.\($0)/32 -j DROP" }

  /// What a rule has counted goes along with it wherever it stands, and is written down where it goes.
  @Test(arguments: [
    "INPUT -s 127.0.0.1/32 -m comment --comment whole", "INPUT -s 127.0.0.1/32 -m limit --limit 100/sec",
    "INPUT -m ttl --ttl-gt 3", "INPUT -s 127.0.0.1/32 -j one", "INPUT -s 127.0.0.1/32 -j LOG",
  ]) func whatGoesOrMovesHasItsPresentCounters(_ rule: String) throws {
    let site = try CompiledSite()
    // It counts as well, and stays.
    let staying = "INPUT -d 127.0.0.1/32 -m comment --comment staying"
    try site.commit(filter([staying, rule] + Self.still))
    try site.ping(2)
    let moved = try site.commit(filter([staying] + Self.still + [rule]))
    let before = try #require(moved.steps[0].before?[.input]?.rules)
    #expect(before.map(\.counters.packets).prefix(2) == [0, 4], "nothing was asked of what stays")
    #expect(try site.snapshot()[.filter, .ipv4]?[.input]?.rules.last?.counters.packets == 4)
    try site.ping()
    let gone = try site.commit(filter([staying] + Self.still))
    #expect(gone.steps[0].before?[.input]?.rules.last?.counters.packets == 6)
    #expect(try site.snapshot()[.filter, .ipv4]?[.input]?.rules.first?.counters.packets == 6)
  }

  /// Of a rule with several keys the counters of all are added up.
  @Test func everyKeyIsAskedFor() throws {
    let site = try CompiledSite()
    let ports = "INPUT -p udp -m multiport --dports 1001,1002,1003 -j DROP"
    let ranges = (1...20).map { "INPUT -p tcp -m tcp --dport \($0 * 100):\($0 * 100 + 50) -j DROP" }
    let range = "INPUT -p tcp -m multiport --dports 5000:5100,6000:6100,7000:7200 -j DROP"
    try site.commit(filter([ports] + ranges + [range]))
    for port in [1001, 1002, 1002, 1003] {
      _ = try site.space.run(["bash", "-c", "echo > /dev/udp/127.0.0.1/\(port)"])
    }
    for port in [5050, 7200] {
      _ = try site.space.run(["timeout", "0.3", "bash", "-c", "echo > /dev/tcp/127.0.0.1/\(port)"])
    }
    let plan = try site.commit(filter(ranges))
    let before = try #require(plan.steps[0].before?[.input]?.rules)
    #expect(before.first?.counters.packets == 4)
    #expect(before.last?.counters.packets == 2)
  }

  /// Others change elements without knowing what they are: none of what was remembered is believed then.
  @Test func whatOthersChangedIsSeen() throws {
    let site = try CompiledSite()
    let first = filter(Self.still)
    try site.commit(first)
    try site.space.require(["nft", "delete", "element", "ip", "firebreak", "filter/1", "{ 203.0.113.7 }"])
    try site.commit(filter(Self.still + ["INPUT -s 203.0.113.99/32 -j DROP"]))
    #expect(
      try site.snapshot()[.filter, .ipv4]?.sameRules(
        as: filter(Self.still + ["INPUT -s 203.0.113.99/32 -j DROP"]).tables[0]) == true)
    try site.commit(first)
    try site.space.require(["nft", "add", "element", "ip", "firebreak", "filter/1", "{ 192.0.2.1 : drop }"])
    let error = #expect(throws: BackendError.self) { try site.commit(filter(Self.still.dropLast())) }
    #expect(error?.message.contains("element of another program") == true, "\(String(describing: error))")
  }

  /// Where a file is damaged, or of an earlier version, all is read, and the commit is the same.
  @Test func whatIsDamagedIsReadAnew() throws {
    let site = try CompiledSite()
    let (first, second) = (filter(Self.still), filter(Self.still.dropFirst(3)))
    try site.commit(first)
    try site.commit(filter(Self.still.dropLast()))
    let name = try #require(
      site.space.require(["sh", "-c", "ls \(site.space.directory)/nf_tables-*"]).stdout.split(separator: "\n").first)
    let bytes = try readFile(String(name))
    // The version stands behind the name of the format.
    for place in [20] + Array(stride(from: 0, to: bytes.count, by: 7)) {
      var damaged = bytes
      damaged[place] ^= place == 20 ? 7 : 1 << (place % 8)
      let file = try site.space.file("x", damaged)
      #expect(chmod(file, 0o600) == 0)
      #expect(rename(file, String(name)) == 0)
      try site.space.enter {
        let (remembering, reading) = (site.backend(), site.backend(remembering: false))
        let id = TableID(.filter, .ipv4)
        let (known, read) = (try remembering.places(of: id), try reading.places(of: id))
        #expect(known == read, "byte \(place)")
      }
    }
    try site.commit(second)
    #expect(try site.snapshot()[.filter, .ipv4]?.sameRules(as: second.tables[0]) == true)
  }

  /// What does not stay as it is beside a few elements is read as a whole.
  @Test func moreThanAFewRulesAreReadWhole() throws {
    let site = try CompiledSite()
    let other = (1...20).map { "one -s 198.51.100.\($0)/32 -j ACCEPT" }
    for (rules, form) in [
      (Self.still + other, NFTablesBackend.Form.compiled), (Self.still.shuffled() + other, .compiled),
      (other, .compiled), ([], .compiled), (Self.still, .compiled), (Self.still.dropLast(), .linear),
      (Self.still, .asItIs), (Self.still + other, .compiled),
    ] {
      let wanted = filter(rules)
      try site.commit(wanted, form)
      #expect(try site.snapshot()[.filter, .ipv4]?.sameRules(as: wanted.tables[0]) == true)
    }
    try site.commit(rules("*filter\n\(Self.still.map { "-A \($0)\n" }.joined())COMMIT\n"))
    #expect(try site.snapshot()[.filter, .ipv4]?["one"] == nil, "a chain that goes")
  }

  /// Chains are asked for by name, and told in the order in which they were made, with what policies have counted.
  @Test func chainsComeInTheirOrder() throws {
    let site = try CompiledSite()
    let body = Self.still.map { "-A \($0)\n" }.joined()
    var names: [String] = []
    for (name, policy) in [("zeta", "DROP"), ("alpha", "DROP"), ("mu", "ACCEPT"), ("beta", "ACCEPT"), ("", "DROP")] {
      if name.isEmpty { names.removeFirst() } else { names.append(name) }
      let chains = names.sorted().map { ":\($0) - [0:0]\n" }.joined()
      let jumps = names.map { "-A FORWARD -s 198.51.100.\($0.utf8.count)/32 -p udp -j \($0)\n" }.joined()
      try site.commit(rules("*filter\n:OUTPUT \(policy) [0:0]\n\(chains)\(body)\(jumps)COMMIT\n"))
      _ = try site.space.run(["ping", "-c", "1", "-W", "1", "127.0.0.1"])
      let known = try site.space.enter { try site.backend().outline(of: .all) }
      let read = try site.snapshot()
      #expect(known.ruleset.tables.map { $0.chains.map(\.name) } == read.tables.map { $0.chains.map(\.name) })
      #expect(known.ruleset.tables.map { $0.chains.map(\.policy) } == read.tables.map { $0.chains.map(\.policy) })
      let counters = { (ruleset: Ruleset) in ruleset.tables.flatMap { $0.chains.map(\.policyCounters) } }
      #expect(counters(known.ruleset) == counters(read))
      #expect(counters(read).contains { $0.packets > 0 })
    }
  }

  /// A compiled table that is not remembered is there all the same: another one that goes takes nothing of it along.
  @Test func tablesThatAreNotRememberedStay() throws {
    let site = try CompiledSite()
    let mangle = rules("*mangle\n\(Self.still.map { "-A \($0)\n" }.joined())COMMIT\n")
    try site.space.enter { _ = try RuleStore(site.backend(remembering: false)).commit(mangle) }
    for wanted in [filter(Self.still), filter(Self.still.dropLast()), filter([]), filter(Self.still)] {
      try site.commit(wanted)
      let read = try site.snapshot()
      #expect(read[.mangle, .ipv4]?.sameRules(as: mangle.tables[0]) == true)
      #expect(read[.filter, .ipv4]?.sameRules(as: wanted.tables[0]) == true)
      #expect(try site.space.enter { try site.backend().outline(of: .all).existing } == read.tables.map(\.id))
    }
  }
}
