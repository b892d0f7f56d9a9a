import KernelTestSupport
import Testing

/// What iptables-nft takes and iptables-legacy does not: each interface of the kernel has its own answer, and `--backend`
/// follows it.
@Suite(.requires(.nfTables, .legacyTables, .tool("iptables-nft-restore"), .tool("iptables-nft-save")))
struct NFTAcceptanceTests {
  /// Tables that only nf_tables takes.
  static let texts = [
    "*filter\n:u - [0:0]\n-A OUTPUT -j u\n-A u -m physdev --physdev-out port1 -j ACCEPT\nCOMMIT\n",
    "*mangle\n:u - [0:0]\n-A INPUT -j u\n-A u -m policy --dir out --pol none -j ACCEPT\nCOMMIT\n",
    "*mangle\n:u - [0:0]\n-A PREROUTING -j u\n-A u -p tcp --syn -j TCPMSS --clamp-mss-to-pmtu\nCOMMIT\n",
    "*filter\n-A FORWARD -p tcp -j TCPMSS --set-mss 1300\nCOMMIT\n",
    "*filter\n-A INPUT -s 192.0.2.1 -j TRACE\nCOMMIT\n",
    "*filter\n-A INPUT -m limit --limit 2/hour --limit-burst 0 -j ACCEPT\nCOMMIT\n",
    "*filter\n-A INPUT -m limit --limit 1/day --limit-burst 7 -j ACCEPT\nCOMMIT\n",
    "*filter\n:u DROP [0:0]\n-A u -j DROP\n:u - [0:0]\n-A u -j ACCEPT\n-A INPUT -j u\nCOMMIT\n",
  ]

  /// Tables that both take and that nf_tables tells in its own way.
  static let others = [
    "*filter\n-A INPUT -p tcp ! --sport 0:1023 -j ACCEPT\n-A INPUT -p udp ! --dport :52 --sport +53\nCOMMIT\n",
    "*filter\n-A INPUT -j NFLOG --nflog-prefix \(String(repeating: "long", count: 20))\nCOMMIT\n",
    "*filter\n-A INPUT -j NFLOG --nflog-prefix \(String(repeating: "longer", count: 40))\nCOMMIT\n",
  ]

  @Test(arguments: texts + others) func nfTablesTakesIt(_ text: String) throws {
    let reference = try TestNamespace()
    try reference.require(["iptables-nft-restore"], input: text)
    let expected = comparable(try reference.require(["iptables-nft-save"]).stdout)
    let space = try TestNamespace()
    let file = try space.file("rules.v4", text)
    #expect(try space.firebreak(["check", "--backend", "nft", file]).status == 0)
    let applied = try space.firebreak(["apply", "--backend", "nft", file])
    #expect(applied.status == 0, "\(applied)")
    #expect(comparable(try space.require(["iptables-nft-save"]).stdout) == expected)
    let own = try space.firebreak(["save", "-4", "--backend", "nft"]).stdout
    #expect(comparable(own) == expected)
    #expect(comparable(try reference.firebreak(["save", "-4", "--backend", "nft"]).stdout) == expected)
    for (again, input) in [(file, ""), ("-", own)] {
      let result = try space.firebreak(["apply", "--json", "--backend", "nft", again], input: input)
      #expect(result.stdout.contains("\"status\":\"unchanged\""), "\(result)")
    }
    #expect(try space.firebreak(["diff", "--backend", "nft", file]).status == 0)
    #expect(try space.firebreak(["rollback", "--backend", "nft"]).status == 0)
  }

  /// Without a backend the rules have to suit both.
  @Test(arguments: texts) func ipTablesRefusesIt(_ text: String) throws {
    let space = try TestNamespace()
    #expect(try space.run(["iptables-legacy-restore"], input: text).status != 0)
    let file = try space.file("rules.v4", text)
    for words in [
      ["apply", "--backend", "legacy"], ["check", "--backend", "legacy"], ["check", "--backend", "auto"],
    ] {
      let result = try space.firebreak(words + [file])
      #expect(result.status == 65 && result.stderr.contains("rules.v4:"), "\(result)")
    }
  }

  /// `auto` takes nf_tables where nothing is in ip_tables.
  @Test func autoFollowsTheInterfaceThatItTakes() throws {
    let file = "*filter\n-A INPUT -j TRACE\nCOMMIT\n"
    let space = try TestNamespace()
    #expect(try space.firebreak(["apply", "--backend", "auto", "-4", "-"], input: file).status == 0)
    let other = try TestNamespace()
    try other.require(["iptables-legacy", "-A", "INPUT", "-j", "ACCEPT"])
    #expect(try other.firebreak(["apply", "--backend", "auto", "-4", "-"], input: file).status == 65)
  }

  /// Both iptables-restore make a chain with the name of a target, and a jump to it is no target.
  @Test(arguments: ["legacy", "nft"]) func aChainWithTheNameOfATargetIsRead(_ backend: String) throws {
    let text = "*filter\n:CLASSIFY - [0:0]\n:LOG - [0:0]\n-A INPUT -j LOG\n-A LOG -g CLASSIFY\nCOMMIT\n"
    let space = try TestNamespace()
    try space.require(["iptables-\(backend)-restore"], input: text)
    let saved = comparable(try space.require(["iptables-\(backend)-save"]).stdout)
    #expect(comparable(try space.firebreak(["save", "-4", "--backend", backend]).stdout) == saved)
    // And comes back so.
    let file = try space.file("change.v4", "*filter\n-A OUTPUT -j DROP\nCOMMIT\n")
    #expect(try space.firebreak(["apply", "-q", "--backend", backend, "--exclusive", file]).status == 0)
    #expect(try space.firebreak(["rollback", "-q", "--backend", backend]).status == 0)
    #expect(comparable(try space.require(["iptables-\(backend)-save"]).stdout) == saved)
  }

  @Test func nfTablesTakesAChainWithTheNameOfATarget() throws {
    let text = "*filter\n:REJECT - [0:0]\n-A INPUT -j REJECT\n-A REJECT -j DROP\nCOMMIT\n"
    let reference = try TestNamespace()
    try reference.require(["iptables-nft-restore"], input: text)
    let space = try TestNamespace()
    #expect(try space.firebreak(["apply", "-q", "--backend", "nft", "-4", "-"], input: text).status == 0)
    #expect(
      comparable(try space.require(["iptables-nft-save"]).stdout)
        == comparable(try reference.require(["iptables-nft-save"]).stdout))
  }
}
