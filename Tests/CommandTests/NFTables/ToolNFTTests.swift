import Fuzzing
import KernelTestSupport
import Testing

/// The front end of iptables on nf_tables: where it acts, and beside whom.
@Suite(.requires(.nfTables, .legacyTables, .tool("nft"), .tool("iptables-nft"), .tool("iptables-legacy-save")))
struct ToolNFTTests {
  private func rules(_ space: TestNamespace, _ tool: String) throws -> [Substring] {
    try space.require([tool]).stdout.split(separator: "\n").filter { $0.hasPrefix("-A") }
  }

  private func iptables(_ space: TestNamespace, _ line: String) throws -> ProcessResult {
    try space.run([Built.firebreak, "iptables"] + TwinSite.words(line))
  }

  @Test func aNameThatDoesNotSayGoesWhereTheTablesAre() throws {
    let space = try TestNamespace()
    #expect(try iptables(space, "-V").stdout == "iptables v1.8.9 (legacy)\n")
    try space.require(["iptables-nft", "-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"])
    #expect(try iptables(space, "-V").stdout == "iptables v1.8.9 (nf_tables)\n")
    // A script that takes all out first does not end up somewhere else.
    for line in ["-F", "-X", "-A INPUT -s 192.0.2.2 -j DROP"] { #expect(try iptables(space, line).status == 0) }
    #expect(try rules(space, "iptables-nft-save") == ["-A INPUT -s 192.0.2.2/32 -j DROP"])
    #expect(try rules(space, "iptables-legacy-save") == [])
    // Where ip_tables does something it is meant, as with --backend auto.
    try space.require(["iptables-legacy", "-A", "INPUT", "-j", "ACCEPT"])
    let deleted = try iptables(space, "-D INPUT -j ACCEPT")
    #expect(deleted.status == 0 && deleted.stderr.contains("iptables-nft"), "\(deleted)")
    #expect(try rules(space, "iptables-legacy-save") == [])
    #expect(try rules(space, "iptables-nft-save").count == 1)
  }

  @Test func namesSayWhich() throws {
    let space = try TestNamespace()
    for (tool, address) in [("iptables-nft", "192.0.2.1"), ("iptables-legacy", "192.0.2.2")] {
      #expect(try space.run([Built.firebreak, tool, "-A", "INPUT", "-s", address, "-j", "DROP"]).status == 0)
    }
    #expect(try rules(space, "iptables-nft-save") == ["-A INPUT -s 192.0.2.1/32 -j DROP"])
    #expect(try rules(space, "iptables-legacy-save") == ["-A INPUT -s 192.0.2.2/32 -j DROP"])
    #expect(try space.run([Built.firebreak, "iptables-other", "-S"]).status == 64)
  }

  @Test func compiledTablesStayCompiled() throws {
    let space = try TestNamespace()
    let text = "*filter\n" + (1...40).map { "-A INPUT -s 192.0.2.\($0)/32 -j DROP\n" }.joined() + "COMMIT\n"
    let path = try space.file("rules.v4", text)
    #expect(try space.firebreak(["apply", "--backend", "nft", "--compile", path]).status == 0)
    for line in [
      "-A INPUT -s 198.51.100.1 -j DROP", "-D INPUT -s 192.0.2.7 -j DROP", "-I INPUT 3 -p tcp -j ACCEPT", "-N web",
      "-C INPUT -s 198.51.100.1 -j DROP", "-P FORWARD DROP",
    ] {
      let result = try iptables(space, line)
      #expect(result.status == 0, "\(line)\n\(result)")
    }
    let saved = try iptables(space, "-S").stdout.split(separator: "\n")
    #expect(saved.prefix(4) == ["-P INPUT ACCEPT", "-P FORWARD DROP", "-P OUTPUT ACCEPT", "-N web"])
    #expect(
      saved.count == 4 + 41 && saved[6] == "-A INPUT -p tcp -j ACCEPT" && saved.last?.contains("198.51.100.1") == true)
    #expect(try space.require(["nft", "list", "tables"]).stdout == "table ip firebreak\n")
  }

  @Test(.requires(.tool("ping"))) func countersOfOtherRulesGoOn() throws {
    let space = try TestNamespace()
    try space.require(["ip", "link", "set", "lo", "up"])
    for line in ["-A INPUT -i lo -j ACCEPT", "-A OUTPUT -o lo -j ACCEPT"] {
      try space.require([Built.firebreak, "iptables-nft"] + TwinSite.words(line))
    }
    try space.require(["ping", "-c", "2", "-i", "0.01", "127.0.0.1"])
    func counted() throws -> [Substring] {
      try space.require(["iptables-nft-save", "-c"]).stdout.split(separator: "\n").filter {
        $0.contains("-o lo") || $0.contains("-i lo")
      }
    }
    let before = try counted()
    #expect(before.allSatisfy { $0.hasPrefix("[4:") })
    try space.require([Built.firebreak, "iptables-nft", "-I", "INPUT", "-s", "192.0.2.1", "-j", "DROP"])
    try space.require([Built.firebreak, "iptables-nft", "-P", "FORWARD", "DROP"])
    #expect(try counted() == before)
    try space.require([Built.firebreak, "iptables-nft", "-Z", "INPUT", "2"])
    #expect(try counted() == ["[0:0] -A INPUT -i lo -j ACCEPT", before[1]])
  }

  /// Each of them notices that the others were faster, and does its command again on what is there then.
  @Test func manyAtOnceLoseNothing() throws {
    let space = try TestNamespace()
    let rounds = 15
    let writers = [[Built.firebreak, "iptables-nft"], [Built.firebreak, "iptables-nft"], ["iptables-nft"]]
    _ = try concurrently(
      writers.enumerated().map { number, tool in
        {
          for round in 1...rounds {
            try space.require(tool + ["-A", "INPUT", "-s", "10.\(number).0.\(round)", "-j", "DROP"])
          }
        }
      })
    #expect(try Set(rules(space, "iptables-nft-save")).count == writers.count * rounds)
  }

  /// What one of them makes or empties, another one has made or emptied meanwhile.
  @Test func manyRestoresAtOnceAllSucceed() throws {
    let space = try TestNamespace()
    let text = "*filter\n:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -s 192.0.2.1/32 -j b\n-A b -j DROP\nCOMMIT\n"
    for options in [[], ["-n"]] {
      _ = try concurrently(
        (0..<6).map { _ in
          { try space.require([Built.firebreak, "iptables-nft-restore"] + options, input: text) }
        })
      let appended = try rules(space, "iptables-nft-save")
      #expect(Set(appended).count == 3)
      #expect(appended.count == (options.isEmpty ? 3 : 1 + 6 + 2), "\(appended)")
    }
  }

  /// Above a hundred rules are remembered: what one command adds without reading them the next one has to know. Many are the
  /// same but for what they count, and a command means one of them.
  @Test(arguments: 0..<4 as Range<UInt64>, [20, 150]) func manyCommandsComeToTheSame(_ seed: UInt64, _ count: Int)
    throws
  {
    let twins = try TwinSite(.nft)
    var random = Dice(seed: seed)
    let rules = (0..<count).map { "[\($0 + 1):\($0)00] -A web -s 10.0.0.\($0 % 30)/32 -j DROP\n" }.joined()
    try twins.compare("iptables-restore -c", input: "*filter\n:web - [0:0]\n\(rules)-A OUTPUT -j web\nCOMMIT\n")
    for number in 0..<40 {
      let chain = ["INPUT", "OUTPUT", "web", "web"][random.below(4)]
      let rule = "-s 10.0.0.\(random.below(30)) -j DROP" + (random.below(2) == 0 ? " -c \(number) 7" : "")
      let place = 1 + random.below(count)
      let line =
        switch random.below(15) {
        case 0...2: "-A \(chain) \(rule)"
        case 3, 4: "-I \(chain) \(rule)"
        case 5, 6: "-I web \(place) \(rule)"
        case 7: "-D web \(place)"
        case 8: "-R web \(place) \(rule)"
        case 9: "-N c\(number)"
        case 10: "-P \(["INPUT", "OUTPUT"][random.below(2)]) \(["DROP", "ACCEPT"][random.below(2)])"
        case 11: "-Z web \(place)"
        case 12: "-E c\(number - 1) d\(number)"
        default: "-D web -s 10.0.0.\(random.below(30)) -j DROP"
        }
      try twins.compare("iptables \(line)")
      if random.below(4) == 0 { try twins.compareKernels() }
    }
    try twins.compare("iptables -E web net")
    let added =
      "*filter\n-A net -j ACCEPT\n-I net -j DROP\n-A INPUT -j net\n-I net -p tcp -j DROP\n:new - [0:0]\nCOMMIT\n"
    try twins.compare("iptables-restore -n", input: added)
    try twins.compare("iptables -S net")
    try twins.compare("iptables -D net 2")
    try twins.compareKernels()
  }

  /// A restore takes policies too that the text does not name.
  @Test func aRestoreBeginsAnew() throws {
    let twins = try TwinSite(.nft)
    for line in ["-P INPUT DROP", "-P FORWARD DROP -c 0 0", "-N old", "-A INPUT -j old"] {
      try twins.compare("iptables \(line)")
    }
    try twins.compare("iptables-restore -n", input: "*filter\n-A OUTPUT -j ACCEPT\nCOMMIT\n")
    try twins.compareKernels()
    try twins.compare(
      "iptables-restore", input: "*filter\n:FORWARD DROP [0:0]\n-A INPUT -s 192.0.2.1 -j ACCEPT\nCOMMIT\n")
    try twins.compareKernels()
  }

  @Test func aNewTableGetsWhatItsPoliciesHaveCounted() throws {
    let twins = try TwinSite(.nft)
    try twins.compare("iptables-restore -c", input: "*filter\n:INPUT ACCEPT [10:20]\nCOMMIT\n")
    try twins.compareKernels()
  }

  /// Rules that no command names keep their places in the kernel, and what they remember.
  @Test func otherRulesAreNotTouched() throws {
    let space = try TestNamespace()
    let text =
      "*filter\n:u - [0:0]\n-A INPUT -m limit --limit 1/hour -j ACCEPT\n-A OUTPUT -j DROP\n[5:6] -A OUTPUT -j DROP\n-A OUTPUT -j u\n-A u -p udp -j DROP\nCOMMIT\n"
    try space.require(["iptables-nft-restore", "-c"], input: text)
    func handles() throws -> [Substring] {
      try space.require(["nft", "-a", "list", "table", "ip", "filter"]).stdout.split(separator: "\n").compactMap {
        line in
        line.contains("{") || !line.contains("# handle") ? nil : line.split(separator: " ").last
      }
    }
    let before = try handles()
    for line in ["-D OUTPUT 2", "-I OUTPUT 1 -j DROP", "-D OUTPUT -j DROP", "-Z OUTPUT 1", "-E u v", "-P INPUT DROP"] {
      try space.require([Built.firebreak, "iptables-nft"] + TwinSite.words(line))
    }
    let after = try handles()
    #expect(before.count == 5 && after.count == 4 && Set(after).isSubset(of: before), "\(before)\n\(after)")
  }

  @Test func whatTheKernelRefusesIsNamed() throws {
    let space = try TestNamespace()
    for (line, status, words) in [
      ("-A INPUT -j MASQUERADE", 4, ["(nf_tables)", "Invalid argument", "MASQUERADE"]),
      ("-X INPUT", 4, ["CHAIN_DEL failed", "built in"]),
      ("-A INPUT -m tcp --dport 22", 2, ["-p tcp"]),
      ("-t nosuch -L", 3, ["nosuch"]),
    ] as [(String, Int32, [String])] {
      let result = try space.run([Built.firebreak, "iptables-nft"] + TwinSite.words(line))
      #expect(result.status == status, "\(line)\n\(result)")
      for word in words { #expect(result.stderr.contains(word), "\(line)\n\(result)") }
    }
    // What iptables cannot say is neither read as something else nor written over.
    let foreign =
      "table ip filter {\nchain INPUT {\ntype filter hook input priority 0\nct mark vmap { 1 : drop }\n}\n}\n"
    try space.require(["nft", "-f", "-"], input: foreign)
    let before = try space.require(["nft", "list", "ruleset"]).stdout
    for line in ["-S", "-D INPUT -j DROP", "-F"] {
      let result = try space.run([Built.firebreak, "iptables-nft"] + TwinSite.words(line))
      #expect(result.status != 0 && result.stderr.contains("nft"), "\(line)\n\(result)")
    }
    #expect(try space.require(["nft", "list", "ruleset"]).stdout == before)
  }

  /// Sets and base chains that nft(8) has put into a table of iptables stay, and the rest is as if they were not there.
  @Test func whatOthersHaveInATableStays() throws {
    let twins = try TwinSite(.nft)
    let others = """
      table ip filter {
        set bad {
          type ipv4_addr
          elements = { 192.0.2.1 }
        }
        chain input {
          type filter hook input priority filter
          ip saddr @bad drop
        }
        chain late {
          type filter hook output priority 5
          ct mark vmap { 1 : drop }
        }
        chain INPUT {
          type filter hook input priority filter
          counter accept
        }
      }
      table ip nat {
        chain prerouting {
          type nat hook prerouting priority dstnat
        }
      }
      """
    for space in [twins.peer, twins.ours] { try space.require(["nft", "-f", "-"], input: others) }
    for line in [
      "-S", "-A INPUT -s 192.0.2.7 -j DROP", "-I INPUT 2 -s 192.0.2.8 -j DROP", "-N web", "-A web -j ACCEPT",
      "-I INPUT -j web", "-D INPUT 2", "-C INPUT -j web", "-S INPUT", "-t nat -A POSTROUTING -j MASQUERADE",
      "-t nat -S", "-Z INPUT", "-P FORWARD DROP", "-E web net", "-nvL", "-L INPUT", "-S input",
    ] {
      try twins.compare("iptables \(line)")
    }
    try twins.compare("iptables-save")
    try twins.compare("iptables-restore -n", input: "*filter\n:net - [0:0]\n-A net -p udp -j DROP\nCOMMIT\n")
    try twins.compareKernels()
    // Those of iptables-nft would go as well.
    let before = try twins.ours.require(["nft", "list", "chain", "ip", "filter", "input"]).stdout
    for line in ["iptables -F", "iptables -X", "iptables-restore"] {
      #expect(try twins.run(line, input: "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n").ours.status == 0)
    }
    #expect(try twins.ours.require(["nft", "list", "chain", "ip", "filter", "input"]).stdout == before)
    #expect(try twins.ours.require(["nft", "list", "ruleset"]).stdout.contains("set bad"))
    // A commit goes for the whole table, and does not begin with half of it.
    let file = try twins.ours.file("rules.v4", "*filter\n-A INPUT -j DROP\nCOMMIT\n")
    let applied = try twins.ours.firebreak(["apply", "--backend", "nft", file])
    #expect(applied.status == 1 && applied.stderr.contains("nft"), "\(applied)")
  }
}
