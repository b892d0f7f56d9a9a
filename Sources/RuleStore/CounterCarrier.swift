package import Netfilter

/// Gives the rules of a new table the counters of the same rules in the old one.
///
/// A rule is the same when all but its counters is equal and it stands in the chain of the same name.
enum CounterCarrier {
  static func carry(from old: Table, to new: Table, fresh: Plan.CounterSource) -> Table {
    var result = new
    for index in result.chains.indices {
      let chain = result.chains[index]
      guard let before = old[chain.name] else {
        if fresh == .zero { result.setRules(of: index, zeroed(chain.rules)) }
        continue
      }
      if let policy = chain.policy {
        let counters =
          before.policy == policy ? before.policyCounters : fresh == .wanted ? chain.policyCounters : .zero
        result.setPolicyUnchecked(policy, at: index, counters: counters)
      }
      result.setRules(of: index, carry(from: before.rules, to: chain.rules, fresh: fresh))
    }
    return result
  }

  /// The table with the counters that it had before an interrupted commit, when the kernel has lost them: it replaces a
  /// table first and is given the counters then, all at once. nil when they are there.
  static func heal(_ now: Table, since earlier: Table) -> Table? {
    var result = now
    var isLost = false
    for index in now.chains.indices {
      let chain = now.chains[index]
      guard let before = earlier[chain.name] else { continue }
      if let policy = chain.policy, policy == before.policy {
        isLost = isLost || chain.policyCounters.isLess(than: before.policyCounters)
        result.setPolicyUnchecked(policy, at: index, counters: chain.policyCounters + before.policyCounters)
      }
      var rules = chain.rules
      for (place, source) in RulePairing(before.rules, chain.rules).sources.enumerated() {
        guard let source else { continue }
        let counted = before.rules.counters(of: source)
        isLost = isLost || rules.counters(of: place).isLess(than: counted)
        rules.setCounters(rules.counters(of: place) + counted, of: place)
      }
      result.setRules(of: index, rules)
    }
    return isLost ? result : nil
  }

  private static func zeroed(_ rules: RuleList) -> RuleList {
    var result = rules
    for index in result.indices { result.setCounters(.zero, of: index) }
    return result
  }

  private static func carry(from old: RuleList, to new: RuleList, fresh: Plan.CounterSource) -> RuleList {
    var result = new
    for (index, from) in RulePairing(old, new).sources.enumerated() {
      if let from {
        result.setCounters(old.counters(of: from), of: index)
      } else if fresh == .zero {
        result.setCounters(.zero, of: index)
      }
    }
    return result
  }
}

/// Which rule of an old list each rule of a new one is: the same but for counters. Equal rules are paired in their order;
/// at both ends by place, in between by content.
package struct RulePairing: Sendable {
  /// For each new rule the place of the old one, nil where it is new.
  package let sources: [Int?]

  package init(_ old: RuleList, _ new: RuleList) {
    let same = EqualEnds(old, new)
    var sources = [Int?](repeating: nil, count: new.count)
    for index in 0..<same.prefix { sources[index] = index }
    for back in 1..<same.suffix + 1 { sources[new.count - back] = old.count - back }
    var waiting: [Int: [Int]] = [:]
    for index in (same.prefix..<old.count - same.suffix).reversed() {
      waiting[old.fingerprint(of: index), default: []].append(index)
    }
    for index in same.prefix..<new.count - same.suffix where !waiting.isEmpty {
      if let from = waiting[new.fingerprint(of: index)]?.popLast(), old.sameRule(from, new, index) {
        sources[index] = from
      }
    }
    self.sources = sources
  }
}

/// How many rules are the same at the beginning and at the end of two lists, without overlap.
package struct EqualEnds: Hashable, Sendable {
  package let prefix: Int
  package let suffix: Int

  package init(_ old: RuleList, _ new: RuleList) {
    let shorter = Swift.min(old.count, new.count)
    var prefix = 0
    while prefix < shorter, old.sameRule(prefix, new, prefix) { prefix += 1 }
    var suffix = 0
    while suffix < shorter - prefix, old.sameRule(old.count - 1 - suffix, new, new.count - 1 - suffix) { suffix += 1 }
    self.prefix = prefix
    self.suffix = suffix
  }
}

/// Counts what changes from one table to another.
enum TableChanges {
  static func count(from old: Table?, to new: Table) -> (added: Int, removed: Int) {
    var added = 0
    var removed = 0
    for chain in new.chains {
      let before = old?[chain.name]?.rules ?? RuleList(family: new.family)
      let changes = count(from: before, to: chain.rules)
      added += changes.added
      removed += changes.removed
    }
    for chain in old?.chains ?? [] where new[chain.name] == nil { removed += chain.rules.count }
    return (added, removed)
  }

  private static func count(from old: RuleList, to new: RuleList) -> (added: Int, removed: Int) {
    let same = EqualEnds(old, new)
    var balance: [Int: Int] = [:]
    for index in same.prefix..<old.count - same.suffix { balance[old.fingerprint(of: index), default: 0] -= 1 }
    for index in same.prefix..<new.count - same.suffix { balance[new.fingerprint(of: index), default: 0] += 1 }
    return balance.values.reduce((0, 0)) { sum, value in
      (sum.0 + Swift.max(value, 0), sum.1 + Swift.max(-value, 0))
    }
  }
}

extension Counters {
  fileprivate func isLess(than other: Counters) -> Bool { packets < other.packets || bytes < other.bytes }

  fileprivate static func + (a: Counters, b: Counters) -> Counters {
    Counters(packets: a.packets &+ b.packets, bytes: a.bytes &+ b.bytes)
  }
}
