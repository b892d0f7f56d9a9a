import CommitEngine
import Glibc
import KernelTestSupport
import Testing

/// What a script does to sets (ipset) and to tables of nft's own is one act with its rules.
@Suite(
  .requires(
    .legacyTables, .nfTables, .tool("iptables-legacy-save"), .tool("ipset"), .tool("nft"), .tool("bash"), .tool("ping"))
)
struct RunCompanionTests {
  /// What is live before each script.
  private static let given = """
    ipset create there hash:ip timeout 0
    ipset add there 192.0.2.1
    ipset add there 192.0.2.60 timeout 3000
    ipset create gone hash:net
    ipset add gone 10.0.0.0/8
    nft -f - <<END
    table inet leaves {
      set few { type ipv4_addr; elements = { 192.0.2.3 }; }
      chain one { type filter hook input priority 7; ip saddr @few counter packets 3 bytes 30 drop; }
    }
    table ip stays {
      counter many { packets 7 bytes 70; }
      set seen { type ipv4_addr; flags dynamic; size 99; elements = { 192.0.2.30 }; }
      chain one {
        type filter hook input priority 8;
        ip saddr 127.0.0.1 icmp type echo-request counter packets 5 bytes 50 counter name many
        ip saddr { 192.0.2.4, 192.0.2.5 } counter packets 4 bytes 40 drop
      }
    }
    END
    """

  private static let script = """
    set -e
    ipset create new hash:ip
    ipset add new 192.0.2.2
    ipset add there 192.0.2.7
    ipset del there 192.0.2.1
    ipset destroy gone
    nft delete table inet leaves
    nft insert rule ip stays one ip saddr '{ 192.0.2.8, 192.0.2.9 }' counter drop
    nft add element ip stays seen '{ 192.0.2.31 }'
    nft add table netdev comes
    nft add map inet more '{ }' 2>/dev/null || nft add table inet more
    iptables-legacy -A INPUT -m set --match-set new src -j DROP
    """

  private static func site() throws -> RunSite {
    let site = try RunSite()
    try site.space.require(["bash", "-c", "set -e\n" + given])
    return site
  }

  /// Rules, sets and tables, without what time changes and in an order of their own.
  private func all(_ site: RunSite) throws -> [String] {
    let tables = try site.space.require(["nft", "list", "tables"]).stdout.split(separator: "\n").sorted()
    let native = try tables.map { table in
      try site.space.require(["nft", "list"] + table.split(separator: " ").map(String.init)).stdout
    }
    return try site.live() + site.sets().map(withoutTime).sorted() + native
  }

  private func withoutTime(_ line: String) -> String {
    line.firstRange(of: " timeout ").map { String(line[..<$0.lowerBound]) } ?? line
  }

  /// Runs the command in another start of the machine, the same one each time.
  private func startingAgain(_ site: RunSite, _ words: [String], _ more: String...) throws -> ProcessResult {
    let boot = try site.space.file("boot", "11111111-2222-3333-4444-555555555555\n")
    let script = "mount --bind \(boot) /proc/sys/kernel/random/boot_id && exec \"$@\""
    return try site.space.run(
      ["unshare", "-m", "sh", "-c", script, "sh", Built.firebreak] + words
        + ["--state-dir", site.space.stateDirectory] + more)
  }

  private func table(_ site: RunSite) throws -> String {
    try site.space.require(["nft", "list", "table", "ip", "stays"]).stdout
  }

  @Test func allOfItIsOneActThatCanBeTakenBackAndDoneAgain() throws {
    let site = try Self.site()
    let before = try all(site)
    let checked = try site.run(Self.script, options: ["--check"])
    #expect(checked.status == 0, "\(checked)")
    #expect(try all(site) == before)
    let result = try site.run(Self.script)
    #expect(result.status == 0, "\(result)")
    #expect(
      result.stdout == """
        made: set new, nf_tables table inet more, nf_tables table netdev comes
        changed: set there, nf_tables table ip stays
        removed: set gone, nf_tables table inet leaves
        committed: IPv4 filter; 1 rules added, 0 removed; generation 1

        """ || result.stdout.contains("nf_tables table netdev comes, nf_tables table inet more"), "\(result)")
    let audit = String(decoding: try readFile(site.space.stateDirectory + "/audit.jsonl"), as: UTF8.self)
    #expect(audit.contains("\"beside\":[\"set new\",\"set there\",\"set gone\","), "\(audit)")
    let after = try all(site)
    #expect(
      try site.sets().map(withoutTime).sorted() == [
        "add new 192.0.2.2", "add there 192.0.2.60", "add there 192.0.2.7", "create new hash:ip family inet",
        "create there hash:ip family inet",
      ])
    #expect(try table(site).contains("ip saddr { 192.0.2.8, 192.0.2.9 } counter packets 0 bytes 0 drop"))
    #expect(try table(site).contains("ip saddr { 192.0.2.4, 192.0.2.5 } counter packets 4 bytes 40 drop"))
    let shown = try site.space.firebreak(["show"])
    #expect(shown.stdout.contains("# with set new\n") && shown.stdout.contains("# with nf_tables table ip stays\n"))
    #expect(!shown.stdout.contains("gone"), "\(shown)")

    let back = try site.space.firebreak(["rollback"])
    #expect(back.status == 0 && back.stdout.contains("removed: set new, nf_tables table inet more"), "\(back)")
    #expect(try all(site) == before)
    let forth = try site.space.firebreak(["rollback", "1"])
    #expect(forth.status == 0 && forth.stdout.contains("made: set new"), "\(forth)")
    #expect(try all(site) == after)
    #expect(try site.space.firebreak(["rollback", "0"]).status == 0)
    #expect(try all(site) == before)
    let released = try site.space.firebreak(["show"])
    #expect(!released.stdout.contains("# with"), "what is as it was found is not ours: \(released)")
    try site.space.require(["ipset", "destroy", "there"])
    try site.space.require(["nft", "flush", "ruleset"])
    let again = try site.space.firebreak(["rollback", "1"])
    #expect(again.status == 0, "\(again)")
    #expect(try all(site) == after, "whatever became of it meanwhile")
  }

  @Test func anotherCommitKeepsThem() throws {
    let site = try Self.site()
    #expect(try site.run(Self.script).status == 0)
    let file = try site.space.file("more.v4", "*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n")
    #expect(try site.space.firebreak(["apply", file]).status == 0)
    let shown = try site.space.firebreak(["show"])
    #expect(shown.stdout.contains("# generation 2") && shown.stdout.contains("# with set new\n"), "\(shown)")
    let only = try site.run("ipset add new 192.0.2.99")
    #expect(only.stdout == "changed: set new\ncommitted: no rules of iptables; generation 3\n", "\(only)")
    #expect(try site.space.firebreak(["rollback"]).status == 0)
    #expect(try !site.sets().contains { $0.contains("192.0.2.99") })
    let none = try site.run("ipset add -exist new 192.0.2.2; nft list ruleset > /dev/null")
    #expect(none.stdout == "unchanged: the kernel holds these rules already\n", "\(none)")
  }

  @Test(arguments: ["--verify false", "--confirm 1s"]) func takenBackWhole(_ options: String) throws {
    let site = try Self.site()
    let before = try all(site)
    let result = try site.run(Self.script, options: options.split(separator: " ").map(String.init))
    #expect(result.status == (options.contains("verify") ? 82 : 81), "\(result)")
    #expect(try all(site) == before)
    let log = try site.space.firebreak(["log"])
    #expect(log.stdout == "no commits yet\n", "\(log)")
  }

  /// Sets that the script destroyed go with the confirmation, and stay until then.
  @Test func confirmedFromAnotherLogin() throws {
    let site = try Self.site()
    let result = try site.run(Self.script, options: ["--confirm", "60s", "--no-wait"])
    #expect(result.status == 0, "\(result)")
    #expect(try site.sets().contains { $0.hasPrefix("create gone") })
    #expect(try site.sets().contains { $0.hasPrefix("create new") })
    let confirmed = try site.space.firebreak(["confirm"])
    #expect(confirmed.status == 0, "\(confirmed)")
    #expect(try !site.sets().contains { $0.hasPrefix("create gone") })
  }

  /// Packets count on in rules and objects that stay while the script runs, and what packets put into sets stays.
  @Test func packetsCountOnMeanwhile() throws {
    let site = try Self.site()
    let result = try site.run(
      "nft add rule ip stays one ip saddr 192.0.2.77 counter drop\nWAIT",
      meanwhile: """
        ip link set lo up; ping -q -c 3 -i 0.02 -W 1 127.0.0.1 >&2
        nft add element ip stays seen '{ 192.0.2.32 }'
        """)
    #expect(result.status == 0, "\(result)")
    let text = try table(site)
    #expect(text.contains("counter packets 8 bytes") && text.contains("packets 10 bytes"), "\(text)")
    #expect(text.contains("192.0.2.32") && text.contains("192.0.2.77"), "\(text)")
  }

  /// Rows: elements alone, in sets that packets or time change besides.
  @Test(arguments: [
    ("nft add element ip stays seen '{ 192.0.2.31 }'", "192.0.2.31", true),
    ("nft delete element ip stays seen '{ 192.0.2.30 }'", "192.0.2.30", false),
    ("nft add element ip stays timed '{ 192.0.2.41 }'", "192.0.2.41", true),
    ("nft delete element ip stays timed '{ 192.0.2.40 }'", "192.0.2.40", false),
  ]) func elementsAlone(_ call: String, _ element: String, _ comes: Bool) throws {
    let site = try Self.site()
    try site.space.require([
      "nft", "add set ip stays timed { type ipv4_addr; timeout 1h; elements = { 192.0.2.40 }; }",
    ])
    let result = try site.run(call)
    #expect(result.status == 0 && result.stdout.hasPrefix("changed: nf_tables table ip stays\n"), "\(result)")
    #expect(try table(site).contains(element) == comes)
    #expect(try site.space.firebreak(["rollback"]).status == 0)
    #expect(try table(site).contains(element) != comes)
  }

  /// Rows: what the kernel calls by names of its own, or puts back with a flag more, is as the script left it.
  @Test(arguments: [
    """
    table inet t {
      chain c {
        type filter hook input priority 0
        tcp dport 5 jump {
          ip saddr 192.0.2.1 counter accept
          drop
        }
        tcp dport 6 goto {
          counter drop
        }
      }
    }
    """,
    """
    table inet t {
      set s {
        type ipv4_addr
        size 100
        flags dynamic
        elements = { 192.0.2.1 limit rate 10/second counter packets 0 bytes 0 }
      }
    }
    """,
  ]) func whatTheKernelNamesItselfIsNoChange(_ text: String) throws {
    let site = try Self.site()
    // Names are counted for all tables together.
    try site.space.require(["nft", "-f", "-"], input: "table ip a {\nchain c {\njump {\ndrop\n}\n}\n}\n")
    let file = try site.space.file("t.nft", text)
    let result = try site.run("nft -f \(file)")
    #expect(result.status == 0 && result.stdout.hasPrefix("made: nf_tables table inet t\n"), "\(result)")
    let status = try site.space.firebreak(["status"])
    #expect(status.status == 0 && !status.stdout.contains("has been changed"), "\(status)")
    try site.space.require(["nft", "add", "chain", "inet", "t", "other"])
    #expect(try site.space.firebreak(["status"]).stdout.contains("table inet t has been changed"))
  }

  /// A rule that a script calls by its number is the one that has it.
  @Test func numbersAreThoseOfTheLiveTables() throws {
    let site = try Self.site()
    try site.space.require(
      ["nft", "-f", "-"],
      input: """
        table inet t {
          counter hits { }
          set few { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }; }
          map ways { type ipv4_addr : verdict; }
          map counts { type ipv4_addr : counter; elements = { 192.0.2.3 : "hits" }; }
          chain late { }
          chain c {
            type filter hook input priority 0
            tcp dport 1 accept
            ip saddr @few counter name "hits" drop
            ip saddr { 192.0.2.4, 192.0.2.5 } drop
            ip saddr vmap { 192.0.2.6 : jump late, 192.0.2.7 : drop }
            tcp dport 2 jump { drop; }
            tcp dport 3 accept
          }
        }
        """)
    for line in [
      "add rule inet t late tcp dport 4 accept", "insert rule inet t c tcp dport 5 accept",
      "add chain inet t later", "add element inet t ways { 192.0.2.8 : jump later }",
      "insert rule inet t c tcp dport 6 jump later", "add chain inet t gone", "delete chain inet t gone",
      "add counter inet t more", "add element inet t counts { 192.0.2.9 : \"more\" }",
      "add rule inet t c position 10 tcp dport 7 accept", "insert rule inet t late tcp dport 8 accept",
      "delete rule inet t c handle 9", "add rule inet t c ip daddr vmap @ways", "add rule inet t c tcp dport 9 drop",
      "replace rule inet t c handle 10 ip saddr @few drop",
    ] {
      _ = try site.space.run(["nft", line])
    }
    func listing(_ text: String) -> [Substring] {
      // Tables themselves are numbered for the whole namespace.
      text.split(separator: "\n").filter { !$0.hasPrefix("table ") && !$0.hasPrefix("unchanged: ") }
    }
    let before = try site.space.require(["nft", "-a", "list", "table", "inet", "t"]).stdout
    let handles = listing(before).filter { $0.contains("# handle ") }.map { $0.split(separator: " ").last }
    #expect(handles.count > 14 && Set(handles).count == handles.count, "\(before)")
    let copied = try site.run("nft -a list table inet t")
    #expect(copied.status == 0 && listing(copied.stdout) == listing(before), "\(copied)\n\(before)")
    let wanted = try #require(before.split(separator: "\n").first { $0.contains("tcp dport 9 ") })
    let handle = try #require(wanted.split(separator: " ").last)
    #expect(try site.run("nft delete rule inet t c handle \(handle)").status == 0)
    let after = try site.space.require(["nft", "list", "table", "inet", "t"]).stdout
    let expected = before.split(separator: "\n").filter { $0 != wanted }.count
    #expect(!after.contains("tcp dport 9 ") && after.split(separator: "\n").count == expected, "\(after)")
  }

  /// A table that belongs to a process of its own is none of the script's business, and no reason to refuse others.
  @Test func tablesWithAnOwnerStayOutside() throws {
    let site = try Self.site()
    let script = try site.script("nft list tables; nft add table inet comes")
    let driver = """
      (echo 'add table inet own { flags owner; }'; sleep 5) | nft -i > /dev/null & p=$!
      for i in {1..100}; do nft list tables | grep -q own && break; sleep 0.02; done
      "$FIREBREAK" run --state-dir "$HERE/state" -- "$1"; echo "ended $?"
      nft list tables
      """
    let result = try site.space.run(
      ["bash", "-c", driver, "driver", script],
      environment: ["HERE": site.space.directory, "FIREBREAK": Built.firebreak])
    #expect(result.stdout.contains("ended 0\n"), "\(result)")
    let tables = try #require(result.stdout.split(separator: "ended 0\n").last)
    #expect(tables.contains("table inet own") && tables.contains("table inet comes"), "\(result)")
  }

  /// Sets of a table in which time takes elements out.
  private static let timed = """
    table ip stays {
      set timed { type ipv4_addr; flags timeout; timeout 1h; elements = { 192.0.2.40, 192.0.2.42 timeout 2s }; }
      set spans {
        type ipv4_addr; flags interval, timeout
        elements = { 198.51.100.0/25 timeout 1h, 198.51.100.128/25 timeout 2s, 203.0.113.0/24 timeout 2s }
      }
    }
    """

  /// Rows: what the script does besides waiting until elements have run out in its copy, and what of that is said.
  @Test(arguments: [
    ("iptables-legacy -A INPUT -s 192.0.2.1", ""),
    (
      "ipset add there 192.0.2.62; nft add element ip stays timed '{ 192.0.2.41 }'; nft add element ip stays spans '{ 10.0.0.0/8 }'",
      "changed: set there, nf_tables table ip stays\n"
    ),
  ]) func whatRunsOutMeanwhileIsNotTheScriptsWork(_ script: String, _ said: String) throws {
    let site = try Self.site()
    try site.space.require(["nft", Self.timed])
    try site.space.require(["ipset", "add", "there", "192.0.2.61", "timeout", "2"])
    let result = try site.run(
      "\(script)\nWAIT",
      meanwhile: """
        sleep 3
        ipset add -exist there 192.0.2.61 timeout 600
        nft 'add element ip stays timed { 192.0.2.42 timeout 600s }; add element ip stays spans { 203.0.113.0/24 timeout 600s }'
        """)
    #expect(result.status == 0 && result.stdout.hasPrefix(said + "committed: "), "\(result)")
    #expect(try site.sets().contains { $0.hasPrefix("add there 192.0.2.61 ") })
    let text = try table(site)
    #expect(text.contains("192.0.2.42 timeout 10m") && text.contains("203.0.113.0/24 timeout 10m"), "\(text)")
    #expect(text.contains("198.51.100.0/25") && !text.contains("198.51.100.128/25"), "\(text)")
    #expect(try site.space.firebreak(["show"]).stdout.contains("# with") == !said.isEmpty)
    guard !said.isEmpty else { return }
    #expect(text.contains("192.0.2.41") && text.contains("10.0.0.0/8"), "\(text)")
    #expect(try site.sets().contains { $0.hasPrefix("add there 192.0.2.62 ") })
  }

  /// Elements that the script left alone are those that the live set has by then, where others may fill it.
  @Test func whatOthersDoToMovingSetsMeanwhileStays() throws {
    let site = try Self.site()
    try site.space.require(["nft", Self.timed.replacing("2s", with: "1h")])
    let result = try site.run(
      """
      nft add element ip stays timed '{ 192.0.2.43 }'
      nft add element ip stays spans '{ 10.0.0.0/8 }'
      nft delete element ip stays spans '{ 203.0.113.0/24 }'
      nft add element ip stays seen '{ 192.0.2.31 }'
      WAIT
      """,
      meanwhile: """
        nft 'delete element ip stays timed { 192.0.2.40 }; add element ip stays timed { 192.0.2.44 }'
        nft 'delete element ip stays spans { 198.51.100.0/25 }; add element ip stays spans { 172.16.0.0/12 }'
        nft 'delete element ip stays seen { 192.0.2.30 }; add element ip stays seen { 192.0.2.32 }'
        """)
    #expect(result.status == 0, "\(result)")
    let text = try table(site)
    for element in ["192.0.2.42", "43", "44", "10.0.0.0/8", "172.16.0.0/12", "198.51.100.128/25", "192.0.2.31", "32"] {
      #expect(text.contains(element), "\(element): \(text)")
    }
    for element in ["192.0.2.40", "198.51.100.0/25", "203.0.113", "192.0.2.30"] {
      #expect(!text.contains(element), "\(element): \(text)")
    }
  }

  /// Rows: what somebody else does while the script runs.
  @Test(arguments: [
    "nft add rule ip stays one ip saddr 192.0.2.70 drop", "nft delete table ip stays", "nft add chain ip stays two",
    "nft 'delete element ip stays seen { 192.0.2.30 }; add set ip stays other { type mark; }'",
  ]) func aTableThatSomebodyElseChangesIsNotOverwritten(_ change: String) throws {
    let site = try Self.site()
    let result = try site.run(
      "ipset create new hash:ip\nnft add rule ip stays one ip saddr 192.0.2.77 counter drop\nWAIT", meanwhile: change)
    #expect(result.status == 75, "\(result)")
    #expect(result.stderr.contains("nf_tables table ip stays has been changed by another program meanwhile"))
    #expect(try !all(site).contains { $0.contains("192.0.2.77") || $0.contains("new") })
    let other = try Self.site()
    try other.space.require(["bash", "-c", change])
    #expect(try all(site) == all(other), "what the other one did stays")
    #expect(try site.space.firebreak(["log"]).stdout == "no commits yet\n")
    let next = try site.space.firebreak(["status"])
    #expect(next.status == 0 && !next.stderr.contains("interrupted"), "\(next)")
  }

  /// Both scripts see neither's entries, and what is on file has both.
  @Test func twoScriptsThatFillOneSetAreBothKept() throws {
    let site = try Self.site()
    let second = try site.script(
      "ipset add there 192.0.2.8; ipset create new hash:ip; ipset add new 192.0.2.9", "second.sh")
    let result = try site.run(
      "ipset add there 192.0.2.7; ipset create new hash:ip; ipset add new 192.0.2.10\nWAIT",
      meanwhile: "\"$FIREBREAK\" run -q --state-dir \"$HERE/state\" -- \(second)")
    #expect(result.status == 0, "\(result)")
    let added = ["add new 192.0.2.10", "add new 192.0.2.9", "add there 192.0.2.7", "add there 192.0.2.8"]
    #expect(try Set(site.sets().map(withoutTime)).isSuperset(of: added))
    try site.space.require(["ipset", "destroy", "new"])
    try site.space.require(["ipset", "flush", "there"])
    let started = try startingAgain(site, ["recover"])
    #expect(started.status == 0, "\(started)")
    #expect(try Set(site.sets().map(withoutTime)).isSuperset(of: added))
    #expect(try site.space.firebreak(["rollback"]).status == 0)
    #expect(try Set(site.sets().map(withoutTime)).isSuperset(of: [added[1], added[3]]))
    #expect(
      try Set(site.sets().map(withoutTime)).isDisjoint(with: [added[0], added[2]]), "only what the second commit put in"
    )
  }

  /// What others put into a set between two commits, and what ran out there, is not among what the second one did.
  @Test func rollbackLeavesEntriesOfOthers() throws {
    let site = try Self.site()
    func entries() throws -> [String] {
      try site.sets().filter { $0.hasPrefix("add there ") }.map { String(withoutTime($0).dropFirst(10)) }.sorted()
    }
    try site.space.require(["ipset", "add", "there", "192.0.2.61", "timeout", "2"])
    #expect(try site.run("ipset add there 192.0.2.7; ipset add there 192.0.2.70 timeout 600").status == 0)
    try site.space.require(["sh", "-c", "ipset add there 192.0.2.99; sleep 3"])
    let second = try site.run(
      "ipset add there 192.0.2.8; ipset del there 192.0.2.1; ipset del there 192.0.2.7\nWAIT",
      meanwhile: "ipset del there 192.0.2.7")
    #expect(second.status == 0, "\(second)")
    #expect(try entries() == ["192.0.2.60", "192.0.2.70", "192.0.2.8", "192.0.2.99"])
    let status = try site.space.firebreak(["status"])
    #expect(status.status == 0, "\(status)")
    let back = try site.space.firebreak(["rollback"])
    #expect(back.status == 0 && back.stdout.hasPrefix("changed: set there\n"), "\(back)")
    #expect(try entries() == ["192.0.2.1", "192.0.2.60", "192.0.2.7", "192.0.2.70", "192.0.2.99"])
    let same = try site.space.firebreak(["rollback", "1"])
    #expect(same.stdout == "unchanged: the kernel holds these rules already\n", "\(same)")
    #expect(try site.space.firebreak(["rollback", "0"]).status == 0)
    #expect(try entries() == ["192.0.2.1", "192.0.2.60", "192.0.2.99"])
  }

  /// What is on file of a set that others destroyed is what the script made in its place.
  @Test func aSetThatWasMadeAnewHoldsNothingOfTheOldOne() throws {
    let site = try Self.site()
    #expect(try site.run("ipset create new hash:ip; ipset add new 192.0.2.2").status == 0)
    try site.space.require(["ipset", "destroy", "new"])
    #expect(try site.run("ipset create new hash:ip; ipset add new 192.0.2.3").status == 0)
    try site.space.require(["ipset", "destroy", "new"])
    #expect(try startingAgain(site, ["recover"]).status == 0)
    #expect(try site.sets().filter { $0.contains("new") } == ["create new hash:ip family inet", "add new 192.0.2.3"])
  }

  /// What a way back does with tables of nft's own.
  enum WayBack: Sendable {
    /// Nothing: the commit has not come to them.
    case leavesAll
    /// Those that nobody else has touched are as before.
    case leavesOthers
    case takesAll
  }

  /// Rows: how far the commit came before it died, while somebody changed two of its tables, and made one of them himself.
  @Test(arguments: [
    (Journal.Phase.unguarded, WayBack.leavesAll), (.writing, .leavesAll), (.changing, .leavesOthers),
    (.verifying, .takesAll),
  ]) func aCommitIsNotTakenBackWhereItHasNotCome(_ phase: Journal.Phase, _ wayBack: WayBack) throws {
    let site = try Self.site()
    let before = try all(site)
    #expect(try site.run("\(Self.script)\nnft add chain ip stays made").status == 0)
    try site.space.require(["nft", "add chain ip stays other; delete table inet more"])
    var journal = try Journal(decoding: readFile(site.space.stateDirectory + "/commit.last"))
    journal.head.phase = phase
    let interrupted = try site.space.file("interrupted", journal.encoded)
    try site.space.require(["cp", interrupted, site.space.stateDirectory + "/commit.pending"])
    try site.space.require(["rm", "-r", site.space.stateDirectory + "/generations", site.space.stateDirectory + "/own"])
    let recovered = try site.space.firebreak(["recover"])
    #expect(recovered.status == 0, "\(recovered)")
    let now = try all(site)
    #expect(now.contains { $0.contains("chain other") } == (wayBack != .takesAll), "\(now)")
    #expect(now.contains { $0.contains("table inet leaves") } == (wayBack != .leavesAll))
    #expect(now.contains { $0.contains("netdev comes") } == (wayBack == .leavesAll))
    #expect(now.contains("add there 192.0.2.7") == (wayBack == .leavesAll))
    // What the script had destroyed had gone when the commit was kept.
    if wayBack == .takesAll { #expect(now == before.filter { !$0.contains(" gone ") }) }
  }

  /// Who listens hears of one change.
  @Test(.requires(.tool("iptables-nft"))) func rulesAndTablesOfNFTablesAreOneTransaction() throws {
    let site = try RunSite(loading: "")
    try site.space.require(["bash", "-c", "set -e\n" + Self.given])
    let path = try site.script(
      "iptables-nft -P INPUT DROP\n" + Self.script.replacing("iptables-legacy", with: "iptables-nft"))
    let listening = """
      nft monitor > "$HERE/heard" & p=$!
      for i in {1..100}; do nft add table ip probe; nft delete table ip probe; sleep 0.02; [ -s "$HERE/heard" ] && break; done
      sleep 0.2; : > "$HERE/heard"
      "$FIREBREAK" run -q --state-dir "$HERE/state" -- "$1"; s=$?
      sleep 0.2; kill $p; exit $s
      """
    let result = try site.space.run(
      ["bash", "-c", listening, "listening", path],
      environment: ["HERE": site.space.directory, "FIREBREAK": Built.firebreak])
    #expect(result.status == 0, "\(result)")
    let heard = String(decoding: try readFile(site.space.directory + "/heard"), as: UTF8.self)
    #expect(heard.split(separator: "\n").count { $0.contains("new generation") } == 1, "\(heard)")
    #expect(heard.contains("delete table inet leaves") && heard.contains("add chain ip filter INPUT"), "\(heard)")
    #expect(try site.rules("iptables-nft-save") == ["-A INPUT -m set --match-set new src -j DROP"])
  }

  /// A script of nft alone has `flush ruleset` in its beginning, and takes everything out that is there.
  @Test(.requires(.tool("iptables-nft"))) func aScriptOfNFTAlone() throws {
    let site = try RunSite(loading: "")
    try site.space.require(["bash", "-c", "set -e\n" + Self.given])
    try site.space.require(["iptables-nft", "-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"])
    let before = try all(site)
    let text = """
      flush ruleset
      define lan = 192.0.2.0/24
      table inet filter {
        set blocked { type ipv4_addr; flags interval, timeout; timeout 1h; elements = { 10.0.0.0/8 }; }
        map ports { type inet_service : verdict; elements = { 22 : accept }; }
        chain input {
          type filter hook input priority filter; policy drop;
          ct state vmap { established : accept, invalid : drop }
          ip saddr @blocked drop
          tcp dport vmap @ports
          ip saddr $lan counter accept
        }
      }
      """
    let script = try site.script(text, "rules.nft", shell: "#!/usr/sbin/nft -f")
    let cut = try site.run([script], options: ["--confirm", "1s"])
    #expect(cut.status == 81, "\(cut)")
    #expect(try all(site) == before)
    let result = try site.run([script])
    #expect(result.status == 0 && result.stdout.contains("made: nf_tables table inet filter"), "\(result)")
    #expect(try site.space.require(["nft", "list", "tables"]).stdout == "table ip filter\ntable inet filter\n")
    #expect(try site.rules("iptables-nft-save") == [])
    let back = try site.space.firebreak(["rollback", "--backend", "nft"])
    #expect(back.status == 0, "\(back)")
    #expect(try all(site) == before)
    let wrong = try site.script(
      text.replacing("policy drop", with: "policy drpo"), "wrong.nft", shell: "#!/usr/sbin/nft -f")
    let refused = try site.run([wrong])
    #expect(refused.status == 1 && refused.stderr.contains("wrong.nft:8:"), "\(refused)")
    #expect(try all(site) == before)
  }

  /// Rules of nft may hold the numbers of interfaces, and its hooks of devices want them there, those too that the script
  /// has just made.
  @Test(.requires(.tool("ip"))) func interfacesAreThoseOfTheMachine() throws {
    let site = try RunSite()
    try site.space.require([
      "bash", "-c",
      """
      set -e
      ip link add pad index 40 type bridge; ip link add uplink index 77 type bridge
      nft -f - <<END
      table netdev there {
        chain one { type filter hook ingress device "uplink" priority 0; ip saddr 192.0.2.1 counter drop; }
      }
      END
      """,
    ])
    let result = try site.run(
      """
      set -e
      nft add table inet made
      nft add chain inet made one '{ type filter hook input priority 0; }'
      nft add rule inet made one iif uplink counter accept
      ip link add late index 91 type bridge
      nft add rule inet made one iif late counter drop
      nft add rule netdev there one ip saddr 192.0.2.2 counter drop
      """)
    #expect(result.status == 0, "\(result)")
    let made = try site.space.require(["nft", "list", "table", "inet", "made"]).stdout
    #expect(made.contains("iif \"uplink\" counter packets 0 bytes 0 accept"), "\(made)")
    #expect(made.contains("iif \"late\" counter packets 0 bytes 0 drop"), "\(made)")
    #expect(try site.space.require(["nft", "list", "table", "netdev", "there"]).stdout.contains("192.0.2.2"))
    #expect(
      try site.space.require(["ip", "-o", "link"]).stdout.split(separator: "\n").count == 4, "none came to the machine")
  }

  @Test func statusTellsWhatIsGoneAndWhatWasChanged() throws {
    let site = try Self.site()
    #expect(try site.run(Self.script).status == 0)
    let good = try site.space.firebreak(["status"])
    #expect(good.status == 0 && good.stdout.contains("  with set new\n"), "\(good)")
    #expect(good.stdout.contains("the kernel holds it as it was committed"), "\(good)")
    #expect(!good.stdout.contains("tables of other programs"), "\(good)")
    try site.space.require(["ipset", "add", "there", "192.0.2.80"])
    #expect(try site.space.firebreak(["status"]).status == 0, "sets are there to be filled")
    try site.space.require(["nft", "flush", "table", "ip", "stays"])
    try site.space.require(["iptables-legacy", "-F"])
    try site.space.require(["ipset", "destroy", "new"])
    let bad = try site.space.firebreak(["status", "--json"])
    #expect(bad.status == 1, "\(bad)")
    #expect(bad.stdout.contains("\"set new is gone\",\"nf_tables table ip stays has been changed\""), "\(bad)")
  }

  /// Rows: what others do to sets, and what is said of it.
  @Test(arguments: [
    ("ipset flush new", "set new has lost 1 of its entries"),
    ("ipset flush there", "set there has lost 1 of its entries"),
    ("ipset destroy there; ipset create there hash:ip", "set there has been made anew"),
    ("ipset del there 192.0.2.60; ipset add there 192.0.2.80; ipset add -exist there 192.0.2.7 timeout 60", nil),
  ]) func statusTellsWhatSetsHaveLost(_ act: String, _ said: String?) throws {
    let site = try Self.site()
    #expect(try site.run(Self.script).status == 0)
    try site.space.require(["sh", "-c", "iptables-legacy -D INPUT -m set --match-set new src -j DROP; \(act)"])
    let status = try site.space.firebreak(["status", "--json"])
    if let said { #expect(status.stdout.contains("\"\(said)\""), "\(status)") }
    #expect(said != nil || !status.stdout.contains(" has "), "\(status)")
  }

  /// Numbers of sets are other ones after a start of the machine, and sets come before the rules that look into them.
  @Test func theyComeBackWhenTheMachineStarts() throws {
    let site = try Self.site()
    #expect(try site.run(Self.script).status == 0)
    let after = try all(site)
    try site.space.require([
      "bash", "-c",
      "iptables-legacy -F; iptables-legacy -X; nft flush ruleset; ipset destroy; ipset create first hash:ip; ipset create there hash:ip timeout 0; ipset add there 192.0.2.90",
    ])
    let started = try startingAgain(site, ["recover"])
    #expect(started.status == 0 && started.stdout.contains("loaded generation 1"), "\(started)")
    let ours = ["create first hash:ip family inet", "add there 192.0.2.90"]
    #expect(
      try all(site).filter { !ours.contains($0) && !$0.contains("kept") } == after.filter { !$0.contains("kept") })
    let same = try startingAgain(site, ["run"], "--", "true")
    #expect(same.stdout == "unchanged: the kernel holds these rules already\n", "\(same)")
    let file = try site.space.file(
      "next.v4", try site.space.require(["iptables-legacy-save"]).stdout.replacing("192.0.2.0/24", with: "192.0.3.0/24")
    )
    let next = try startingAgain(site, ["apply"], file)
    #expect(next.status == 0, "\(next)")
    #expect(try site.rules().count { $0.contains("--match-set new") } == 1, "it is ours, and no rule of somebody else")
  }
}
