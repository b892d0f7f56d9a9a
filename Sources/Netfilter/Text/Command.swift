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
    case newChain
    case deleteChain
    case rename
    case policy
    /// Nothing that changes rules (`-L`, `-S`, `-h`, `-V`).
    case show

    /// Whether it takes a rule.
    var takesRule: Bool {
      switch self {
      case .append, .insert, .replace, .delete, .check: true
      default: false
      }
    }
  }

  package var operation: Operation
  package var table: TableName
  /// The chain it names; nil where none was given.
  package var chain: Token?
  /// The new name of `-E`, the policy of `-P`.
  package var argument: Token?
  /// One rule for each pair of source and destination address.
  package var rules: [Rule] = []
  package var hasCounters = false
}
