internal import Netfilter
internal import RuleStore

/// The way from one table to another in libiptc's own operations.
///
/// Rules that stay in place are not touched: libiptc then hands the kernel's counters on, also what they count while
/// the commit is under way. Rules that come or move bring the counters they were given.
extension LegacyTable {
  /// - Parameter old: what the handle holds.
  func edit(from old: Table, to new: Table) throws(LibraryError) {
    for chain in new.chains where old[chain.name] == nil { try create(chain.name) }
    for chain in new.chains {
      let before = old[chain.name]
      // libiptc sets the counters of a policy that it is not told about to zero.
      if let policy = chain.policy {
        try setPolicy(policy, of: chain.name, counters: chain.policyCounters)
      }
      try edit(chain.name, from: before?.rules ?? RuleList(family: id.family), to: chain.rules)
    }
    let gone = old.chains.filter { new[$0.name] == nil }
    for chain in gone { try flush(chain.name) }
    for chain in gone { try delete(chain.name) }
  }

  /// libiptc finds a place in a chain by walking to it; beyond so many steps a chain is written anew instead.
  private static let walkLimit = 2_000_000

  private func edit(_ chain: ChainName, from old: RuleList, to new: RuleList) throws(LibraryError) {
    let same = EqualEnds(old, new)
    let removed = old.count - same.prefix - same.suffix
    let added = new.count - same.prefix - same.suffix
    guard removed > 0 || added > 0 else { return }
    let walk = min(same.prefix, same.suffix) * (removed + added)
    guard same.prefix + same.suffix > 0, same.suffix == 0 || walk <= Self.walkLimit else {
      if !old.isEmpty { try flush(chain) }
      return try append(new, from: 0, to: chain)
    }
    for _ in 0..<removed { try deleteRule(at: same.prefix, of: chain) }
    if same.suffix == 0 { return try append(new, from: same.prefix, to: chain) }
    for offset in 0..<added {
      let place = same.prefix + offset
      try new.withEntry(place) { entry throws(LibraryError) in try insert(entry, at: place, of: chain) }
    }
  }

  private func append(_ rules: RuleList, from first: Int, to chain: ChainName) throws(LibraryError) {
    for place in first..<rules.count {
      try rules.withEntry(place) { entry throws(LibraryError) in try append(entry, to: chain) }
    }
  }
}
