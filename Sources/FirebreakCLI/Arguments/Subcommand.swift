/// A command of the program: what it takes is declared by its properties (``Option``, ``Flag``, ``Argument``,
/// ``OptionGroup``), what it does by ``run()``.
protocol Subcommand: SendableMetatype {
  /// The word that calls it.
  static var name: String { get }
  static var about: About { get }
  init()
  /// Called when all words have been read; throws ``ValidationError``.
  func validate() throws
  func run() throws
}

extension Subcommand {
  func validate() throws {}
}

/// What the help says about a command, and what commands it has itself.
struct About {
  let abstract: String
  /// Paragraphs; lines that begin with a space are printed as they are.
  var discussion = ""
  /// In place of what follows from the properties.
  var usage: String?
  var isHidden = false
  /// With any of these the command does nothing itself.
  var subcommands: [any Subcommand.Type] = []

  init(
    _ abstract: String, discussion: String = "", usage: String? = nil, isHidden: Bool = false,
    subcommands: [any Subcommand.Type] = []
  ) {
    self.abstract = abstract
    self.discussion = discussion
    self.usage = usage
    self.isHidden = isHidden
    self.subcommands = subcommands
  }
}

/// A command that only has others.
protocol CommandGroup: Subcommand {}

extension CommandGroup {
  func run() {}
}

/// Options that several commands have.
protocol ParameterGroup {
  init()
  /// Called when all words have been read; throws ``ValidationError``.
  func validate() throws
}

extension ParameterGroup {
  func validate() throws {}
}

/// Words that contradict each other; status 64.
struct ValidationError: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

/// Ends the program with a status; everything has been said.
struct ExitCode: Error {
  let status: ExitStatus
  init(_ status: ExitStatus) { self.status = status }
}
