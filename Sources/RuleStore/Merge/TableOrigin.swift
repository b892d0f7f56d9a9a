package import Netfilter

/// From which of two tables a live one has come, the one before a commit or the one after it, where somebody else has
/// changed it since. The kernel takes a table whole, so that it was one of both at first.
package enum TableOrigin {
  /// Whether the table comes from the committed one: it has more of what the commit put in and less of what it took out.
  package static func isCommitted(_ live: Table, before: Table, committed: Table) -> Bool {
    var votes = Votes()
    for name in Set((before.chains + committed.chains).map(\.name)) {
      votes.count(live[name], before: before[name], committed: committed[name], live.family)
    }
    return votes.committed > votes.before
  }

  private struct Votes {
    var before = 0
    var committed = 0

    mutating func count(_ live: Chain?, before: Chain?, committed: Chain?, _ family: Family) {
      if (before == nil) != (committed == nil) { vote((live == nil) == (committed == nil)) }
      if let policy = live?.policy, let before, let committed, before.policy != committed.policy {
        vote(policy == committed.policy)
      }
      let nothing = RuleList(family: family)
      let (old, new) = (before?.rules ?? nothing, committed?.rules ?? nothing)
      guard !old.sameRules(as: new) else { return }
      let now = live?.rules ?? nothing
      let (isOldThere, isNewThere) = (Self.isThere(old, in: now), Self.isThere(new, in: now))
      let sources = RulePairing(old, new).sources
      let stays = Set(sources.compactMap { $0 })
      for place in new.indices where sources[place] == nil { vote(isNewThere[place]) }
      for place in old.indices where !stays.contains(place) { vote(!isOldThere[place]) }
      if stays.count == old.count, stays.count == new.count { countOrder(old, new, now) }
    }

    /// Where a commit has changed the order alone.
    private mutating func countOrder(_ old: RuleList, _ new: RuleList, _ now: RuleList) {
      let (toOld, toNew) = (EqualEnds(old, now), EqualEnds(new, now))
      vote(toNew.prefix + toNew.suffix > toOld.prefix + toOld.suffix)
    }

    private mutating func vote(_ isCommitted: Bool) {
      if isCommitted { committed += 1 } else { before += 1 }
    }

    /// Which rules of a list another one has.
    private static func isThere(_ rules: RuleList, in other: RuleList) -> [Bool] {
      var isThere = [Bool](repeating: false, count: rules.count)
      for source in RulePairing(rules, other).sources { if let source { isThere[source] = true } }
      return isThere
    }
  }
}
