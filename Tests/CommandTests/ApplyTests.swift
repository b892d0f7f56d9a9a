import KernelTestSupport
import Testing

/// `firebreak apply` and what belongs to it, from end to end.
@Suite(.requires(.legacyTables, .tool("iptables-legacy-save")))
struct ApplyTests {
  @Test func theLineAsItStandsInTheManual() throws {
    let site = try CommandSite()
    let file = try site.space.file("rules", Sample.web)
    let result = try site.firebreak(
      "apply", "-q", "--backend", "legacy", "--state-dir", site.space.stateDirectory, "-4", file)
    #expect(result.status == 0)
    #expect(result.stdout == "")
    #expect(result.stderr == "")
    #expect(try site.rules().contains("-A web -s 192.0.2.0/24 -j REJECT --reject-with icmp-port-unreachable"))
    #expect(try site.kernel().contains("[0:0] -A web -j ACCEPT"), "counters of the file are taken with -c only")
  }

  @Test func countersAreTakenWhenAskedFor() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    #expect(try site.kernel().contains("[5:500] -A web -j ACCEPT"))
    #expect(try site.kernel().contains(":INPUT DROP [7:700]"))
  }

  @Test func rulesThatStayKeepTheirCounters() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let file = try site.space.file("changed.v4", Sample.changed)
    #expect(try site.firebreak("apply", "-q", file).status == 0)
    let kernel = try site.kernel()
    for line in ["[1:100] -A INPUT -i lo -j ACCEPT", "[5:500] -A web -j ACCEPT", ":INPUT DROP [7:700]"] {
      #expect(kernel.contains(line), "\(line)")
    }
    #expect(kernel.contains("[0:0] -A INPUT -p udp -m udp --dport 53 -j ACCEPT"))
    #expect(!kernel.contains { $0.contains("--dport 22") })
  }

  @Test func theSameAgainIsNoCommit() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let before = try site.kernel()
    let file = try site.space.file("again.v4", Sample.web)
    let result = try site.firebreak("apply", "--json", file)
    #expect(result.status == 0)
    #expect(result.stdout.contains("\"status\":\"unchanged\""))
    #expect(try site.kernel() == before)
  }

  @Test func bothFamiliesInOneCommit() throws {
    let site = try CommandSite()
    let v4 = try site.space.file("a.v4", "*filter\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n")
    let v6 = try site.space.file("a.v6", "*filter\n-A INPUT -s 2001:db8::1 -j DROP\nCOMMIT\n")
    let result = try site.firebreak("apply", "--json", v4, v6)
    #expect(result.status == 0, "\(result)")
    #expect(result.stdout.contains("\"family\":4") && result.stdout.contains("\"family\":6"))
    #expect(try site.rules().contains("-A INPUT -s 2001:db8::1/128 -j DROP"))
    #expect(try site.firebreak("rollback").status == 0)
    #expect(try !site.rules().contains { $0.hasPrefix("-A") })
  }

  @Test func checkChangesNothing() throws {
    let site = try CommandSite()
    let file = try site.space.file("a.v4", Sample.web)
    for option in ["--check", "-n", "--dry-run"] {
      let result = try site.firebreak("apply", option, "--json", file)
      #expect(result.status == 0, "\(result)")
      #expect(result.stdout.contains("\"status\":\"planned\""))
    }
    #expect(try site.kernel() == [])
  }

  @Test func diffShowsWhatChanges() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let file = try site.space.file("changed.v4", Sample.changed)
    let shown = try site.firebreak("apply", "--check", "--diff", file)
    #expect(shown.stdout.contains("+-A INPUT -p udp -m udp --dport 53 -j ACCEPT"))
    #expect(shown.stdout.contains("--A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"))
    #expect(try site.firebreak("diff", file).status == 1)
    #expect(try site.firebreak("diff", file, "kernel").status == 1)
    let given = try site.space.file("given.v4", Sample.web)
    let same = try site.firebreak("diff", given)
    #expect(same.status == 0, "\(same)")
    #expect(try site.firebreak("diff", given, file).status == 1)
    #expect(try site.firebreak("diff", given, given).status == 0)
  }

  /// `state` is `conntrack`, and counters and table order do not matter.
  @Test func diffIsByMeaning() throws {
    let site = try CommandSite()
    let a = try site.space.file(
      "a.v4", "*filter\n[1:2] -A INPUT -m state --state NEW -j DROP\nCOMMIT\n*raw\n-A OUTPUT -j DROP\nCOMMIT\n")
    let b = try site.space.file(
      "b.v4", "*raw\n-A OUTPUT -j DROP\nCOMMIT\n*filter\n-A INPUT -m conntrack --ctstate NEW -j DROP\nCOMMIT\n")
    #expect(try site.firebreak("diff", a, b).status == 0)
  }

  @Test func standardInputAndPipes() throws {
    let site = try CommandSite()
    #expect(
      try site.firebreak("apply", "-q", "-6", "-", input: "*filter\n-A INPUT -s 2001:db8::1 -j DROP\nCOMMIT\n").status
        == 0)
    #expect(try site.rules().contains("-A INPUT -s 2001:db8::1/128 -j DROP"))
    let saved = try site.firebreak("save", "-6").stdout
    #expect(try site.firebreak("apply", "--json", "-", input: saved).stdout.contains("unchanged"))
  }

  @Test func aListOfCommands() throws {
    let site = try CommandSite()
    let script =
      "#!/bin/sh\niptables -N web\niptables -A web -j ACCEPT\niptables -A INPUT -p tcp --dport 80 -j web\niptables -P INPUT DROP\nip6tables -A INPUT -j DROP\n"
    let result = try site.firebreak("apply", "-q", try site.space.file("rules.sh", script))
    #expect(result.status == 0, "\(result)")
    #expect(try site.rules().contains("-A INPUT -p tcp -m tcp --dport 80 -j web"))
  }

  @Test func anotherNamespaceByName() throws {
    let site = try CommandSite()
    let other = try CommandSite()
    let file = try site.space.file("a.v4", Sample.web)
    #expect(try site.firebreak("apply", "-q", "--netns", other.space.name, file).status == 0)
    #expect(try site.kernel() == [])
    #expect(try other.rules().contains("-A web -j ACCEPT"))
    #expect(try site.firebreak("save", "--netns", "/run/netns/\(other.space.name)").stdout.contains("-A web -j ACCEPT"))
    #expect(try site.firebreak("save", "--netns", "fbt-none").status == 66)
  }

  // MARK: rollback, recover

  @Test func rollbackGoesOneStepBackCountersToo() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let before = try site.kernel()
    let both = Sample.changed + "*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n"
    #expect(try site.firebreak("apply", "-q", "-m", "why not", try site.space.file("b.v4", both)).status == 0)
    let back = try site.firebreak("rollback", "--json")
    #expect(back.status == 0, "\(back)")
    #expect(back.stdout.contains("rolled back"))
    let after = try site.kernel()
    #expect(before.allSatisfy { after.contains($0) })
    #expect(!after.contains { $0.contains("MASQUERADE") })
    #expect(after.filter { $0.contains("-A ") }.count == before.filter { $0.contains("-A ") }.count)
    #expect(try site.firebreak("rollback").status == 0, "one step more")
    #expect(try !site.rules().contains { $0.contains("-A ") })
    let again = try site.firebreak("rollback")
    #expect(again.status == 1)
    #expect(again.stderr.contains("no commit to take back"))
  }

  @Test func rollbackKeepsWhatSomebodyElseAdded() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    try site.space.require(["iptables-legacy", "-A", "FORWARD", "-j", "DROP"])
    let result = try site.firebreak("rollback")
    #expect(result.status == 0)
    #expect(result.stderr.contains("note:"), "\(result)")
    #expect(try site.rules().filter { $0.hasPrefix("-A") } == ["-A FORWARD -j DROP"])
  }

  @Test func nothingToRecover() throws {
    let site = try CommandSite()
    let result = try site.firebreak("recover", "--json")
    #expect(result.status == 0)
    #expect(result.stdout.contains("nothing to recover"))
    #expect(try site.kernel() == [])
  }

  // MARK: save, list

  @Test func saveIsWhatIptablesSavePrints() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    try site.load("*mangle\n-A PREROUTING -j MARK --set-mark 1\nCOMMIT\n*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n")
    for options in [[], ["-c"], ["-t", "nat"], ["-t", "filter", "-c"]] {
      let ours = try site.space.firebreak(["save"] + options).stdout
      let theirs = try site.space.require(["iptables-legacy-save"] + options).stdout
      #expect(uncommented(ours) == uncommented(theirs), "\(options)")
    }
    let restored = try CommandSite()
    let saved = try site.firebreak("save", "-c").stdout
    #expect(try restored.space.run(["iptables-legacy-restore", "-c"], input: saved).status == 0)
    #expect(try Set(restored.kernel()) == Set(site.kernel()))
  }

  /// What no extension knows is printed so that Firebreak reads it back.
  @Test func saveKeepsWhatItDoesNotKnow() throws {
    let site = try CommandSite()
    try site.space.require(["iptables-legacy", "-A", "INPUT", "-m", "u32", "--u32", "0x0=0x45000000", "-j", "ACCEPT"])
    let before = try site.kernel()
    let saved = try site.firebreak("save").stdout
    #expect(try site.firebreak("apply", "--json", "-4", "-", input: saved).stdout.contains("unchanged"))
    #expect(try site.space.run(["iptables-legacy", "-F"]).status == 0)
    #expect(try site.firebreak("apply", "-q", "-4", "-", input: saved).status == 0)
    #expect(try site.kernel() == before)
  }

  @Test func listIsForPeople() throws {
    let site = try CommandSite()
    #expect(try site.firebreak("list").stdout.contains("no tables"))
    try site.load(Sample.web)
    let plain = try site.firebreak("list").stdout
    #expect(plain.contains("INPUT") && plain.contains("192.0.2.0/24") && !plain.contains("500"))
    #expect(try site.firebreak("list", "-v").stdout.contains("500"))
    let chain = try site.firebreak("list", "-t", "filter", "--line-numbers", "web").stdout
    #expect(chain.contains("web") && !chain.contains("INPUT"))
    let json = try site.firebreak("list", "--json").stdout
    #expect(json.contains("\"chain\":\"web\""))
    let none = try site.firebreak("list", "wbe")
    #expect(none.status == 1)
    #expect(none.stderr.contains("web"), "a name close by is offered")
  }
}
