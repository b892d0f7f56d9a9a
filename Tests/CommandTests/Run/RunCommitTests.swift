import KernelTestSupport
import Testing

/// What becomes of the live rules and sets.
@Suite(
  .requires(
    .legacyTables, .tool("iptables-legacy"), .tool("ip6tables-legacy"), .tool("iptables-legacy-save"), .tool("ipset"),
    .tool("bash")))
struct RunCommitTests {
  // MARK: Rules

  @Test func oneGenerationComesOfManyCalls() throws {
    let site = try RunSite()
    let before = try site.live()
    let result = try site.run(
      """
      iptables-legacy -P INPUT DROP
      iptables-legacy -I INPUT 1 -i lo -j ACCEPT
      iptables-legacy -t nat -A POSTROUTING -o eth0 -j MASQUERADE
      ip6tables-legacy -A INPUT -s 2001:db8::/32 -j ACCEPT
      """, options: ["--diff", "-m", "the new script"])
    #expect(result.status == 0, "\(result)")
    #expect(result.stdout.contains("+-A INPUT -i lo -j ACCEPT"))
    #expect(result.stdout.contains("3 rules added, 0 removed; generation 1"), "\(result)")
    #expect(try site.live().contains("[5:500] -A INPUT -p tcp -m tcp --dport 22 -j kept"), "counters live on")
    #expect(try site.rules("ip6tables-legacy-save") == ["-A INPUT -s 2001:db8::/32 -j ACCEPT"])
    #expect(try site.space.firebreak(["log"]).stdout.contains("the new script"))
    let again = try site.run("iptables-legacy -L -n > /dev/null; ip6tables-legacy -L > /dev/null")
    #expect(again.status == 0 && again.stdout.contains("unchanged"), "\(again)")
    #expect(try site.space.firebreak(["rollback"]).status == 0)
    #expect(try site.live().filter { !$0.hasPrefix("*nat") && before.contains($0) }.count >= before.count)
    #expect(try site.rules() == before.filter { $0.contains("-A") }.map { String($0.drop { $0 != "-" }) })
  }

  /// Rows: what another Firebreak does while the script runs, and what is then said.
  @Test(arguments: [
    ("apply -q $HERE/other.v4", "commit 2 has changed the rules of IPv4 filter that this one is about to replace"),
    ("apply -q --confirm 60s --no-wait $HERE/other.v4", "commit 2 waits to be confirmed"),
  ]) func anotherCommitMeanwhileIsNoAddition(_ act: String, _ reason: String) throws {
    let site = try RunSite()
    #expect(try site.run("iptables-legacy -A INPUT -s 192.0.2.1").status == 0)
    _ = try site.space.file("other.v4", "*filter\n-A INPUT -s 192.0.2.2 -j ACCEPT\nCOMMIT\n")
    let late = try site.run(
      "iptables-legacy -R INPUT 1 -s 192.0.2.3\nipset create new hash:ip\nWAIT",
      meanwhile: "\"$FIREBREAK\" \(act.replacing("apply", with: "apply --backend legacy --state-dir $HERE/state"))")
    #expect(late.status == 75 && late.stderr.contains(reason), "\(late)")
    #expect(try !late.stderr.contains("commit 2 has") || site.rules().contains("-A INPUT -s 192.0.2.2/32 -j ACCEPT"))
    #expect(try site.rules().allSatisfy { !$0.contains("192.0.2.3") })
    #expect(try site.sets().isEmpty)
  }

  /// What it does at once would stay.
  @Test func noScriptBeginsWhileACommitWaits() throws {
    let site = try RunSite()
    let first = try site.run("iptables-legacy -A INPUT -s 192.0.2.1", options: ["--confirm", "60s", "--no-wait"])
    #expect(first.status == 0, "\(first)")
    let second = try site.run("touch \"$HERE/begun\"", environment: ["HERE": site.space.directory])
    #expect(second.status == 75 && second.stderr.contains("waits to be confirmed"), "\(second)")
    #expect(throws: (any Error).self) { try readFile(site.space.directory + "/begun") }
  }

  @Test func checkingChangesNothing() throws {
    let site = try RunSite()
    let before = try site.live()
    let text = "ipset create new hash:ip\niptables-legacy -A INPUT -m set --match-set new src -j DROP"
    let result = try site.run(text, options: ["--check", "--diff"])
    #expect(result.status == 0 && result.stdout.contains("+-A INPUT -m set --match-set new src -j DROP"), "\(result)")
    #expect(result.stdout.contains("planned: IPv4 filter"))
    #expect(try site.live() == before)
    #expect(try site.sets().isEmpty)
    #expect(try site.space.firebreak(["log"]).stdout == "no commits yet\n")
  }

  @Test func jsonIsAloneOnStandardOutput() throws {
    let site = try RunSite()
    let result = try site.run("echo chatter\niptables-legacy -A INPUT -s 192.0.2.1", options: ["--json"])
    #expect(result.status == 0 && result.stdout.hasPrefix("{\"status\":\"committed\""), "\(result)")
    #expect(result.stderr.contains("chatter") && !result.stdout.contains("chatter"))
    let failed = try site.run("echo chatter\nexit 4", options: ["--json"])
    #expect(failed.status == 1 && failed.stdout.hasPrefix("{\"status\":\"failed\""), "\(failed)")
  }

  /// What others add while the script runs stays, and what the script flushed goes, whoever wrote it.
  @Test func rulesThatCameMeanwhileStay() throws {
    let site = try RunSite()
    let result = try site.run(
      "iptables-legacy -F\niptables-legacy -X\nWAIT\niptables-legacy -A INPUT -s 192.0.2.1 -j ACCEPT",
      meanwhile: """
        iptables-legacy -N f2b-sshd; iptables-legacy -I INPUT 1 -p tcp --dport 22 -j f2b-sshd
        iptables-legacy -A f2b-sshd -s 203.0.113.5 -j DROP
        """)
    #expect(result.status == 0, "\(result)")
    #expect(
      try Set(site.rules()) == [
        "-A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd", "-A INPUT -s 192.0.2.1/32 -j ACCEPT",
        "-A f2b-sshd -s 203.0.113.5/32 -j DROP",
      ])
  }

  /// What the script does not touch is as others have it by then: policies, and chains that are gone.
  @Test(.requires(.nfTables, .tool("iptables-nft"), .tool("iptables-nft-save")), arguments: ["legacy", "nft"])
  func whatOthersTookOutMeanwhileDoesNotComeBack(_ backend: String) throws {
    let site = try RunSite(loading: "")
    let tool = "iptables-" + backend
    try site.space.require(["sh", "-c", "\(tool) -N one; \(tool) -A one -s 192.0.2.9; \(tool) -A INPUT -j one"])
    let result = try site.run(
      "WAIT\n\(tool) -A INPUT -s 192.0.2.1 -j ACCEPT",
      meanwhile: "\(tool) -P INPUT DROP; \(tool) -D INPUT -j one; \(tool) -F one; \(tool) -X one")
    #expect(result.status == 0, "\(result)")
    let saved = try site.space.require([tool + "-save", "-t", "filter"]).stdout
    #expect(saved.contains(":INPUT DROP [") && !saved.contains("one"), "\(saved)")
    #expect(saved.contains("-A INPUT -s 192.0.2.1/32 -j ACCEPT"), "\(saved)")
    let status = try site.space.firebreak(["status"])
    #expect(status.status == 0, "\(status)")
  }

  /// Rules of others that were there and were left alone do not become ours: a later commit leaves them to their owner.
  @Test func rulesOfOthersStayTheirs() throws {
    let given = """
      *filter
      :DOCKER - [0:0]
      -A FORWARD -j DOCKER
      -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
      COMMIT

      """
    let site = try RunSite(loading: given)
    #expect(try site.run("iptables-legacy -A INPUT -s 192.0.2.1 -j ACCEPT").status == 0)
    let owned = try site.space.firebreak(["show", "1"]).stdout
    #expect(owned.contains("-A INPUT -s 192.0.2.1/32 -j ACCEPT") && !owned.contains("172.17.0.2"), "\(owned)")
    #expect(try site.rules().count == 3)
    // A script that flushes everything means everything.
    #expect(try site.run("iptables-legacy -F; iptables-legacy -X").status == 0)
    #expect(try site.rules().isEmpty)
  }

  /// A reader that looks all the time sees the table as it was or as it will be.
  @Test func aReaderSeesBeforeAndAfterOnly() throws {
    let site = try RunSite()
    let script =
      "WAIT\niptables-legacy -F\niptables-legacy -X\n"
      + (1...60).map { "iptables-legacy -A INPUT -s 192.0.2.\($0) -j ACCEPT" }.joined(separator: "\n")
    let result = try site.run(
      script,
      meanwhile: """
        touch "$HERE/go"
        for i in {1..5000}; do
          iptables-legacy-save -t filter | grep -c -- ^-A
          kill -0 $p 2> /dev/null || break
        done > "$HERE/seen"
        iptables-legacy-save -t filter | grep -c -- ^-A >> "$HERE/seen"
        """)
    #expect(result.status == 0, "\(result)")
    let seen = String(decoding: try readFile(site.space.directory + "/seen"), as: UTF8.self).split(separator: "\n")
    #expect(seen.count > 20 && Set(seen) == ["2", "60"], "\(seen)")
    #expect(seen == seen.sorted { Int($0)! < Int($1)! })
  }

  @Test func anUnconfirmedCommitIsTakenBack() throws {
    let site = try RunSite()
    let before = try site.live()
    let result = try site.run(
      "ipset create new hash:ip\niptables-legacy -A INPUT -m set --match-set new src -j DROP",
      options: ["--confirm", "1s"])
    #expect(result.status == 81, "\(result)")
    #expect(try site.live() == before)
    #expect(try site.sets().isEmpty)
    let verified = try site.run("iptables-legacy -P INPUT DROP", options: ["--verify", "false"])
    #expect(verified.status == 82, "\(verified)")
    #expect(try site.live() == before)
  }

  @Test func twoRunsAtOnceDoNotMeet() throws {
    let site = try RunSite()
    let second = try site.script("iptables-legacy -A INPUT -s 192.0.2.2", "second.sh")
    let result = try site.run(
      "iptables-legacy -A INPUT -s 192.0.2.1\nWAIT",
      meanwhile: "\"$FIREBREAK\" run --state-dir \"$HERE/state\" -- \(second)")
    #expect(result.status == 0, "\(result)")
    #expect(try Set(site.rules()).isSuperset(of: ["-A INPUT -s 192.0.2.1/32", "-A INPUT -s 192.0.2.2/32"]))
    #expect(try site.rules().count == 4)
  }

  // MARK: Sets

  /// Sets of every kind are copied as they are, which ipset says of the copy and of what is made of it.
  private static let sets = [
    "create ip hash:ip family inet timeout 3000 counters comment skbinfo",
    "add ip 192.0.2.1 timeout 2900 packets 5 bytes 50 comment \"a b\" skbmark 0x1/0xff skbprio 1:2 skbqueue 3",
    "add ip 192.0.2.2 timeout 0 packets 0 bytes 0",
    "create six hash:net family inet6", "add six 2001:db8::/32", "add six 2001:db8:1::/48 nomatch",
    "create both hash:ip,port,net family inet", "add both 192.0.2.1,tcp:80,198.51.100.0/24",
    "create mac hash:mac", "add mac 02:00:00:00:00:01",
    "create link hash:net,iface family inet", "add link 192.0.2.0/24,eth0", "add link 192.0.2.0/24,physdev:eth1",
    "create marks hash:ip,mark family inet markmask 0xff", "add marks 192.0.2.1,0x12",
    "create range bitmap:ip range 192.0.2.0-192.0.2.255", "add range 192.0.2.9",
    "create macs bitmap:ip,mac range 192.0.2.0-192.0.2.255", "add macs 192.0.2.9,02:00:00:00:00:09",
    "create ports bitmap:port range 0-1024", "add ports 22",
    "create names list:set size 8", "add names ip", "add names six", "add names range",
  ]

  private func normal(_ lines: [String]) -> [String] {
    lines.map { line in
      var words = line.split(separator: " ").map(String.init)
      if let place = words.firstIndex(of: "timeout"), words[0] == "add", words[place + 1] != "0" {
        words[place + 1] = "N"
      }
      return words.joined(separator: " ")
    }.sorted()
  }

  /// Kernels need not have every type of set.
  private static let supported: [String] = {
    guard let probe = try? TestNamespace() else { return [] }
    var known: Set<Substring> = []
    return sets.filter { line in
      let words = line.split(separator: " ")
      if words[0] == "create", (try? probe.require(["ipset"] + words.map(String.init))) != nil {
        known.insert(words[1])
      }
      return known.contains(words[1])
    }
  }()

  @Test func setsOfEveryKindAreCopied() throws {
    let site = try RunSite()
    let sets = Self.supported
    #expect(sets.count { $0.hasPrefix("create") } >= 4)
    try site.space.require(["ipset", "restore"], input: sets.joined(separator: "\n") + "\n")
    let live = try site.sets()
    #expect(live.count == sets.count)
    let seen = try site.run("ipset save; ipset add six 2001:db8:2::/48; exit 3")
    let copied = seen.stdout.split(separator: "\n").map { line in
      line.split(separator: " ").prefix { $0 != "hashsize" && $0 != "bucketsize" && $0 != "initval" }
        .joined(separator: " ")
    }
    #expect(normal(copied) == normal(live), "\(seen)")
    #expect(try normal(site.sets()) == normal(live))
    // All of them made by a script, too.
    let other = try RunSite()
    let file = try other.space.file("sets", sets.joined(separator: "\n") + "\n")
    let made = try other.run("ipset restore -f \(file)")
    #expect(made.status == 0, "\(made)")
    #expect(try normal(other.sets()) == normal(live))
  }

  @Test func setsAreMadeBeforeTheRulesAndDestroyedBehindThem() throws {
    let site = try RunSite(loading: "")
    try site.space.require(
      ["ipset", "restore"],
      input: "create pad hash:ip\ncreate old hash:ip\ncreate stays hash:ip\nadd stays 192.0.2.1\nadd stays 192.0.2.2\n")
    try site.space.require(["iptables-legacy", "-A", "INPUT", "-m", "set", "--match-set", "old", "src", "-j", "DROP"])
    let result = try site.run(
      """
      iptables-legacy -F
      ipset destroy old
      ipset create new hash:net
      ipset add new 192.0.2.0/24
      ipset add stays 192.0.2.3
      ipset del stays 192.0.2.1
      WAIT
      iptables-legacy -A INPUT -m set --match-set new src -j DROP
      iptables-legacy -A INPUT -m set --match-set stays src -j ACCEPT
      """, meanwhile: "ipset add stays 192.0.2.99")
    #expect(result.status == 0, "\(result)")
    #expect(
      try site.rules() == [
        "-A INPUT -m set --match-set new src -j DROP", "-A INPUT -m set --match-set stays src -j ACCEPT",
      ])
    #expect(
      try normal(site.sets()) == [
        "add new 192.0.2.0/24", "add stays 192.0.2.2", "add stays 192.0.2.3", "add stays 192.0.2.99",
        "create new hash:net family inet", "create pad hash:ip family inet", "create stays hash:ip family inet",
      ])
  }

  @Test func setsAreTakenBackWithTheRules() throws {
    let site = try RunSite()
    try site.space.require(["ipset", "restore"], input: "create there hash:ip\nadd there 192.0.2.1\n")
    let (rules, sets) = (try site.live(), try site.sets())
    let text = """
      ipset create new hash:ip
      ipset add there 192.0.2.2
      ipset del there 192.0.2.1
      iptables-legacy -A INPUT -m set --match-set new src -j DROP
      """
    let refused = try site.run(text, options: ["--verify", "false"])
    #expect(refused.status == 82, "\(refused)")
    #expect(try site.live() == rules)
    #expect(try site.sets() == sets)
    let taken = try site.run("\(text)\nWAIT", meanwhile: "ipset create new list:set")
    #expect(taken.status == 1 && taken.stderr.contains("set 'new' cannot be made"), "\(taken)")
    #expect(try site.live() == rules)
    #expect(try normal(site.sets()) == normal(sets + ["create new list:set size 8"]))
  }

  @Test func aSetOfAnotherTypeUnderTheSameNameIsRefused() throws {
    let site = try RunSite()
    try site.space.require(["ipset", "create", "there", "hash:ip"])
    let result = try site.run("ipset destroy there; ipset create there hash:net")
    #expect(result.status == 1 && result.stderr.contains("set 'there' was made anew with another type"), "\(result)")
    #expect(try site.sets() == ["create there hash:ip family inet"])
  }

  /// What a set was made with cannot be changed, and scripts make another one and swap both. Rows: what the script does.
  @Test(arguments: [
    "ipset create spare hash:net maxelem 200 comment; ipset add spare 192.0.2.8/32 comment b; ipset swap spare there; ipset destroy spare",
    "iptables-legacy -F; ipset destroy there; ipset create there hash:net timeout 0; ipset add there 192.0.2.8/32 timeout 900; iptables-legacy -A INPUT -m set --match-set there src -j DROP",
  ]) func aSetWithOtherOptionsTakesItsPlace(_ script: String) throws {
    let site = try RunSite(loading: "")
    let given = ["create there hash:net family inet maxelem 100", "add there 192.0.2.7"]
    for line in given { try site.space.require(["sh", "-c", "ipset \(line)"]) }
    try site.space.require(["iptables-legacy", "-A", "INPUT", "-m", "set", "--match-set", "there", "src", "-j", "DROP"])
    func isBlocked(_ address: String) throws -> Bool {
      try site.space.run(["ipset", "test", "there", address]).status == 0
    }
    let before = (try site.space.require(["ipset", "save"]).stdout, try site.rules())
    let checked = try site.run(script, options: ["--check"])
    #expect(checked.status == 0, "\(checked)")
    let unconfirmed = try site.run(script, options: ["--verify", "ipset test there 192.0.2.8 && false"])
    #expect(unconfirmed.status == 82, "\(unconfirmed)")
    func isAsBefore() throws -> Bool {
      try site.space.require(["sh", "-c", "ipset save"]).stdout.withoutSeeds == before.0.withoutSeeds
        && site.rules() == before.1
    }
    #expect(try isAsBefore())
    let result = try site.run(script)
    #expect(result.status == 0 && result.stdout.hasPrefix("changed: set there\n"), "\(result)")
    #expect(try !isBlocked("192.0.2.7") && isBlocked("192.0.2.8"))
    #expect(try site.rules() == before.1, "they look into the new one")
    #expect(try site.sets().count == 2, "nothing else is left")
    let back = try site.space.firebreak(["rollback"])
    #expect(back.status == 0, "\(back)")
    #expect(try isAsBefore())
    let forth = try site.space.firebreak(["rollback", "1"])
    #expect(forth.status == 0, "\(forth)")
    #expect(try !isBlocked("192.0.2.7") && isBlocked("192.0.2.8"))
  }

  @Test func aSetThatSomebodyElseMadeAnewIsNotExchanged() throws {
    let site = try RunSite()
    try site.space.require(["ipset", "create", "there", "hash:ip"])
    let result = try site.run(
      "ipset destroy there; ipset create there hash:ip timeout 9\nWAIT",
      meanwhile: "ipset destroy there; ipset create there hash:ip comment")
    #expect(result.status == 75, "\(result)")
    #expect(result.stderr.contains("set there has been made anew by another program meanwhile"), "\(result)")
    #expect(try site.space.require(["ipset", "save"]).stdout.contains(" comment"))
  }
}

extension String {
  /// What `ipset save` says without the kernel's own numbers.
  fileprivate var withoutSeeds: [String] {
    split(separator: "\n").map { $0.split(separator: " ").prefix { $0 != "bucketsize" }.joined(separator: " ") }
  }
}
