internal import Firebreak

struct Status: Subcommand {
  static let name = "status"

  static let about = About(
    "Say what is in force, and whether anything needs attention.",
    discussion: """
      Shows which kernel interface is in use (what --backend auto takes), the tables of both with what they hold, the \
      tables of other programs in nf_tables, which are left alone, a commit that waits to be confirmed with the seconds it has \
      left, one that was interrupted, and the newest generation with what has changed in the kernel since then, and by whom \
      it looks.

      Exit status: 0, and 1 where Firebreak's own rules are not in the kernel as they were committed.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions

  func run() throws {
    try site.run { console in
      try site.enter()
      let use = try KernelUse()
      let pending = try interruptedCommit()
      let standing = try StandingReport(site)
      var notes = [use.warning].compactMap { $0 } + standing.notes
      if let pending, !pending.isUnderWay {
        notes.append("a commit was interrupted: finish or undo it with `firebreak recover`")
      }
      if console.isJSON {
        console.print(
          .object(
            [
              ("backend", .string(use.chosen.rawValue)),
              ("interfaces", .array([use.legacy, use.nft].map { JSON($0) })),
              ("other_tables", .array(use.others.filter { !standing.owns($0) }.map { JSON($0) })),
              ("pending", pending.map { JSON($0) } ?? .null),
            ] + standing.members + [
              ("notes", .array(notes.map { .string($0) }))
            ]))
      } else {
        render(use, others: use.others.filter { !standing.owns($0) }, pending, console)
        for line in standing.lines { console.say(line) }
      }
      for note in notes { console.note(note) }
      if standing.isDisturbed { throw ExitCode(.failed) }
    }
  }

  /// Looking makes no state directory.
  private func interruptedCommit() throws -> InterruptedCommit? {
    guard StateDirectory.exists(site.stateDir) else { return nil }
    return try site.engine(RuleStore(try site.backend.choice.backend(names: .system))).interrupted()
  }

  private func render(
    _ use: KernelUse, others: [OtherTable], _ pending: InterruptedCommit?, _ console: Console
  ) {
    let isInUse = use.legacy.isInUse || use.nft.isInUse
    console.say("backend: \(use.chosen.rawValue)\(isInUse ? "" : " (neither holds rules)")")
    for interface in [use.legacy, use.nft] {
      let name = interface.choice == .legacy ? "ip_tables (legacy)" : "nf_tables (nft)"
      guard interface.isAvailable else {
        console.say("\(name): not in this kernel")
        continue
      }
      console.say("\(name): \(interface.isInUse ? "in use" : interface.tables.isEmpty ? "no tables" : "empty")")
      for table in interface.tables { console.say("  \(table.sentence)") }
    }
    if !others.isEmpty {
      console.say("tables of other programs in nf_tables, left alone:")
      for table in others {
        console.say("  \(table)\(table.owner.map { ", kept by \($0) for itself" } ?? "")")
      }
    }
    if let pending {
      let tables = pending.tables.map { "\($0)" }.joined(separator: ", ")
      let what = pending.isUnderWay ? "a commit is under way" : "a commit was interrupted"
      console.say("\(what) (\(pending.backends.joined(separator: ", "))): \(tables)")
    }
  }
}

extension KernelUse.TableUse {
  fileprivate var sentence: String {
    let name = isCompiled ? "\(id) (compiled)" : "\(id)"
    guard let contents else { return "\(name): not readable as iptables: \(problem ?? "")" }
    var text = "\(name): \(contents.rules) rules"
    if contents.chains > 0 { text += ", \(contents.chains) chains" }
    if !contents.dropping.isEmpty {
      text += ", policy DROP in \(contents.dropping.map(\.text).joined(separator: ", "))"
    }
    return text
  }
}

extension JSON {
  fileprivate init(_ interface: KernelUse.Interface) {
    self = .object([
      ("name", .string(interface.choice.rawValue)), ("available", .bool(interface.isAvailable)),
      ("in_use", .bool(interface.isInUse)), ("tables", .array(interface.tables.map { JSON($0) })),
    ])
  }

  private init(_ table: KernelUse.TableUse) {
    self = .object([
      ("family", .number(table.id.family == .ipv4 ? 4 : 6)), ("table", .string(table.id.name.rawValue)),
      ("compiled", .bool(table.isCompiled)),
      ("rules", table.contents.map { .number($0.rules) } ?? .null),
      ("chains", table.contents.map { .number($0.chains) } ?? .null),
      ("policy_drop", .array((table.contents?.dropping ?? []).map { .string($0.text) })),
      ("problem", table.problem.map { .string($0) } ?? .null),
    ])
  }

  fileprivate init(_ table: OtherTable) {
    self = .object([
      ("family", .string(table.family)), ("name", .string(table.name)),
      ("owner", table.owner.map { .string($0) } ?? .null),
    ])
  }

  fileprivate init(_ pending: InterruptedCommit) {
    self = .object([
      ("under_way", .bool(pending.isUnderWay)), ("time", .number(Int(pending.time))),
      ("message", .string(pending.message)), ("backends", .array(pending.backends.map { .string($0) })),
      (
        "tables",
        .array(
          pending.tables.map { id in
            .object([
              ("family", .number(id.family == .ipv4 ? 4 : 6)), ("table", .string(id.name.rawValue)),
            ])
          })
      ),
    ])
  }
}
