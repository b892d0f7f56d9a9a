internal import ArgumentParser
internal import Firebreak

struct Apply: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", _superCommandName: FirebreakCommand.name,
    abstract: "Commit rules to the kernel: all of them, or nothing.",
    discussion: """
      Everything is read and checked first. Then the lock that iptables uses is taken, the kernel's tables are read, \
      and what has to follow the first table is tried in a network namespace made for that. When a table fails, those \
      before it are put back. Rules that stay keep their counters; when nothing changes nothing is written.

      EXAMPLES
        firebreak apply rules.v4 rules.v6
        firebreak apply --check --diff rules.v4
        firebreak apply --compile many-hosts.v4
        iptables-save | sed s/eth0/ens3/ | firebreak apply -
      """)

  @OptionGroup var site: SiteOptions
  @OptionGroup var lock: LockOptions
  @OptionGroup var input: InputArguments

  @Flag(
    name: [.customShort("n"), .customLong("check"), .customLong("dry-run")],
    help: "Rehearse all of it and change nothing.")
  var check = false

  @Flag(help: "Show what changes, as lines with - and +.")
  var diff = false

  @Option(name: .shortAndLong, help: "Why; kept beside what is needed to take the commit back.")
  var message = ""

  @Flag(name: .shortAndLong, help: "Take the counters of new rules from the input too.")
  var counters = false

  @Flag(help: "Do not try the commit in a network namespace first.")
  var noRehearsal = false

  @Flag(
    inversion: .prefixedNo,
    help: """
      Let nf_tables look rules up in maps where that means the same, instead of asking one after the other; \
      --no-compile takes that back. Without either, tables keep the form that they have.
      """)
  var compile: Bool?

  func validate() throws {
    if compile == true, site.backend == .legacy {
      throw ValidationError("--compile needs nf_tables: leave --backend legacy out, or write --backend nft")
    }
  }

  func run() throws {
    try site.run { console in
      try site.enter()
      let reading = try site.readRules(input.inputs, console)
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      options.rehearses = !noRehearsal
      options.counters = counters ? .wanted : .zero
      let store = try site.store(form: compile.map { $0 ? .compiled : .linear } ?? .asItIs)
      if check {
        let outcome = try reading.locating { try store.check(reading.ruleset, options) }
        render(outcome.plan, [outcome.rehearsalNote].compactMap { $0 }, status: "planned", console)
      } else {
        let report = try reading.locating { try site.engine(store).apply(reading.ruleset, options, message: message) }
        report.recovered.map { console.note($0.sentence) }
        render(report.plan, report.notes, status: "committed", console)
      }
    }
  }

  private func render(_ plan: Plan, _ notes: [String], status: String, _ console: Console) {
    let notes = notes + plan.notes
    for note in notes { console.note(note) }
    let status = plan.isEmpty ? "unchanged" : status
    let needsDifference = diff
    let difference = needsDifference ? plan.difference : nil
    if console.isJSON {
      var members: [(String, JSON)] = [("status", .string(status)), ("tables", JSON(plan))]
      members.append(("added", .number(plan.changes.added)))
      members.append(("removed", .number(plan.changes.removed)))
      if let difference { members.append(("diff", JSON(difference))) }
      members.append(("notes", .array(notes.map { .string($0) })))
      console.print(.object(members))
      return
    }
    if let difference { console.print(difference) }
    guard !console.isQuiet else { return }
    console.say(plan.sentence(status: status))
  }
}

extension Plan {
  /// What changes, by meaning.
  var difference: RulesetDifference {
    RulesetDifference(from: Ruleset(steps.compactMap(\.before)), to: Ruleset(steps.map(\.after)), names: .system)
  }

  /// One line for people.
  func sentence(status: String) -> String {
    guard !isEmpty else { return "unchanged: the kernel holds these rules already" }
    let changes = changes
    let changed = steps.map { "\($0.id)" }.joined(separator: ", ")
    guard !steps.isEmpty else {
      return "\(status): made \(creations.map { "\($0)" }.joined(separator: ", ")), which stay empty"
    }
    return "\(status): \(changed); \(changes.added) rules added, \(changes.removed) removed"
  }
}

extension CommitEngine.Recovery {
  var sentence: String {
    switch self {
    case .completed: "an earlier commit was interrupted after its last table; it counts as done"
    case .nothingDone: "an earlier commit was interrupted before it changed anything"
    case .putBack(let tables):
      "an earlier commit was interrupted half-way; put back: \(tables.map(\.description).joined(separator: ", "))"
    }
  }
}
