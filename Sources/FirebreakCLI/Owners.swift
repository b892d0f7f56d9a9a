internal import Firebreak

struct Owners: Subcommand {
  static let name = "owners"

  static let about = About(
    "Show which programs the kernel's rules and chains belong to.",
    discussion: """
      Docker, fail2ban, Kubernetes, libvirt, ufw, firewalld and others are told by the names of their chains, by where \
      rules lead, by comments and interfaces; what none of them looks like is `unknown`. Rules of different owners in one \
      chain are counted apart. Without -t every table that exists is shown, both families unless -4 or -6 is given.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions

  @Option("--table", "-t", help: "This table only.")
  var table: TableChoice?

  func run() throws {
    try site.run { console in
      try site.enter()
      let tables = try site.store().backend.snapshot(of: selection).ruleset.tables.sorted { $0.id < $1.id }
      // Looking makes no state directory.
      let own = StateDirectory.exists(site.stateDir) ? try site.history().newestIntact()?.ruleset : nil
      let owned = tables.map { Ownership($0, base: own?[$0.id]) }
      if console.isJSON { return console.print(.array(owned.map { JSON($0) })) }
      for table in owned where !table.shares.isEmpty { console.print(text(table)) }
      if owned.allSatisfy({ $0.shares.isEmpty }) { console.say("no rules") }
    }
  }

  private var selection: TableSelection {
    let names = table.map { [$0.name] } ?? TableName.allCases
    return .only(Set(site.families.flatMap { family in names.map { TableID($0, family) } }))
  }

  private func text(_ table: Ownership) -> String {
    let titles = ["chain", "owner", "rules", "packets"]
    let rows = table.shares.map { share in
      [
        share.chain.text, share.owner.name, "\(share.rules)", "\(share.packets)",
      ]
    }
    return "\(table.id.family) table \(table.id.name)\n" + columns([titles] + rows) + "\n"
  }
}

extension JSON {
  fileprivate init(_ table: Ownership) {
    self = .object([
      ("family", .number(table.id.family == .ipv4 ? 4 : 6)), ("table", .string(table.id.name.rawValue)),
      (
        "shares",
        .array(
          table.shares.map { share in
            .object([
              ("chain", .string(share.chain.text)), ("owner", .string(share.owner.rawValue)),
              ("name", .string(share.owner.name)), ("rules", .number(share.rules)),
              ("packets", .number(Int(clamping: share.packets))), ("whole_chain", .bool(share.isWholeChain)),
            ])
          })
      ),
    ])
  }
}
