internal import ArgumentParser
internal import Firebreak

struct Rollback: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", _superCommandName: FirebreakCommand.name,
    abstract: "Take the last apply back.",
    discussion: """
      The tables that the last apply changed become what they were before it, as one act; tables that it made are \
      emptied and their policies set to ACCEPT. One step: a second rollback has nothing to take back.
      """)

  @OptionGroup var site: SiteOptions
  @OptionGroup var lock: LockOptions

  func run() throws {
    try site.run { console in
      try site.enter()
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      let report = try site.engine(site.store()).rollback(options, through: site.backendName)
      report.recovered.map { console.note($0.sentence) }
      for note in report.notes { console.note(note) }
      let status = report.plan.isEmpty ? "unchanged" : "rolled back"
      if console.isJSON {
        console.print(
          .object([
            ("status", .string(status)), ("tables", JSON(report.plan)),
            ("notes", .array(report.notes.map { .string($0) })),
          ]))
      } else {
        console.say(report.plan.sentence(status: status))
      }
    }
  }
}
