internal import CNFTables
internal import Netfilter
internal import RuleStore

/// How the rules of a table of iptables stand in nf_tables.
enum TableForm {
  /// One rule each, in the table of the same name, as iptables-nft has them.
  case linear
  /// Looked up in maps where that is possible, in a table of our own; its name keeps iptables-nft away.
  case compiled
  /// As ``compiled``, in one table for IPv4 and IPv6: chains that say the same in both.
  case shared

  /// The table that holds all compiled ones of a family, and the one of both.
  static let compiledTable = "firebreak"

  var isCompiled: Bool { self != .linear }

  func tableName(_ id: TableID) -> String { isCompiled ? Self.compiledTable : id.name.rawValue }

  /// The kernel's number of the family of the table (`NFPROTO_*`).
  func family(_ id: TableID) -> UInt8 { self == .shared ? NFTFamily.inet.rawValue : id.family.rawValue }

  /// `filter.INPUT`; chains and maps that the compiler makes (``isHelper(_:)``) have names of their own.
  func chainName(_ chain: ChainName, in id: TableID) -> ChainName {
    guard isCompiled, !Self.isHelper(chain.text, of: id) else { return chain }
    return ChainName(unchecked: "\(id.name).\(chain.text)")
  }

  /// `filter/7`, or `filter/inet/7`: a table of iptables has both, and each name once.
  func helper(_ number: Int, of id: TableID) -> String {
    self == .shared ? "\(id.name)/\(Self.sharedPart)\(number)" : "\(id.name)/\(number)"
  }

  private static let sharedPart = "inet/"

  /// A user chain of such a name has another in nf_tables, and never comes here without it.
  static func helperNumber(_ name: String, of id: TableID) -> Int? {
    let prefix = "\(id.name)/"
    guard name.hasPrefix(prefix) else { return nil }
    let number = name.dropFirst(prefix.count)
    return Int(number.hasPrefix(sharedPart) ? number.dropFirst(sharedPart.count) : number)
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

  /// What a rule of a chain of both families asks first.
  static func guardExpressions(_ family: Family) -> [NFTExpression] {
    [.meta(.family, into: 1), .compare(.equal, 1, [family.rawValue])]
  }

  private static func isHelper(_ name: String, of id: TableID) -> Bool { helperNumber(name, of: id) != nil }

  /// The expression with the names and in the words of this form.
  func inKernel(_ expression: NFTExpression, in id: TableID) -> NFTExpression {
    guard isCompiled else { return expression }
    switch expression {
    case .verdict(let verdict): return .verdict(inKernel(verdict, in: id))
    case .target("REJECT", 0, let bytes): return NativeReject(xtables: bytes, id.family)?.expression ?? expression
    default: return expression
    }
  }

  /// The expression as the linear form has it.
  func fromKernel(_ expression: NFTExpression, in id: TableID) -> NFTExpression {
    guard isCompiled else { return expression }
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
    guard isCompiled else { return verdict }
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

extension Family {
  var other: Family { self == .ipv4 ? .ipv6 : .ipv4 }
}

extension TableID {
  /// The table of the same name of the other family.
  var partner: TableID { TableID(name, family.other) }
}
