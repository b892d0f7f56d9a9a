import CommitEngine
import Glibc
import KernelTestSupport
import Testing

/// Commits that were killed, and what others did to the rules before anybody recovered.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-legacy"), .tool("iptables-nft"), .tool("ipset")))
struct RecoveryTests {
  /// A namespace where a commit was killed when it had done its work and was not yet good.
  private struct Site {
    let space: TestNamespace
    let backend: String

    init(_ backend: String) throws {
      space = try TestNamespace()
      self.backend = backend
    }

    @discardableResult
    func firebreak(_ words: String...) throws -> ProcessResult {
      let result = try space.run([Built.firebreak] + words + ["--state-dir", space.stateDirectory])
      #expect(result.status == 0, "\(result)")
      return result
    }

    /// One command of iptables of the backend, `-A INPUT …`, by somebody else.
    func other(_ words: String, _ backend: String? = nil) throws {
      try space.require(["iptables-\(backend ?? self.backend)"] + words.split(separator: " ").map(String.init))
    }

    func rules(_ backend: String? = nil) throws -> [String] {
      try space.require(["iptables-\(backend ?? self.backend)-save"]).stdout.split(separator: "\n")
        .filter { $0.hasPrefix("-A") || $0.contains(" DROP [") }
        .map { String($0.prefix { $0 != "[" }).trimmed }
    }

    /// Makes the last commit one that was killed.
    func interrupt(_ phase: Journal.Phase = .unguarded, _ generation: Int = 1) throws {
      let state = space.stateDirectory
      var journal = try Journal(decoding: readFile(state + "/commit.last"))
      journal.head.phase = phase
      let file = try space.file("interrupted", journal.encoded)
      let number = String(repeating: "0", count: 7) + "\(generation)"
      try space.require([
        "sh", "-c",
        "cp \(file) \(state)/commit.pending; mv \(state)/generations/\(number) \(state)/generations/pending; rm -f \(state)/own",
      ])
    }
  }

  private static let backends = ["legacy", "nft"]

  @Test(arguments: backends) func aWholeCommitCountsThoughSomebodyChangedItsTable(_ backend: String) throws {
    let site = try Site(backend)
    let file = try site.space.file("a.v4", "*filter\n-A INPUT -i lo -j ACCEPT\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n")
    try site.firebreak("apply", "-q", "--backend", backend, file)
    try site.other("-A INPUT -s 192.0.2.66 -j DROP")
    try site.other("-P FORWARD DROP")
    try site.interrupt()
    let there = try site.rules()
    #expect(try site.firebreak("recover").stdout.contains("counts as done"))
    #expect(try site.rules() == there)
    #expect(try site.firebreak("log").stdout.contains("    1  "))
  }

  @Test func aMixtureIsPutBackThoughSomebodyChangedATable() throws {
    let site = try Site("legacy")
    try site.other("-t nat -A OUTPUT -d 192.0.2.9 -j ACCEPT")
    let file = try site.space.file(
      "a.v4",
      "*nat\n-A POSTROUTING -s 192.0.2.1 -j MASQUERADE\nCOMMIT\n*filter\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
    try site.firebreak("apply", "-q", "--exclusive", "--backend", "legacy", file)
    try site.other("-F INPUT")  // the commit has not come to this table
    try site.other("-t nat -A POSTROUTING -s 192.0.2.66 -j RETURN")
    try site.interrupt()
    #expect(try site.firebreak("recover").stdout.contains("half-way; put back: IPv4 nat\n"))
    #expect(
      try site.rules() == ["-A OUTPUT -d 192.0.2.9/32 -j ACCEPT", "-A POSTROUTING -s 192.0.2.66/32 -j RETURN"])
  }

  /// Nothing is open in between: not when somebody writes to the old place before anybody recovers.
  @Test func aMoveIsWholeThoughSomebodyWritesToTheOldPlace() throws {
    let site = try Site("legacy")
    let file = try site.space.file("a.v4", "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
    try site.firebreak("apply", "-q", "--backend", "legacy", file)
    try site.firebreak("migrate", "-q", "--to", "nft")
    try site.other("-A INPUT -s 192.0.2.66 -j DROP")
    try site.interrupt(.unguarded, 2)
    try site.firebreak("recover")
    #expect(try site.rules("nft") == [":INPUT DROP", "-A INPUT -i lo -j ACCEPT"])
    #expect(try site.rules() == ["-A INPUT -s 192.0.2.66/32 -j DROP"])
  }

  @Test(arguments: backends) func notConfirmedLeavesWhatOthersDidMeanwhile(_ backend: String) throws {
    let site = try Site(backend)
    let first = try site.space.file("a.v4", "*filter\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n")
    let second = try site.space.file(
      "b.v4", "*filter\n-A INPUT -i lo -j ACCEPT\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n")
    try site.firebreak("apply", "-q", "--backend", backend, first)
    try site.other("-A INPUT -s 192.0.2.66 -j DROP")
    try site.firebreak("apply", "-q", "--backend", backend, "--confirm", "60s", "--no-wait", second)
    try site.other("-D INPUT -s 192.0.2.66 -j DROP")
    try site.other("-A INPUT -s 192.0.2.67 -j DROP")
    try site.firebreak("rollback", "-q")
    #expect(try site.rules() == ["-A INPUT -i lo -j ACCEPT", "-A INPUT -s 192.0.2.67/32 -j DROP"])
  }

  /// One counter that somebody set to zero is no sign that the kernel has lost all.
  @Test func countersAreNotCountedTwice() throws {
    let site = try Site("legacy")
    let rules = "[9:900] -A INPUT -i lo -j ACCEPT\n[10:840] -A OUTPUT -o lo -j ACCEPT\n[7:70] -A FORWARD -j DROP\n"
    try site.space.require(["iptables-legacy-restore", "-c"], input: "*filter\n\(rules)COMMIT\n")
    let file = try site.space.file("a.v4", "*filter\n\(rules)-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n")
    try site.firebreak("apply", "-q", "--backend", "legacy", "--confirm", "60s", "--no-wait", file)
    try site.other("-Z INPUT 1")
    try site.firebreak("rollback", "-q")
    let counted = try site.space.require(["iptables-legacy-save", "-c"]).stdout
    #expect(counted.contains("[0:0] -A INPUT -i lo") && counted.contains("[10:840] -A OUTPUT"), "\(counted)")
  }

  /// A commit that was about to make a set: whose it is by now, what it holds tells.
  @Test(arguments: [
    ("ipset create new hash:ip; ipset add new 192.0.2.1", false), ("ipset create new hash:net", true),
    ("ipset create new hash:ip; ipset add new 192.0.2.77", true),
  ]) func aSetThatSomebodyElseMadeStays(_ made: String, _ stays: Bool) throws {
    let site = try Site("legacy")
    let script = try site.space.file(
      "a.sh", "ipset create new hash:ip; ipset add new 192.0.2.1; ipset add new 192.0.2.2\n")
    try site.space.require([
      Built.firebreak, "run", "-q", "--state-dir", site.space.stateDirectory, "/bin/sh", script,
    ])
    try site.space.require(["sh", "-c", "ipset destroy new; \(made)"])
    try site.interrupt(.making)
    try site.firebreak("recover")
    #expect(try (site.space.run(["ipset", "list", "new"]).status == 0) == stays)
  }
}

extension String {
  fileprivate var trimmed: String { last == " " ? String(dropLast()) : self }
}
