internal import Netfilter

extension Table {
  /// The same table, where rules that read like those of `live` are those, byte for byte, from both ends of each chain on
  /// until they differ.
  ///
  /// Some structures have bits that mean nothing, which iptables fills in one way or another (the mask of `recent`, given
  /// or not): without this a saved ruleset would differ from the kernel that it was saved from.
  func adopting(_ live: Table) -> Table {
    var result = self
    for (index, chain) in chains.enumerated() {
      guard let before = live[chain.name]?.rules, !before.sameRules(as: chain.rules) else { continue }
      let shorter = Swift.min(before.count, chain.rules.count)
      var rules = chain.rules
      var front = 0
      while front < shorter, rules.adopt(front, from: before, front) { front += 1 }
      var back = 1
      while back <= shorter - front, rules.adopt(rules.count - back, from: before, before.count - back) { back += 1 }
      result.setRules(of: index, rules)
    }
    return result
  }
}

extension RuleList {
  /// Whether both rules are the same; one that reads the same becomes the same.
  fileprivate mutating func adopt(_ index: Int, from live: RuleList, _ liveIndex: Int) -> Bool {
    if live.sameRule(liveIndex, self, index) { return true }
    let given = counters(of: index)
    guard range(of: index).count == live.range(of: liveIndex).count else { return false }
    let (mine, theirs) = (self[index], live[liveIndex])
    guard mine.residue == theirs.residue,
      SaveText.rule(mine, family: family) == SaveText.rule(theirs, family: family),
      overwrite(index, with: live, liveIndex)
    else { return false }
    setCounters(given, of: index)
    return true
  }
}
