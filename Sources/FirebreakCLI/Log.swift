internal import Firebreak

struct Log: Subcommand {
  static let name = "log"

  static let about = About(
    "List the commits that were kept.",
    discussion: """
      The newest first: number, time, author, rules added and removed, message. The newest 100 are kept, and all of the last \
      90 days, as long as all of them take no more than 512 MB.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions

  @Option("-n", help: "Show so many.", placeholder: "count")
  var limit = 20

  func run() throws {
    try site.run { console in
      try site.enter()
      let history = try site.history()
      var rows: [JSON] = []
      for number in try history.numbers().reversed().prefix(max(0, limit)) {
        do {
          let summary = try history.summary(number)
          rows.append(JSON(summary))
          console.say(summary.line)
        } catch let failure as History.Failure {
          rows.append(.object([("generation", .number(number)), ("error", .string("\(failure)"))]))
          console.note("\(failure)")
        }
      }
      if console.isJSON { console.print(.array(rows)) } else if rows.isEmpty { console.say("no commits yet") }
    }
  }
}

extension Generation.Summary {
  /// `   12  2026-01-31T12:00:00Z  root (alice)  +3 -1  open port 80`
  var line: String {
    let digits = String(number)
    let padding = String(repeating: " ", count: max(0, 5 - digits.count))
    return "\(padding)\(digits)  \(Timestamp.text(time))  \(author.text)  +\(added) -\(removed)  \(message)"
  }
}

extension Author {
  /// `root`, or `root (alice)` where somebody else logged in or called sudo.
  var text: String {
    let acting = SystemUser.name(user)
    let person = sudo ?? login.map { SystemUser.name($0) }
    return person.flatMap { $0 == acting ? nil : "\(acting) (\($0))" } ?? acting
  }
}

extension JSON {
  init(_ summary: Generation.Summary) {
    self = .object([
      ("generation", .number(summary.number)), ("time", .string(Timestamp.text(summary.time))),
      (
        "author",
        .object([
          ("user", .string(SystemUser.name(summary.author.user))),
          ("login", summary.author.login.map { .string(SystemUser.name($0)) } ?? .null),
          ("sudo", summary.author.sudo.map { .string($0) } ?? .null),
        ])
      ),
      ("message", .string(summary.message)), ("backend", .string(summary.backend)),
      ("added", .number(summary.added)), ("removed", .number(summary.removed)),
      ("restores", summary.restores.map { .number($0) } ?? .null),
      ("tables", .array(summary.tables.map { .string("\($0)") })),
    ])
  }
}
