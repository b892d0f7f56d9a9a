/// The tables of ip_tables and ip6_tables: a closed set, fixed by the kernel.
public enum TableName: String, Hashable, Sendable, CaseIterable, Comparable {
  case raw
  case mangle
  case nat
  case filter
  case security

  /// In the order a packet passes them.
  public static func < (a: TableName, b: TableName) -> Bool { a.place < b.place }

  private var place: Int { Self.allCases.firstIndex(of: self)! }

  /// The hooks at which the kernel consults this table, and so its built-in chains
  /// (`valid_hooks` in net/ipv4/netfilter/iptable_*.c).
  public var hooks: HookSet {
    switch self {
    case .raw: [.prerouting, .output]
    case .mangle: .all
    case .nat: [.prerouting, .input, .output, .postrouting]
    case .filter, .security: [.input, .forward, .output]
    }
  }
}

extension TableName: CustomStringConvertible {
  public var description: String { rawValue }
}
