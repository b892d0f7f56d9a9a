internal import Firebreak

struct Confirm: Subcommand {
  static let name = "confirm"

  static let about = About(
    "Keep the commit that waits for it.",
    discussion: """
      `firebreak apply --confirm` puts rules into the kernel and takes them back unless this command is run in time, from \
      any login: a login that still works is the proof that the rules let you in.

      Exit status: 0 it is kept, 1 nothing waits to be confirmed, 81 it is too late: the rules are what they were before.

      EXAMPLE
        firebreak apply --confirm 2m rules.v4      in one session
        firebreak confirm                          in another, opened after that
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var lock: LockOptions

  func run() throws {
    try site.run { console in
      try site.enter()
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      let (generation, notes) = try site.engine(site.store()).confirm(options)
      for note in notes { console.note(note) }
      if console.isJSON {
        console.print(
          .object([
            ("status", .string("confirmed")), ("generation", .number(generation.number)),
            ("notes", .array(notes.map { .string($0) })),
          ]))
      } else {
        console.say("confirmed: the rules stay; generation \(generation.number)")
      }
    }
  }
}
