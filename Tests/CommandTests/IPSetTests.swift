import KernelTestSupport
import Testing

/// Rules that look into sets: in the kernel they hold numbers that belong to a namespace.
@Suite(
  .requires(
    .legacyTables, .tool("ipset"), .tool("iptables-legacy-save"), .tool("iptables-legacy-restore"),
    .tool("ip6tables-legacy-restore")))
struct IPSetTests {
  private static let rules = """
    *mangle
    :PREROUTING ACCEPT [0:0]
    :INPUT ACCEPT [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :POSTROUTING ACCEPT [0:0]
    -A FORWARD -j SET --map-set marks src --map-mark --map-prio --map-queue
    COMMIT
    *filter
    :INPUT ACCEPT [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    -A INPUT -m set --match-set blocked src -j DROP
    -A INPUT -p tcp -m set ! --match-set services dst,dst -m tcp --dport 80 -j DROP
    -A INPUT -m set --match-set blocked src --return-nomatch ! --update-counters ! --update-subcounters -j DROP
    -A INPUT -m set --match-set blocked src ! --packets-eq 5 --bytes-gt 1000 -j DROP
    -A INPUT -m set --match-set blocked src --packets-lt 18446744073709551615 --bytes-lt 7 -j DROP
    -A FORWARD -j SET --add-set blocked src --exist --timeout 30 --del-set services src,dst
    -A FORWARD -j SET --add-set blocked dst
    COMMIT

    """
  private static let rules6 = """
    *filter
    :INPUT ACCEPT [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    -A INPUT -m set --match-set blocked6 src -j DROP
    -A FORWARD -m set --match-set ports src -j ACCEPT
    COMMIT

    """

  private func siteWithSets() throws -> CommandSite {
    let site = try CommandSite()
    for words in [
      ["unused", "hash:ip"], ["blocked", "hash:ip", "timeout", "0", "counters"], ["services", "hash:ip,port"],
      ["marks", "hash:ip", "skbinfo"], ["ports", "bitmap:port", "range", "0-1024"],
      ["blocked6", "hash:ip", "family", "inet6"],
    ] {
      try site.space.require(["ipset", "create"] + words)
    }
    return site
  }

  @Test func theKernelHoldsWhatIptablesWouldPutThere() throws {
    let (ours, theirs) = (try siteWithSets(), try siteWithSets())
    for (tool, text, name) in [("iptables", Self.rules, "a.v4"), ("ip6tables", Self.rules6, "a.v6")] {
      let applied = try ours.firebreak("apply", "-q", try ours.space.file(name, text))
      #expect(applied.status == 0, "\(applied)")
      try theirs.space.require([tool + "-legacy-restore"], input: text)
      let saved = comparable(try ours.space.require([tool + "-legacy-save"]).stdout)
      #expect(saved == comparable(try theirs.space.require([tool + "-legacy-save"]).stdout))
      // What restore put there is what the same text means, byte for byte.
      let again = try theirs.firebreak("apply", "--json", try theirs.space.file(name, text))
      #expect(again.stdout.contains("\"status\":\"unchanged\""), "\(again)")
    }
    for site in [ours, theirs] {
      #expect(tables(comparable(try site.firebreak("save", "-4").stdout)) == tables(comparable(Self.rules)))
      #expect(comparable(try site.firebreak("save", "-6").stdout) == comparable(Self.rules6))
    }
  }

  @Test func aSetThatDoesNotExistIsNamed() throws {
    let site = try siteWithSets()
    let file = try site.space.file("a.v4", "*filter\n-A INPUT -m set --match-set nowhere src -j DROP\nCOMMIT\n")
    let result = try site.firebreak("apply", file)
    #expect(result.status == 65)
    #expect(result.stderr.contains("\(file):2:29: error: --match-set: set 'nowhere' does not exist"), "\(result)")
    #expect(result.stderr.contains("ipset create nowhere"))
    #expect(try site.rules().isEmpty)
    let family = try site.space.file("b.v4", "*filter\n-A INPUT -m set --match-set blocked6 src -j DROP\nCOMMIT\n")
    let refused = try site.firebreak("apply", family)
    #expect(refused.status == 65 && refused.stderr.contains("set 'blocked6' is of family IPv6"), "\(refused)")
  }

  /// Whoever asks; the rules may be for another machine.
  @Test(.requires(.tool("setpriv"))) func checkSaysNothingOfSets() throws {
    let site = try CommandSite()
    let file = try site.space.file("a.v4", Self.rules)
    #expect(try site.firebreak("check", file).status == 0)
    try site.space.require(["chmod", "-R", "a+rX", site.space.directory])
    // Copied by a process of its own: a file that this one has open for writing cannot be run.
    let program = site.space.directory + "/firebreak"
    try runProcess(["cp", Built.firebreak, program])
    try site.space.require(["chmod", "755", program])
    let checked = try site.space.run(
      ["setpriv", "--reuid", "65534", "--clear-groups", program, "check", "-"], input: Self.rules)
    #expect(checked.status == 0, "\(checked)")
    let compared = try site.space.run(
      ["setpriv", "--reuid", "65534", "--clear-groups", program, "diff", file, file])
    #expect(compared.status == 0, "\(compared)")
    #expect(try site.firebreak("apply", "-q", file).status == 65)
  }

  /// What follows the first table is tried in a namespace that has no sets of its own.
  @Test func theRehearsalKnowsSets() throws {
    let site = try siteWithSets()
    let file = try site.space.file("a.v4", Self.rules)
    let planned = try site.firebreak("apply", "--check", file)
    #expect(planned.status == 0 && !planned.stderr.contains("no rehearsal"), "\(planned)")
    #expect(try site.firebreak("apply", "-q", file).status == 0)
  }

  /// The kernel maps priorities only where packets leave, and says no more than EINVAL.
  @Test(arguments: [true, false]) func theLineThatTheKernelRefusesIsNamed(_ isSecond: Bool) throws {
    let site = try siteWithSets()
    let first = isSecond ? "*raw\n-A OUTPUT -j ACCEPT\nCOMMIT\n" : "\n\n\n"
    let text = """
      *mangle
      -A INPUT -m set --match-set blocked src -j ACCEPT
      -A INPUT -j SET --map-set marks src --map-prio
      COMMIT

      """
    let file = try site.space.file("a.v4", first + text)
    let result = try site.firebreak("apply", file)
    #expect(result.status != 0)
    #expect(result.stderr.contains("\(file):6"), "\(result)")
    #expect(try !site.rules().contains { $0.hasPrefix("-A") })
  }

  @Test func takingBackFindsSetsByName() throws {
    let site = try siteWithSets()
    let old = try site.space.file("old.v4", "*filter\n-A INPUT -m set --match-set blocked src -j DROP\nCOMMIT\n")
    let new = try site.space.file("new.v4", "*filter\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n")
    #expect(try site.firebreak("apply", "-q", old).status == 0)
    #expect(try site.firebreak("apply", "-q", new).status == 0)
    // Made again, the set gets another number, and its old one is another set's.
    try site.space.require(["ipset", "destroy", "blocked"])
    let gone = try site.firebreak("rollback")
    #expect(gone.status != 0 && gone.stderr.contains("set 'blocked', which is gone"), "\(gone)")
    #expect(try site.firebreak("diff").stdout.contains("--match-set blocked src"))
    #expect(try site.rules().contains("-A INPUT -s 192.0.2.1/32 -j DROP"))
    try site.space.require(["ipset", "create", "other", "hash:ip"])
    try site.space.require(["ipset", "create", "blocked", "hash:ip"])
    let back = try site.firebreak("rollback")
    #expect(back.status == 0, "\(back)")
    #expect(try site.rules().contains("-A INPUT -m set --match-set blocked src -j DROP"))
  }

  @Test func theNamespaceThatIsNamedIsAsked() throws {
    let (named, other) = (try siteWithSets(), try CommandSite())
    let file = try named.space.file("a.v4", Self.rules)
    let result = try other.firebreak("apply", "-q", "--netns", named.space.name, file)
    #expect(result.status == 0, "\(result)")
    let saved = comparable(try named.space.require(["iptables-legacy-save"]).stdout)
    #expect(tables(saved) == tables(comparable(Self.rules)))
    #expect(try other.rules().isEmpty)
  }
}
