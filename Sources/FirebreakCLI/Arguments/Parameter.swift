/// One option, flag or argument of a command, and what the words said of it.
class Parameter {
  enum Kind {
    case flag
    case option
    /// An option that may stand without a value.
    case optionMaybeAlone
    /// A word by its place.
    case argument
    /// All further words by their place.
    case arguments
    /// From the first word by its place on, all words as they are.
    case rest
  }

  let kind: Kind
  /// `--check`, `-n`; of an argument what stands for it: `input`.
  let names: [String]
  let help: String
  /// A paragraph below the help.
  let discussion: String
  /// What stands for the value.
  let placeholder: String
  let isRequired: Bool
  /// The words that it can be, where they can be listed.
  let values: [String]
  /// What it is where no word says it.
  let shownDefault: String?
  /// The title of the group that it belongs to.
  fileprivate(set) var section: String?

  fileprivate init(
    _ kind: Kind, _ names: [String], _ help: String, discussion: String = "", placeholder: String = "value",
    isRequired: Bool = false, values: [String] = [], shownDefault: String? = nil
  ) {
    self.kind = kind
    self.names = names
    self.help = help
    self.discussion = discussion
    self.placeholder = placeholder
    self.isRequired = isRequired
    self.values = values
    self.shownDefault = shownDefault
  }

  var isPositional: Bool { kind == .argument || kind == .arguments || kind == .rest }
  var wantsValue: Bool { kind == .option || kind == .optionMaybeAlone }

  /// Whether some word has said it.
  var isSaid: Bool { false }

  /// - Parameters:
  ///   - word: the value; nil for a flag and for an option that stands alone.
  ///   - name: as it was written.
  /// - Returns: false for a word that is no such value.
  func take(_ word: String?, as name: String) throws(UsageError) -> Bool { false }

  /// Whether a word could be the value of an option that may stand alone.
  func couldTake(_ word: String) -> Bool { false }
}

/// A parameter and its value.
final class Slot<Value>: Parameter {
  typealias Reader = (_ word: String?, _ name: String, _ current: Value?) throws(UsageError) -> Value?

  private var said: Value?
  private let unsaid: Value?
  private let read: Reader

  init(
    _ kind: Kind, _ names: [String], _ help: String, discussion: String = "", placeholder: String = "value",
    isRequired: Bool = false, values: [String] = [], unsaid: Value?, shownDefault: String? = nil,
    read: @escaping Reader
  ) {
    self.unsaid = unsaid
    self.read = read
    super.init(
      kind, names, help, discussion: discussion, placeholder: placeholder, isRequired: isRequired, values: values,
      shownDefault: shownDefault)
    Declarations.note(self)
  }

  /// Commands are run only when all that is required has been said.
  var value: Value { (said ?? unsaid)! }

  override var isSaid: Bool { said != nil }

  override func take(_ word: String?, as name: String) throws(UsageError) -> Bool {
    guard let value = try read(word, name, said) else { return false }
    said = value
    return true
  }

  override func couldTake(_ word: String) -> Bool {
    guard let first = word.utf8.first, (0x30...0x39).contains(first) else { return false }
    return ((try? read(word, names[0], nil)) ?? nil) != nil
  }
}

/// What a command declares, in the order in which it does.
final class Declarations {
  private(set) var parameters: [Parameter] = []
  private var checks: [() throws -> Void] = []
  private var section: String?

  /// Those that are being made. The program reads its words once, on its first thread.
  nonisolated(unsafe) private static var open: Declarations?

  private init() {}

  /// Makes a command, and tells what it declares.
  static func making<C>(_ make: () -> C) -> (C, Declarations) {
    let outer = open
    let declarations = Declarations()
    open = declarations
    defer { open = outer }
    return (make(), declarations)
  }

  static func note(_ parameter: Parameter) {
    parameter.section = open?.section
    open?.parameters.append(parameter)
  }

  static func group<G: ParameterGroup>(_ title: String?) -> G {
    let outer = open?.section
    open?.section = title ?? outer
    let group = G()
    open?.section = outer
    open?.checks.append { try group.validate() }
    return group
  }

  func validate() throws { for check in checks { try check() } }

  // MARK: Looking up

  /// - Parameter name: with its dashes.
  func named(_ name: String) -> Parameter? { parameters.first { !$0.isPositional && $0.names.contains(name) } }

  var positional: [Parameter] { parameters.filter(\.isPositional) }

  /// The names of all options and flags, with their dashes.
  var names: [String] { parameters.filter { !$0.isPositional }.flatMap(\.names) }
}
