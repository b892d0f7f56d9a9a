/// Which kernel interface to use.
public enum BackendChoice: String, CaseIterable, Sendable {
  /// The one whose tables hold rules; where both do or neither does, ip_tables, unless the kernel has not loaded it.
  case auto
  /// ip_tables and ip6_tables.
  case legacy
  /// nf_tables, laid out as iptables-nft does it.
  case nft

  /// The backend of this choice for the calling thread's network namespace.
  /// - Parameter form: in which form nf_tables gets rules; the compiled one exists there alone, and `auto` takes it then.
  /// - Throws: ``BackendError`` when `auto` cannot see what is in use.
  public func backend(names: Names, form: NFTablesBackend.Form = .asItIs) throws(BackendError) -> any Backend {
    if self == .nft || self == .auto && form == .compiled { return NFTablesBackend(names: names, form: form) }
    if let named = named(names: names) { return named }
    let legacy = XTablesBackend(names: names)
    if try legacy.holdsRules() { return legacy }
    let nft = NFTablesBackend(names: names, form: form)
    guard nft.isAvailable else { return legacy }
    let isNFTInUse = try !nft.snapshot(of: .only([])).existing.isEmpty
    return isNFTInUse || !legacy.isAvailable ? nft : legacy
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
