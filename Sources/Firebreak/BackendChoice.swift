/// Which kernel interface to use.
public enum BackendChoice: String, CaseIterable, Sendable {
  /// ip_tables where its tables hold rules, else nf_tables, else what the kernel has.
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
    if try legacy.isInUse() { return legacy }
    let nft = NFTablesBackend(names: names, remembering: directory)
    return nft.isAvailable ? nft : legacy
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
