import Glibc
import KernelTestSupport
import Testing

/// `apply --compile` and what other commands see of it.
@Suite(.requires(.nfTables, .legacyTables, .tool("nft")))
struct CompileCommandTests {
  private static let rules =
    "*filter\n:INPUT ACCEPT\n"
    + (1...30).map { "-A INPUT -s 192.0.2.\($0)/32 -p tcp -m tcp --dport 22 -j ACCEPT\n" }.joined()
    + "-A INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n"

  @Test func theRulesAreTheSameInEveryCommand() throws {
    let space = try TestNamespace()
    let path = try space.file("rules.v4", Self.rules)
    let nft = ["--backend", "nft"]
    let applied = try space.firebreak(["apply", "--compile", path] + nft)
    #expect(applied.status == 0, "\(applied)")
    #expect(applied.stderr.contains("30 of 31 rules are looked up in one map"), "\(applied)")
    #expect(try space.require(["nft", "list", "tables"]).stdout == "table ip firebreak\n")
    let saved = try space.firebreak(["save"] + nft).stdout.split(separator: "\n").filter { $0.hasPrefix("-A") }
    #expect(saved == Self.rules.split(separator: "\n").filter { $0.hasPrefix("-A") })
    #expect(try space.firebreak(["diff", path] + nft).status == 0)
    #expect(try space.firebreak(["apply", path] + nft).stdout.contains("unchanged"))
    let other = try space.file("other.v4", Self.rules.replacing("192.0.2.7/32", with: "192.0.2.77/32"))
    let changed = try space.firebreak(["apply", "--diff", other] + nft)
    #expect(changed.stdout.contains("1 rules added, 1 removed"), "\(changed)")
    #expect(try space.require(["nft", "list", "ruleset"]).stdout.contains("192.0.2.77 . 22"))
    #expect(try space.firebreak(["rollback"] + nft).status == 0)
    #expect(try space.firebreak(["diff", path] + nft).status == 0)
    #expect(try space.firebreak(["apply", "--no-compile", path] + nft).status == 0)
    #expect(try space.require(["nft", "list", "tables"]).stdout == "table ip filter\n")
    #expect(try space.firebreak(["diff", path] + nft).status == 0)
  }

  /// Ports that both families ask for, and addresses of one.
  private static func rules(_ network: String) -> String {
    "*filter\n:INPUT ACCEPT\n"
      + (1...40).map { "-A INPUT -p tcp -m tcp --dport \(1000 + $0) -j ACCEPT\n" }.joined()
      + (1...20).map { "-A FORWARD -s \(network)\($0) -j ACCEPT\n" }.joined() + "COMMIT\n"
  }

  /// A namespace with rules of both families, and how they stand.
  private final class Forms {
    let space: TestNamespace
    let four: String
    let six: String

    init() throws {
      space = try TestNamespace()
      four = try space.file("rules.v4", CompileCommandTests.rules("192.0.2."))
      six = try space.file("rules.v6", CompileCommandTests.rules("2001:db8::"))
    }

    var held: String { get throws { try space.require(["nft", "list", "ruleset"]).stdout } }
    /// Of ``held``; the kernel tells the elements of a map in any order.
    var words: [Substring] { get throws { try held.split { $0.isWhitespace || $0 == "," }.sorted() } }
    var tables: [Substring] {
      get throws { try space.require(["nft", "list", "tables"]).stdout.split(separator: "\n").sorted() }
    }

    func firebreak(_ words: String..., expecting status: Int32 = 0) throws {
      let result = try space.firebreak(words + ["--backend", "nft"])
      #expect(result.status == status, "\(result)")
    }
  }

  /// What the commit made of the table's form goes back with its rules.
  @Test(arguments: [
    (["table ip filter", "table ip6 filter"], ["--no-compile"], ["--compile"]),
    (
      ["table inet firebreak", "table ip firebreak", "table ip6 firebreak"], ["--compile"], ["--no-compile"]
    ),
  ]) func itIsTakenBack(_ expected: [Substring], _ first: [String], _ second: [String]) throws {
    let forms = try Forms()
    try forms.firebreak("apply", first[0], forms.four, forms.six)
    let before = try forms.words
    #expect(try forms.tables == expected)
    func isBefore() throws -> Bool { try forms.words == before }
    func expectBefore() throws {
      let held = try forms.held
      #expect(try isBefore(), "\(held)")
    }
    for files in [[forms.four, forms.six], [forms.six]] {
      let change = ["apply", second[0]] + files + ["--backend", "nft"]
      let failed = try forms.space.firebreak(change + ["--verify", "false"])
      #expect(failed.status == 82, "\(failed)")
      try expectBefore()
      #expect(try forms.space.firebreak(change + ["--confirm", "60s", "--no-wait"]).status == 0)
      #expect(try !isBefore())
      try forms.firebreak("rollback")
      try expectBefore()
      // The guard knows of no --compile.
      #expect(try forms.space.firebreak(change + ["--confirm", "1s"]).status == 81)
      try expectBefore()
      #expect(try forms.space.firebreak(change).status == 0)
      #expect(try !isBefore())
      try forms.firebreak("rollback")
      try expectBefore()
    }
  }

  /// Whoever finds the commit left behind has its record only.
  @Test(.requires(.tool("pgrep"))) func recoverTakesItBack() throws {
    let forms = try Forms()
    try forms.firebreak("apply", forms.four)
    let before = try forms.words
    try forms.firebreak("apply", "--compile", "--confirm", "2s", "--no-wait", forms.four)
    let guards = try forms.space.run(["pgrep", "-f", "guard .*\(forms.space.stateDirectory)"]).stdout
    #expect(!guards.isEmpty)
    for pid in guards.split(separator: "\n").compactMap({ pid_t($0) }) { kill(pid, SIGKILL) }
    usleep(2_300_000)
    #expect(try forms.tables == ["table ip firebreak"])
    let recovered = try forms.space.firebreak(["recover", "--backend", "nft"])
    #expect(recovered.status == 0 && recovered.stdout.contains("was not confirmed"), "\(recovered)")
    #expect(try forms.words == before)
  }

  /// A table that was linear because nothing is gained by its rules has them so again.
  @Test func takingBackCompilesNothing() throws {
    let forms = try Forms()
    try forms.firebreak("apply", forms.four)
    let few = try forms.space.file("few.v4", "*filter\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
    try forms.firebreak("apply", "--compile", "--verify", "false", few, expecting: 82)
    #expect(try forms.tables == ["table ip filter"])
    #expect(try forms.held.contains("tcp dport 1007"))
  }

  /// What was not there is empty afterwards, where iptables-nft has it.
  @Test func theFirstCommitIsTakenBack() throws {
    let forms = try Forms()
    try forms.firebreak("apply", "--compile", "--verify", "false", forms.four, expecting: 82)
    #expect(try forms.tables == ["table ip filter"])
    #expect(try !forms.held.contains("1007"))
  }

  /// Ranges of ports: `save` and `list` show the rules as they were written, and `iptables-nft` shows them afterwards.
  @Test(.requires(.tool("iptables-nft-save"))) func rangesOfPortsAreShownAsWritten() throws {
    let space = try TestNamespace()
    let text =
      "*filter\n:INPUT ACCEPT\n"
      + (1...20).map {
        "-A INPUT -p tcp -m tcp --dport \($0)000:\($0)093 -j ACCEPT\n-A INPUT -p tcp -m multiport --dports \($0)200:\($0)300,\($0)500 -j DROP\n"
      }.joined() + "-A INPUT -p tcp -m tcp --dport 24007:24100 -j DROP\nCOMMIT\n"
    let path = try space.file("rules.v4", text)
    let rules = text.split(separator: "\n").filter { $0.hasPrefix("-A") }
    let applied = try space.firebreak(["apply", "--compile", path, "--backend", "nft"])
    #expect(applied.stderr.contains("41 of 41 rules are looked up in one map"), "\(applied)")
    #expect(try space.require(["nft", "list", "ruleset"]).stdout.contains("flags interval"))
    for command in [["save"], ["list", "INPUT"]] {
      let shown = try space.firebreak(command + ["--backend", "nft"]).stdout
      for rule in rules.prefix(4) where command[0] == "save" { #expect(shown.contains("\(rule)\n"), "\(shown)") }
      #expect(command[0] == "save" || shown.contains("1200:1300,1500"), "\(shown)")
    }
    let saved = try space.firebreak(["save", "--backend", "nft"]).stdout.split(separator: "\n")
    #expect(saved.filter { $0.hasPrefix("-A") } == rules)
    #expect(try space.firebreak(["apply", "--no-compile", path, "--backend", "nft"]).status == 0)
    let theirs = try space.require(["iptables-nft-save", "-t", "filter"]).stdout.split(separator: "\n")
    #expect(theirs.filter { $0.hasPrefix("-A") } == rules)
  }

  @Test func statusAndMigrateKnowCompiledTables() throws {
    let space = try TestNamespace()
    let path = try space.file("rules.v4", Self.rules)
    try space.require(["nft", "add", "table", "ip6", "firebreak"])
    try space.require(["nft", "add", "chain", "ip6", "firebreak", "theirs"])
    #expect(try space.firebreak(["apply", "--compile", path, "--backend", "auto"]).status == 0)
    // auto takes nf_tables because of what stands there.
    let status = try space.firebreak(["status", "--backend", "auto"])
    #expect(status.stdout.contains("backend: nft\n"), "\(status)")
    #expect(status.stdout.contains("  IPv4 filter (compiled): 31 rules\n"), "\(status)")
    #expect(status.stdout.contains("  ip6 firebreak\n"), "another program's: \(status)")
    #expect(!status.stdout.contains("  ip firebreak\n"), "\(status)")
    let json = try space.firebreak(["status", "--json", "--backend", "auto"])
    #expect(json.stdout.contains(#""compiled":true"#), "\(json)")
    let moved = try space.firebreak(["migrate", "--to", "legacy", "--backend", "auto"])
    #expect(moved.status == 0, "\(moved)")
    let saved = try space.require(["iptables-legacy-save", "-t", "filter"]).stdout.split(separator: "\n")
    #expect(
      saved.filter { $0.hasPrefix("-A") } == Self.rules.split(separator: "\n").filter { $0.hasPrefix("-A") })
    #expect(try !space.require(["nft", "list", "ruleset"]).stdout.contains("192.0.2.7"))
    let after = try space.firebreak(["status", "--backend", "auto"])
    #expect(after.stdout.contains("backend: legacy\n") && !after.stdout.contains("(compiled)"), "\(after)")
  }

  /// A script works on the rules as iptables has them; what comes of it goes into the maps.
  @Test(.requires(.tool("iptables-nft"))) func aScriptChangesCompiledTables() throws {
    let site = try RunSite(loading: "")
    let path = try site.space.file("rules.v4", Self.rules)
    #expect(try site.space.firebreak(["apply", "--compile", path, "--backend", "auto"]).status == 0)
    let script = "iptables-nft -I INPUT 1 -s 192.0.2.99 -p tcp -m tcp --dport 22 -j ACCEPT"
    let result = try site.run(script, options: ["--backend", "auto"])
    #expect(result.status == 0, "\(result)")
    #expect(try site.space.require(["nft", "list", "tables"]).stdout == "table ip firebreak\n")
    let saved = try site.space.firebreak(["save", "--backend", "nft"]).stdout.split(separator: "\n")
    #expect(
      saved.filter { $0.hasPrefix("-A") } == ["-A INPUT -s 192.0.2.99/32 -p tcp -m tcp --dport 22 -j ACCEPT"]
        + Self.rules.split(separator: "\n").filter { $0.hasPrefix("-A") })
  }

  /// Without --backend it goes to nf_tables, which alone has the compiled form.
  @Test func itTakesNFTables() throws {
    let space = try TestNamespace()
    let path = try space.file("rules.v4", Self.rules)
    #expect(try space.firebreak(["apply", "--compile", path, "--backend", "auto"]).status == 0)
    #expect(try space.require(["nft", "list", "tables"]).stdout == "table ip firebreak\n")
    let refused = try space.firebreak(["apply", "--compile", path, "--backend", "legacy"])
    #expect(refused.status == 64)
    #expect(refused.stderr.contains("--compile needs nf_tables"), "\(refused)")
  }
}
