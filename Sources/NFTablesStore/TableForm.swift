internal import Netfilter
internal import RuleStore

/// How the rules of a table of iptables stand in nf_tables.
enum TableForm {
  /// One rule each, in the table of the same name, as iptables-nft has them.
  case linear
  /// Looked up in maps where that is possible, in a table of our own; its name keeps iptables-nft away.
  case compiled

  /// The table that holds all compiled ones of a family.
  static let compiledTable = "firebreak"

  func tableName(_ id: TableID) -> String {
    switch self {
    case .linear: id.name.rawValue
    case .compiled: Self.compiledTable
    }
  }

  /// `filter.INPUT`; chains and maps that the compiler makes (``isHelper(_:)``) have names of their own.
  func chainName(_ chain: ChainName, in id: TableID) -> ChainName {
    switch self {
    case .linear: chain
    case .compiled: Self.isHelper(chain.text, of: id) ? chain : ChainName(unchecked: "\(id.name).\(chain.text)")
    }
  }

  /// `filter/7`
  static func helper(_ number: Int, of id: TableID) -> String { "\(id.name)/\(number)" }

  /// A user chain of such a name has another in nf_tables, and never comes here without it.
  static func helperNumber(_ name: String, of id: TableID) -> Int? {
    let prefix = "\(id.name)/"
    guard name.hasPrefix(prefix) else { return nil }
    return Int(name.dropFirst(prefix.count))
  }

  /// The table of iptables that a chain or map of the compiled table is made for; nil where it is none of ours.
  static func owner(of name: String) -> TableName? {
    guard let end = name.firstIndex(where: { $0 == "." || $0 == "/" }) else { return nil }
    return TableName(rawValue: String(name[..<end]))
  }

  /// Whether a chain or map of the compiled table is of this table of iptables.
  static func belongs(_ name: String, to id: TableID) -> Bool {
    name.hasPrefix("\(id.name).") || helperNumber(name, of: id) != nil
  }

  private static func isHelper(_ name: String, of id: TableID) -> Bool { helperNumber(name, of: id) != nil }

  /// The expression with the names and in the words of this form.
  func inKernel(_ expression: NFTExpression, in id: TableID) -> NFTExpression {
    guard self == .compiled else { return expression }
    switch expression {
    case .verdict(let verdict): return .verdict(inKernel(verdict, in: id))
    case .target("REJECT", 0, let bytes): return NativeReject(xtables: bytes, id.family)?.expression ?? expression
    default: return expression
    }
  }

  /// The expression as the linear form has it.
  func fromKernel(_ expression: NFTExpression, in id: TableID) -> NFTExpression {
    guard self == .compiled else { return expression }
    switch expression {
    case .verdict(let verdict): return .verdict(fromKernel(verdict, in: id))
    case .opaque("reject", let attributes):
      return NativeReject(attributes: attributes)?.target(id.family) ?? expression
    default: return expression
    }
  }

  func inKernel(_ verdict: NFTVerdict, in id: TableID) -> NFTVerdict {
    switch verdict {
    case .jump(let chain): .jump(chainName(chain, in: id))
    case .goto(let chain): .goto(chainName(chain, in: id))
    case .accept, .drop, .queue, .return, .continue: verdict
    }
  }

  func fromKernel(_ verdict: NFTVerdict, in id: TableID) -> NFTVerdict {
    guard self == .compiled else { return verdict }
    switch verdict {
    case .jump(let chain): return .jump(Self.userChain(chain, of: id) ?? chain)
    case .goto(let chain): return .goto(Self.userChain(chain, of: id) ?? chain)
    case .accept, .drop, .queue, .return, .continue: return verdict
    }
  }

  /// The chain of iptables that a chain of the compiled table is; nil for any other.
  static func userChain(_ name: ChainName, of id: TableID) -> ChainName? {
    let prefix = "\(id.name)."
    guard name.text.hasPrefix(prefix) else { return nil }
    return ChainName(unchecked: String(name.text.dropFirst(prefix.count)))
  }
}
