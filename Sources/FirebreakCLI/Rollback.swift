internal import Firebreak

struct Rollback: Subcommand {
  static let name = "rollback"

  static let about = About(
    "Go back to an earlier generation.",
    discussion: """
      Without a number the last commit is taken back, and each further rollback goes one step on; a commit that waits to be \
      confirmed is taken back at once. Tables that came under Firebreak since then become what they were found as; 0 is \
      what there was before the first commit. Rules of other programs stay. It is a commit like others, all or nothing, \
      with a generation of its own.

      EXAMPLES
        firebreak rollback
        firebreak log
        firebreak rollback 17 --confirm 2m
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var lock: LockOptions
  @OptionGroup(title: "CONFIRMATION") var confirmation: ConfirmationOptions

  @Option("--message", "-m", help: "Why.")
  var message = ""

  @Argument("number", help: "The generation to go back to.")
  var number: Int?

  func validate() throws {
    if let number, number < 0 { throw ValidationError("generations are numbered from 1; 0 is what there was before") }
  }

  func run() throws {
    try site.run { console in
      try site.enter()
      var request = CommitEngine.Request(Ruleset())
      lock.apply(to: &request.options)
      request.message = message
      confirmation.apply(to: &request)
      let engine = try site.engine(site.store())
      let report = try engine.rollback(to: number, request, through: site.backendName)
      try CommitReport(report, status: "rolled back").finish(engine, waits: !confirmation.noWait, console)
    }
  }
}
