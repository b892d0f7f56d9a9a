import Firebreak
import KernelTestSupport
import Testing

/// `firebreak status`, and what `apply` says when both interfaces hold rules.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-nft"), .tool("iptables-legacy"), .tool("nft")))
struct StatusTests {
  private func status(_ space: TestNamespace, _ more: String...) throws -> ProcessResult {
    let result = try space.firebreak(["status", "--backend", "auto"] + more)
    #expect(result.status == 0, "\(result)")
    return result
  }

  @Test func nothingIsInUse() throws {
    let space = try TestNamespace()
    let result = try status(space)
    #expect(result.stdout.contains("backend: nft (neither holds rules)\n"), "\(result)")
    #expect(result.stdout.contains("nf_tables (nft): no tables\n"))
    #expect(result.stderr == "")
    #expect(try space.run(["test", "-e", space.stateDirectory]).status == 1, "looking makes nothing")
    try space.require(["iptables-legacy", "-L"])
    #expect(try status(space).stdout.contains("ip_tables (legacy): empty\n  IPv4 filter: 0 rules\n"))
  }

  @Test func whatIsThereIsCounted() throws {
    let space = try TestNamespace()
    try space.require(["ip6tables-nft", "-A", "OUTPUT", "-j", "ACCEPT"])
    try space.require(["ip6tables-nft", "-N", "mine"])
    try space.require(["ip6tables-nft", "-P", "FORWARD", "DROP"])
    try space.require(["nft", "add", "table", "inet", "theirs"])
    let result = try status(space)
    #expect(result.stdout.contains("backend: nft\n"), "\(result)")
    #expect(
      result.stdout.contains("nf_tables (nft): in use\n  IPv6 filter: 1 rules, 1 chains, policy DROP in FORWARD\n"))
    #expect(result.stdout.contains("left alone:\n  inet theirs\n"))
    let json = try status(space, "--json").stdout
    #expect(json.contains("\"backend\":\"nft\""))
    #expect(
      json.contains(
        "{\"family\":6,\"table\":\"filter\",\"compiled\":false,\"rules\":1,\"chains\":1,\"policy_drop\":[\"FORWARD\"],\"problem\":null}"
      ))
    #expect(json.contains("\"other_tables\":[{\"family\":\"inet\",\"name\":\"theirs\",\"owner\":null}]"))
    #expect(json.contains("\"pending\":null,"))
  }

  /// Neither `status` nor any other table suffers from one that iptables has no words for.
  @Test func aForeignTableIsTold() throws {
    let space = try TestNamespace()
    try space.require(["iptables-nft", "-t", "mangle", "-A", "OUTPUT", "-j", "ACCEPT"])
    try space.require(["nft", "add", "table", "ip", "filter"])
    try space.require(["nft", "add", "set", "ip", "filter", "s", "{ type ipv4_addr; }"])
    let result = try status(space)
    #expect(result.stdout.contains("IPv4 filter: not readable as iptables: ") && result.stdout.contains("holds sets"))
    #expect(result.stdout.contains("IPv4 mangle: 1 rules\n"), "\(result)")
  }

  @Test func bothAreInUse() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", "*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
    try space.require(["iptables-nft", "-A", "FORWARD", "-j", "ACCEPT"])
    let alone = try space.firebreak(["apply", "--backend", "nft", file])
    #expect(alone.status == 0 && alone.stderr == "", "\(alone)")
    for backend in ["legacy", "nft"] {
      let result = try space.firebreak(["apply", "--backend", backend, file])
      #expect(result.status == 0)
      #expect(
        result.stderr.contains("packets have to pass both") && result.stderr.contains("firebreak migrate"), "\(result)")
      let json = try space.firebreak(["apply", "--json", "--backend", backend, file]).stdout
      #expect(json.contains("\"notes\":[\"both ip_tables and nf_tables hold rules"), "\(json)")
      #expect(try space.firebreak(["apply", "-q", "--backend", backend, file]).stderr == "")
    }
    let result = try status(space)
    #expect(result.stdout.contains("backend: legacy\n"))
    #expect(result.stderr.contains("both ip_tables and nf_tables hold rules"), "\(result)")
    #expect(try status(space, "--json").stdout.contains("\"notes\":[\"both "))
  }

  @Test func anInterruptedCommitIsTold() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", "*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
    try space.firebreak(["apply", "--backend", "nft", file])
    let changed = try space.file("other.v4", "*filter\n-A INPUT -s 192.0.2.2/32 -j DROP\nCOMMIT\n")
    var journal = try Journal(decoding: readFile(space.stateDirectory + "/commit.last"))
    journal.head.phase = .unguarded
    let interrupted = try space.file("interrupted", journal.encoded)
    try space.require(["cp", interrupted, space.stateDirectory + "/commit.pending"])
    try space.require(["rm", "-r", space.stateDirectory + "/generations", space.stateDirectory + "/own"])
    let result = try status(space)
    #expect(result.stdout.contains("a commit was interrupted (nft): IPv4 filter\n"), "\(result)")
    #expect(result.stderr.contains("firebreak recover"))
    #expect(try status(space, "--json").stdout.contains("\"pending\":{\"under_way\":false,"))
    try space.firebreak(["apply", "--backend", "nft", changed])
    #expect(!(try status(space).stdout.contains("interrupted")))
  }
}
