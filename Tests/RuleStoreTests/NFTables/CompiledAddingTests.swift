import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Rules that come to the ends of compiled chains of which no rule is read.
@Suite(.requires(.nfTables, .tool("ping")))
struct CompiledAddingTests {
  private static let id = TableID(.filter, .ipv4)
  private static let hosts = (1...30).map { "-A INPUT -s 203.0.113.\($0)/32 -j DROP" }

  private func filter(_ lines: some Sequence<String>) -> Ruleset {
    rules("*filter\n:one - [0:0]\n:two - [0:0]\n\(lines.map { $0 + "\n" }.joined())COMMIT\n")
  }

  private func list(_ text: String) -> RuleList {
    rules("*filter\n:one - [0:0]\n-A INPUT \(text)\nCOMMIT\n")[Self.id]![.input]!.rules
  }

  /// - Returns: false where the rules have to be known; nil where not even the chains could be told without them.
  private func add(_ additions: [TableAddition], at site: CompiledSite) throws -> Bool? {
    try site.space.enter {
      let backend = site.backend()
      guard let heads = try backend.heads(of: Self.id) else { return nil }
      return try backend.add(additions, to: Self.id, expecting: heads.stamp)
    }
  }

  private func expectMemoryIsRight(_ site: CompiledSite) throws {
    try site.space.enter {
      let (known, read) = (
        try site.backend().places(of: Self.id), try site.backend(remembering: false).places(of: Self.id)
      )
      #expect(known == read)
    }
  }

  /// They come to stand as they do where all rules are read, and what is remembered goes on to be right.
  @Test(arguments: 0..<4) func theyStandWhereTheyShould(_ seed: UInt64) throws {
    let site = try CompiledSite()
    var dice = SeededDice(seed)
    var expected = Dictionary(uniqueKeysWithValues: ["INPUT", "one", "two"].map { ($0, [String]()) })
    expected["INPUT"] = Self.hosts.map { String($0.dropFirst("-A INPUT ".count)) }
    expected["one"] = (1...20).map { "-p tcp -m tcp --dport \($0) -j ACCEPT" }
    func wanted() -> Ruleset {
      filter(expected.sorted { $0.key < $1.key }.flatMap { chain, rules in rules.map { "-A \(chain) \($0)" } })
    }
    try site.commit(wanted())
    var unread = 0
    for number in 0..<60 {
      let chain = ["INPUT", "one", "two"][dice.roll(3)]
      let text =
        "-s 198.51.100.\(dice.roll(200))/32 -p tcp -m tcp --dport \(number + 1) -j \(["ACCEPT", "DROP", "REJECT --reject-with tcp-reset"][dice.roll(3)])"
      let isFirst = dice.roll(2) == 0
      if try add(
        [isFirst ? .prepend(list(text), to: ChainName(chain)) : .append(list(text), to: ChainName(chain))], at: site)
        == true
      {
        unread += 1
        expected[chain]!.insert(text, at: isFirst ? 0 : expected[chain]!.count)
      } else {
        // Now and then what is remembered is written anew; and other changes come in between.
        expected["INPUT"]!.removeFirst()
        try site.commit(wanted())
      }
      try expectMemoryIsRight(site)
      #expect(try site.snapshot()[Self.id]!.sameRules(as: wanted()[Self.id]!), "\(number)")
    }
    #expect(unread > 50)
    #expect(try site.space.require(["nft", "list", "tables"]).stdout == "table ip firebreak\n")
  }

  /// Before and behind what is looked up, packets meet them.
  @Test func packetsMeetThemInTheirOrder() throws {
    let site = try CompiledSite()
    try site.commit(filter(Self.hosts + ["-A INPUT -s 127.0.0.1/32 -j ACCEPT"]))
    let additions = ["-i lo -m comment --comment a", "-i lo -m comment --comment b"].map {
      TableAddition.prepend(list($0), to: .input)
    }
    #expect(try add(additions + [.append(list("-i lo -j DROP"), to: .input)], at: site) == true)
    try site.ping(2)
    let rules = try #require(site.snapshot()[Self.id]?[.input]?.rules)
    #expect(rules.prefix(2).map { SaveText.rule($0, family: .ipv4).hasSuffix("b") } == [true, false])
    #expect(rules.prefix(2).map(\.counters.packets) == [4, 4])
    #expect(rules.suffix(2).map(\.counters.packets) == [4, 0])
  }

  /// Counters that are given come along, and several rules at once, in empty chains as well.
  @Test func countersAndEmptyChains() throws {
    let site = try CompiledSite()
    try site.commit(filter(Self.hosts))
    let counted = rules("*filter\n[5:6] -A INPUT -p udp -j DROP\n[7:8] -A INPUT -p tcp -j DROP\nCOMMIT\n")[Self.id]![
      .input]!.rules
    let one = ChainName("one")
    #expect(try add([.prepend(counted, to: one), .append(counted, to: one)], at: site) == true)
    #expect(try site.snapshot()[Self.id]![one]!.rules.map(\.counters.packets) == [7, 5, 5, 7])
    try expectMemoryIsRight(site)
  }

  /// What may change the proof of others, or is more than a rule, changes nothing here.
  @Test func whatNeedsTheRulesIsLeftToOthers() throws {
    let site = try CompiledSite()
    try site.commit(filter(Self.hosts.dropLast()))
    try site.space.require(["nft", "delete", "chain", "ip", "firebreak", "filter.FORWARD"])
    try site.commit(filter(Self.hosts))
    let before = try site.space.require(["nft", "-a", "list", "ruleset"]).stdout
    let one = ChainName("one")
    for addition in [
      .append(list("-j one"), to: .input), .append(list("-g one"), to: .input), .chain(ChainName("new")),
      .policy(.drop, nil, of: .input), .rename(one, to: ChainName("other")),
      // It is not made yet.
      .append(list("-j DROP"), to: .forward),
    ] as [TableAddition] {
      #expect(try add([addition], at: site) == false, "\(addition)")
    }
    #expect(try site.space.require(["nft", "-a", "list", "ruleset"]).stdout == before)
    // The commands themselves are carried out all the same.
    try site.space.enter {
      let table = try EditedTable(Self.id, site.backend(), .chains)
      try table.create(ChainName("new"))
      try table.append(list("-j one")[0], to: .forward)
      try table.setPolicy("DROP", of: .input, counters: nil)
      try table.commit()
    }
    let after = try #require(site.snapshot()[Self.id])
    #expect(after[.forward]!.rules.count == 1 && after[.input]!.policy == .drop && after["new"] != nil)
    #expect(after[.input]!.rules.count == Self.hosts.count)
  }

  /// Where nothing is remembered, or the families share chains, all is read.
  @Test func withoutMemoryNothingIsTold() throws {
    let site = try CompiledSite()
    try site.space.enter { _ = try RuleStore(site.backend(remembering: false)).commit(filter(Self.hosts)) }
    #expect(try add([.append(list("-j DROP"), to: .input)], at: site) == nil)
    try site.space.require(["nft", "flush", "ruleset"])
    let ports = "*filter\n" + (1...30).map { "-A INPUT -p tcp -m tcp --dport \($0) -j DROP\n" }.joined() + "COMMIT\n"
    try site.commit(Ruleset(rules(ports).tables + rules(ports, .ipv6).tables))
    #expect(try site.space.require(["nft", "list", "tables"]).stdout.contains("inet firebreak"))
    #expect(try add([.append(list("-j DROP"), to: .input)], at: site) == nil)
  }
}
