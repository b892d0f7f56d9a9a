import Firebreak
import Glibc
import KernelTestSupport
import Testing

/// Calls reach the copy however they are spelled, and nothing else does.
@Suite(
  .requires(
    .legacyTables, .nfTables, .tool("iptables-legacy"), .tool("iptables-nft"), .tool("ip6tables-legacy"),
    .tool("ipset"),
    .tool("unshare"), .tool("bash")))
struct RunCallTests {
  /// Each adds a rule for 192.0.2.77.
  private static let calls = [
    "iptables-legacy -A INPUT -s 192.0.2.77",
    "/sbin/iptables-legacy -A INPUT -s 192.0.2.77",
    "/usr/sbin/iptables-legacy -A INPUT -s 192.0.2.77",
    "/usr/sbin/../sbin/iptables-legacy -A INPUT -s 192.0.2.77",
    "xtables-legacy-multi iptables -A INPUT -s 192.0.2.77",
    "cd /usr/sbin && ./iptables-legacy -A INPUT -s 192.0.2.77",
    "IPT=$(command -v iptables-legacy); $IPT -A INPUT -s 192.0.2.77",
    "ln -s /usr/sbin/xtables-legacy-multi \"$HERE/iptables\" && \"$HERE/iptables\" -A INPUT -s 192.0.2.77",
    "PATH=/usr/sbin iptables-legacy -A INPUT -s 192.0.2.77",
    "env -i /usr/sbin/iptables-legacy -A INPUT -s 192.0.2.77",
    "exec iptables-legacy -A INPUT -s 192.0.2.77",
    "sh -c 'iptables-legacy -A INPUT -s 192.0.2.77'",
    "echo INPUT | xargs -I{} iptables-legacy -A {} -s 192.0.2.77",
    "f() { iptables-legacy \"$@\"; }; f -A INPUT -s 192.0.2.77",
    "(iptables-legacy -A INPUT -s 192.0.2.77) & wait",
    "(sleep 0.3; iptables-legacy -A INPUT -s 192.0.2.77) &",
    "iptables-legacy -w 5 -t filter -I INPUT 1 -s 192.0.2.77/32",
    "iptables-legacy-restore -n <<< $'*filter\\n-A INPUT -s 192.0.2.77\\nCOMMIT'",
    "iptables-legacy-save | sed '/kept -s/i -A INPUT -s 192.0.2.77' | iptables-legacy-restore",
    "iptables-legacy-save > \"$HERE/s\"; echo '-A INPUT -s 192.0.2.77' >> \"$HERE/t\"; "
      + "sed \"/kept -s/e cat $HERE/t\" \"$HERE/s\" | /sbin/iptables-legacy-restore",
    "setsid -w iptables-legacy -A INPUT -s 192.0.2.77",
    "unshare -m iptables-legacy -A INPUT -s 192.0.2.77",
    "\"$FIREBREAK\" iptables -A INPUT -s 192.0.2.77",
  ]

  @Test(arguments: calls) func everySpellingActsOnTheCopy(_ call: String) throws {
    let site = try RunSite()
    let environment = ["HERE": site.space.directory, "FIREBREAK": Built.firebreak]
    let before = try site.live()
    // A script that fails shows that nothing went past the copy.
    let failed = try site.run(
      ["bash", "-c", call.hasPrefix("exec") ? "(\(call)); exit 7" : "\(call)\nwait; exit 7"], environment: environment)
    #expect(failed.status == 1 && failed.stderr.contains("ended with status 7; the rules are as before"), "\(failed)")
    #expect(try site.live() == before)
    try runProcess(["rm", "-f", site.space.directory + "/iptables", site.space.directory + "/t"])
    let done = try site.run(call, environment: environment)
    #expect(done.status == 0, "\(done)")
    let rules = try site.rules()
    #expect(rules.contains { $0.contains("-s 192.0.2.77/32") }, "\(done)")
    #expect(rules.count == 3, "\(rules)")
  }

  @Test(arguments: ["iptables-nft", "/usr/sbin/xtables-nft-multi iptables", "/sbin/iptables-nft"])
  func soWithNFTables(_ tool: String) throws {
    let site = try RunSite(loading: "")
    try site.space.require(["iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT"])
    let before = try site.space.require(["nft", "list", "ruleset"]).stdout
    let failed = try site.run("\(tool) -A INPUT -s 192.0.2.77; exit 7")
    #expect(failed.status == 1, "\(failed)")
    #expect(try site.space.require(["nft", "list", "ruleset"]).stdout == before)
    let done = try site.run("\(tool) -A INPUT -s 192.0.2.77; ip6tables-nft -P FORWARD DROP")
    #expect(done.status == 0, "\(done)")
    let rules = try site.rules("iptables-nft-save")
    #expect(rules == ["-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", "-A INPUT -s 192.0.2.77/32"])
    #expect(try site.space.require(["ip6tables-nft-save"]).stdout.contains(":FORWARD DROP"))
  }

  @Test func everythingElseIsTheRealMachine() throws {
    let site = try RunSite()
    let result = try site.run(
      """
      set -e
      ip link add seen type bridge
      grep -q seen /proc/net/dev
      echo 1 > /proc/sys/net/ipv4/conf/seen/forwarding
      iptables-legacy -A INPUT -i seen -j ACCEPT
      readlink /proc/self/ns/net
      """)
    #expect(result.status == 0, "\(result)")
    #expect(result.stdout.contains(try site.space.require(["readlink", "/proc/self/ns/net"]).stdout))
    #expect(try site.space.require(["ip", "link", "show", "seen"]).status == 0)
    #expect(try site.rules().contains("-A INPUT -i seen -j ACCEPT"))
  }

  @Test func nobodyElseSeesTheMounts() throws {
    let site = try RunSite()
    let result = try site.run(
      """
      grep -c /run/firebreak/staging /proc/self/mountinfo
      nsenter -t "$OUTSIDE" -m grep -c /run/firebreak/staging /proc/self/mountinfo
      true
      """, environment: ["OUTSIDE": "\(getpid())"])
    #expect(result.status == 0, "\(result)")
    let counts = result.stdout.split(separator: "\n").prefix(2).compactMap { Int($0) }
    #expect(counts.count == 2 && counts[0] > 5 && counts[1] == 0, "\(result)")
  }

  /// Rows: the words of a command, and what is handed on where names resolve as on the machine and the copy has no resolver.
  @Test(arguments: [
    ("iptables -A INPUT -s two.example -j ACCEPT", "iptables -A INPUT -s 192.0.2.1,192.0.2.2 -j ACCEPT"),
    ("/sbin/ip6tables -A INPUT --dst=two.example/64", "/sbin/ip6tables -A INPUT --dst=2001:db8::1/64"),
    (
      "xtables-legacy-multi ip6tables -A INPUT ! -d two.example",
      "xtables-legacy-multi ip6tables -A INPUT ! -d 2001:db8::1"
    ),
    ("iptables -A INPUT -d 10.0.0.1,two.example,nowhere", "iptables -A INPUT -d 10.0.0.1,192.0.2.1,192.0.2.2,nowhere"),
    ("iptables -A INPUT -s 10/8 -i two.example --dport www", "iptables -A INPUT -s 10/8 -i two.example --dport www"),
    ("ip6tables -A INPUT -s fe80::1", "ip6tables -A INPUT -s fe80::1"),
  ]) func namesOfHostsAreLookedUpOutsideTheCopy(_ given: String, _ expected: String) throws {
    var names = Names.wellKnown
    names.host = { name, family in
      guard name == "two.example" else { return [] }
      return (family == .ipv4 ? ["192.0.2.1", "192.0.2.2"] : ["2001:db8::1"]).compactMap { IPAddress($0) }
    }
    let words = given.split(separator: " ").map(String.init)
    let handed = zip(words, HostWords.replacements(words, names)).map { $1 ?? $0 }
    #expect(handed.joined(separator: " ") == expected)
  }

  /// Where the machine has no iptables at all.
  @Test func oursStandsInWhereThereIsNone() throws {
    let site = try RunSite()
    let script = try site.script(
      """
      set -e
      iptables -N from-ours
      iptables -A INPUT -j from-ours
      ip6tables -A INPUT -p tcp --dport 80 -j ACCEPT
      iptables-save | grep -q -- '-A INPUT -j from-ours'
      """)
    let stage = """
      mount -t tmpfs tmpfs /mnt
      mkdir /mnt/sbin /mnt/real
      mount --bind /usr/sbin /mnt/real
      for file in /mnt/real/*; do
        case $file in *tables*) ;; *) ln -s "$file" /mnt/sbin/;; esac
      done
      mount --bind /mnt/sbin /usr/sbin
      ! command -v iptables
      exec "$@"
      """
    let words = [Built.firebreak, "run", "--state-dir", site.space.stateDirectory, "--", script]
    let result = try site.space.run(["unshare", "-m", "bash", "-e", "-c", stage, "stage"] + words)
    #expect(result.status == 0, "\(result)")
    #expect(try site.rules().contains("-A INPUT -j from-ours"))
    #expect(try site.rules("ip6tables-legacy-save") == ["-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT"])
  }

  /// Rows: what a script calls, and what it is told.
  @Test(arguments: [
    ("ebtables-nft -A INPUT -j DROP", "has no copy of ebtables-nft's tables"),
    (
      "ip netns add $SPACE; ip netns exec $SPACE iptables-legacy -A INPUT; s=$?; ip netns del $SPACE; (exit $s)",
      "this is another network namespace"
    ),
    ("\"$FIREBREAK\" apply --state-dir \"$HERE/other\" /dev/null", "'apply' cannot be used in a script"),
  ]) func whatIsNotCopiedIsRefused(_ call: String, _ reason: String) throws {
    let site = try RunSite()
    try site.space.require(["nft", "-f", "-"], input: Self.natives)
    let before = try site.live()
    let tables = withoutClock(try site.space.require(["nft", "list", "ruleset"]).stdout)
    let result = try site.run(
      "set -e\niptables-legacy -F\n\(call)",
      environment: ["FIREBREAK": Built.firebreak, "HERE": site.space.directory, "SPACE": site.space.name + "b"])
    #expect(result.status == 1 && result.stderr.contains(reason), "\(result)")
    #expect(try site.live() == before)
    #expect(try withoutClock(site.space.require(["nft", "list", "ruleset"]).stdout) == tables)
  }

  private static let natives = """
    table inet other {
      set s { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 } }
      set gone { type ipv4_addr; timeout 1h; elements = { 192.0.2.3 expires 50m } }
      chain c { type filter hook input priority 5; ip saddr @s counter packets 3 bytes 30 drop; }
    }

    """

  private func withoutClock(_ text: String) -> [Substring] {
    text.split(separator: "\n").filter { !$0.contains("expires") && !$0.hasPrefix("committed") }
  }

  /// nft sees all tables in the copy, and may work on those of iptables.
  @Test func nftWorksOnTheCopyToo() throws {
    let site = try RunSite(loading: "")
    try site.space.require(["nft", "-f", "-"], input: Self.natives)
    try site.space.require(["iptables-nft", "-A", "INPUT", "-s", "192.0.2.1", "-j", "DROP"])
    let table = try site.space.require(["nft", "list", "table", "inet", "other"]).stdout
    let result = try site.run(
      """
      set -e
      nft list table inet other
      sleep 1.1
      nft add rule ip filter INPUT ip saddr 192.0.2.2 counter drop
      iptables-nft -A INPUT -s 192.0.2.3 -j DROP
      """)
    #expect(result.status == 0, "\(result)")
    #expect(withoutClock(result.stdout) == withoutClock(table))
    #expect(
      try site.rules("iptables-nft-save") == [
        "-A INPUT -s 192.0.2.1/32 -j DROP", "-A INPUT -s 192.0.2.2/32 -j DROP", "-A INPUT -s 192.0.2.3/32 -j DROP",
      ])
    #expect(
      try withoutClock(site.space.require(["nft", "list", "table", "inet", "other"]).stdout) == withoutClock(table))
  }

  @Test func bothKindsOfTablesInOneScriptAreRefused() throws {
    let site = try RunSite()
    let before = try site.live()
    let result = try site.run("iptables-legacy -A INPUT -s 192.0.2.1\niptables-nft -A INPUT -s 192.0.2.2")
    #expect(result.status == 1 && result.stderr.contains("one commit covers one of them"), "\(result)")
    #expect(try site.live() == before)
    #expect(try site.space.require(["nft", "list", "tables"]).stdout == "")
  }

  /// What a script leaves running is on its own, and acts on what is live.
  @Test func aServiceLeftRunningActsOnTheLiveRules() throws {
    let site = try RunSite()
    let result = try site.run(
      """
      iptables-legacy -A INPUT -s 192.0.2.1
      setsid bash -c 'while [ ! -e "$HERE/go" ]; do sleep 0.05; done; iptables-legacy -A INPUT -s 192.0.2.2; touch "$HERE/done"' \
        < /dev/null > /dev/null 2>&1 &
      """, environment: ["HERE": site.space.directory])
    #expect(result.status == 0, "\(result)")
    #expect(try site.rules().count == 3)
    let wait = "touch \"$0/go\"; for i in {1..200}; do [ -e \"$0/done\" ] && exit 0; sleep 0.05; done; exit 1"
    #expect(try runProcess(["bash", "-c", wait, site.space.directory]).status == 0)
    #expect(try site.rules().count == 4)
  }
}
