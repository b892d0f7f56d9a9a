internal import ArgumentParser
internal import Firebreak

struct Recover: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover", _superCommandName: FirebreakCommand.name,
    abstract: "Finish what an interrupted commit left.",
    discussion: """
      A commit of several tables that is killed half-way is put back by a process that was waiting beside it, which runs \
      this command. Every apply and rollback does the same first. It touches only tables that still hold what the \
      interrupted commit put there; when there is nothing to finish it does nothing.
      """)

  @OptionGroup var site: SiteOptions
  @OptionGroup var lock: LockOptions

  func run() throws {
    try site.run { console in
      try site.enter()
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      let recovery = try site.engine(site.store()).recoverInterrupted(options)
      if console.isJSON {
        console.print(.object([("status", .string(recovery?.sentence ?? "nothing to recover"))]))
      } else {
        console.say(recovery?.sentence ?? "nothing to recover")
      }
    }
  }
}
