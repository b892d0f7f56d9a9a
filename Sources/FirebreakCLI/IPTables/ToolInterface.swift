internal import Firebreak

/// The part of the kernel whose rules a tool shows and changes: iptables(8) has two forms, one for each.
enum ToolInterface {
  /// ip_tables and ip6_tables, as iptables-legacy.
  case legacy
  /// nf_tables, as iptables-nft.
  case nft

  /// Where the tables are, for a name that does not say: nf_tables where its tables exist, as another iptables or
  /// `firebreak apply` made them, and those of ip_tables do nothing; else ip_tables, where the kernel has it. A table stays where its rules have all been
  /// taken out, so that a script that begins with -F goes on in the same place.
  static var present: ToolInterface {
    if (try? XTablesBackend().isInUse()) ?? true { return .legacy }
    guard let tables = try? NFTablesBackend().snapshot(of: .only([])).existing else { return .legacy }
    return tables.isEmpty && XTablesBackend().isAvailable ? .legacy : .nft
  }

  /// As it stands in brackets behind the version.
  var label: String {
    switch self {
    case .legacy: "legacy"
    case .nft: "nf_tables"
    }
  }

  /// A backend with the names that users see.
  var backend: any Backend {
    switch self {
    case .legacy: XTablesBackend(names: .system)
    case .nft: NFTablesBackend(names: .system, remembering: NFTablesBackend.standardMemory)
    }
  }
}
