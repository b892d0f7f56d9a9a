/// The declaration of one option of a match or target. Parsing, messages, help and completion all come from it.
public final class OptionSpec: Sendable {
  /// What follows the option.
  public enum Value: Sendable {
    case none
    /// Free text of at most so many bytes.
    case string(maxBytes: Int)
    case number(ClosedRange<UInt64>)
    /// A number or `low:high`.
    case numberRange(ClosedRange<UInt64>)
    /// A number with an optional `/mask`, both 32 bits.
    case mark
    /// A port number or service name.
    case port
    /// A port, or `first:last`, either end may be left out.
    case portRange
    /// Up to 15 port slots between commas.
    case ports
    /// An address or network of the rule's family.
    case address
    /// An address, or `first-last`.
    case addressRange
    case macAddress
    /// One of these words.
    case choice([StaticString])
    /// Any of these words between commas.
    case list([StaticString])
    /// Anything the extension reads itself; the text names it in the help.
    case custom(StaticString)

    /// The word that stands for the value in a usage line.
    public var placeholder: String {
      switch self {
      case .none: ""
      case .string: "TEXT"
      case .number: "N"
      case .numberRange: "N[:N]"
      case .mark: "VALUE[/MASK]"
      case .port: "PORT"
      case .portRange: "PORT[:PORT]"
      case .ports: "PORT[,PORT|,PORT:PORT]…"
      case .address: "ADDRESS[/MASK]"
      case .addressRange: "ADDRESS[-ADDRESS]"
      case .macAddress: "XX:XX:XX:XX:XX:XX"
      case .choice(let words): words.map { "\($0)" }.joined(separator: "|")
      case .list(let words): words.map { "\($0)" }.joined(separator: ",")
      case .custom(let name): "\(name)"
      }
    }
  }

  /// The full name with its dashes.
  public let name: StaticString
  public let aliases: [StaticString]
  public let value: Value
  public let isNegatable: Bool
  public let isRequired: Bool
  /// How many words follow: one, or the two of `--tcp-flags`.
  public let wordCount: Int
  /// The value may be left out where another option follows.
  public let isValueOptional: Bool
  /// May be given more than once.
  public let isRepeatable: Bool
  /// Options of the same extension that cannot stand beside it.
  public let excludes: [StaticString]
  /// One line for the help.
  public let summary: StaticString

  package init(
    _ name: StaticString, aliases: [StaticString] = [], _ value: Value = .none, negatable: Bool = false,
    required: Bool = false, repeatable: Bool = false, words: Int = 1, optional: Bool = false,
    excludes: [StaticString] = [], _ summary: StaticString
  ) {
    self.name = name
    self.aliases = aliases
    self.value = value
    self.isNegatable = negatable
    self.isRequired = required
    self.wordCount = words
    self.isRepeatable = repeatable
    self.isValueOptional = optional
    self.excludes = excludes
    self.summary = summary
  }

  public var takesValue: Bool {
    if case .none = value { false } else { true }
  }

  /// The full name and the others.
  var allNames: [StaticString] { [name] + aliases }

  func isNamed(_ token: Token) -> Bool {
    token == name || aliases.contains { token == $0 }
  }

  func begins(with token: Token) -> Bool {
    "\(name)".utf8.starts(with: token.bytes) || aliases.contains { "\($0)".utf8.starts(with: token.bytes) }
  }
}
