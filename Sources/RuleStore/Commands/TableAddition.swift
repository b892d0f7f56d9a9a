package import Netfilter

/// What a command does to a table whose rules need not be known for it.
package enum TableAddition: Sendable {
  /// Rules at the end of a chain.
  case append(RuleList, to: ChainName)
  /// Rules at the beginning of a chain, each before those that came earlier.
  case prepend(RuleList, to: ChainName)
  /// A chain without rules.
  case chain(ChainName)
  /// A chain of another name, alone.
  case rename(ChainName, to: ChainName)
  /// The policy of a built-in chain, and from where it counts; nil where it keeps what it has, as long as it stays the same.
  case policy(Policy, Counters?, of: ChainName)
}

/// A backend that can add to a table of which it has not read the rules, which takes long where they are many.
package protocol TableAdder: Backend {
  /// The chains of a table, their rules left out.
  /// - Returns: nil where they have to be read, or had better be: the table is not there, or is compiled and not remembered.
  func heads(of id: TableID) throws(BackendError) -> Snapshot?

  /// Carries out all of it or nothing.
  /// - Parameter stamp: that of the heads.
  /// - Returns: false where the rules have to be known for it; nothing has changed then.
  /// - Throws: ``BackendError``, of kind `stale` when the table is no longer as the heads say. Nothing has changed then, but for
  ///   the kind `unknown`.
  func add(_ additions: [TableAddition], to id: TableID, expecting stamp: Snapshot.Stamp) throws(BackendError) -> Bool
}
