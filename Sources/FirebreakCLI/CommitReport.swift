internal import Firebreak

/// What a commit did, for people and for programs.
struct CommitReport {
  private let report: CommitEngine.Report
  private let status: String
  private let showsDifference: Bool
  /// Members of the JSON form besides.
  private let extra: [(String, JSON)]

  init(
    _ report: CommitEngine.Report, status: String, showsDifference: Bool = false, extra: [(String, JSON)] = []
  ) {
    self.report = report
    self.extra = extra
    self.status = report.isUnchanged && !report.isStep ? "unchanged" : status
    self.showsDifference = showsDifference
  }

  /// Waits for the confirmation where there is to be one, and tells how it went.
  /// - Throws: ``CommitEngine/Failure/notConfirmed``
  func finish(_ engine: CommitEngine, waits: Bool, _ console: Console) throws {
    guard let commit = report.awaits else { return render(console) }
    guard waits else { return render(console, status: "awaiting confirmation") }
    renderNotes(console)
    do { try Waiting(engine: engine, console: console).run(commit) } catch CommitEngine.Failure.notConfirmed {
      if console.isJSON {
        render(console, status: "not confirmed", wasTakenBack: true)
        throw ExitCode(.notConfirmed)
      }
      throw CommitEngine.Failure.notConfirmed
    }
    render(console, status: "confirmed", hasNotes: false)
  }

  private func renderNotes(_ console: Console) {
    report.recovered.map { console.note($0.sentence) }
    for note in notes(withWarning: !console.isQuiet) { console.note(note) }
  }

  private func notes(withWarning: Bool) -> [String] {
    report.notes + report.plan.notes + (withWarning ? Self.warningOfBoth() : [])
  }

  /// The commit is done by now: not being able to look is no failure of it.
  private static func warningOfBoth() -> [String] { (try? KernelUse.warning()).flatMap { $0 }.map { [$0] } ?? [] }

  func render(_ console: Console, status: String? = nil, hasNotes: Bool = true, wasTakenBack: Bool = false) {
    let status = status ?? self.status
    if hasNotes { renderNotes(console) }
    let difference = showsDifference ? report.plan.difference : nil
    if console.isJSON {
      return console.print(.object(members(status, difference, wasTakenBack)))
    }
    if let difference { console.print(difference) }
    for (word, companions) in report.companionsByFate where !companions.isEmpty {
      console.say("\(word): \(companions.map(\.description).joined(separator: ", "))")
    }
    console.say(sentence(status: status))
    if let commit = report.awaits, status.hasPrefix("awaiting") {
      console.say(
        "taken back in \(commit.remaining.components.seconds) s unless you run, from a new login: firebreak confirm")
    }
  }

  private func sentence(status: String) -> String {
    var sentence = report.plan.sentence(status: status)
    if report.isStep, let restored = report.restores {
      let those = restored > 0 ? "the rules of generation \(restored)" : "the rules from before the first generation"
      sentence = "\(status): the kernel holds \(those) already"
    } else if report.plan.isEmpty, !report.isUnchanged {
      sentence = "\(status): no rules of iptables"
    }
    if let number = report.generation, !report.isUnchanged || report.isStep { sentence += "; generation \(number)" }
    return sentence
  }

  /// `before` and `after` are generations; `after` is null where there is no new one.
  private func members(_ status: String, _ difference: RulesetDifference?, _ wasTakenBack: Bool) -> [(String, JSON)] {
    let plan = report.plan
    let generation = wasTakenBack ? nil : report.generation
    var members: [(String, JSON)] = [
      ("status", .string(status)), ("changed", .bool(!report.isUnchanged && !wasTakenBack)), ("tables", JSON(plan)),
      ("added", .number(plan.changes.added)), ("removed", .number(plan.changes.removed)),
      ("before", .number(report.base)), ("after", .number(generation ?? report.base)),
      ("generation", generation.map { .number($0) } ?? .null), ("rolled_back", .bool(wasTakenBack)),
    ]
    if let commit = report.awaits {
      members.append(("seconds_left", .number(Int(commit.remaining.components.seconds))))
    }
    if let difference { members.append(("diff", JSON(difference))) }
    members.append(("sets", JSON(report, .set)))
    members.append(("nft_tables", JSON(report, .table)))
    members += extra
    members.append(("notes", .array(notes(withWarning: true).map { .string($0) })))
    return members
  }
}

extension CommitEngine.Report {
  /// Whether the kernel held all of it.
  fileprivate var isUnchanged: Bool { plan.isEmpty && companions.isEmpty }

  /// Whether it is a step back to rules that are no others.
  fileprivate var isStep: Bool { isUnchanged && generation != nil && restores != nil }

  fileprivate var companionsByFate: [(word: String, companions: [Companion])] {
    [
      ("made", companions.filter { $0.isMade && !$0.isRemoved }.map(\.companion)),
      ("changed", companions.filter { !$0.isMade && !$0.isRemoved }.map(\.companion)),
      ("removed", companions.filter { $0.isRemoved }.map(\.companion)),
    ]
  }
}

extension JSON {
  /// The names of the companions of a kind that were made, changed and removed.
  fileprivate init(_ report: CommitEngine.Report, _ kind: Companion.Kind) {
    self = .object(
      report.companionsByFate.map { word, companions in
        (word, .array(companions.filter { $0.kind == kind }.map { .string($0.name) }))
      })
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
    case .putBack([]): "an earlier commit was interrupted half-way; what it had changed is as before"
    case .putBack(let tables):
      "an earlier commit was interrupted half-way; put back: \(tables.map(\.description).joined(separator: ", "))"
    case .notConfirmed(let tables):
      "an earlier commit was not confirmed and its guard was gone; taken back: "
        + "\(tables.map(\.description).joined(separator: ", "))"
    case .guardedAgain: "a commit waits to be confirmed and its guard was gone; another one watches now"
    }
  }
}
