/// Which kernel interface to use.
public enum BackendChoice: String, CaseIterable, Sendable {
  /// The one whose tables hold rules; where both do or neither does, ip_tables, unless the kernel has not loaded it.
  case auto
  /// ip_tables and ip6_tables.
  case legacy
  /// nf_tables, laid out as iptables-nft does it.
  case nft

  /// The backend of this choice for the calling thread's network namespace.
  /// - Parameter directory: see ``NFTablesBackend/init(names:remembering:)``.
  /// - Throws: ``BackendError`` when `auto` cannot see what is in use.
  public func backend(names: Names, remembering directory: String? = nil) throws(BackendError) -> any Backend {
    if let named = named(names: names, remembering: directory) { return named }
    let legacy = XTablesBackend(names: names)
    if try legacy.holdsRules() { return legacy }
    let nft = NFTablesBackend(names: names, remembering: directory)
    guard nft.isAvailable else { return legacy }
    let isNFTInUse = try !nft.snapshot(of: .only([])).existing.isEmpty
    return isNFTInUse || !legacy.isAvailable ? nft : legacy
  }

  /// nil for `auto`.
  package func named(names: Names, remembering directory: String? = nil) -> (any Backend)? {
    switch self {
    case .auto: nil
    case .legacy: XTablesBackend(names: names)
    case .nft: NFTablesBackend(names: names, remembering: directory)
    }
  }
}
