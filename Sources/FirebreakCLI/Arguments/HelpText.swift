/// The help of a command, for 80 columns.
struct HelpText {
  private static let width = 80
  /// Where the explanations of options begin.
  private static let column = 26

  private var text = ""

  /// - Parameter path: the words that call the command: `firebreak hook install`.
  static func of(_ command: any Subcommand.Type, path: String) -> String {
    let about = command.about
    let parameters = declarations(of: command).parameters
    var help = HelpText()
    help.write(paragraph: about.abstract)
    help.title("USAGE")
    help.text += "  \(about.usage ?? usage(path, parameters, about))\n"
    if !about.discussion.isEmpty {
      help.text += "\n"
      help.write(discussion: about.discussion)
    }
    help.list("ARGUMENTS", parameters.filter(\.isPositional))
    let options = parameters.filter { !$0.isPositional }
    help.list("OPTIONS", options.filter { $0.section == nil }, andHelp: true)
    var sections: [String] = []
    for case let section? in options.map(\.section) where !sections.contains(section) { sections.append(section) }
    // What all commands have is declared first, and is the last to be looked for.
    for section in sections.reversed() { help.list(section, options.filter { $0.section == section }) }
    let commands = about.subcommands.filter { !$0.about.isHidden }
    if !commands.isEmpty {
      help.title("SUBCOMMANDS")
      for command in commands { help.entry(command.name, command.about.abstract) }
      help.text += "\n\(path) help SUBCOMMAND has more about one of them.\n"
    }
    return help.text
  }

  /// What a command declares.
  static func declarations(of command: any Subcommand.Type) -> Declarations {
    Declarations.making { command.init() }.1
  }

  static func usage(_ path: String, _ parameters: [Parameter], _ about: About) -> String {
    guard about.subcommands.isEmpty else { return "\(path) SUBCOMMAND …" }
    var words = [path]
    words += parameters.filter { $0.wantsValue && $0.isRequired }.map { "\($0.names[0]) <\($0.placeholder)>" }
    words.append("[OPTION …]")
    words += parameters.filter(\.isPositional).map { parameter in
      let word = "<\(parameter.names[0])>" + (parameter.kind == .argument ? "" : " …")
      return parameter.isRequired ? word : "[\(word)]"
    }
    return words.joined(separator: " ")
  }

  // MARK: Parts

  private mutating func title(_ title: String) { text += "\n\(title)\n" }

  private mutating func list(_ name: String, _ parameters: [Parameter], andHelp: Bool = false) {
    guard !parameters.isEmpty || andHelp else { return }
    title(name)
    for parameter in parameters {
      entry(Self.words(parameter), Self.explanation(parameter))
      if !parameter.discussion.isEmpty {
        for line in Self.lines(parameter.discussion, Self.width - 6) { text += "      \(line)\n" }
      }
    }
    if andHelp { entry("-h, --help", "Show this.") }
  }

  private static func words(_ parameter: Parameter) -> String {
    if parameter.isPositional { return "<\(parameter.names[0])>" + (parameter.kind == .argument ? "" : " …") }
    // The short names first, as everywhere.
    let names = parameter.names.filter { !$0.hasPrefix("--") } + parameter.names.filter { $0.hasPrefix("--") }
    let all = names.joined(separator: ", ")
    switch parameter.kind {
    case .option: return "\(all) <\(parameter.placeholder)>"
    case .optionMaybeAlone: return "\(all) [\(parameter.placeholder)]"
    default: return all
    }
  }

  private static func explanation(_ parameter: Parameter) -> String {
    guard let value = parameter.shownDefault else { return parameter.help }
    return parameter.help + (parameter.help.isEmpty ? "" : " ") + "(default: \(value))"
  }

  private mutating func entry(_ words: String, _ explanation: String) {
    let lines = Self.lines(explanation, Self.width - Self.column)
    let indent = String(repeating: " ", count: Self.column)
    var head = "  " + words
    if head.count + 2 > Self.column {
      text += head + "\n"
      head = ""
    }
    for (index, line) in lines.enumerated() {
      text += index == 0 ? head + indent.dropFirst(head.count) : indent
      text += line + "\n"
    }
    if lines.isEmpty { text += head.isEmpty ? "" : head + "\n" }
  }

  // MARK: Lines

  private mutating func write(discussion: String) {
    for line in discussion.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty || line.first == " " { text += line + "\n" } else { write(paragraph: String(line)) }
    }
  }

  private mutating func write(paragraph: String) {
    for line in Self.lines(paragraph, Self.width) { text += line + "\n" }
  }

  private static func lines(_ text: String, _ width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " \(word)"
    }
    if !line.isEmpty { lines.append(line) }
    return lines
  }
}
