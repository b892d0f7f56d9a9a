/// The words that could stand at a place of a command line.
enum Candidates {
  /// - Parameters:
  ///   - root: the program.
  ///   - before: the words between the program's name and the place.
  ///   - beginning: what has been typed of the word already.
  /// - Returns: nothing where it is a file, or anything.
  static func of(_ root: any Subcommand.Type, after before: [String], beginning: String) -> [String] {
    var command = root
    var words = before[...]
    if words.first == "help" { words.removeFirst() }
    while let word = words.first, let next = command.about.subcommands.first(where: { $0.name == word }) {
      command = next
      words.removeFirst()
    }
    let commands = command.about.subcommands.filter { !$0.about.isHidden }
    let all = commands.isEmpty ? inside(command, words, beginning) : commands.map { $0.name } + ["help", "--help"]
    return all.filter { $0.hasPrefix(beginning) }
  }

  private static func inside(
    _ command: any Subcommand.Type, _ before: ArraySlice<String>, _ beginning: String
  ) -> [String] {
    let declarations = HelpText.declarations(of: command)
    if before.contains("--") { return [] }
    if let option = before.last.flatMap(declarations.named), option.kind == .option { return option.values }
    if beginning.hasPrefix("-") { return declarations.names.filter { $0.hasPrefix("--") } + ["--help"] }
    var places = declarations.positional[...]
    var isValue = false
    for word in before {
      if isValue {
        isValue = false
      } else if word.hasPrefix("-"), word != "-" {
        isValue = declarations.named(word)?.kind == .option
      } else if places.first?.kind == .argument {
        places.removeFirst()
      }
    }
    return places.first?.values ?? []
  }
}
