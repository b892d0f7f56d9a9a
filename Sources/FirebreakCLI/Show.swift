internal import Firebreak

struct Show: Subcommand {
  static let name = "show"

  static let about = About(
    "Print the rules of a generation.",
    discussion: """
      As iptables-save prints them; rules of other programs are not among them. Sets and tables of nft's own that \
      `firebreak run` committed are named before them. With -4 or -6 alone `firebreak apply` and \
      iptables-restore read it.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions

  @Argument("number", help: "The generation; the newest if left out.")
  var number: Int?

  func run() throws {
    try site.run { console in
      try site.enter()
      let history = try site.history()
      guard let number = try number ?? history.numbers().last else { throw History.Failure.missing(1, newest: nil) }
      let generation = try history.generation(number)
      let tables = generation.ruleset.tables.filter { site.families.contains($0.family) }
      if console.isJSON {
        let text = tables.map { table in
          JSON.object([
            ("family", .number(table.family == .ipv4 ? 4 : 6)), ("table", .string(table.name.rawValue)),
            ("text", .string(String(decoding: Self.bytes(of: table), as: UTF8.self))),
          ])
        }
        return console.print(
          .object([
            ("summary", JSON(generation.summary)), ("tables", .array(text)),
            ("beside", .array(generation.beside.map { .string("\($0)") })),
          ]))
      }
      console.print("# generation \(generation.summary.line.drop { $0 == " " })\n")
      for companion in generation.beside { console.print("# with \(companion)\n") }
      for table in tables {
        console.print("# \(table.family)\n")
        console.print(bytes: Self.bytes(of: table))
      }
    }
  }

  private static func bytes(of table: Table) -> [UInt8] {
    SaveText.pieces(table, names: .system, showsCounters: false, together: runTogether).flatMap { $0 }
  }
}
