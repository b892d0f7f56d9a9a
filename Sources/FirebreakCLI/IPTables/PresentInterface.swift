internal import Firebreak

/// iptables(8) has two forms, one for each interface.
extension KernelInterface {
  /// Where the tables are, for a name that does not say: nf_tables where its tables exist, as another iptables or
  /// `firebreak apply` made them, and those of ip_tables do nothing; else ip_tables, where the kernel has it. A table stays
  /// where its rules have all been taken out, so that a script that begins with -F goes on in the same place.
  /// - Returns: also whether rules of iptables stand in both: then it may be the other one that was meant, and that is
  ///   acted on as soon as ip_tables does nothing any more.
  static func present() -> (interface: Self, areBothInUse: Bool) {
    if (try? XTablesBackend().isInUse()) ?? true { return (.ipTables, (try? NFTablesBackend().isInUse()) == true) }
    guard let tables = try? NFTablesBackend().snapshot(of: .only([])).existing else { return (.ipTables, false) }
    return (tables.isEmpty && XTablesBackend().isAvailable ? .ipTables : .nfTables, false)
  }

  /// As it stands in brackets behind the version.
  var label: String {
    switch self {
    case .ipTables: "legacy"
    case .nfTables: "nf_tables"
    }
  }

  /// A backend with the names that users see.
  var backend: any Backend {
    switch self {
    case .ipTables: XTablesBackend(names: .system)
    case .nfTables: NFTablesBackend(names: .system, remembering: NFTablesBackend.standardMemory, leavesOthers: true)
    }
  }
}
