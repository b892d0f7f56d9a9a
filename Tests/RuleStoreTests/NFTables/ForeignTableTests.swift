import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Tables with the names of iptables that hold more than iptables can say: told by name, and left as they are.
@Suite(.requires(.nfTables, .tool("nft")))
struct ForeignTableTests {
  struct Row: CustomTestStringConvertible, Sendable {
    let commands: String
    let said: [String]
    var testDescription: String { commands }
    init(_ commands: String, _ said: String...) {
      self.commands = commands
      self.said = said
    }
  }

  static let base =
    "add table ip filter\nadd chain ip filter INPUT { type filter hook input priority 0; policy accept; }\n"

  static let rows = [
    Row(base + "add set ip filter s { type ipv4_addr; }", "IPv4 filter", "sets"),
    Row(base + "add counter ip filter c", "IPv4 filter", "objects"),
    Row(
      base + "add rule ip filter INPUT meta skuid 0 counter accept", "IPv4 filter", "chain INPUT", "rule with handle 2"),
    Row(base + "add rule ip filter INPUT ip saddr { 192.0.2.1, 192.0.2.2 } accept", "IPv4 filter"),
    Row(base + "add rule ip filter INPUT fib saddr type local counter drop", "chain INPUT", "rule with handle 2"),
    Row(base + "add chain ip filter extra { type filter hook input priority 5; }", "chain extra", "place"),
    Row(
      "add table ip filter\nadd chain ip filter INPUT { type filter hook input priority 1; }", "chain INPUT", "place"),
    Row(
      "add table ip filter\nadd chain ip filter INPUT { type filter hook forward priority 0; }", "chain INPUT", "place"),
    Row("add table ip6 nat\nadd chain ip6 nat OUTPUT", "IPv6 nat", "chain OUTPUT", "built-in"),
    Row("add table ip mangle\nadd chain ip mangle OUTPUT { type filter hook output priority -150; }", "chain OUTPUT"),
    Row("add table ip raw { flags dormant; }", "IPv4 raw", "dormant"),
    Row("add table ip raw\nadd chain ip raw a-name-that-is-longer-than-twenty-eight-bytes", "longer"),
  ]

  @Test(arguments: rows) func itIsRefusedAndStays(_ row: Row) throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(["nft", "-f", "-"], input: row.commands + "\n")
    let before = try site.namespace.require(["nft", "-a", "list", "ruleset"]).stdout
    let existing = try site.inside { try site.backend.snapshot(of: .only([])) }.existing
    #expect(existing.count == 1)
    let error = #expect(throws: BackendError.self) { try site.snapshot() }
    #expect(error?.kind == .refused)
    for word in row.said + ["nothing was changed"] {
      #expect(error?.message.contains(word) == true, "\(word): \(error?.message ?? "")")
    }
    let wanted = Ruleset([Table(existing[0].name, family: existing[0].family)])
    #expect(throws: BackendError.self) { try site.inside { try RuleStore(site.backend).commit(wanted) } }
    #expect(try site.namespace.require(["nft", "-a", "list", "ruleset"]).stdout == before)
    // A table beside it is no matter.
    let other = rules("*security\n-A INPUT -j DROP\nCOMMIT\n")
    _ = try site.inside { try RuleStore(site.backend).commit(other) }
    let table = try site.inside { try site.backend.snapshot(of: .only([TableID(.security, .ipv4)])) }
    #expect(table.ruleset.sameRules(as: other))
  }

  /// A comment of nft is one of iptables too, and stays while its rule does.
  @Test func commentsOfNFTAreRead() throws {
    let site = try ContractSite(.nft)
    try site.namespace.require(
      ["nft", "-f", "-"], input: Self.base + "add rule ip filter INPUT tcp dport 22 counter accept comment \"way in\"\n"
    )
    let table = try #require(try site.snapshot().ruleset[.filter, .ipv4])
    #expect(
      SaveText.rule(table[.input]!.rules[0], family: .ipv4)
        == " -p tcp -m tcp --dport 22 -m comment --comment \"way in\" -j ACCEPT")
    var wanted = table
    try wanted.append(Rule(target: .drop), to: .input)
    try site.commit(Ruleset([wanted]))
    let text = try site.namespace.require(["nft", "list", "chain", "ip", "filter", "INPUT"]).stdout
    #expect(text.contains("accept comment \"way in\""))
  }
}
