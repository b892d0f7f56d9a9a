internal import CNFTables
internal import Netfilter

/// A table of nf_tables that is none of those of iptables-nft.
public struct OtherTable: Hashable, Sendable, CustomStringConvertible {
  /// As nft(8) says it: `inet`, `arp` …
  public let family: String
  public let name: String
  /// The program that alone may change it, where there is one: `process 123 (nft)`.
  public let owner: String?

  public var description: String { "\(family) \(name)" }
}

/// Looks at what there is without reading any rule.
extension KernelReader {
  /// Whether a table of iptables-nft does something to a packet; see ``NFTablesBackend/isInUse()``.
  mutating func isInUse() throws(Problem) -> Bool {
    var isInUse = false
    for family in Self.families where !isInUse {
      for (table, chains) in try chains(family.rawValue) {
        for chain in chains where Self.isOurs(chain: chain.name.text, of: table, family) {
          if chain.base?.policy != UInt32(Verdict.accept.rawValue) || chain.use > 0 { isInUse = true }
        }
      }
    }
    return isInUse
  }

  /// Where tables of iptables stand, linear or compiled, and where compiled ones of both families do.
  private static let families: [NFTFamily] = [.inet, .ip, .ip6]

  /// Whether a chain of such a family is one that stands for a chain of iptables.
  private static func isOurs(chain: String, of table: String, _ family: NFTFamily) -> Bool {
    family != .inet && TableName(rawValue: table) != nil
      || table == TableForm.compiledTable && TableForm.owner(of: chain) != nil
  }

  /// The families whose compiled table holds chains of ours.
  private mutating func compiledFamilies() throws(Problem) -> Set<UInt32> {
    var result: Set<UInt32> = []
    for family in Self.families {
      let chains = try chains(family.rawValue)[TableForm.compiledTable] ?? []
      if chains.contains(where: { $0.compiledTable != nil }) { result.insert(UInt32(family.rawValue)) }
    }
    return result
  }

  mutating func otherTables() throws(Problem) -> [OtherTable] {
    let compiled = try compiledFamilies()
    var result: [OtherTable] = []
    try ask(NFT_MSG_GETTABLE, family: 0) { message throws(Problem) in
      let table = nftnl_table_alloc()!
      defer { nftnl_table_free(table) }
      guard nftnl_table_nlmsg_parse(message.start, table) == 0,
        let text = nftnl_table_get_str(table, UInt16(NFTNL_TABLE_NAME.rawValue))
      else { throw Problem.unreadable("a table of the kernel cannot be read") }
      let number = nftnl_table_get_u32(table, UInt16(NFTNL_TABLE_FAMILY.rawValue))
      let name = String(cString: text)
      let isOurs = TableName(rawValue: name) != nil && Family.allCases.contains { UInt32($0.rawValue) == number }
      let isCompiled = name == TableForm.compiledTable && compiled.contains(number)
      guard !isOurs, !isCompiled else { return }
      let isOwned = nftnl_table_is_set(table, UInt16(NFTNL_TABLE_OWNER.rawValue))
      let owner = isOwned ? TableOwner(port: nftnl_table_get_u32(table, UInt16(NFTNL_TABLE_OWNER.rawValue))) : nil
      result.append(OtherTable(family: Self.familyName(number), name: name, owner: owner.map { "\($0)" }))
    }
    return result
  }

  /// By the numbers of linux/netfilter.h (`NFPROTO_*`).
  private static func familyName(_ number: UInt32) -> String {
    switch number {
    case 1: "inet"
    case 2: "ip"
    case 3: "arp"
    case 5: "netdev"
    case 7: "bridge"
    case 10: "ip6"
    default: "family-\(number)"
    }
  }
}
