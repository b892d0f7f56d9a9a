internal import Firebreak
internal import Glibc

/// Finds the command that words call, and runs it.
struct CommandLineWords {
  private var path: String
  private var command: any Subcommand.Type
  private var words: ArraySlice<String>

  /// - Parameter words: those behind the name of the program.
  init(_ root: any Subcommand.Type, _ words: ArraySlice<String>) {
    command = root
    path = root.name
    self.words = words
  }

  /// Does what they say.
  /// - Returns: the exit status.
  mutating func run() -> ExitStatus {
    do {
      try findCommand()
      if isGroup, words.isEmpty { return showHelp() }
      let (made, declarations) = Declarations.making { command.init() as any Subcommand }
      var reader = WordReader(declarations)
      if try reader.read(words) { return showHelp() }
      try reader.finish()
      try declarations.validate()
      try made.validate()
      try made.run()
      return .done
    } catch let exit as ExitCode {
      return exit.status
    } catch let error as UsageError {
      return refuse(error.message, error.hint)
    } catch let error as ValidationError {
      return refuse(error.message, nil)
    } catch {
      let console = Console(isQuiet: false, isJSON: false, wantsColor: nil)
      let failure = CommandFailure(error)
      console.report(failure)
      return failure.status
    }
  }

  private var isGroup: Bool { !command.about.subcommands.isEmpty }

  /// Goes down to the command whose options the rest of the words are.
  private mutating func findCommand() throws(UsageError) {
    while isGroup, let word = words.first, !word.hasPrefix("-") {
      if word == "help" {
        try findTopic()
        return
      }
      try descend(to: word)
      words.removeFirst()
    }
  }

  /// `help`, `help apply`, `help hook install`
  private mutating func findTopic() throws(UsageError) {
    words.removeFirst()
    while let word = words.popFirst() {
      guard isGroup else { throw UsageError("'\(path)' has no subcommand '\(word)'") }
      try descend(to: word)
    }
    words = isGroup ? [] : ["--help"]
  }

  private mutating func descend(to word: String) throws(UsageError) {
    let commands = command.about.subcommands
    guard let next = commands.first(where: { $0.name == word }) else {
      let names = commands.filter { !$0.about.isHidden }.map { $0.name }
      throw UsageError("'\(path)' has no subcommand '\(word)'", hint: suggestion(for: word, among: names))
    }
    command = next
    path += " " + word
  }

  private func showHelp() -> ExitStatus {
    writeAll(1, Array(HelpText.of(command, path: path).utf8))
    return .done
  }

  private func refuse(_ message: String, _ hint: String?) -> ExitStatus {
    let console = Console(isQuiet: false, isJSON: words.contains("--json"), wantsColor: nil)
    console.report(CommandFailure(.usage, message, hint: hint ?? "`\(path) --help` says what there is"))
    console.flush()
    return .usage
  }
}
