import KernelTestSupport
import Testing

/// `firebreak simulate`. Answers themselves are tests of the library.
@Suite struct SimulateTests {
  private static let rules = """
    *filter
    :INPUT DROP [0:0]
    :FORWARD ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    :ssh - [0:0]
    -A INPUT -m limit --limit 3/min -j LOG
    -A INPUT -p tcp -m tcp --dport 22 -j ssh
    -A INPUT -p tcp -m state --state NEW -m tcp --dport 80 -j ACCEPT
    -A ssh -s 192.0.2.0/24 -j ACCEPT
    -A ssh -p tcp -j REJECT --reject-with tcp-reset
    COMMIT
    *nat
    -A PREROUTING -j DNAT --to-destination 10.0.0.1
    COMMIT

    """

  private let directory: TemporaryFiles

  init() throws {
    directory = try TemporaryFiles()
    try directory.write("rules.v4", Self.rules)
  }

  private func simulate(_ arguments: String..., input: String = "") throws -> ProcessResult {
    try runProcess([Built.firebreak, "simulate", directory.path("rules.v4")] + arguments, input: input)
  }

  private static let packet = [
    "--chain", "INPUT", "--in", "eth0", "--src", "192.0.2.1", "--dst", "198.51.100.2", "--proto", "tcp",
  ]

  private func simulatePacket(_ arguments: String...) throws -> ProcessResult {
    try runProcess([Built.firebreak, "simulate", directory.path("rules.v4")] + Self.packet + arguments)
  }

  @Test func theDecidingRuleIsNamedWithItsPlace() throws {
    let result = try simulatePacket("--dport", "22")
    #expect(result.status == 0, "\(result)")
    #expect(
      result.stdout.replacingDirectory(directory) == """
        ACCEPT by rule 1 of chain ssh
            rules.v4:9: -A ssh -s 192.0.2.0/24 -j ACCEPT
        matched:
            INPUT 2: rules.v4:7: -A INPUT -p tcp -m tcp --dport 22 -j ssh
            ssh 1: rules.v4:9: -A ssh -s 192.0.2.0/24 -j ACCEPT
        may have matched, without a say in the verdict:
            INPUT 1, on how many packets came before: rules.v4:6: -A INPUT -m limit --limit 3/min -j LOG

        """)
  }

  @Test func whatIsUnknownIsNamedWithTheOptionThatSaysIt() throws {
    let result = try simulatePacket("--dport", "80")
    #expect(result.stdout.hasPrefix("UNKNOWN\nrule 3 of chain INPUT decides, or does not:\n"), "\(result)")
    #expect(result.stdout.contains("state depends on the connection's state; say it with --state\n"), "\(result)")
    #expect(try simulatePacket("--dport", "80", "--state", "new").stdout.hasPrefix("ACCEPT by rule 3 of chain INPUT\n"))
  }

  @Test func anExpectationIsTheExitStatus() throws {
    #expect(try simulatePacket("--dport", "22", "--expect", "accept").status == 0)
    #expect(try simulatePacket("--dport", "22", "--expect", "reject").status == 1)
    #expect(try simulatePacket("--dport", "25", "--expect", "drop").status == 0)
    #expect(try simulatePacket("--dport", "80", "--expect", "drop").status == 1)
  }

  @Test func oneAnswerAsJSON() throws {
    #expect(
      try simulatePacket("--dport", "22", "--json").stdout.replacingDirectory(directory) == """
        {"verdict":"ACCEPT","by":["ssh",1],"trace":[["INPUT",2],["ssh",1]],"depends":["limit at INPUT 1"],\
        "file":"rules.v4","line":9,"rule":"-A ssh -s 192.0.2.0/24 -j ACCEPT"}

        """)
  }

  @Test func manyPacketsAreAnsweredInTheirOrder() throws {
    let begin = #"{"in":"eth0","src":"192.0.2.1","dst":"198.51.100.2","proto":"tcp","chain":"#
    let packets = [
      #"\#(begin)"INPUT","dport":22}"#, #"\#(begin)"INPUT","dport":25}"#, #"\#(begin)"INPUT","dport":80}"#,
      #"\#(begin)"PREROUTING","table":"nat","ctstate":"ESTABLISHED"}"#,
    ]
    let expected = [
      #"{"verdict":"ACCEPT","by":["ssh",1],"trace":[["INPUT",2],["ssh",1]],"depends":["limit at INPUT 1"]}"#,
      #"{"verdict":"DROP","by":["INPUT","policy"],"trace":[],"depends":["limit at INPUT 1"]}"#,
      #"{"verdict":"UNKNOWN","by":null,"trace":[],"depends":["limit at INPUT 1","state at INPUT 3"]}"#,
      #"{"verdict":"ACCEPT","by":null,"trace":[],"depends":[]}"#,
    ]
    // Enough for two threads and several pieces.
    let times = 20_000
    let text = String(repeating: packets.joined(separator: "\n") + "\n", count: times)
    try directory.write("packets.jsonl", text)
    let result = try simulate("--packets", directory.path("packets.jsonl"), "--json")
    #expect(result.status == 0, "\(result)")
    #expect(result.stdout == String(repeating: expected.joined(separator: "\n") + "\n", count: times))
    let short = try simulate("--packets", "-", input: packets.joined(separator: "\r\n\n"))
    #expect(
      short.stdout == """
        ACCEPT ssh 1
        DROP INPUT policy
        UNKNOWN state at INPUT 3
        ACCEPT (not the first packet of its connection)

        """)
  }

  @Test func badLinesAreToldWithNumberAndField() throws {
    let good = #"{"in":"eth0","src":"192.0.2.1","dst":"198.51.100.2","proto":"tcp","chain":"INPUT","dport":22}"#
    let bad = good.replacing("22", with: "\"x\"")
    let result = try simulate("--packets", "-", "--json", input: "\(good)\n\(bad)\n\(good)\n{\n")
    #expect(result.status == 65)
    #expect(result.stdout.split(separator: "\n").count { $0.hasPrefix(#"{"verdict""#) } == 1, "\(result)")
    #expect(result.stderr.contains("-:2:92: error: dport: 'x' is not a number from 0 to 65535\n"), "\(result)")
    #expect(result.stderr.contains("-:4:2: error: expected the name of a member"), "\(result)")
    // Behind what one thread reads too.
    try directory.write("many.jsonl", String(repeating: good + "\n", count: 3000) + bad)
    let later = try simulate("--packets", directory.path("many.jsonl"))
    #expect(later.status == 65)
    #expect(later.stderr.contains("many.jsonl:3001:92: error: dport"), "\(later)")
    #expect(later.stdout.split(separator: "\n").count == 3000)
  }

  @Test func aTableThatTheRulesDoNotHaveIsNoAnswer() throws {
    let mangle = try simulatePacket("--table", "mangle")
    #expect(mangle.status == 65, "\(mangle)")
    #expect(mangle.stderr.contains("the rules have no IPv4 table mangle"), "\(mangle)")
    let packet = #"{"chain":"INPUT","src":"::1","dst":"::1","proto":6}"#
    let ipv6 = try simulate("--packets", "-", input: packet)
    #expect(ipv6.status == 65)
    #expect(ipv6.stderr.contains("-:1: error: table: the rules have no IPv6 table filter"), "\(ipv6)")
  }

  @Test(arguments: [
    (["--chain", "INPUT"], "--src is missing"),
    (packet + ["--dport", "70000"], "--dport: '70000' is not a number from 0 to 65535"),
    (packet + ["--icmp-type", "x"], "--icmp-type: 'x' is not a number"),
    (packet + ["--state", "OLD"], "--state: 'OLD' is none of its values"),
    (packet + ["--table", "raw"], "--chain: 'INPUT' is not a built-in chain of table raw"),
    (packet + ["--packets", "-"], "--chain cannot stand beside --packets"),
    (["--packets", "-", "--expect", "drop"], "--expect is for one packet"),
  ])
  func usage(_ arguments: [String], _ message: String) throws {
    let result = try runProcess([Built.firebreak, "simulate", directory.path("rules.v4")] + arguments)
    #expect(result.status == 64, "\(result)")
    #expect(result.stderr.contains(message), "\(result)")
  }

  @Test func packetsThatCannotBeReadAreNoInput() throws {
    #expect(try simulate("--packets", directory.path("none.jsonl")).status == 66)
    #expect(try simulate("--packets", directory.path("")).status == 66)
  }
}

@Suite(.requires(.root, .legacyTables)) struct SimulateKernelTests {
  @Test func theRulesInForceAreAsked() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let packet = ["--in", "eth0", "--src", "192.0.2.1", "--dst", "198.51.100.2", "--proto", "tcp", "--dport", "80"]
    let result = try site.space.firebreak(["simulate", "kernel", "--chain", "INPUT"] + packet)
    #expect(result.status == 0, "\(result)")
    #expect(result.stdout.hasPrefix("REJECT by rule 1 of chain web\n    -A web -s 192.0.2.0/24"), "\(result)")
    // The kernel has no IPv6 rules, so it lets everything pass.
    let ipv6 = ["--src", "2001:db8::1", "--dst", "2001:db8::2", "--proto", "tcp", "--expect", "accept"]
    #expect(try site.space.firebreak(["simulate", "kernel", "--chain", "INPUT"] + ipv6).status == 0)
  }
}

/// A directory that goes away with the value.
private final class TemporaryFiles: Sendable {
  let directory: String

  init() throws {
    let made = try runProcess(["mktemp", "-d"])
    guard made.status == 0 else { throw ProcessFailure("mktemp: \(made)") }
    directory = String(made.stdout.dropLast())
  }

  deinit { _ = try? runProcess(["rm", "-rf", "--", directory]) }

  func path(_ name: String) -> String { "\(directory)/\(name)" }

  func write(_ name: String, _ text: String) throws {
    let result = try runProcess(["tee", path(name)], input: text)
    guard result.status == 0 else { throw ProcessFailure("tee: \(result.stderr)") }
  }
}

extension String {
  fileprivate func replacingDirectory(_ files: TemporaryFiles) -> String { replacing(files.directory + "/", with: "") }
}
