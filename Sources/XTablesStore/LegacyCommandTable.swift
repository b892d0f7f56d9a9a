internal import Glibc
package import Netfilter
package import RuleStore

/// A table of ip_tables or ip6_tables that commands edit in libiptc's memory.
///
/// libiptc keeps state of its own: nothing else in the process may use it meanwhile.
package final class LegacyCommandTable: CommandTable {
  package let id: TableID
  private let table: LegacyTable

  /// Opens the table, which the kernel makes if it does not exist yet.
  package init(_ id: TableID) throws(CommandRefusal) {
    self.id = id
    do throws(LegacyTable.LibraryError) {
      table = try LegacyTable(opening: id)
    } catch {
      throw CommandRefusal(code: error.code, reason: error.reason)
    }
  }

  private func call<R>(_ body: (borrowing LegacyTable) throws(LegacyTable.LibraryError) -> R) throws(CommandRefusal)
    -> R
  {
    do throws(LegacyTable.LibraryError) {
      return try body(table)
    } catch {
      throw CommandRefusal(code: error.code, reason: error.reason)
    }
  }

  package func commit() throws(CommandRefusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.commit() }
  }

  // MARK: Looking

  package func dump() { table.dump() }

  package var chainNames: [ChainName] { table.chainNames() }

  package func contains(_ chain: ChainName) -> Bool { table.contains(chain) }

  package func isBuiltIn(_ chain: ChainName) -> Bool { table.isBuiltIn(chain) }

  package var isIncomplete: Bool { false }
  package func read() throws(CommandRefusal) -> Table {
    try call { table throws(LegacyTable.LibraryError) in try table.read() }
  }

  /// The place of the first rule that is the same but for counters.
  private func place(of rule: Rule, in chain: ChainName) throws(CommandRefusal) -> Int {
    guard contains(chain) else { throw .noSuchChain }
    guard let place = table.rules(of: chain).firstPlace(of: rule) else { throw .noSuchRule }
    return place
  }

  // MARK: Editing rules

  private func withEntry(
    _ rule: Rule, _ body: (borrowing LegacyTable, UnsafeRawPointer) throws(LegacyTable.LibraryError) -> Void
  )
    throws(CommandRefusal)
  {
    let list = RuleList(CollectionOfOne(rule), family: id.family)
    try call { table throws(LegacyTable.LibraryError) in
      try list.withEntry(0) { entry throws(LegacyTable.LibraryError) in try body(table, entry) }
    }
  }

  package func append(_ rule: Rule, to chain: ChainName) throws(CommandRefusal) {
    try withEntry(rule) { table, entry throws(LegacyTable.LibraryError) in try table.append(entry, to: chain) }
  }

  package func insert(_ rule: Rule, at number: Int, of chain: ChainName) throws(CommandRefusal) {
    try withEntry(rule) { table, entry throws(LegacyTable.LibraryError) in
      try table.insert(entry, at: number - 1, of: chain)
    }
  }

  package func replace(_ number: Int, of chain: ChainName, with rule: Rule) throws(CommandRefusal) {
    try withEntry(rule) { table, entry throws(LegacyTable.LibraryError) in
      try table.replaceRule(at: number - 1, of: chain, with: entry)
    }
  }

  package func delete(_ rule: Rule, from chain: ChainName) throws(CommandRefusal) {
    try delete(try place(of: rule, in: chain) + 1, from: chain)
  }

  package func delete(_ number: Int, from chain: ChainName) throws(CommandRefusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.deleteRule(at: number - 1, of: chain) }
  }

  package func check(_ rule: Rule, in chain: ChainName) throws(CommandRefusal) { _ = try place(of: rule, in: chain) }

  // MARK: Editing chains

  /// Does it to one chain, or to all of a kind; the last failure counts, as with iptables.
  private func forEach(
    _ chain: ChainName?, _ isMeant: (ChainName) -> Bool = { _ in true },
    _ body: (borrowing LegacyTable, ChainName) throws(LegacyTable.LibraryError) -> Void
  ) throws(CommandRefusal) {
    var last: CommandRefusal?
    for name in chain.map({ [$0] }) ?? chainNames.filter(isMeant) {
      do throws(CommandRefusal) {
        try call { table throws(LegacyTable.LibraryError) in try body(table, name) }
      } catch {
        last = error
      }
    }
    if let last { throw last }
  }

  package func flush(_ chain: ChainName?) throws(CommandRefusal) {
    try forEach(chain) { table, name throws(LegacyTable.LibraryError) in try table.flush(name) }
  }

  package func create(_ chain: ChainName) throws(CommandRefusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.create(chain) }
  }

  package func declare(_ chain: ChainName) throws(CommandRefusal) {
    if contains(chain) { try flush(chain) } else { try create(chain) }
  }

  package func delete(_ chain: ChainName?) throws(CommandRefusal) {
    try forEach(chain, { !isBuiltIn($0) }) { table, name throws(LegacyTable.LibraryError) in try table.delete(name) }
  }

  /// A policy stays that the text does not name.
  package func clear() throws(CommandRefusal) {
    try flush(nil)
    try delete(nil)
  }

  package func rename(_ chain: ChainName, to new: ChainName) throws(CommandRefusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.rename(chain, to: new) }
  }

  package func zero(_ chain: ChainName?) throws(CommandRefusal) {
    try forEach(chain) { table, name throws(LegacyTable.LibraryError) in try table.zero(name) }
  }

  package func zero(_ number: Int, of chain: ChainName) throws(CommandRefusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.zeroRule(number, of: chain) }
  }

  package func setPolicy(_ policy: String, of chain: ChainName, counters: Counters?) throws(CommandRefusal) {
    try call { table throws(LegacyTable.LibraryError) in
      try table.setPolicy(policy, of: chain, counters: counters)
    }
  }
}
