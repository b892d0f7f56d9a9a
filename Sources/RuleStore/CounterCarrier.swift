package import Netfilter

/// Gives the rules of a new table the counters of the same rules in the old one.
///
/// A rule is the same when all but its counters is equal and it stands in the chain of the same name.
package enum CounterCarrier {
  package static func carry(from old: Table, to new: Table, fresh: Plan.CounterSource) -> Table {
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
  /// table first and is given the counters then, all at once. nil when they are there; of a few that are less somebody has
  /// set these to zero.
  static func heal(_ now: Table, since earlier: Table) -> Table? {
    var result = now
    var lost = 0
    var there = 0
    func look(_ now: Counters, _ before: Counters) {
      guard before != .zero else { return }
      if now.isLess(than: before) { lost += 1 } else { there += 1 }
    }
    for index in now.chains.indices {
      let chain = now.chains[index]
      guard let before = earlier[chain.name] else { continue }
      if let policy = chain.policy, policy == before.policy {
        look(chain.policyCounters, before.policyCounters)
        result.setPolicyUnchecked(policy, at: index, counters: chain.policyCounters + before.policyCounters)
      }
      var rules = chain.rules
      for (place, source) in RulePairing(before.rules, chain.rules).sources.enumerated() {
        guard let source else { continue }
        let counted = before.rules.counters(of: source)
        look(rules.counters(of: place), counted)
        rules.setCounters(rules.counters(of: place) + counted, of: place)
      }
      result.setRules(of: index, rules)
    }
    return lost > there ? result : nil
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

/// Which rule of an old list each rule of a new one is: the same but for counters. Rules that stayed in order are paired
/// by a walk along both lists; those that moved are found by content.
package struct RulePairing: Sendable {
  /// For each new rule the place of the old one, nil where it is new.
  package private(set) var sources: [Int?]

  /// How far the walk looks for the place where both lists go on alike.
  private static let lookAhead = 8

  package init(_ old: RuleList, _ new: RuleList) {
    sources = [Int?](repeating: nil, count: new.count)
    let same = EqualEnds(old, new)
    for index in 0..<same.prefix { sources[index] = index }
    for back in 1..<same.suffix + 1 { sources[new.count - back] = old.count - back }
    let (gone, come) = walk(old, same.prefix..<old.count - same.suffix, new, same.prefix..<new.count - same.suffix)
    findMoved(old, gone, new, come)
  }

  /// Pairs what is in order, and returns what is left of both lists.
  private mutating func walk(_ old: RuleList, _ oldPart: Range<Int>, _ new: RuleList, _ newPart: Range<Int>)
    -> (gone: [Int], come: [Int])
  {
    var gone: [Int] = []
    var come: [Int] = []
    var from = oldPart.lowerBound
    var to = newPart.lowerBound
    while from < oldPart.upperBound, to < newPart.upperBound {
      if old.sameRule(from, new, to) {
        sources[to] = from
        from += 1
        to += 1
        continue
      }
      let skip = Self.skip(old, from..<oldPart.upperBound, new, to..<newPart.upperBound)
      gone += from..<from + skip.old
      come += to..<to + skip.new
      from += skip.old
      to += skip.new
    }
    return (gone + (from..<oldPart.upperBound), come + (to..<newPart.upperBound))
  }

  /// How many rules to leave out on each side until both lists go on alike; one on each where that is not near.
  private static func skip(_ old: RuleList, _ from: Range<Int>, _ new: RuleList, _ to: Range<Int>) -> (
    old: Int, new: Int
  ) {
    for distance in 1...lookAhead {
      for (a, b) in [(distance, distance), (distance, 0), (0, distance)] where a < from.count && b < to.count {
        if old.sameRule(from.lowerBound + a, new, to.lowerBound + b) { return (a, b) }
      }
    }
    return (1, 1)
  }

  private mutating func findMoved(_ old: RuleList, _ gone: [Int], _ new: RuleList, _ come: [Int]) {
    guard !gone.isEmpty, !come.isEmpty else { return }
    var waiting: [Int: [Int]] = [:]
    for index in gone.reversed() { waiting[old.fingerprint(of: index), default: []].append(index) }
    for index in come {
      if let from = waiting[new.fingerprint(of: index)]?.popLast(), old.sameRule(from, new, index) {
        sources[index] = from
      }
    }
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
    let stayed = RulePairing(old, new).sources.count { $0 != nil }
    return (new.count - stayed, old.count - stayed)
  }
}

extension Counters {
  fileprivate func isLess(than other: Counters) -> Bool { packets < other.packets || bytes < other.bytes }

  fileprivate static func + (a: Counters, b: Counters) -> Counters {
    Counters(packets: a.packets &+ b.packets, bytes: a.bytes &+ b.bytes)
  }
}
