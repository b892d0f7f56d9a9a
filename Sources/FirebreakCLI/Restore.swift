internal import Firebreak

struct Restore: Subcommand {
  static let name = "restore"

  static let about = About(
    "Make nf_tables what it was when a snapshot was made.",
    discussion: """
      Every table of the snapshot becomes what it was, in one transaction: all of it, or nothing. A table that exists is \
      taken out and made anew, whatever has come into it since. Tables that the snapshot does not have stay, unless \
      --exclusive removes them. Elements get the time that they had left when the snapshot was made. The table of a \
      process that keeps it for itself (flags owner) is refused, with the process named.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var image: ImageOptions

  @Flag("--check", "-n", help: "Let the kernel try everything and keep nothing.")
  var check = false

  @Flag(
    "--exclusive",
    help: "Remove the tables that the snapshot does not have, of those that are chosen with --table, -4 or -6.")
  var exclusive = false

  @Flag("--list", help: "Say what is in the file and do nothing; needs no root.")
  var list = false

  @Argument("file", help: "A file that `firebreak snapshot` made; - for standard input.")
  var file: String

  func validate() throws {
    if list, check || exclusive { throw ValidationError("--list goes with neither --check nor --exclusive") }
  }

  func run() throws {
    try site.run { console in
      let selection = image.selection(site)
      let whole = try InputFile(path: file).withBytes { try RulesetImage(encoded: $0) }
      for id in selection.tables where whole[id] == nil && !exclusive {
        throw CommandFailure(
          .badInput, "the snapshot has no table \(id)", hint: "see what it has with: firebreak restore --list")
      }
      if list { return show(whole.selecting(selection), console) }
      try site.enter()
      var options = RestoreOptions()
      options.selection = selection
      options.isExclusive = exclusive
      options.isTrial = check
      report(try whole.restore(options), console)
    }
  }

  private func show(_ image: RulesetImage, _ console: Console) {
    if console.isJSON { return console.print(.array(image.tables.map { JSON($0) })) }
    for table in image.tables { console.say(table.summary) }
    if image.tables.isEmpty { console.say("no tables") }
  }

  private func report(_ report: RestoreReport, _ console: Console) {
    for id in report.left { console.note("table \(id) stays: another process keeps it for itself") }
    let status = check ? "good" : report.isEmpty ? "unchanged" : "restored"
    if console.isJSON {
      return console.print(
        .object([
          ("status", .string(status)), ("replaced", .array(report.replaced.map { JSON($0) })),
          ("created", .array(report.created.map { JSON($0) })), ("removed", .array(report.removed.map { JSON($0) })),
        ]))
    }
    let would = check ? "would be " : ""
    for id in report.removed { console.say("\(id): \(would)removed") }
    for id in report.replaced { console.say("\(id): \(would)put back") }
    for id in report.created { console.say("\(id): \(would)made again") }
    console.say(status)
  }
}

extension RestoreReport {
  fileprivate var isEmpty: Bool { replaced.isEmpty && created.isEmpty && removed.isEmpty }
}
