/// What the two interfaces of the kernel hold in the calling thread's network namespace.
public struct KernelUse: Sendable {
  /// One of both interfaces.
  public struct Interface: Sendable {
    public let choice: BackendChoice
    /// Whether the kernel has it.
    public let isAvailable: Bool
    /// Whether its tables do anything to a packet: they hold rules, chains of their own, or a policy other than ACCEPT.
    public let isInUse: Bool
    /// The tables that exist, by family and name.
    public let tables: [TableUse]
  }

  /// What one table holds.
  public struct TableUse: Sendable {
    public let id: TableID
    /// Whether its rules stand in compiled form (``NFTablesBackend/Form/compiled``).
    public let isCompiled: Bool
    /// nil where the table cannot be read.
    public let contents: Contents?
    /// Why it cannot be read; nil where it can.
    public let problem: String?

    public struct Contents: Hashable, Sendable {
      public let rules: Int
      /// Other than built-in ones.
      public let chains: Int
      /// Built-in chains whose policy is DROP.
      public let dropping: [ChainName]
    }

    /// An unreadable table is taken to be in use.
    public var isInUse: Bool { contents.map { $0.rules > 0 || $0.chains > 0 || !$0.dropping.isEmpty } ?? true }
  }

  public let legacy: Interface
  public let nft: Interface
  /// What `--backend auto` takes.
  public let chosen: BackendChoice
  /// Tables of nf_tables that belong to other programs and are never touched.
  public let others: [OtherTable]

  /// Looks at everything.
  public init() throws(BackendError) {
    let legacy = XTablesBackend()
    let nft = NFTablesBackend()
    self.legacy = try Interface(.legacy, legacy, isAvailable: legacy.isAvailable)
    self.nft = try Interface(.nft, nft, isAvailable: nft.isAvailable)
    others = self.nft.isAvailable ? try nft.otherTables() : []
    chosen = self.legacy.isInUse || !self.nft.isAvailable ? .legacy : .nft
  }

  /// What to know and to do about both being in use; nil where one is or none.
  public var warning: String? { legacy.isInUse && nft.isInUse ? Self.bothInUse : nil }

  private static let bothInUse = """
    both ip_tables and nf_tables hold rules, and packets have to pass both; see them with `firebreak status`, and move \
    them into one with `firebreak migrate --to nft` (or legacy)
    """

  /// The same without reading any rule.
  public static func warning() throws(BackendError) -> String? {
    guard try XTablesBackend().isInUse() else { return nil }
    let nft = NFTablesBackend()
    guard nft.isAvailable else { return nil }
    return try nft.isInUse() ? bothInUse : nil
  }
}

extension KernelUse.Interface {
  fileprivate init(_ choice: BackendChoice, _ backend: any Backend, isAvailable: Bool) throws(BackendError) {
    self.choice = choice
    self.isAvailable = isAvailable
    guard isAvailable else {
      (isInUse, tables) = (false, [])
      return
    }
    let existing = try backend.snapshot(of: .only([])).existing.sorted()
    let compiled = try (backend as? NFTablesBackend)?.compiledTables() ?? []
    tables = try existing.map { id throws(BackendError) in
      try KernelUse.TableUse(id, backend, isCompiled: compiled.contains(id))
    }
    isInUse = tables.contains { $0.isInUse }
  }
}

extension KernelUse.TableUse {
  /// A table that says what iptables cannot say has a problem and no contents.
  fileprivate init(_ id: TableID, _ backend: any Backend, isCompiled: Bool) throws(BackendError) {
    self.id = id
    self.isCompiled = isCompiled
    do throws(BackendError) {
      guard let table = try backend.snapshot(of: .only([id])).ruleset[id] else {
        (contents, problem) = (Contents(Table(id.name, family: id.family)), nil)
        return
      }
      (contents, problem) = (Contents(table), nil)
    } catch {
      guard error.kind == .refused else { throw error }
      (contents, problem) = (nil, error.message)
    }
  }
}

extension KernelUse.TableUse.Contents {
  fileprivate init(_ table: Table) {
    rules = table.ruleCount
    chains = table.chains.count { $0.hook == nil }
    dropping = table.chains.filter { $0.policy == .drop }.map(\.name)
  }
}
