internal import Glibc
package import Netfilter
package import RuleStore

/// A table that commands edit one after the other, as iptables(8) does: in libiptc's memory, until ``commit()`` gives all
/// of it to the kernel at once.
///
/// libiptc keeps state of its own: nothing else in the process may use it meanwhile.
package final class CommandTable {
  package let id: TableID
  private let table: LegacyTable

  /// Why libiptc or the kernel did not do something, in libiptc's own words, which iptables prints.
  package struct Refusal: Error {
    package let code: Int32
    package let reason: String

    package init(code: Int32, reason: String) {
      self.code = code
      self.reason = reason
    }

    /// What iptables says when `-C` or `-D` find no such rule.
    static let noSuchRule = Refusal(code: ENOENT, reason: "Bad rule (does a matching rule exist in that chain?)")

    /// What iptables says of a chain that is not there.
    package static let noSuchChain = Refusal(code: ENOENT, reason: "No chain/target/match by that name")
  }

  /// Opens the table, which the kernel makes if it does not exist yet.
  package init(_ id: TableID) throws(Refusal) {
    self.id = id
    do throws(LegacyTable.LibraryError) {
      table = try LegacyTable(opening: id)
    } catch {
      throw Refusal(code: error.code, reason: error.reason)
    }
  }

  private func call<R>(_ body: (borrowing LegacyTable) throws(LegacyTable.LibraryError) -> R) throws(Refusal) -> R {
    do throws(LegacyTable.LibraryError) {
      return try body(table)
    } catch {
      throw Refusal(code: error.code, reason: error.reason)
    }
  }

  package func commit() throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.commit() }
  }

  // MARK: Looking

  /// Prints the table as libiptc keeps it to standard output.
  package func dump() { table.dump() }

  package var chainNames: [ChainName] { table.chainNames() }

  package func contains(_ chain: ChainName) -> Bool { table.contains(chain) }

  package func isBuiltIn(_ chain: ChainName) -> Bool { table.isBuiltIn(chain) }

  /// The whole table as it is edited so far.
  package func read() throws(Refusal) -> Table {
    try call { table throws(LegacyTable.LibraryError) in try table.read() }
  }

  /// The place of the first rule that is the same but for counters.
  private func place(of rule: Rule, in chain: ChainName) throws(Refusal) -> Int {
    guard contains(chain) else { throw .noSuchChain }
    let rules = table.rules(of: chain)
    let wanted = RuleList(CollectionOfOne(rule), family: id.family)
    if let place = rules.indices.first(where: { rules.sameRule($0, wanted, 0) }) { return place }
    // What the kernel or another program writes differently may still mean the same.
    guard let place = rules.indices.first(where: { rules.mayEqual($0, wanted, 0) && rules[$0].sameEffect(as: rule) })
    else {
      throw .noSuchRule
    }
    return place
  }

  // MARK: Editing rules

  private func withEntry(
    _ rule: Rule, _ body: (borrowing LegacyTable, UnsafeRawPointer) throws(LegacyTable.LibraryError) -> Void
  )
    throws(Refusal)
  {
    let list = RuleList(CollectionOfOne(rule), family: id.family)
    try call { table throws(LegacyTable.LibraryError) in
      try list.withEntry(0) { entry throws(LegacyTable.LibraryError) in try body(table, entry) }
    }
  }

  package func append(_ rule: Rule, to chain: ChainName) throws(Refusal) {
    try withEntry(rule) { table, entry throws(LegacyTable.LibraryError) in try table.append(entry, to: chain) }
  }

  /// - Parameter number: from 1.
  package func insert(_ rule: Rule, at number: Int, of chain: ChainName) throws(Refusal) {
    try withEntry(rule) { table, entry throws(LegacyTable.LibraryError) in
      try table.insert(entry, at: number - 1, of: chain)
    }
  }

  /// - Parameter number: from 1.
  package func replace(_ number: Int, of chain: ChainName, with rule: Rule) throws(Refusal) {
    try withEntry(rule) { table, entry throws(LegacyTable.LibraryError) in
      try table.replaceRule(at: number - 1, of: chain, with: entry)
    }
  }

  /// Deletes the first rule that is the same.
  package func delete(_ rule: Rule, from chain: ChainName) throws(Refusal) {
    try delete(try place(of: rule, in: chain) + 1, from: chain)
  }

  /// - Parameter number: from 1.
  package func delete(_ number: Int, from chain: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.deleteRule(at: number - 1, of: chain) }
  }

  /// - Throws: ``Refusal`` when the chain holds no such rule.
  package func check(_ rule: Rule, in chain: ChainName) throws(Refusal) { _ = try place(of: rule, in: chain) }

  // MARK: Editing chains

  package func flush(_ chain: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.flush(chain) }
  }

  package func create(_ chain: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.create(chain) }
  }

  package func delete(_ chain: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.delete(chain) }
  }

  package func rename(_ chain: ChainName, to new: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.rename(chain, to: new) }
  }

  package func zero(_ chain: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.zero(chain) }
  }

  package func zero(_ number: Int, of chain: ChainName) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in try table.zeroRule(number, of: chain) }
  }

  /// - Parameters:
  ///   - policy: the word as it was given; libiptc refuses all but ACCEPT and DROP.
  ///   - counters: nil keeps those that the policy has.
  package func setPolicy(_ policy: String, of chain: ChainName, counters: Counters?) throws(Refusal) {
    try call { table throws(LegacyTable.LibraryError) in
      try table.setPolicy(policy, of: chain, counters: counters)
    }
  }
}
