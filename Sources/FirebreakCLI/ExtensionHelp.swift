internal import Firebreak

/// `firebreak help match NAME` and its like: what the declarations of matches and targets say.
struct ExtensionHelp: Subcommand {
  /// The words that may follow `help` besides commands.
  enum Topic: String, CaseIterable, ArgumentValue {
    case match
    case matches
    case target
    case targets

    var isTarget: Bool { self == .target || self == .targets }
    var isList: Bool { self == .matches || self == .targets }
  }

  static let name = "help"

  static let about = About(
    "Show a match or a target with all its options, or list them.",
    isHidden: true)

  @Argument("topic", help: "match, target, or matches, targets for lists.") var topic: Topic
  @Argument("name", help: "The name of a match or target.") var name: String?
  @Flag("--json", help: "Print the result as JSON on standard output.") var json = false

  func validate() throws {
    if topic.isList, let name { throw ValidationError("'\(name)': the list of \(topic.rawValue) takes no name") }
    if !topic.isList, name == nil {
      throw ValidationError("a name is missing; `firebreak help \(topic.isTarget ? "targets" : "matches")` lists them")
    }
  }

  func run() throws {
    let console = Console(isQuiet: false, isJSON: json, wantsColor: nil)
    defer { console.flush() }
    guard let name else {
      let manuals = topic.isTarget ? Registry.standard.targetManuals : Registry.standard.matchManuals
      if json { return console.print(.array(manuals.map { JSON(summaryOf: $0) })) }
      console.print(ManualText.list(manuals, isTarget: topic.isTarget))
      return
    }
    let manuals =
      topic.isTarget ? Registry.standard.manuals(ofTarget: name) : Registry.standard.manuals(ofMatch: name)
    guard !manuals.isEmpty else {
      console.report(unknown(name))
      console.flush()
      throw ExitCode(.usage)
    }
    if json { return console.print(.array(manuals.map { JSON($0) })) }
    console.print(manuals.map { ManualText.page($0) }.joined(separator: "\n"))
  }

  private func unknown(_ name: String) -> CommandFailure {
    let isElsewhere =
      topic.isTarget
      ? !Registry.standard.manuals(ofMatch: name).isEmpty : !Registry.standard.manuals(ofTarget: name).isEmpty
    if isElsewhere {
      return CommandFailure(
        .usage, "'\(name)' is a \(topic.isTarget ? "match" : "target")",
        hint: "firebreak help \(topic.isTarget ? "match" : "target") \(name)")
    }
    let known = Family.allCases.flatMap {
      topic.isTarget ? Registry.standard.targetNames($0) : Registry.standard.matchNames($0)
    }
    return CommandFailure(
      .usage, "there is no \(topic.rawValue) '\(name)'",
      hint: suggestion(for: name, among: Array(Set(known)).sorted())
        ?? "firebreak help \(topic.isTarget ? "targets" : "matches") lists them")
  }
}

/// The help of a match or target as text.
enum ManualText {
  static func list(_ manuals: [Manual], isTarget: Bool) -> String {
    let width = (manuals.map(\.definition.name.utf8.count).max() ?? 0) + 2
    var text = manuals.map { manual in
      let name = manual.definition.name
      let family = manual.families.count == 1 ? " (\(manual.families[0]))" : ""
      return name + String(repeating: " ", count: width - name.utf8.count) + manual.definition.summary + family + "\n"
    }.joined()
    if isTarget { text += "\nBesides: the verdicts ACCEPT, DROP, RETURN and QUEUE, and every chain of the table.\n" }
    return text + "\nfirebreak help \(isTarget ? "target" : "match") NAME has the options of one.\n"
  }

  static func page(_ manual: Manual) -> String {
    let definition = manual.definition
    var text = "\(manual.isTarget ? "target" : "match") \(definition.name): \(definition.summary)\n"
    if !definition.aliases.isEmpty { text += "other names: \(definition.aliases.joined(separator: ", "))\n" }
    text += "for: \(manual.families.map { "\($0)" }.joined(separator: " and "))\n"
    if !manual.protocols.isEmpty {
      text += "needs: \(manual.protocols.map { "-p \($0)" }.joined(separator: " or "))\n"
    }
    if let tables = manual.tables { text += "tables: \(tables.map(\.rawValue).joined(separator: ", "))\n" }
    if definition.hooks != .all || definition.narrowsHooks {
      let chains = manual.chains.map(\.text).joined(separator: ", ")
      text += "reached from: \(chains)\(definition.narrowsHooks ? "; from fewer with some options" : "")\n"
    }
    if !definition.options.isEmpty { text += "\n" + definition.options.map(lines).joined() }
    return text + "\nexample:\n  \(manual.example)\n"
  }

  private static func lines(_ option: OptionSpec) -> String {
    var words =
      (option.isNegatable ? "[!] " : "") + ([option.name] + option.aliases).map { "\($0)" }.joined(separator: ", ")
    let placeholder = option.value.placeholder
    if !placeholder.isEmpty { words += option.isValueOptional ? " [\(placeholder)]" : " \(placeholder)" }
    var notes: [String] = []
    if option.isRequired { notes.append("required") }
    if option.isRepeatable { notes.append("may be repeated") }
    let others = option.excludes.filter { "\($0)" != "\(option.name)" }
    if !others.isEmpty { notes.append("not with " + others.map { "\($0)" }.joined(separator: ", ")) }
    return "  \(words)\n      \(option.summary)\(notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))")\n"
  }
}

extension JSON {
  fileprivate init(summaryOf manual: Manual) {
    self = .object([
      ("name", .string(manual.definition.name)), ("summary", .string(manual.definition.summary)),
      ("families", .array(manual.families.map { .number($0 == .ipv4 ? 4 : 6) })),
    ])
  }

  fileprivate init(_ manual: Manual) {
    let definition = manual.definition
    func strings(_ values: [some CustomStringConvertible]) -> JSON { .array(values.map { .string("\($0)") }) }
    self = .object([
      ("kind", .string(manual.isTarget ? "target" : "match")), ("name", .string(definition.name)),
      ("aliases", strings(definition.aliases)), ("summary", .string(definition.summary)),
      ("families", .array(manual.families.map { .number($0 == .ipv4 ? 4 : 6) })),
      ("protocols", strings(manual.protocols)), ("tables", manual.tables.map { strings($0) } ?? .null),
      ("chains", strings(manual.chains)),
      (
        "options",
        .array(
          definition.options.map { option in
            .object([
              ("name", .string("\(option.name)")), ("aliases", strings(option.aliases)),
              ("value", option.takesValue ? .string(option.value.placeholder) : .null),
              ("negatable", .bool(option.isNegatable)), ("required", .bool(option.isRequired)),
              ("repeatable", .bool(option.isRepeatable)), ("excludes", strings(option.excludes)),
              ("summary", .string("\(option.summary)")),
            ])
          })
      ),
      ("example", .string(manual.example)),
    ])
  }
}
