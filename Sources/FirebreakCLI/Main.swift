internal import ArgumentParser
internal import Firebreak

@main
struct FirebreakCommand: ParsableCommand {
  static let name = "firebreak"

  /// The whole tree of commands is needed for help and completions only: a command that is named is parsed at once.
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.first == "--version", arguments.count == 1 { return print(configuration.version) }
    guard let command = configuration.subcommands.first(where: { $0.configuration.commandName == arguments.first })
    else {
      return main(nil)
    }
    command.main(Array(arguments.dropFirst()))
  }

  static let configuration = CommandConfiguration(
    commandName: name,
    abstract: "Put packet-filter rules into the Linux kernel as one act, and take them back.",
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
        firebreak simulate rules.v4 --chain INPUT --src 192.0.2.1 --dst 192.0.2.2 --proto icmp

      EXIT STATUS
        0   done, or nothing to do
        1   failed, the kernel is as before (diff: they differ; simulate: not as expected)
        64  usage         65  bad input            66  no such input
        69  the kernel lacks it                    70  a bug in firebreak
        75  busy or changed under us, try again    77  not root
        83  the kernel holds a mixture and putting it back failed

      FILES
        /var/lib/firebreak    what the last apply replaced
        /run/xtables.lock     shared with iptables; XTABLES_LOCKFILE names another
      """,
    version: "firebreak \(firebreakVersion)",
    subcommands: [
      Apply.self, Check.self, Diff.self, List.self, Recover.self, Rollback.self, Save.self, Simulate.self,
    ])
}
