import KernelTestSupport
import Testing

/// `--backend`: which kernel interface a command acts on.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-nft"), .tool("iptables-legacy"), .tool("nft")))
struct BackendChoiceTests {
  private static let rule = "*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n"
  private static let line = "-A INPUT -s 192.0.2.1/32 -j DROP"

  private func holds(_ space: TestNamespace, _ variant: String) throws -> Bool {
    try space.require(["iptables-\(variant)-save"]).stdout.contains(Self.line)
  }

  @Test func nothingInUseMeansNFT() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    #expect(try space.firebreak(["apply", "-q", "--backend", "auto", file]).status == 0)
    #expect(try !holds(space, "legacy"))
    #expect(try holds(space, "nft"))
    #expect(try space.firebreak(["save", "--backend", "auto"]).stdout.contains(Self.line))
  }

  /// Tables of ip_tables that are there and do nothing are not in use; rules, chains and policies are.
  @Test(arguments: [
    (["-L"], "nft"), (["-P", "INPUT", "ACCEPT"], "nft"), (["-A", "INPUT", "-j", "ACCEPT"], "legacy"),
    (["-t", "nat", "-A", "OUTPUT"], "legacy"), (["-N", "mine"], "legacy"), (["-P", "FORWARD", "DROP"], "legacy"),
  ])
  func whatLegacyHoldsDecides(_ words: [String], _ expected: String) throws {
    for tool in ["iptables-legacy", "ip6tables-legacy"] {
      let space = try TestNamespace()
      try space.require([tool] + words)
      let file = try space.file("rules.v4", Self.rule)
      #expect(try space.firebreak(["apply", "-q", "--backend", "auto", file]).status == 0)
      #expect(try holds(space, "legacy") == (expected == "legacy"))
      #expect(try holds(space, "nft") == (expected == "nft"))
    }
  }

  @Test func ofBothTheOneWithRulesIsTaken() throws {
    let space = try TestNamespace()
    try space.require(["iptables-nft", "-A", "FORWARD", "-j", "DROP"])
    try space.require(["iptables-legacy", "-L"])
    #expect(try space.firebreak(["save", "--backend", "auto"]).stdout.contains("-A FORWARD -j DROP"))
    try space.require(["iptables-legacy", "-A", "OUTPUT", "-j", "ACCEPT"])
    #expect(try space.firebreak(["save", "--backend", "auto"]).stdout.contains("-A OUTPUT -j ACCEPT"))
  }

  /// Generations do not say which of their tables is in which interface.
  @Test func aChangeOfTheInterfaceIsTold() throws {
    let space = try TestNamespace()
    let filter = try space.file("filter.v4", Self.rule)
    let nat = try space.file("nat.v4", "*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n")
    let note = "generation 1 was committed through legacy, which keeps its rules"
    func apply(_ words: String...) throws -> String {
      let result = try space.firebreak(["apply"] + words)
      #expect(result.status == 0, "\(result)")
      return result.stderr
    }
    #expect(try apply(filter, "--backend", "legacy") == "")
    #expect(try apply("--check", nat, "--backend", "nft").contains(note))
    let told = try apply(nat, "--backend", "nft")
    #expect(told.contains(note) && told.contains("firebreak migrate --to nft"), "\(told)")
    #expect(try !apply("--exclusive", nat, "--backend", "nft").contains(note))
    #expect(try space.firebreak(["migrate", "--to", "nft", "--backend", "auto"]).status == 0)
    #expect(try space.firebreak(["status", "--backend", "auto"]).stdout.hasSuffix("as it was committed\n"))
    #expect(try holds(space, "nft") && !holds(space, "legacy"))
  }

  /// A commit is taken back where it was made, whatever is in use by now.
  @Test(arguments: ["legacy", "nft"]) func rollbackKnowsWhere(_ backend: String) throws {
    let other = backend == "nft" ? "legacy" : "nft"
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    #expect(try space.firebreak(["apply", "-q", "--backend", backend, file]).status == 0)
    try space.require(["iptables-\(other)", "-A", "FORWARD", "-j", "ACCEPT"])
    let refused = try space.firebreak(["rollback", "--backend", other])
    #expect(refused.status == 1)
    #expect(refused.stderr.contains("--backend \(backend)"), "\(refused)")
    #expect(try holds(space, backend))
    #expect(try space.firebreak(["diff", "--backend", "auto"]).stdout.contains("+" + Self.line))
    #expect(try space.firebreak(["rollback", "--backend", "auto"]).status == 0)
    #expect(try !holds(space, backend))
    #expect(try space.require(["iptables-\(other)-save"]).stdout.contains("-A FORWARD -j ACCEPT"))
  }

  @Test func everyCommandTakesIt() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    func run(_ words: String...) throws -> ProcessResult { try space.firebreak(words + ["--backend", "nft"]) }
    #expect(try run("apply", "--check", "--diff", file).stdout.contains("+" + Self.line))
    #expect(try space.require(["nft", "list", "ruleset"]).stdout == "", "a check makes nothing")
    #expect(try run("diff", "kernel", file).status == 1)
    #expect(try run("apply", "-q", file).status == 0)
    #expect(try run("diff", "kernel", file).status == 0)
    #expect(try run("apply", file).stdout.contains("unchanged"))
    #expect(try run("list", "INPUT").stdout.contains("192.0.2.1"))
    #expect(try run("recover").stdout.contains("nothing to recover"))
    #expect(try space.require(["iptables-legacy-save"]).stdout == "")
  }

  /// The kernel's refusal is told by file and line, and nothing of the file is there.
  @Test func aRefusedRuleIsLocated() throws {
    let space = try TestNamespace()
    let file = try space.file("deep.v4", Self.deep(chains: 16))
    for check in [["--check"], []] {
      let result = try space.firebreak(["apply", "--backend", "nft"] + check + [file])
      #expect(result.status == 1, "\(result)")
      #expect(result.stderr.contains("deeper than nf_tables goes"), "\(result)")
      #expect(result.stderr.hasLocatedError(in: file), "\(result)")
    }
    #expect(try space.require(["nft", "list", "ruleset"]).stdout == "")
    let good = try space.file("good.v4", Self.deep(chains: 15))
    #expect(try space.firebreak(["apply", "--backend", "nft", "--check", good]).status == 0)
    #expect(try space.firebreak(["apply", "--backend", "nft", good]).status == 0)
  }

  /// Each chain calls the next.
  private static func deep(chains: Int) -> String {
    let names = (0..<chains).map { ":c\($0) - [0:0]\n" }.joined()
    let calls = (1..<chains).map { "-A c\($0 - 1) -j c\($0)\n" }.joined()
    return "*filter\n\(names)-A INPUT -j c0\n\(calls)COMMIT\n"
  }
}
