public import Netfilter

extension Table {
  /// The table without the chains and rules of well-known programs that write their own: what Firebreak takes over, and
  /// gives back, when a table of somebody's comes under it.
  public var withoutKnownOwners: Table {
    let base = MergeBase(nil, live: self, OwnerDirectory(self))
    var result = Table(name, family: family)
    for chain in chains where base.contains(chain.name) {
      if !result.contains(chain.name) { try? result.addChain(chain.name) }
      guard let index = result.index(of: chain.name) else { continue }
      if let policy = chain.policy { result.setPolicyUnchecked(policy, at: index, counters: chain.policyCounters) }
      result.setRules(of: index, base.rules(of: chain.name))
    }
    // Where a rule of ours leads to one of theirs.
    for chain in result.chainsLedTo() where !result.contains(chain) { try? result.addChain(chain) }
    return result
  }
}
