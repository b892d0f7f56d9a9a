internal import Firebreak

struct List: Subcommand {
  static let name = "list"

  static let about = About(
    "Show the kernel's rules as a table for people.",
    discussion: "Without -t every table that exists is shown, both families unless -4 or -6 is given.")

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions

  @Option("--table", "-t", help: "This table only.")
  var table: TableChoice?

  @Flag("--verbose", "-v", help: "Counters and interfaces too.")
  var verbose = false

  @Flag("--line-numbers", help: "Number the rules of each chain.")
  var lineNumbers = false

  @Argument("chain", help: "This chain only.")
  var chain: String?

  func run() throws {
    try site.run { console in
      try site.enter()
      let backend = try site.store().backend
      let needsCounters = verbose || site.json
      let snapshot = try needsCounters ? backend.snapshot(of: selection) : backend.outline(of: selection)
      let tables = snapshot.ruleset.tables.sorted { ($0.id) < ($1.id) }
      let shown = chain.map { name in tables.filter { $0.contains(name) } } ?? tables
      if let chain, shown.isEmpty {
        throw CommandFailure(
          .failed, "there is no chain '\(chain)'\(table.map { " in table \($0.rawValue)" } ?? "")",
          hint: suggestion(for: chain, among: Array(Set(tables.flatMap { $0.chains.map(\.name.text) })).sorted()))
      }
      if console.isJSON { return console.print(.array(shown.map { ListRenderer(self).json($0) })) }
      for table in shown { console.print(ListRenderer(self).text(table)) }
      if shown.isEmpty { console.say("no tables: nothing has been filtered here yet") }
    }
  }

  private var selection: TableSelection {
    .only(
      Set(
        site.families.flatMap { family in (table.map { [$0.name] } ?? TableName.allCases).map { TableID($0, family) } })
    )
  }
}

extension Table {
  fileprivate func contains(_ name: String) -> Bool { chains.contains { $0.name.text == name } }
}
