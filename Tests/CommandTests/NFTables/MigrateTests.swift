import KernelTestSupport
import Testing

/// `firebreak migrate`: what one interface holds is in the other one afterwards, and there alone.
@Suite(
  .requires(
    .legacyTables, .nfTables, .tool("iptables-nft-save"), .tool("iptables-legacy-save"), .tool("nft"), .tool("ipset")))
struct MigrateTests {
  static let text = """
    *mangle
    :OUTPUT ACCEPT [3:300]
    [11:1100] -A OUTPUT -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffffffff
    COMMIT
    *filter
    :INPUT DROP [7:700]
    :OUTPUT ACCEPT [0:0]
    :web - [0:0]
    [1:100] -A INPUT -i lo -j ACCEPT
    [2:200] -A INPUT -p tcp -m state --state NEW -m multiport --dports 80,443 -j web
    [3:300] -A web -m set --match-set friends src -j ACCEPT
    [4:400] -A web -m limit --limit 5/min -j LOG --log-prefix "web: "
    COMMIT

    """

  /// Both families, counters too, without what does nothing.
  private func holds(_ space: TestNamespace, _ variant: String) throws -> [String] {
    var result: [String] = []
    for tool in ["iptables", "ip6tables"] {
      let lines = uncommented(try space.require(["\(tool)-\(variant)-save", "-c"]).stdout).map { String($0) }
      let tables = lines.split(separator: "COMMIT").filter { !Self.isEmpty($0) }
      for table in tables.sorted(by: { $0.first! < $1.first! }) { result += table }
    }
    return result
  }

  private static func isEmpty(_ table: ArraySlice<String>) -> Bool {
    !table.contains { $0.contains("-A ") || $0.hasPrefix(":") && !$0.contains(" ACCEPT ") }
  }

  private func loaded(_ variant: String) throws -> TestNamespace {
    let space = try TestNamespace()
    try space.require(["ipset", "create", "friends", "hash:ip"])
    let input = Self.text
    try space.require(["iptables-\(variant)-restore", "-c"], input: input)
    try space.require(
      ["ip6tables-\(variant)-restore", "-c"], input: "*filter\n[9:900] -A INPUT -s 2001:db8::1 -j DROP\nCOMMIT\n")
    return space
  }

  @Test(arguments: [("legacy", "nft"), ("nft", "legacy")])
  func everythingMoves(_ source: String, _ target: String) throws {
    let space = try loaded(source)
    let before = try holds(space, source)
    #expect(before.count > 10)
    func migrate(_ more: String...) throws -> ProcessResult {
      try space.firebreak(["migrate", "--to", target, "--backend", "auto"] + more)
    }
    let checked = try migrate("--check")
    #expect(
      checked.status == 0 && checked.stdout.contains("+-A web -m set --match-set friends src -j ACCEPT"), "\(checked)")
    #expect(try holds(space, source) == before)
    #expect(try holds(space, target) == [], "a check changes nothing")
    let done = try migrate()
    #expect(done.status == 0, "\(done)")
    #expect(
      done.stdout.contains("+:INPUT DROP") && done.stdout.contains("migrated: 6 rules from \(source) to \(target)"),
      "\(done)")
    #expect(done.stderr == "")
    #expect(try holds(space, target) == before, "counters too")
    #expect(try holds(space, source) == [])
    #expect(
      try space.firebreak(["status", "--backend", "auto", "--json"]).stdout.contains("\"backend\":\"\(target)\""))
    #expect(try migrate().stdout.contains("unchanged"))
    let back = try space.firebreak(["rollback", "--backend", "auto"])
    #expect(back.status == 0, "\(back)")
    #expect(try holds(space, source) == before)
    #expect(try holds(space, target) == [])
    #expect(try space.firebreak(["rollback", "--backend", "auto"]).status == 1)
  }

  /// Each step back goes on from the one before, though a move changes no rule.
  @Test func rollbackGoesPastAMove() throws {
    let space = try TestNamespace()
    func apply(_ number: Int) throws {
      let path = try space.file("\(number).v4", "*filter\n-A INPUT -s 192.0.2.\(number) -j DROP\nCOMMIT\n")
      #expect(try space.firebreak(["apply", path, "--backend", number == 3 ? "nft" : "legacy"]).status == 0)
    }
    func rollback(_ more: String...) throws -> String {
      let result = try space.firebreak(["rollback", "--backend", "auto"] + more)
      #expect(result.status == 0, "\(result)")
      return result.stdout
    }
    for number in 1...2 { try apply(number) }
    #expect(try space.firebreak(["migrate", "--to", "nft", "--backend", "auto"]).status == 0)
    try apply(3)
    #expect(try rollback().contains("generation 5"))
    #expect(
      try rollback() == "rolled back: the kernel holds the rules of generation 2 already; generation 6\n")
    #expect(try rollback("2").hasPrefix("unchanged"), "that is where they are")
    #expect(try rollback().contains("generation 7"))
    #expect(try holds(space, "nft").contains("[0:0] -A INPUT -s 192.0.2.1/32 -j DROP"))
    #expect(try rollback().contains("generation 8"))
    #expect(try holds(space, "nft") == [])
    #expect(try space.firebreak(["rollback", "--backend", "auto"]).status == 1)
  }

  /// The set that rules name has another number after the machine forgot and made it again.
  @Test func setsAreFoundAgainByName() throws {
    let space = try loaded("legacy")
    #expect(try space.firebreak(["migrate", "-q", "--to", "nft", "--backend", "auto"]).status == 0)
    try space.require(["nft", "flush", "ruleset"])
    try space.require(["ipset", "destroy", "friends"])
    try space.require(["ipset", "create", "first", "hash:ip"])
    try space.require(["ipset", "create", "friends", "hash:ip"])
    let back = try space.firebreak(["rollback", "--backend", "auto"])
    #expect(back.status == 0, "\(back)")
    #expect(try holds(space, "legacy").contains { $0.contains("--match-set friends src") })
  }

  /// Other rules in the new place are not lost without being asked for.
  @Test func whatIsThereAlreadyStays() throws {
    let space = try loaded("legacy")
    try space.require(["iptables-nft", "-t", "nat", "-A", "OUTPUT", "-j", "ACCEPT"])
    try space.require(["iptables-nft", "-A", "INPUT", "-s", "203.0.113.1", "-j", "DROP"])
    let before = (try holds(space, "legacy"), try holds(space, "nft"))
    let refused = try space.firebreak(["migrate", "--to", "nft", "--backend", "auto"])
    #expect(refused.status == 1 && refused.stderr.contains("IPv4 filter: nft holds other rules"), "\(refused)")
    #expect(refused.stderr.contains("--replace"))
    #expect(try holds(space, "legacy") == before.0)
    #expect(try holds(space, "nft") == before.1)
    let done = try space.firebreak(["migrate", "--to", "nft", "--replace", "--backend", "auto"])
    #expect(done.status == 0 && done.stdout.contains("--A INPUT -s 203.0.113.1/32 -j DROP"), "\(done)")
    #expect(try holds(space, "nft").contains { $0.hasSuffix("-A OUTPUT -j ACCEPT") }, "another table")
    #expect(try holds(space, "nft").contains { $0.contains("203.0.113.1") } == false)
    #expect(try space.firebreak(["rollback", "--backend", "auto"]).status == 0)
    #expect(try holds(space, "legacy") == before.0)
    #expect(try holds(space, "nft") == before.1)
  }

  /// Where the new place refuses a rule nothing has moved: nf_tables follows jumps less deep than ip_tables.
  @Test func whatHasNoPlaceThereStays() throws {
    let space = try TestNamespace()
    let names = (0..<20).map { ":c\($0) - [0:0]\n" }.joined()
    let calls = (1..<20).map { "-A c\($0 - 1) -j c\($0)\n" }.joined()
    try space.require(["iptables-legacy-restore"], input: "*filter\n\(names)-A INPUT -j c0\n\(calls)COMMIT\n")
    let before = try holds(space, "legacy")
    for check in [["-n"], []] {
      let result = try space.firebreak(["migrate", "--to", "nft", "--backend", "auto"] + check)
      #expect(result.status == 1 && result.stderr.contains("deeper than nf_tables goes"), "\(result)")
      #expect(try holds(space, "legacy") == before)
      #expect(try space.require(["nft", "list", "ruleset"]).stdout == "")
    }
  }

  @Test func theWrongWordsAreTold() throws {
    let space = try TestNamespace()
    #expect(try space.firebreak(["migrate", "--to", "nft", "--backend", "legacy"]).status == 64)
    #expect(try space.firebreak(["migrate", "--backend", "auto"]).status == 64)
    let nothing = try space.firebreak(["migrate", "--to", "nft", "--backend", "auto"])
    #expect(nothing.status == 0 && nothing.stdout == "unchanged: legacy holds nothing to move\n")
    let json = try space.firebreak(["migrate", "--to", "nft", "--backend", "auto", "--json"])
    #expect(json.stdout.hasPrefix("{\"status\":\"unchanged\",\"from\":\"legacy\",\"to\":\"nft\""), "\(json)")
  }
}
