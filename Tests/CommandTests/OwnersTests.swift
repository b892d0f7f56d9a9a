import Firebreak
import KernelTestSupport
import Testing

/// `firebreak owners`, and that no rule of ours is taken for another's once a kernel has held it.
@Suite(.requires(.root, .legacyTables, .nfTables)) struct OwnersTests {
  private let text = """
    *filter
    :DOCKER-USER - [0:0]
    :f2b-sshd - [0:0]
    -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
    -A INPUT -i lo -j ACCEPT
    -A FORWARD -j DOCKER-USER
    -A DOCKER-USER -j RETURN
    -A f2b-sshd -j RETURN
    COMMIT

    """

  @Test(arguments: ["legacy", "nft"])
  func owners(_ backend: String) throws {
    let space = try TestNamespace()
    try space.require(["iptables-\(backend)-restore"], input: text)
    let shown = try space.firebreak(["owners", "--backend", backend])
    #expect(shown.status == 0, "\(shown)")
    #expect(
      shown.stdout == """
        IPv4 table filter
        chain        owner     rules  packets
        INPUT        fail2ban  1      0
        INPUT        unknown   1      0
        FORWARD      Docker    1      0
        DOCKER-USER  Docker    1      0
        f2b-sshd     fail2ban  1      0


        """)
    let json = try space.firebreak(["owners", "--json", "-t", "filter", "-4", "--backend", backend])
    #expect(
      json.stdout.hasPrefix(
        #"[{"family":4,"table":"filter","shares":[{"chain":"INPUT","owner":"fail2ban","name":"fail2ban","rules":1,"#))
    #expect(
      json.stdout.contains(
        #""chain":"f2b-sshd","owner":"fail2ban","name":"fail2ban","rules":1,"packets":0,"whole_chain":true"#))
    #expect(try space.firebreak(["owners", "-t", "nat", "--backend", backend]).stdout == "no rules\n")
  }

  /// What is taken from others with a table comes back with it, and is theirs: the next commit leaves it alone.
  @Test(.requires(.tool("iptables-legacy-save"), .tool("iptables-nft-save")), arguments: ["legacy", "nft"])
  func whatWasTakenWholeComesBack(_ backend: String) throws {
    let space = try TestNamespace()
    try space.require(["iptables-\(backend)-restore"], input: text)
    func held() throws -> [String] { comparable(try space.require(["iptables-\(backend)-save"]).stdout) }
    let before = try held()
    let path = try space.file("rules.v4", "*filter\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
    func firebreak(_ words: String...) throws {
      let result = try space.firebreak(words + ["--backend", backend])
      #expect(result.status == 0, "\(result)")
    }
    try firebreak("apply", "--exclusive", path)
    #expect(try held().filter { $0.hasPrefix("-A") } == ["-A INPUT -i lo -j ACCEPT"])
    try firebreak("rollback")
    #expect(try held() == before)
    let other = try space.file("other.v4", "*filter\n-A INPUT -i lo -j DROP\nCOMMIT\n")
    try firebreak("apply", other)
    #expect(try held() == before.map { $0 == "-A INPUT -i lo -j ACCEPT" ? "-A INPUT -i lo -j DROP" : $0 })
    try firebreak("rollback", "0")
    #expect(try held() == before)
  }

  /// What a kernel gives back of a committed file is ours, whatever form it has now.
  @Test(.requires(.corpus, .tool("ipset")), arguments: Corpus.Entry.accepted)
  func ourRulesAreKnownAgain(_ entry: Corpus.Entry) throws {
    try checkKnownAgain(entry, "legacy", XTablesBackend(names: .system))
  }

  @Test(.requires(.corpus, .tool("ipset")), arguments: Corpus.Entry.acceptedByNFT)
  func ourRulesAreKnownAgainInNFTables(_ entry: Corpus.Entry) throws {
    try checkKnownAgain(entry, "nft", NFTablesBackend(names: .system))
  }

  private func checkKnownAgain(_ entry: Corpus.Entry, _ name: String, _ backend: any Backend) throws {
    let space = try TestNamespace()
    try entry.makeSets(in: space)
    let applied = try space.firebreak(["apply", "-q", entry.path, "--backend", name])
    #expect(applied.status == 0, "\(applied)")
    let bytes = try readFile(entry.path)
    try space.enter {
      let reading = bytes.withUnsafeBytes { RulesText.read($0, file: entry.path, names: .system) }
      let live = try backend.snapshot(of: .all).ruleset
      for table in reading.ruleset.tables {
        let merge = TableMerge(base: table, live: live[table.name, table.family], wanted: table)
        let kept = merge.kept.filter { $0.rules > 0 }  // an empty chain of Docker's is Docker's
        #expect(kept == [], "\(table.name): \(kept)")
        #expect(merge.notes == [], "\(merge.notes)")
        #expect(merge.result.ruleCount == table.ruleCount)
      }
      let drift = Drift(base: reading.ruleset, live: live)
      #expect(drift.isEmpty, "\(drift)")
    }
  }
}
