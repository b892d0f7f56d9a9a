/// Which kernel interface to use.
public enum BackendChoice: String, CaseIterable, Sendable {
  /// ip_tables where its tables hold rules, else nf_tables, else what the kernel has.
  case auto
  /// ip_tables and ip6_tables.
  case legacy
  /// nf_tables, laid out as iptables-nft does it.
  case nft

  /// The backend of this choice for the calling thread's network namespace.
  /// - Parameters:
  ///   - form: in which form nf_tables gets rules; the compiled one exists there alone, and `auto` takes it then.
  ///   - directory: see ``NFTablesBackend/init(names:form:remembering:)``.
  /// - Throws: ``BackendError`` when `auto` cannot see what is in use.
  public func backend(
    names: Names, form: NFTablesBackend.Form = .asItIs, remembering directory: String? = nil
  ) throws(BackendError) -> any Backend {
    if let named = named(names: names, form: form, remembering: directory) { return named }
    let nft = NFTablesBackend(names: names, form: form, remembering: directory)
    if form == .compiled { return nft }
    let legacy = XTablesBackend(names: names)
    if try legacy.isInUse() { return legacy }
    return nft.isAvailable ? nft : legacy
  }

  /// nil for `auto`.
  package func named(
    names: Names, form: NFTablesBackend.Form = .asItIs, remembering directory: String? = nil
  ) -> (any Backend)? {
    switch self {
    case .auto: nil
    case .legacy: XTablesBackend(names: names)
    case .nft: NFTablesBackend(names: names, form: form, remembering: directory)
    }
  }
}
