/// Tables of both families. A table that is not in it is not spoken of: applying the ruleset leaves that table alone.
public struct Ruleset: Hashable, Sendable {
  /// At most one of each name and family, in the order in which they were named.
  public private(set) var tables: [Table]

  public init() { tables = [] }

  public init(_ tables: some Sequence<Table>) {
    self.tables = []
    for table in tables { self[table.name, table.family] = table }
  }

  /// The table of this name and family; nil where there is none. Setting nil removes it.
  public subscript(name: TableName, family: Family) -> Table? {
    get { index(name, family).map { tables[$0] } }
    set {
      switch (index(name, family), newValue) {
      case (let index?, let table?): tables[index] = table
      case (let index?, nil): tables.remove(at: index)
      case (nil, let table?): tables.append(table)
      case (nil, nil): break
      }
    }
  }

  package func index(_ name: TableName, _ family: Family) -> Int? {
    tables.firstIndex { $0.name == name && $0.family == family }
  }

  /// Changes a table in place.
  package mutating func withTable<R, E: Error>(at index: Int, _ body: (inout Table) throws(E) -> R) throws(E) -> R {
    try body(&tables[index])
  }

  public var isEmpty: Bool { tables.isEmpty }

  public var ruleCount: Int { tables.reduce(0) { $0 + $1.ruleCount } }

  public var families: Set<Family> { Set(tables.map(\.family)) }

  /// The tables of one family.
  public func only(_ family: Family) -> Ruleset { Ruleset(tables.filter { $0.family == family }) }

  /// This ruleset with the tables of another in place of its own.
  public func replacing(with other: Ruleset) -> Ruleset {
    var result = self
    for table in other.tables { result[table.name, table.family] = table }
    return result
  }

  /// Whether both hold the same tables with the same rules, whatever counters and table order.
  public func sameRules(as other: Ruleset) -> Bool {
    tables.count == other.tables.count
      && tables.allSatisfy { table in other[table.name, table.family]?.sameRules(as: table) ?? false }
  }
}
