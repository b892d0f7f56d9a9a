internal import Netfilter

extension Table {
  /// The same table, where rules that read like those of `live` are those, byte for byte, from both ends of each chain on
  /// until they differ.
  ///
  /// Some structures have bits that mean nothing, which iptables fills in one way or another (the mask of `recent`, given
  /// or not), and some say the same in several revisions: without this a saved ruleset would differ from the kernel that
  /// it was saved from.
  func adopting(_ live: Table) -> Table {
    var result = self
    for (index, chain) in chains.enumerated() {
      guard let before = live[chain.name]?.rules, !before.sameRules(as: chain.rules) else { continue }
      let shorter = Swift.min(before.count, chain.rules.count)
      var rules = chain.rules
      var others: [Int: Int] = [:]
      var front = 0
      while front < shorter, rules.adopt(front, from: before, front, &others) { front += 1 }
      var back = 1
      while back <= shorter - front, rules.adopt(rules.count - back, from: before, before.count - back, &others) {
        back += 1
      }
      result.setRules(of: index, others.isEmpty ? rules : rules.replacing(others, from: before))
    }
    return result
  }
}

extension RuleList {
  /// Whether both rules are the same; one that reads the same becomes the same, at once or, when it has another size, later
  /// by being noted in `others`.
  fileprivate mutating func adopt(
    _ index: Int, from live: RuleList, _ liveIndex: Int, _ others: inout [Int: Int]
  ) -> Bool {
    if live.sameRule(liveIndex, self, index) { return true }
    let given = counters(of: index)
    let (mine, theirs) = (self[index], live[liveIndex])
    guard mine.residue == theirs.residue,
      SaveText.rule(mine, family: family) == SaveText.rule(theirs, family: family)
    else { return false }
    guard overwrite(index, with: live, liveIndex) else {
      others[index] = liveIndex
      return true
    }
    setCounters(given, of: index)
    return true
  }
}
