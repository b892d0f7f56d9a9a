internal import Firebreak

struct Check: Subcommand {
  static let name = "check"

  static let about = About(
    "Say what is wrong with rules, without touching any kernel.",
    discussion: """
      Needs no root, and says the same to everybody: whether the sets that rules name (ipset) exist is not looked at. \
      `firebreak apply --check` asks the kernel as well. With --backend nft rules may hold what only nf_tables takes; \
      else they have to suit ip_tables too.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var input: InputArguments

  func run() throws {
    try site.run { console in
      let reading = try site.readRules(
        input.inputs, console, for: site.interface, names: .withoutKernel)
      let tables = reading.ruleset.tables
      if console.isJSON {
        console.print(
          .object([
            ("status", .string("good")),
            (
              "tables",
              .array(
                tables.map { table in
                  .object([
                    ("family", .number(table.family == .ipv4 ? 4 : 6)), ("table", .string(table.name.rawValue)),
                    ("chains", .number(table.chains.count)), ("rules", .number(table.ruleCount)),
                  ])
                })
            ),
            ("diagnostics", .array(reading.diagnostics.map { JSON($0) })),
          ]))
        return
      }
      for table in tables {
        console.say("\(table.family) \(table.name): \(table.chains.count) chains, \(table.ruleCount) rules")
      }
      console.say("good")
    }
  }
}
