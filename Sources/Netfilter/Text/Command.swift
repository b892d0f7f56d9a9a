/// One iptables command, read: what to do to which chain, with which rules.
package struct Command {
  package enum Operation: Hashable, Sendable {
    case append
    /// Before the rule of this number, from 1.
    case insert(Int)
    case replace(Int)
    case delete
    case deleteNumber(Int)
    case check
    case flush
    case zero
    /// The counters of the rule of this number.
    case zeroNumber(Int)
    case newChain
    case deleteChain
    case rename
    case policy
    /// `-L`, of one rule where a number is given.
    case list(number: Int?)
    /// `-S`, of one rule where a number is given.
    case listRules(number: Int?)
    case help
    case version

    /// Whether it takes a rule.
    var takesRule: Bool {
      switch self {
      case .append, .insert, .replace, .delete, .check: true
      default: false
      }
    }

    /// Whether it shows rules and changes none.
    var lists: Bool {
      switch self {
      case .list, .listRules: true
      default: false
      }
    }
  }

  /// How `-L` and `-v` show rules.
  package struct Display: Hashable, Sendable {
    /// How often `-v` was given.
    package var verbosity = 0
    package var isNumeric = false
    /// Counters to their last digit.
    package var isExact = false
    package var showsNumbers = false
  }

  package var operation: Operation
  package var table: TableName
  /// The table as the command names it, where there is none of that name.
  package var unknownTable: String?
  /// The chain it names; nil where none was given.
  package var chain: Token?
  /// The new name of `-E`, the policy of `-P`.
  package var argument: Token?
  /// One rule for each pair of source and destination address.
  package var rules: [Rule] = []
  package var hasCounters = false
  /// What `-c` gives a policy; a rule has its own.
  package var counters = Counters.zero
  package var display = Display()
  /// `-Z` beside `-L` or `-S`.
  package var zeroesToo = false
  /// What the kernel will refuse about the rule, where that was left to it.
  package var objection: SyntaxError?
  /// Seconds to wait for the lock, `.some(nil)` for ever (`-w`); nil where it was not given.
  package var wait: Int??
  /// The matches and targets that stand before `-h`, whose options it shows too.
  package var helpSubjects: [ExtensionDefinition] = []
}
