import Netfilter
import RuleStore
import Testing

/// Commands of iptables on a table of any backend.
struct EditedTableTests {
  private let id = TableID(.filter, .ipv4)

  private func filter(_ text: String) -> Ruleset { rules("*filter\n\(text)COMMIT\n") }

  private func rule(_ text: String) -> Rule { filter("-A INPUT \(text)\n")[id]!["INPUT"]!.rules[0] }

  private func held(_ backend: MemoryBackend, _ chain: ChainName = "INPUT") -> [String] {
    (backend.ruleset[id]?[chain]?.rules ?? RuleList(family: .ipv4)).map { SaveText.rule($0, family: .ipv4) }
  }

  @Test func theyAreCarriedOutAgainOnWhatIsThereNow() throws {
    let backend = MemoryBackend(filter("-A INPUT -p tcp -j DROP\n"))
    let table = try EditedTable(id, backend, .rules)
    try table.insert(rule("-p udp -j DROP"), at: 2, of: "INPUT")
    try table.delete(rule("-p tcp -j DROP"), from: "INPUT")
    backend.schedule(
      .foreignChange(filter("-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -j DROP\n-A INPUT -j RETURN\n")))
    try table.commit()
    #expect(held(backend) == [" -i lo -j ACCEPT", " -p udp -j DROP", " -j RETURN"])
  }

  @Test func whatCannotBeDoneAnyMoreChangesNothing() throws {
    let backend = MemoryBackend(filter("-A INPUT -p tcp -j DROP\n"))
    let table = try EditedTable(id, backend, .rules)
    try table.delete(1, from: "INPUT")
    let others = filter(":INPUT DROP\n")
    backend.schedule(.foreignChange(others))
    let refusal = #expect(throws: CommandRefusal.self) { try table.commit() }
    #expect(refusal?.reason == "Index of deletion too big")
    #expect(backend.ruleset == others)
  }

  @Test func countersOfRulesThatStayAreThoseOfTheKernel() throws {
    let backend = MemoryBackend(filter("[5:6] -A INPUT -p tcp -j DROP\n[7:8] -A INPUT -p udp -j DROP\n"))
    backend.count(Counters(packets: 5, bytes: 6), on: 0, of: "INPUT", in: id)
    let table = try EditedTable(id, backend, .counters)
    try table.zero(2, of: "INPUT")
    try table.append(rule("-j ACCEPT"), to: "INPUT")
    try table.commit()
    #expect(backend.ruleset[id]!["INPUT"]!.rules.map(\.counters.packets) == [10, 0, 0])
  }

  @Test func aTableThatIsNotThereIsMade() throws {
    let backend = MemoryBackend()
    let looked = try EditedTable(id, backend, .counters)
    _ = try looked.read()
    for chain in looked.chainNames { try looked.flush(chain) }
    try looked.commit()
    #expect(backend.ruleset[id] == nil)
    let table = try EditedTable(id, backend, .chains)
    try table.create("web")
    try table.append(rule("-j DROP"), to: "web")
    try table.setPolicy("DROP", of: "FORWARD", counters: Counters(packets: 1, bytes: 2))
    try table.commit()
    #expect(held(backend, "web") == [" -j DROP"])
    #expect(backend.ruleset[id]!["FORWARD"]!.policyCounters == Counters(packets: 1, bytes: 2))
  }

  @Test func whatPoliciesOfANewTableHaveCountedIsKept() throws {
    let backend = MemoryBackend()
    let table = try EditedTable(id, backend, .counters)
    try table.setPolicy("ACCEPT", of: "INPUT", counters: Counters(packets: 10, bytes: 20))
    try table.commit()
    #expect(backend.ruleset[id]?["INPUT"]?.policyCounters == Counters(packets: 10, bytes: 20))
  }

  /// In the words of iptables-nft 1.8.9.
  @Test func refusalsAreThoseOfIPTables() throws {
    let backend = MemoryBackend(filter(":web -\n:other -\n-A INPUT -j web\n-A other -j DROP\n"))
    let drop = rule("-j DROP")
    let cases: [(String, (EditedTable) throws(CommandRefusal) -> Void)] = [
      ("No chain/target/match by that name", { table throws(CommandRefusal) in try table.append(drop, to: "none") }),
      ("No chain/target/match by that name", { table throws(CommandRefusal) in try table.flush("none") }),
      ("No chain/target/match by that name", { table throws(CommandRefusal) in try table.delete("none") }),
      ("No chain/target/match by that name", { table throws(CommandRefusal) in try table.rename("none", to: "x") }),
      ("File exists", { table throws(CommandRefusal) in try table.rename("web", to: "other") }),
      ("Chain already exists", { table throws(CommandRefusal) in try table.create("INPUT") }),
      (
        "CHAIN_DEL failed (Device or resource busy): chain web",
        { table throws(CommandRefusal) in try table.delete("web") }
      ),
      (
        "CHAIN_DEL failed (Device or resource busy): chain other",
        { table throws(CommandRefusal) in try table.delete("other") }
      ),
      ("Index of insertion too big", { table throws(CommandRefusal) in try table.insert(drop, at: 3, of: "INPUT") }),
      (
        "Index of replacement too big",
        { table throws(CommandRefusal) in try table.replace(2, of: "INPUT", with: drop) }
      ),
      ("Index of deletion too big", { table throws(CommandRefusal) in try table.delete(2, from: "INPUT") }),
      (
        "Bad rule (does a matching rule exist in that chain?)",
        { table throws(CommandRefusal) in try table.delete(drop, from: "INPUT") }
      ),
      (
        "Bad built-in chain name",
        { table throws(CommandRefusal) in try table.setPolicy("DROP", of: "web", counters: nil) }
      ),
      (
        "Bad policy name", { table throws(CommandRefusal) in try table.setPolicy("REJECT", of: "INPUT", counters: nil) }
      ),
    ]
    for depth in [EditedTable.Depth.chains, .rules, .counters] {
      for (reason, body) in cases {
        let table = try EditedTable(id, backend, depth)
        let refusal = #expect(throws: CommandRefusal.self) { try body(table) }
        #expect(refusal?.reason == reason)
      }
    }
  }
}
