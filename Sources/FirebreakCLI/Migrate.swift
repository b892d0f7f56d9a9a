internal import Firebreak

struct Migrate: Subcommand {
  static let name = "migrate"

  static let about = About(
    "Move what is loaded from ip_tables to nf_tables, or back.",
    discussion: """
      Shows what changes, commits the rules with their counters to where they are to be, reads them back, and only then \
      empties the tables that they came from, whose policies become ACCEPT. For a moment the rules are in force in both \
      places, never in neither; when a step fails the others are put back. `firebreak rollback` takes all of it back. \
      Tables that hold other rules in the new place already are not touched without --replace.

      EXAMPLES
        firebreak migrate --to nft --check
        firebreak migrate --to nft
      """)

  enum Place: String, CaseIterable, ArgumentValue {
    case nft
    case legacy

    var choice: BackendChoice { self == .nft ? .nft : .legacy }
    var other: Place { self == .nft ? .legacy : .nft }
  }

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var lock: LockOptions

  @Option("--to", help: "Where the rules are to be: nft for nf_tables, legacy for ip_tables.")
  var to: Place

  @Flag("--check", "--dry-run", "-n", help: "Show and rehearse all of it and change nothing.")
  var check = false

  @Flag(
    "--replace", help: "Where tables hold other rules in the new place already, put those that move in their place.")
  var replace = false

  @Option("--message", "-m", help: "Why; kept beside what is needed to take it back.")
  var message = ""

  @Flag("--no-rehearsal", help: "Do not try the commit in a network namespace first.")
  var noRehearsal = false

  func validate() throws {
    if site.backend != .auto, site.backend.rawValue != to.rawValue {
      throw ValidationError("migrate moves rules to where --to says; leave --backend out")
    }
  }

  func run() throws {
    try site.run { console in
      try site.enter()
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      options.rehearses = !noRehearsal
      let target = RuleStore(try to.choice.backend(names: .system))
      let migration = Migration(
        try site.engine(target), from: RuleStore(try to.other.choice.backend(names: .system)))
      let report =
        check
        ? try migration.check(options, replacing: replace)
        : try migration.carryOut(options, replacing: replace, message: message)
      report.recovered.map { console.note($0.sentence) }
      render(report, console)
    }
  }

  private func render(_ report: CommitEngine.MoveReport, _ console: Console) {
    let difference = report.difference(names: .system)
    var notes = report.notes
    let rewording = report.rewording(names: .system)
    if !rewording.isEmpty {
      notes.append("\(rewording.counts.removed) rules are written there in other words that mean the same")
    }
    for note in notes { console.note(note) }
    let isEmpty = report.departure.isEmpty
    let status = isEmpty ? "unchanged" : check ? "planned" : "migrated"
    if console.isJSON {
      console.print(
        .object([
          ("status", .string(status)), ("from", .string(to.other.rawValue)), ("to", .string(to.rawValue)),
          ("tables", JSON(report.arrival)), ("emptied", JSON(report.departure)), ("diff", JSON(difference)),
          ("notes", .array(notes.map { .string($0) })),
        ]))
      return
    }
    guard !console.isQuiet else { return }
    console.print(difference)
    guard !isEmpty else { return console.say("unchanged: \(to.other.rawValue) holds nothing to move") }
    let count = report.source.tables.reduce(0) { $0 + $1.ruleCount }
    let tables = report.departure.tables.map { "\($0)" }.joined(separator: ", ")
    console.say("\(status): \(count) rules from \(to.other.rawValue) to \(to.rawValue): \(tables)")
  }
}
