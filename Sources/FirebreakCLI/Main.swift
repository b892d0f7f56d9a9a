internal import Firebreak
internal import Glibc

@main
struct FirebreakCommand: Subcommand {
  static let name = "firebreak"

  @Flag("--version", help: "Show the version.")
  var version = false

  static func main() {
    standIn()
    if let status = runTool() { Glibc.exit(status) }
    let words = CommandLine.arguments.dropFirst()
    // Help on matches and targets stands beside help on commands.
    let isAboutExtensions = words.first == "help" && words.dropFirst().first.flatMap(ExtensionHelp.Topic.init) != nil
    var call = CommandLineWords(
      isAboutExtensions ? ExtensionHelp.self : Self.self, words.dropFirst(isAboutExtensions ? 1 : 0))
    let status = call.run()
    if status != .done { Glibc.exit(status.rawValue) }
  }

  func run() {
    if version { print("firebreak \(firebreakVersion)") }
  }

  /// Commands that do no more than look, and may look at the copy that a script works on.
  private static let readers: Set<String> = [
    "--help", "--version", "check", "help", "lint", "list", "matrix", "compare", "save", "simulate",
  ]

  /// Within `firebreak run` this program is found at the place of iptables and its companions.
  private static func standIn() {
    let called = CommandLine.arguments.first.flatMap(Tool.init(path:)) != nil
    let word = CommandLine.arguments.dropFirst().first ?? ""
    switch StagedCall.take() {
    case .none: break
    case .done(let status): Glibc.exit(status)
    case .inCopy where called || Tool(path: word) != nil || readers.contains(word): break
    case .inCopy:
      refuse("'\(word)' cannot be used in a script that `firebreak run` runs: it commits when the script is done")
    case .refused(let reason): refuse(reason)
    }
  }

  private static func refuse(_ reason: String) -> Never {
    writeAll(2, Array("firebreak: error: \(reason)\n".utf8))
    Glibc.exit(ExitStatus.busy.rawValue)
  }

  /// Stands in for iptables and its companions, when called by such a name or told so by the first word.
  /// - Returns: the exit status; nil where something else is meant.
  private static func runTool() -> Int32? {
    let words = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0] }.map { word in
      let bytes = UnsafeRawPointer(word).assumingMemoryBound(to: UInt8.self)
      return Token(UnsafeBufferPointer(start: bytes, count: strlen(word)))
    }
    guard let called = words.first else { return nil }
    if let tool = Tool(path: called.string) { return tool.run(words.dropFirst()) }
    guard words.count > 1, words[1].firstIndex(of: UInt8(ascii: "/")) == nil, let tool = Tool(path: words[1].string)
    else { return nil }
    return tool.run(words.dropFirst(2))
  }

  static let about = About(
    "Put packet-filter rules into the Linux kernel as one act, and take them back.",
    discussion: """
      Firebreak reads rules as people have them (the output of iptables-save, lists of iptables and ip6tables \
      commands), checks all of them first, and commits them over all tables and both families: all of it, or nothing. \
      What was there before is kept for `firebreak rollback`.

      EXAMPLES
        firebreak check rules.v4                 what is wrong with a file; needs no root
        firebreak apply --check --diff rules.v4  rehearse, and show what would change
        firebreak apply -m 'open port 80' rules.v4 rules.v6
        firebreak diff rules.v4                  does the kernel hold what the file says?
        firebreak rollback                       take the last apply back
        firebreak owners                         which rules are Docker's, fail2ban's, …
        firebreak run -- ./firewall.sh           run a script of iptables commands as one commit
        firebreak snapshot nft.image             keep everything that nf_tables holds; restore puts it back
        firebreak hook install systemd           load the rules when the machine starts
        firebreak status                         what is in force, and does anything need attention?
        firebreak simulate rules.v4 --chain INPUT --src 192.0.2.1 --dst 192.0.2.2 --proto icmp

      MATCHES AND TARGETS
        firebreak help matches                   lists them; help targets too
        firebreak help match conntrack           all options of one; help target SNAT

      IN PLACE OF IPTABLES
        firebreak iptables -L -n                 ip6tables, -save, -restore and iptables-xml too, and
                                                 under these names when linked so; -h has the options;
                                                 iptables-legacy and -nft say where, iptables is where
                                                 the rules are

      EXIT STATUS
        0   done, or nothing to do
        1   failed, the kernel is as before (diff: they differ; simulate: not as expected)
        64  usage         65  bad input            66  no such input
        69  the kernel lacks it                    70  a bug in firebreak
        75  busy or changed under us, try again    77  not root
        81  not confirmed, rolled back            82  verification failed, rolled back
        83  the kernel holds a mixture and putting it back failed, or what it holds cannot be told

      FILES
        /var/lib/firebreak    generations, the journal of the commit under way, audit.jsonl
        /run/xtables.lock     shared with iptables; XTABLES_LOCKFILE names another
      """,
    subcommands: [
      Apply.self,
      Check.self,
      Completion.self,
      CompleteWords.self,
      Confirm.self,
      Diff.self,
      GuardCommand.self,
      HookCommand.self,
      List.self,
      Log.self,
      Migrate.self,
      Owners.self,
      Recover.self,
      Restore.self,
      Rollback.self,
      Run.self,
      Save.self,
      Show.self,
      Simulate.self,
      SnapshotCommand.self,
      Status.self,
    ])
}
