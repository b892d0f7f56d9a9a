internal import Netfilter

/// Numbers for the rules of one chain in three rulesets: the same number for rules that mean the same.
///
/// Rules with the same bytes mean the same, counters aside. So do rules that read the same, or that nf_tables gives back
/// in the same form: a kernel need not give back the bytes that it was given, and a rule of ours must not be taken for
/// another's because of that.
struct RuleKinds {
  let base: [Int]
  let live: [Int]
  let wanted: [Int]

  init(base: RuleList, live: RuleList, wanted: RuleList) {
    // What all three have alike at their ends is not looked into.
    let (now, next) = (EqualEnds(base, live), EqualEnds(base, wanted))
    let front = min(now.prefix, next.prefix)
    let ends = front + min(now.suffix, next.suffix)
    var numbers: [Int: [Known]] = [:]
    var kinds: [Known] = []
    func number(_ list: RuleList) -> [Int] {
      list.indices.map { index in
        if index < front { return index }
        if index >= list.count - (ends - front) { return ends - (list.count - index) }
        let print = list.fingerprint(of: index)
        if let same = numbers[print]?.first(where: { $0.list.sameRule($0.index, list, index) }) { return same.number }
        let known = Known(list: list, index: index, number: ends + kinds.count)
        kinds.append(known)
        numbers[print, default: []].append(known)
        return known.number
      }
    }
    let ours = (number(base), number(wanted))
    let limit = kinds.count
    let theirs = number(live)
    let joined = Self.join(ours: kinds[..<limit], inKernel: Set(theirs), others: kinds[limit...])
    self.base = ours.0.map { joined[$0] ?? $0 }
    self.wanted = ours.1.map { joined[$0] ?? $0 }
    self.live = theirs
  }

  private struct Known {
    let list: RuleList
    let index: Int
    let number: Int

    var rule: Rule { list[index] }
    var family: Family { list.family }
  }

  /// Which rules of ours that the kernel does not hold byte for byte mean what a rule does that it holds.
  private static func join(ours: ArraySlice<Known>, inKernel: Set<Int>, others: ArraySlice<Known>) -> [Int: Int] {
    guard !others.isEmpty else { return [:] }
    var byMeaning: [RuleMeaning: Int] = [:]
    for other in others {
      for meaning in meanings(of: other.rule, other.family) where byMeaning[meaning] == nil {
        byMeaning[meaning] = other.number
      }
    }
    let addresses = Set(others.map { $0.list.addressFingerprint(of: $0.index) })
    var result: [Int: Int] = [:]
    for known in ours where !inKernel.contains(known.number) {
      guard addresses.contains(known.list.addressFingerprint(of: known.index)) else { continue }
      result[known.number] = meanings(of: known.rule, known.family).lazy.compactMap { byMeaning[$0] }.first
    }
    return result
  }

  /// As it reads, and as nf_tables gives it back.
  private static func meanings(of rule: Rule, _ family: Family) -> [RuleMeaning] {
    var result = [RuleMeaning(rule, family)]
    if let expressions = try? NFTRuleCodec.expressions(for: rule, family: family, registry: .standard),
      let back = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard)
    {
      result.append(RuleMeaning(back, family))
    }
    return result
  }
}
