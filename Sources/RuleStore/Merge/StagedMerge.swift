public import Netfilter

/// A table that somebody changed in a copy, brought back to where the copy was taken from.
///
/// What the copy held at its start and no longer does goes; what came into the original meanwhile stays, at its place
/// among the others. What nobody touched in the copy, rules, chains and policies, is as the original has it now.
public struct StagedMerge: Sendable {
  /// What to commit.
  public let result: Table
  /// What of it is ours: what was ours and is still there, and what was written in the copy. Rules of others that were
  /// copied and left alone are not.
  public let own: Table
  /// Whether rules of our last generation came into the original in place of some that were taken out of the copy, or where
  /// there were none: then both of them are meant to be all there is.
  public let isOvertaken: Bool

  /// - Parameters:
  ///   - base: this table's own rules in the last generation; nil when no generation has it. Then everything but the rules
  ///     of well-known programs counts as ours.
  ///   - start: the table when it was copied; nil when there was none.
  ///   - live: the table now; nil when there is none.
  ///   - wanted: the copy, with what was done to it.
  public init(base: Table?, start: Table?, live: Table?, wanted: Table) {
    var wanted = wanted
    if let live, start.map({ !$0.sameRules(as: live) }) ?? !live.isPristine {
      let start = start ?? Table(wanted.name, family: wanted.family)
      isOvertaken = Self.takesOut(of: start, wanted) && base.map { Self.holdsNew(live, since: start, of: $0) } ?? false
      wanted = Self.withoutGone(start: start, live: live, wanted: wanted)
      result = TableMerge(base: start, live: live, wanted: wanted).result
    } else {
      isOvertaken = false
      result = wanted
    }
    own = start.map { Self.own(base: base ?? $0.withoutKnownOwners, start: $0, wanted: wanted) } ?? wanted
  }

  /// A table as it was before a commit, with what others have done to it since.
  package static func wayBack(from committed: Table, to before: Table, live: Table) -> Table {
    StagedMerge(base: committed, start: committed, live: live, wanted: before).result
  }

  /// Whether what was written in the copy stands in place of what was there.
  private static func takesOut(of start: Table, _ wanted: Table) -> Bool {
    start.ruleCount == 0 || TableChanges.count(from: start, to: wanted).removed > 0
      || start.chains.contains { $0.policy != wanted[$0.name]?.policy }
  }

  /// Whether rules came into the table since then that are among those of another.
  private static func holdsNew(_ live: Table, since start: Table, of other: Table) -> Bool {
    let nothing = RuleList(family: live.family)
    return live.chains.contains { chain in
      let kinds = RuleKinds(
        base: start[chain.name]?.rules ?? nothing, live: chain.rules, wanted: other[chain.name]?.rules ?? nothing)
      return !Set(kinds.live).subtracting(kinds.base).isDisjoint(with: kinds.wanted)
    }
  }

  /// The copy without what nobody touched there and somebody changed in the original meanwhile: rules and chains that are
  /// gone, policies that are other ones.
  private static func withoutGone(start: Table, live: Table, wanted: Table) -> Table {
    var result = wanted
    var gone: [Chain] = []
    let nothing = RuleList(family: wanted.family)
    for (index, chain) in wanted.chains.enumerated() {
      guard let copied = start[chain.name] else { continue }
      let before = copied.rules
      if chain.policy == copied.policy, let now = live[chain.name], let policy = now.policy {
        result.setPolicyUnchecked(policy, at: index, counters: now.policyCounters)
      }
      if chain.hook == nil, !live.contains(chain.name), before.sameRules(as: chain.rules) { gone.append(chain) }
      let now = live[chain.name]?.rules ?? nothing
      guard !before.sameRules(as: now) else { continue }
      let stayed = RuleKinds(base: before, live: now, wanted: nothing)
      let left = RuleKinds(base: before, live: chain.rules, wanted: nothing)
      let inLive = OrderedPairing(stayed.base, stayed.live).places
      let inCopy = OrderedPairing(left.base, left.live).places
      let untouched = Set(
        before.indices.compactMap { old in
          inLive[old] == nil
            ? inCopy[old].flatMap { before.counters(of: old) == chain.rules.counters(of: $0) ? $0 : nil } : nil
        })
      guard !untouched.isEmpty else { continue }
      var kept = nothing
      for place in chain.rules.indices where !untouched.contains(place) { kept.copy(place, from: chain.rules) }
      result.setRules(of: index, kept)
    }
    removeUnused(gone, from: &result)
    return result
  }

  /// Takes chains out, as far as nothing that stays is in them; those to which rules lead keep theirs.
  private static func removeUnused(_ chains: [Chain], from table: inout Table) {
    var unused = chains.filter { table[$0.name]?.rules.isEmpty == true }
    while !unused.isEmpty {
      let used = table.chainsLedTo()
      let called = unused.filter { used.contains($0.name) }
      guard !called.isEmpty else { break }
      for chain in called { table.index(of: chain.name).map { table.setRules(of: $0, chain.rules) } }
      unused.removeAll { used.contains($0.name) }
    }
    for chain in unused { try? table.removeChain(chain.name) }
  }

  private static func own(base: Table, start: Table, wanted: Table) -> Table {
    var own = wanted
    var emptied: [ChainName] = []
    for (index, chain) in wanted.chains.enumerated() {
      guard let before = start[chain.name] else { continue }
      let foreign = foreignPlaces(base[chain.name], before.rules, chain.rules)
      if !foreign.isEmpty {
        var kept = RuleList(family: wanted.family)
        for place in chain.rules.indices where !foreign.contains(place) { kept.copy(place, from: chain.rules) }
        own.setRules(of: index, kept)
      }
      if chain.hook == nil, own.chains[index].rules.isEmpty, !base.contains(chain.name) { emptied.append(chain.name) }
    }
    let used = own.chainsLedTo()
    for name in emptied where !used.contains(name) { try? own.removeChain(name) }
    return own
  }

  /// Where in the copied chain rules of others stand that nobody touched. A rule that was taken out and written again
  /// counts from zero; one that had counted nothing before cannot be told from one left alone.
  private static func foreignPlaces(_ base: Chain?, _ start: RuleList, _ wanted: RuleList) -> Set<Int> {
    let nothing = RuleList(family: start.family)
    let foreign = ChainMerge(base: base?.rules ?? nothing, live: start, wanted: nothing).foreign
    guard !foreign.isEmpty else { return [] }
    let kinds = RuleKinds(base: start, live: wanted, wanted: nothing)
    let places = OrderedPairing(kinds.base, kinds.live).places
    return Set(
      foreign.compactMap { old in
        places[old].flatMap { start.counters(of: old) == wanted.counters(of: $0) ? $0 : nil }
      })
  }
}
