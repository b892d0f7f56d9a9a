public import Netfilter

/// What differs between two rulesets by meaning: counters, the order of tables and the spelling of `state` do not
/// matter, and a table nobody has touched is the same as none.
public struct RulesetDifference: Hashable, Sendable {
  /// The differences of one table.
  public struct TablePart: Hashable, Sendable {
    public let name: TableName
    public let family: Family
    public let chains: [ChainPart]
  }

  /// The differences of one chain.
  public struct ChainPart: Hashable, Sendable {
    public let name: ChainName
    /// Rules, and where policy or existence differ a line for that, in order.
    public let lines: [Line]
  }

  public struct Line: Hashable, Sendable {
    public enum Side: Hashable, Sendable {
      case removed
      case added
    }
    public let side: Side
    /// As in iptables-save text.
    public let text: String
  }

  public let tables: [TablePart]

  public var isEmpty: Bool { tables.isEmpty }

  /// Lines of each side.
  public var counts: (added: Int, removed: Int) {
    var added = 0
    var removed = 0
    for table in tables {
      for chain in table.chains {
        for line in chain.lines {
          if line.side == .added { added += 1 } else { removed += 1 }
        }
      }
    }
    return (added, removed)
  }

  /// Compares the tables that either side has.
  public init(from old: Ruleset, to new: Ruleset, names: Names = .wellKnown) {
    var tables: [TablePart] = []
    for family in Family.allCases {
      for name in TableName.allCases {
        let pristine = Table(name, family: family)
        let before = old[name, family] ?? pristine
        let after = new[name, family] ?? pristine
        guard !before.sameRules(as: after) else { continue }
        let chains = ChainDifference(from: before, to: after, names: names).parts
        if !chains.isEmpty { tables.append(TablePart(name: name, family: family, chains: chains)) }
      }
    }
    self.tables = tables
  }
}

extension RulesetDifference: CustomStringConvertible {
  /// Lines with `-` and `+`, under a line that names table and chain.
  public var description: String {
    var text = ""
    for table in tables {
      for chain in table.chains {
        text += "@@ \(table.family) \(table.name) \(chain.name)\n"
        for line in chain.lines { text += (line.side == .added ? "+" : "-") + line.text + "\n" }
      }
    }
    return text
  }
}
