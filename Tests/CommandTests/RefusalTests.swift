import Glibc
import KernelTestSupport
import Testing

/// What the command refuses: every time with its own exit status, and the kernel as before.
@Suite(.requires(.legacyTables, .tool("iptables-legacy-save")))
struct RefusalTests {
  /// Bad input: what it is, the text, the line of the message and a word of it.
  struct Row: Sendable, CustomTestStringConvertible {
    let what: String
    let text: String
    let line: Int
    let word: String
    var family = "4"
    var testDescription: String { what }
  }

  static func rule(_ what: String, _ rule: String, _ word: String, family: String = "4") -> Row {
    Row(what: what, text: "*filter\n-A INPUT -j ACCEPT\n\(rule)\nCOMMIT\n", line: 3, word: word, family: family)
  }

  static let rows = [
    rule("unknown option", "-A INPUT --bogus 3 -j DROP", "--bogus"),
    rule("unknown match", "-A INPUT -m nosuch -j DROP", "nosuch"),
    rule("unknown target", "-A INPUT -j NOSUCH", "NOSUCH"),
    rule("option of a match that is not there", "-A INPUT --dport 22 -j DROP", "--dport"),
    rule("unknown chain", "-A NOPE -j DROP", "NOPE"),
    rule("jump to an unknown chain", "-A INPUT -g nope", "nope"),
    rule("chain name of 29 bytes", ":abcdefghijabcdefghijabcdefghi - [0:0]", "28"),
    rule("chain with the name of a target", ":LOG - [0:0]", "LOG"),
    rule("chain with the name of a verdict", ":ACCEPT - [0:0]", "verdict"),
    rule("16 ports", "-A INPUT -p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 -j DROP", "15"),
    rule("bad mask", "-A INPUT -s 192.0.2.1/33 -j DROP", "mask"),
    rule("bad dotted mask", "-A INPUT -s 192.0.2.1/255.255.256.0 -j DROP", "mask"),
    rule("port 65536", "-A INPUT -p tcp --dport 65536 -j DROP", "65535"),
    rule("unknown service", "-A INPUT -p tcp --dport nosuchservice -j DROP", "nosuchservice"),
    rule("unknown protocol", "-A INPUT -p nosuchproto -j DROP", "nosuchproto"),
    rule("target of nat in filter", "-A INPUT -j MASQUERADE", "nat"),
    rule("DNAT in filter", "-A INPUT -p tcp -j DNAT --to-destination 192.0.2.1:80", "nat"),
    rule("IPv6 address in an IPv4 file", "-A INPUT -s 2001:db8::1 -j DROP", "IPv6"),
    rule("IPv4 address in an IPv6 file", "-A INPUT -s 192.0.2.1 -j DROP", "IPv4", family: "6"),
    rule("host that does not resolve", "-A INPUT -s no-such-host.invalid -j DROP", "resolve"),
    rule("interface name too long", "-A INPUT -i abcdefghijklmnop -j DROP", "interface"),
    rule("policy of a user chain", ":web DROP [0:0]", "web"),
    rule("unclosed quote", "-A INPUT -m comment --comment \"open -j DROP", "quote"),
    rule("option without its value", "-A INPUT -p tcp --dport", "--d"),
    rule("option twice", "-A INPUT -s 192.0.2.1 -s 192.0.2.2 -j DROP", "-s"),
    rule("double negation", "-A INPUT ! ! -s 192.0.2.1 -j DROP", "!"),
    rule("ip6 option in IPv4", "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1 -j DROP", "icmp6"),
    rule("fragments in IPv6", "-A INPUT -f -j DROP", "-f", family: "6"),
    rule("REJECT with a type of the other family", "-A INPUT -j REJECT --reject-with icmp6-no-route", "icmp6-no-route"),
    rule("tcp-reset without tcp", "-A INPUT -p udp -j REJECT --reject-with tcp-reset", "tcp"),
    rule("a command of another kind", "-X INPUT", "INPUT"),
    rule("byte 0", "-A INPUT -j \u{0}DROP", "0x0"),
    Row(
      what: "loop", text: "*filter\n:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -j b\n-A b -j a\nCOMMIT\n", line: 6,
      word: "loop"),
    Row(what: "loop of one", text: "*filter\n:a - [0:0]\n-A INPUT -j a\n-A a -j a\nCOMMIT\n", line: 4, word: "loop"),
    Row(what: "REJECT in PREROUTING", text: "*raw\n-A PREROUTING -j REJECT\nCOMMIT\n", line: 2, word: "REJECT"),
    Row(
      what: "REJECT in mangle PREROUTING", text: "*mangle\n-A PREROUTING -j REJECT\nCOMMIT\n", line: 2, word: "REJECT"),
    Row(
      what: "MASQUERADE in PREROUTING", text: "*nat\n-A PREROUTING -j MASQUERADE\nCOMMIT\n", line: 2,
      word: "POSTROUTING"),
    Row(
      what: "DNAT reached from POSTROUTING",
      text: "*nat\n:u - [0:0]\n-A POSTROUTING -j u\n-A u -p tcp -j DNAT --to-destination 192.0.2.1\nCOMMIT\n", line: 4,
      word: "POSTROUTING"),
    Row(what: "no such table", text: "*nope\nCOMMIT\n", line: 1, word: "nope"),
    Row(what: "rules without a table", text: "-A INPUT -j DROP\n", line: 1, word: "table"),
    Row(what: "COMMIT missing", text: "*filter\n-A INPUT -j DROP\n", line: 1, word: "COMMIT"),
    Row(
      what: "second table begins in the first", text: "*filter\n-A INPUT -j DROP\n*nat\nCOMMIT\n", line: 3, word: "open"
    ),
    Row(what: "binary junk", text: "\u{7f}ELF\u{2}\u{1}\u{1}\u{0}\u{0}\n\u{3}\u{4}junk", line: 1, word: "text file"),
  ]

  @Test(arguments: rows)
  func badInputIsLocated(_ row: Row) throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let before = try site.kernel()
    let file = try site.space.file("bad.v\(row.family)", row.text)
    let result = try site.firebreak("apply", file)
    #expect(result.status == 65, "\(result)")
    let place = "\(file):\(row.line):"
    let located = result.stderr.split(separator: "\n").filter { $0.hasPrefix(place) && $0.contains(": error: ") }
    #expect(!located.isEmpty, "\(result.stderr)")
    #expect(result.stderr.lowercased().contains(row.word.lowercased()), "\(result.stderr)")
    #expect(try site.kernel() == before)
    #expect(try site.firebreak("check", file).status == 65)
    let json = try site.firebreak("apply", "--json", file)
    #expect(json.stdout.contains("\"line\":\(row.line),"), "\(json.stdout)")
  }

  @Test func severalErrorsAreToldAtOnce() throws {
    let site = try CommandSite()
    let file = try site.space.file(
      "bad.v4", "*filter\n-A INPUT --x\n-A INPUT -j ACCEPT\n-A NOPE -j DROP\nCOMMIT\n*nat\n-A OUTPUT --y\nCOMMIT\n")
    let result = try site.firebreak("apply", file)
    #expect(result.status == 65)
    for line in [2, 4, 7] { #expect(result.stderr.contains("\(file):\(line):")) }
    #expect(try site.kernel() == [])
  }

  @Test func aLineOf100Megabytes() throws {
    let site = try CommandSite()
    for filler in [UInt8(ascii: "x"), UInt8(ascii: " "), 0] {
      let bytes =
        Array("*filter\n-A INPUT -m comment --comment ".utf8) + Array(repeating: filler, count: 100 << 20)
        + Array("\nCOMMIT\n".utf8)
      let file = try site.space.file("long.v4", bytes)
      let result = try site.firebreak("apply", file)
      #expect(result.status == 65, "\(result)")
      #expect(result.stderr.contains("\(file):2"))
      #expect(result.stderr.utf8.count < 4096, "the line is not printed")
    }
    #expect(try site.kernel() == [])
  }

  @Test func randomBytes() throws {
    let site = try CommandSite()
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<10 {
      let bytes = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let result = try site.firebreak("apply", try site.space.file("junk.v4", bytes))
      #expect(result.status == 65, "\(result)")
    }
    #expect(try site.kernel() == [])
  }

  @Test(arguments: [
    ("CRLF", Sample.web.split(separator: "\n").joined(separator: "\r\n") + "\r\n", "carriage return"),
    ("no newline at the end", String(Sample.web.dropLast()), "no line end"),
  ])
  func oddLineEndsAreWarnings(_ what: String, _ text: String, _ word: String) throws {
    let site = try CommandSite()
    let result = try site.firebreak("apply", "-c", try site.space.file("odd.v4", text))
    #expect(result.status == 0, "\(result)")
    #expect(result.stderr.contains("warning") && result.stderr.contains(word))
    let other = try CommandSite()
    try other.load(Sample.web)
    #expect(try site.kernel() == other.kernel())
  }

  // MARK: Exit statuses

  @Test func usageIs64() throws {
    let site = try CommandSite()
    for arguments in [
      ["apply"], ["apply", "--bogus", "x"], ["nosuch"], ["apply", "-4", "-6", "x"], ["apply", "-w", "-1", "x"],
      ["list", "-t", "nope"], ["save", "--backend", "magic"],
    ] {
      let result = try site.space.run([Built.firebreak] + arguments)
      #expect(result.status == 64, "\(arguments) \(result)")
      #expect(!result.stderr.isEmpty)
    }
  }

  @Test func noSuchInputIs66() throws {
    let site = try CommandSite()
    for path in ["/nonexistent", site.space.directory, site.space.directory + "/none.v4"] {
      let result = try site.firebreak("apply", path)
      #expect(result.status == 66, "\(result)")
      #expect(result.stderr.contains(path))
    }
  }

  @Test func aHeldLockIs75AfterTheWait() throws {
    let site = try CommandSite()
    let file = try site.space.file("a.v4", Sample.web)
    let descriptor = open(site.space.lockPath, O_RDONLY | O_CREAT | O_CLOEXEC, 0o600)
    #expect(flock(descriptor, LOCK_EX) == 0)
    defer { close(descriptor) }
    for (wait, least) in [("0", 0.0), ("1", 1.0)] {
      let start = ContinuousClock.now
      let result = try site.firebreak("apply", "-w", wait, file)
      let taken = ContinuousClock.now - start
      #expect(result.status == 75, "\(result)")
      #expect(result.stderr.contains(site.space.lockPath))
      #expect(taken >= .seconds(least) && taken < .seconds(least + 5))
    }
    #expect(try site.kernel() == [])
    #expect(try site.firebreak("apply", "--check", "-w", "0", file).status == 0, "a rehearsal needs no lock")
    flock(descriptor, LOCK_UN)
    #expect(try site.firebreak("apply", "-w", "0", file).status == 0)
  }

  @Test func anotherFirebreakAtWorkIs75() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let descriptor = open(site.space.stateDirectory + "/lock", O_RDONLY | O_CLOEXEC)
    #expect(flock(descriptor, LOCK_EX) == 0)
    defer { close(descriptor) }
    let before = try site.kernel()
    #expect(try site.firebreak("apply", "-w", "0", try site.space.file("b.v4", Sample.changed)).status == 75)
    #expect(try site.firebreak("rollback", "-w", "0").status == 75)
    #expect(try site.kernel() == before)
  }

  /// Before anything is read: the file is not there.
  @Test(.requires(.tool("setpriv"))) func notRootIs77() throws {
    let site = try CommandSite()
    let program = "/tmp/\(site.space.name)-firebreak"
    try runProcess(["install", "-m", "755", Built.firebreak, program])
    defer { unlink(program) }
    for arguments in [
      ["apply", "/nonexistent"], ["save"], ["list"], ["rollback"], ["recover"], ["diff"], ["confirm"], ["log"],
      ["show"],
      ["apply", "--check", "/nonexistent"],
    ] {
      let result = try site.space.run(["setpriv", "--reuid", "65534", "--clear-groups", program] + arguments)
      #expect(result.status == 77, "\(arguments) \(result)")
    }
    let checked = try site.space.run(
      ["setpriv", "--reuid", "65534", "--clear-groups", program, "check", "-"], input: Sample.web)
    #expect(checked.status == 0, "check needs no root: \(checked)")
  }

  /// A kernel that says that it has no such table, as one without its module does.
  @Test(.requires(.tool("strace"))) func aTableTheKernelLacksIs69() throws {
    let site = try CommandSite()
    let file = try site.space.file("a.v4", Sample.web)
    let result = try site.space.run(
      [
        "strace", "-qq", "-o", "/dev/null", "-e", "inject=getsockopt:error=ENOENT", Built.firebreak, "apply",
        "--backend", "legacy", "--state-dir", site.space.stateDirectory, file,
      ])
    #expect(result.status == 69, "\(result)")
    #expect(result.stderr.contains("IPv4 filter"))
    #expect(try site.kernel() == [])
  }

  /// A kernel without nfnetlink, and one without nf_tables behind it.
  @Test(.requires(.tool("strace")), arguments: ["EPROTONOSUPPORT", "EAFNOSUPPORT"])
  func aKernelWithoutNFTablesIs69(_ error: String) throws {
    let site = try CommandSite()
    let file = try site.space.file("a.v4", Sample.web)
    func apply(_ backend: String) throws -> ProcessResult {
      try site.space.run(
        [
          "strace", "-qq", "-f", "-o", "/dev/null", "-e", "inject=bind:error=\(error)", Built.firebreak, "apply", "-q",
          "--backend", backend, "--state-dir", site.space.stateDirectory, file,
        ])
    }
    let result = try apply("nft")
    #expect(result.status == 69, "\(result)")
    #expect(result.stderr.contains("no nf_tables"), "\(result)")
    #expect(try site.kernel() == [])
    #expect(try apply("auto").status == 0, "then it is the other one")
    #expect(try site.kernel().contains { $0.hasPrefix(":INPUT DROP") })
  }

  @Test func aStateDirectoryOpenToOthersIsRefused() throws {
    let site = try CommandSite()
    #expect(mkdir(site.space.stateDirectory, 0o777) == 0)
    chmod(site.space.stateDirectory, 0o777)
    let result = try site.firebreak("apply", try site.space.file("a.v4", Sample.web))
    #expect(result.status == 1)
    #expect(result.stderr.contains("cannot be trusted"))
    #expect(try site.kernel() == [])
  }

  @Test func aDamagedGenerationIsNotLoaded() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    try site.load(Sample.changed)
    let generation = site.space.stateDirectory + "/generations/00000001"
    var bytes = try readFile(generation)
    bytes[bytes.count - 40] ^= 0x40
    _ = try runProcess(["cp", try site.space.file("damaged", bytes), generation])
    let before = try site.kernel()
    let result = try site.firebreak("rollback")
    #expect(result.status == 65)
    #expect(result.stderr.contains("generation 1 is damaged"), "\(result)")
    #expect(try site.kernel() == before)
  }

  @Test(arguments: [0, 30, 70, 200]) func aDamagedJournalIsSetAside(_ place: Int) throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    var bytes = try readFile(site.space.stateDirectory + "/commit.last")
    bytes[min(place, bytes.count - 1)] ^= 0x40
    _ = try runProcess(["cp", try site.space.file("damaged", bytes), site.space.stateDirectory + "/commit.pending"])
    let before = try site.kernel()
    let result = try site.firebreak("recover")
    #expect(result.status == 1)
    #expect(result.stderr.contains("damaged") && result.stderr.contains("commit.pending.damaged"), "\(result)")
    #expect(try site.kernel() == before)
    #expect(try site.firebreak("recover").status == 0, "once is enough")
  }

  // MARK: What only the kernel refuses

  /// Bytes of an extension that does not exist: the text is good, the kernel is not.
  private static let refused = "-A INPUT -s 192.0.2.7/32 -m nosuchmatch --opaque 0:0102030405060708 -j DROP"

  @Test func checkAsksTheKernelAndNamesTheRule() throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    let before = try site.kernel()
    let text = "*filter\n-A INPUT -j ACCEPT\n\(Self.refused)\n-A INPUT -j DROP\nCOMMIT\n"
    let file = try site.space.file("bad.v4", text)
    for command in [["apply", "--check"], ["apply"], ["apply", "--no-rehearsal"]] {
      let result = try site.space.firebreak(command + [file])
      #expect(result.status == 69, "\(result)")
      #expect(result.stderr.contains("bad.v4:3: error:"), "\(result)")
      #expect(result.stderr.contains("this rule, number 2 of chain INPUT"), "\(result)")
      #expect(result.stderr.contains("nosuchmatch"), "\(result)")
      #expect(try site.kernel() == before)
    }
  }

  /// In the second table, in the second family: the first is as it was.
  @Test(arguments: ["-4", "-6"], [true, false])
  func aRefusedSecondTableLeavesTheFirst(_ family: String, _ rehearses: Bool) throws {
    let site = try CommandSite()
    try site.load(Sample.web)
    try site.load("*filter\n-A INPUT -s 2001:db8::1 -j DROP\nCOMMIT\n", "given.v6")
    let before = try site.kernel()
    let bad = "-A OUTPUT -m nosuchmatch --opaque 0:0102030405060708 -j DROP\n"
    let v4 = "*raw\n-A OUTPUT -j ACCEPT\nCOMMIT\n*filter\n-A INPUT -j DROP\n\(family == "-4" ? bad : "")COMMIT\n"
    let v6 = "*filter\n-A INPUT -j DROP\n\(family == "-6" ? bad : "")COMMIT\n"
    var arguments = ["apply", try site.space.file("b.v4", v4), try site.space.file("b.v6", v6)]
    if !rehearses { arguments.append("--no-rehearsal") }
    let result = try site.space.firebreak(arguments)
    #expect(result.status == 69, "\(result)")
    #expect(result.stderr.contains("nosuchmatch"))
    let after = try site.kernel()
    #expect(before.allSatisfy { after.contains($0) }, "\(difference(after, before))")
    #expect(
      after.filter { $0.contains("-A ") } == before.filter { $0.contains("-A ") }, "raw may be there, and is empty")
    #expect(try site.firebreak("recover").stdout.contains("nothing to recover"))
  }
}
