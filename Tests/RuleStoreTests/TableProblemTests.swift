import Netfilter
import Testing

/// What is wrong with a whole table is told before a kernel would say EINVAL.
@Suite struct TableProblemTests {
  private func problems(_ name: TableName, _ family: Family = .ipv4, _ build: (inout Table) throws -> Void) rethrows
    -> [TableProblem]
  {
    var table = Table(name, family: family)
    try build(&table)
    return table.problems()
  }

  @Test func aGoodTableHasNone() throws {
    for table in twoTablesTwoFamilies().tables { #expect(table.problems().isEmpty) }
  }

  @Test func aMissingChainIsNamed() throws {
    let found = try problems(.filter) {
      try $0.append(Rule(target: .jump("gone")), to: .input, at: SourcePosition(line: 7))
    }
    #expect(found.count == 1)
    #expect(found.first?.chain == .input)
    #expect(found.first?.ruleNumber == 1)
    #expect(found.first?.position?.line == 7)
    #expect(found.first?.message.contains("gone") == true)
  }

  @Test(arguments: [["a"], ["a", "b"], ["a", "b", "c", "d"]])
  func aLoopIsFound(_ names: [String]) throws {
    let chains = try names.map { try ChainName($0) }
    let found = try problems(.filter) { table in
      for chain in chains { try table.addChain(chain) }
      for (place, chain) in chains.enumerated() {
        try table.append(Rule(target: .jump(chains[(place + 1) % chains.count])), to: chain)
      }
      try table.append(Rule(target: .jump("a")), to: .input)
    }
    #expect(found.count == 1)
    #expect(found.first?.message.contains("loop") == true)
  }

  /// A loop of gotos is one too. The kernel takes one that no built-in chain leads to, and so do we.
  @Test(arguments: [true, false]) func gotoLoops(_ isReached: Bool) throws {
    let found = try problems(.filter) { table in
      try table.addChain("a")
      try table.addChain("b")
      try table.append(Rule(target: .goto("b")), to: "a")
      try table.append(Rule(target: .goto("a")), to: "b")
      if isReached { try table.append(Rule(target: .jump("b")), to: .output) }
    }
    #expect(found.count == (isReached ? 1 : 0))
  }

  @Test func twoWaysToOneChainAreNoLoop() throws {
    let found = try problems(.filter) { table in
      for name in ["a", "b", "c"] as [ChainName] { try table.addChain(name) }
      for (from, to) in [(.input, "a"), (.input, "b"), ("a", "c"), ("b", "c"), (.forward, "a")]
        as [(ChainName, ChainName)]
      {
        try table.append(Rule(target: .jump(to)), to: from)
      }
    }
    #expect(found.isEmpty)
  }

  /// A chain as long as this would overflow a recursive walk.
  @Test func aLongChainOfJumpsIsWalked() throws {
    let found = try problems(.filter) { table in
      let names = try (0..<5000).map { try ChainName("c\($0)") }
      for name in names { try table.addChain(name) }
      for (from, to) in zip(names, names.dropFirst()) { try table.append(Rule(target: .jump(to)), to: from) }
      try table.append(Rule(target: .jump(names[0])), to: .input)
    }
    #expect(found.isEmpty)
  }

  /// Rows of: table, chain the rule stands in, the chain that leads there, target, whether the kernel takes it.
  @Test func placesOfTargets() throws {
    let reject = RulesText.read("*filter\n-A INPUT -j REJECT\nCOMMIT\n").ruleset.tables[0][.input]!.rules[0].target
    let rows: [(TableName, ChainName, Bool)] = [
      (.filter, .input, true), (.filter, .forward, true), (.filter, .output, true), (.mangle, .prerouting, false),
      (.mangle, .postrouting, false), (.mangle, .input, false),
    ]
    for (table, chain, isGood) in rows {
      let found = try problems(table) { try $0.append(Rule(target: reject), to: chain) }
      #expect(found.isEmpty == isGood, "\(table) \(chain)")
    }
  }

  /// A user chain is judged by the hooks from which packets reach it.
  @Test func aUserChainIsJudgedByItsCallers() throws {
    func text(_ from: String) -> String {
      "*nat\n:u - [0:0]\n-A \(from) -j u\n-A u -p tcp -j REDIRECT --to-ports 80\nCOMMIT\n"
    }
    #expect(RulesText.read(text("PREROUTING")).hasErrors == false)
    #expect(RulesText.read(text("OUTPUT")).hasErrors == false)
    #expect(RulesText.read(text("POSTROUTING")).hasErrors)
    #expect(RulesText.read(text("POSTROUTING"), for: .nfTables).hasErrors)
  }

  /// What the options of a rule forbid at a hook is judged by ip_tables wherever packets of that hook come, by nf_tables in
  /// the hook's own chain.
  @Test(arguments: [
    ("-m physdev --physdev-out port1", "OUTPUT"), ("-m devgroup --src-group 1", "OUTPUT"),
    ("-m devgroup --dst-group 1", "INPUT"), ("-m addrtype --src-type LOCAL --limit-iface-in", "OUTPUT"),
    ("-m addrtype --src-type LOCAL --limit-iface-out", "INPUT"), ("-m policy --dir in --pol ipsec", "OUTPUT"),
    ("-m policy --dir out --pol ipsec", "INPUT"), ("-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu", "INPUT"),
  ])
  func optionsInUserChains(_ rule: String, _ chain: String) {
    let jump = ":a -\n:b -\n-A \(chain) -j a\n-A a -g b\n-A b"
    for interface in [KernelInterface.ipTables, .nfTables] {
      func isRefused(_ place: String) -> Bool {
        RulesText.read("*filter\n\(place) \(rule)\nCOMMIT\n", for: interface).hasErrors
      }
      #expect(isRefused("-A \(chain)"), "\(interface)")
      #expect(isRefused(jump) == (interface == .ipTables), "\(interface)")
      #expect(!isRefused(":b -\n-A b"), "\(interface)")
    }
  }

  /// What an extension is for stays judged by the hooks that reach it.
  @Test(arguments: [
    ("-m owner --uid-owner 0", "filter", "INPUT"), ("-m mac --mac-source 00:16:3e:00:00:01", "filter", "OUTPUT"),
    ("-j MASQUERADE", "nat", "PREROUTING"), ("-j CLASSIFY --set-class 1:1", "mangle", "PREROUTING"),
    ("-m rpfilter", "mangle", "OUTPUT"), ("-j REJECT", "mangle", "INPUT"),
  ])
  func kindsInUserChains(_ rule: String, _ table: String, _ chain: String) {
    for interface in [KernelInterface.ipTables, .nfTables] {
      let text = "*\(table)\n:u -\n-A \(chain) -j u\n-A u \(rule)\nCOMMIT\n"
      #expect(RulesText.read(text, for: interface).hasErrors, "\(interface)")
    }
  }
}
