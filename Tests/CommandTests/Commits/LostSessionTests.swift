import Glibc
import KernelTestSupport
import Testing

/// Somebody works on a machine over ssh, and the rules cut him off.
@Suite(.requires(.legacyTables, .nfTables, .sshServer, .tool("ssh"), .tool("iptables-legacy-save")))
struct LostSessionTests {
  private static let closed = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"

  private static func firebreak(_ server: SSHServer, _ words: String, _ backend: String = "legacy") -> String {
    "\(Built.firebreak) \(words) --backend \(backend) --state-dir \(server.space.stateDirectory)"
  }

  private static func isClosed(_ server: SSHServer, _ backend: String) throws -> Bool {
    try server.space.require(["iptables-\(backend)-save"]).stdout.contains(":INPUT DROP")
  }

  @Test(arguments: ["legacy", "nft"]) func theConnectionComesBack(_ backend: String) throws {
    let server = try SSHServer()
    #expect(try server.session("true").status == 0)
    let file = try server.space.file("closed.v4", Self.closed)
    let apply = Self.firebreak(server, "apply -q --confirm 3s --allow-lockout \(file)", backend)
    let session: @Sendable () throws -> [Int32] = { [try server.session(apply).status] }
    let others: @Sendable () throws -> [Int32] = {
      for _ in 0..<200 {
        if try Self.isClosed(server, backend) { break }
        usleep(20_000)
      }
      #expect(try Self.isClosed(server, backend))
      let refused = try server.session("true").status
      for _ in 0..<40 {
        if try !Self.isClosed(server, backend) { break }
        usleep(250_000)
      }
      return [refused, try server.session("true").status]
    }
    let results = try concurrently([session, others])
    #expect(results[1] == [255, 0], "nobody gets in before the deadline, and after it somebody does")
    #expect(results[0] != [0], "it was not confirmed")
    #expect(try !Self.isClosed(server, backend))
    let again = try server.session(Self.firebreak(server, "recover", backend))
    #expect(again.stdout == "nothing to recover\n", "\(again)")
  }

  /// Text that was committed before is read only when it is needed; its places are told all the same.
  @Test(arguments: ["legacy", "nft"]) func theLockoutIsSeenInKnownText(_ backend: String) throws {
    let server = try SSHServer()
    let rules = (0..<300).map { "-A INPUT -s 198.51.\($0 / 250).\($0 % 250) -j DROP\n" }.joined()
    let file = try server.space.file("rules.v4", "*filter\n\(rules)-A INPUT -p tcp -m tcp --dport 22 -j DROP\nCOMMIT\n")
    #expect(try server.space.firebreak(["apply", "-q", "--backend", backend, file]).status == 0)
    try server.space.require(["iptables-\(backend)", "-F", "INPUT"])
    let result = try server.session(Self.firebreak(server, "apply \(file)", backend))
    #expect(result.status == 1 && result.stderr.contains("\(file):302:"), "\(result)")
    #expect(try !server.space.require(["iptables-\(backend)-save"]).stdout.contains("-A "))
  }

  /// The rules are refused before anything is written, with the place of the rule.
  @Test func theLockoutIsSeen() throws {
    let server = try SSHServer()
    let rows = [
      ("-A INPUT -p tcp -m tcp --dport 22 -j DROP", "would be", "DROP", 3),
      ("-A INPUT -p tcp -m tcp --dport 22 -m limit --limit 1/min -j DROP", "may be", "limit", 3),
      ("-A OUTPUT -p tcp -m tcp --sport 22 -j REJECT", "the answer", "REJECT", 3),
      ("-A INPUT -i wire -j DROP", "would be", "-i wire", 3),
    ]
    for (rule, what, text, line) in rows {
      let file = try server.space.file("rules.v4", "*filter\n# a comment\n\(rule)\nCOMMIT\n")
      // sudo and env -i leave nothing of SSH_CONNECTION: the connection itself tells.
      for prefix in ["", "env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "] {
        for options in ["", "--confirm 5s --no-wait "] {
          let result = try server.session(prefix + Self.firebreak(server, "apply \(options)\(file)"))
          #expect(result.status == 1, "\(rule): \(result)")
          #expect(result.stderr.contains("\(file):\(line):"), "\(rule): \(result)")
          #expect(
            result.stderr.contains(what) && result.stderr.contains(text) && result.stderr.contains(SSHServer.peer),
            "\(rule): \(result)")
          #expect(result.stderr.contains("--allow-lockout"), "\(rule): \(result)")
        }
      }
      #expect(try !server.space.require(["iptables-legacy-save"]).stdout.contains("-A "), "\(rule): nothing is written")
    }
    let open = try server.space.file(
      "open.v4", "*filter\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n-A INPUT -j DROP\nCOMMIT\n")
    #expect(try server.session(Self.firebreak(server, "apply -q \(open)")).status == 0, "who is let in is not refused")
  }

  @Test func whoInsistsIsCutOff() throws {
    let server = try SSHServer()
    let file = try server.space.file("closed.v4", Self.closed)
    #expect(try server.session(Self.firebreak(server, "apply -q \(file)")).status == 1)
    #expect(try !Self.isClosed(server, "legacy"))
    _ = try server.session(Self.firebreak(server, "apply -q --allow-lockout \(file)"))
    #expect(try Self.isClosed(server, "legacy"))
    #expect(try server.session("true").status == 255)
    #expect(try server.space.firebreak(["rollback", "-q"]).status == 0)
    #expect(try server.session("true").status == 0)
  }
}
