import KernelTestSupport
import Testing

/// How the words of a command line are read.
@Suite struct UsageTests {
  private static let rules = """
    *filter
    :INPUT ACCEPT [0:0]
    -A INPUT -p tcp --dport 22 -j ACCEPT
    COMMIT

    """

  private func firebreak(_ words: [String]) throws -> ProcessResult { try runProcess([Built.firebreak] + words) }

  /// What is wrong, and what to write instead.
  @Test(arguments: [
    (["aply"], "'firebreak' has no subcommand 'aply'", "did you mean apply?"),
    (["hook", "instal"], "'firebreak hook' has no subcommand 'instal'", "did you mean install?"),
    (["help", "check", "more"], "'firebreak check' has no subcommand 'more'", "--help"),
    (["--verson"], "there is no option '--verson'", "did you mean --version?"),
    (["check", "--quite", "x"], "there is no option '--quite'", "did you mean --quiet?"),
    (["check", "-x", "x"], "there is no option '-x'", "`firebreak check --help`"),
    (["check", "-qx", "x"], "there is no option '-x' in '-qx'", "--help"),
    (["check", "--quiet=yes", "x"], "--quiet takes no value", "--help"),
    (["check", "--backend", "ntf", "x"], "--backend: 'ntf' is no such value", "did you mean nft?"),
    (["apply", "-w", "soon", "x"], "-w: 'soon' is no seconds", "--help"),
    (["apply", "-w"], "-w needs a value: -w <seconds>", "--help"),
    (["apply", "-m", "--diff", "x"], "-m needs a value: -m <message>", "if '--diff' is the value, write -m=--diff"),
    (["apply", "-w", "-1", "x"], "-w takes 0 or more seconds", "--help"),
    (["apply", "--compile", "--no-compile", "x"], "--compile and --no-compile exclude each other", "--help"),
    (["apply"], "<input> is missing: Rules: iptables-save text", "--help"),
    (["migrate"], "--to <nft|legacy> is missing", "--help"),
    (["show", "1", "2"], "'2' is one word too many", "--"),
    (["show", "one"], "<number>: 'one' is no number", "--help"),
    (["hook", "install", "systmd"], "<name>: 'systmd' is no such value", "did you mean systemd?"),
    (["check", "-4", "-6", "x"], "-4 and -6 exclude each other", "--help"),
    (["apply", "--no-wait", "x"], "--no-wait belongs to --confirm", "--help"),
    (["run"], "name the script", "--help"),
  ])
  func whatIsWrong(_ words: [String], _ message: String, _ hint: String) throws {
    let result = try firebreak(words)
    #expect(result.status == 64)
    #expect(result.stdout.isEmpty)
    let lines = result.stderr.split(separator: "\n")
    #expect(lines.count == 2 && lines[0].hasPrefix("firebreak: error: \(message)"), "\(result.stderr)")
    #expect(lines.count == 2 && lines[1].hasPrefix("    ") && lines[1].contains(hint), "\(result.stderr)")
  }

  @Test func asJSON() throws {
    let result = try firebreak(["check", "--json", "--quite"])
    #expect(result.status == 64)
    #expect(result.stdout.hasPrefix("{\"status\":\"failed\",\"exit\":64,\"error\":\"there is no option '--quite'\""))
  }

  /// The same said in other ways.
  @Test(arguments: [
    ["check", "-q", "-4", "RULES"], ["check", "-q4", "RULES"], ["check", "RULES", "-4q"],
    ["check", "--color=never", "RULES", "--quiet"], ["check", "--color", "never", "-q", "--", "RULES"],
    ["check", "-q", "--backend=nft", "--backend", "legacy", "RULES"], ["check", "--state-dir=", "-q", "RULES"],
  ])
  func spellings(_ words: [String]) throws {
    let result = try runProcess([Built.firebreak] + words.map { $0 == "RULES" ? "-" : $0 }, input: Self.rules)
    #expect(result.status == 0 && result.stdout.isEmpty && result.stderr.isEmpty, "\(result)")
  }
}
