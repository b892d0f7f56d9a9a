package import Netfilter

/// A table that commands edit one after the other, as iptables(8) does: nothing changes in the kernel before ``commit()``,
/// which gives all of it at once.
///
/// Numbers of rules count from 1.
package protocol CommandTable: AnyObject {
  var id: TableID { get }

  func commit() throws(CommandRefusal)

  var chainNames: [ChainName] { get }
  func contains(_ chain: ChainName) -> Bool
  func isBuiltIn(_ chain: ChainName) -> Bool
  /// Whether the kernel's table has base chains that iptables does not know. They stay as they are.
  var isIncomplete: Bool { get }
  /// The whole table as it is edited so far.
  func read() throws(CommandRefusal) -> Table
  /// Prints the table to standard output as the library keeps it that holds it, where one does.
  func dump()

  func append(_ rule: Rule, to chain: ChainName) throws(CommandRefusal)
  func insert(_ rule: Rule, at number: Int, of chain: ChainName) throws(CommandRefusal)
  func replace(_ number: Int, of chain: ChainName, with rule: Rule) throws(CommandRefusal)
  /// Deletes the first rule that is the same.
  func delete(_ rule: Rule, from chain: ChainName) throws(CommandRefusal)
  func delete(_ number: Int, from chain: ChainName) throws(CommandRefusal)
  /// - Throws: ``CommandRefusal`` when the chain holds no such rule.
  func check(_ rule: Rule, in chain: ChainName) throws(CommandRefusal)

  /// - Parameter chain: nil for all of them; so for ``delete(_:)``, of those that are not built in, and ``zero(_:)``.
  func flush(_ chain: ChainName?) throws(CommandRefusal)
  func create(_ chain: ChainName) throws(CommandRefusal)
  /// Makes a chain, or empties it where it is there.
  func declare(_ chain: ChainName) throws(CommandRefusal)
  /// Takes all out as a restore does before it begins: rules, chains that are not built in, and what else it brings anew.
  func clear() throws(CommandRefusal)
  func delete(_ chain: ChainName?) throws(CommandRefusal)
  func rename(_ chain: ChainName, to new: ChainName) throws(CommandRefusal)
  func zero(_ chain: ChainName?) throws(CommandRefusal)
  func zero(_ number: Int, of chain: ChainName) throws(CommandRefusal)
  /// - Parameters:
  ///   - policy: the word as it was given; all but ACCEPT and DROP are refused.
  ///   - counters: nil keeps those that the policy has.
  func setPolicy(_ policy: String, of chain: ChainName, counters: Counters?) throws(CommandRefusal)
}
