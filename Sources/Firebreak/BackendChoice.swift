/// Which kernel interface to use.
public enum BackendChoice: String, CaseIterable, Sendable {
  /// The one that is in use; nf_tables where none is and the kernel has it.
  case auto
  /// ip_tables and ip6_tables.
  case legacy
  /// nf_tables, laid out as iptables-nft does it.
  case nft

  /// The backend of this choice for the calling thread's network namespace.
  /// - Throws: ``BackendError`` when `auto` cannot see what is in use.
  public func backend(names: Names) throws(BackendError) -> any Backend {
    if let named = named(names: names) { return named }
    let legacy = XTablesBackend(names: names)
    let nft = NFTablesBackend(names: names)
    let legacyTables = try legacy.snapshot(of: .only([])).existing
    guard nft.isAvailable else { return legacy }
    if legacyTables.isEmpty { return nft }
    // Tables of both: the one with rules is in use. Looking with iptables-legacy is enough to make its tables.
    let nftTables = try nft.snapshot(of: .only([])).existing
    if nftTables.isEmpty { return legacy }
    return try legacy.snapshot(of: .all).ruleset.tables.allSatisfy(\.isPristine) ? nft : legacy
  }

  /// nil for `auto`.
  package func named(names: Names) -> (any Backend)? {
    switch self {
    case .auto: nil
    case .legacy: XTablesBackend(names: names)
    case .nft: NFTablesBackend(names: names)
    }
  }
}
