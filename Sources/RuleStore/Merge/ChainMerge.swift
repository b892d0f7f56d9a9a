internal import Netfilter

/// One chain of three rulesets made one: the wanted rules in their order, and between them the rules that others added.
struct ChainMerge {
  let result: RuleList
  /// The wanted rules alone, with the counters of those that the kernel holds, and without those that a well-known
  /// program put there itself.
  let own: RuleList
  /// Places in the live chain of the rules that are nobody's but others'.
  let foreign: [Int]

  /// - Parameter isRecognised: whether a live rule that we never committed is a well-known program's. It stays so
  ///   when the input says it too, and is not taken away when the input says it no more.
  init(base: RuleList, live: RuleList, wanted: RuleList, isRecognised: (Rule) -> Bool = { _ in false }) {
    guard !live.isEmpty else {
      (result, own, foreign) = (wanted, wanted, [])
      return
    }
    let match = RuleMatching(RuleKinds(base: base, live: live, wanted: wanted))
    let slots = match.slots(isLast: { live[$0].isBareReturn })
    foreign = slots.map(\.live)
    let counted = wanted.counted(by: live, match.counted)
    let isAsHeld = match.liveOf.indices.allSatisfy { place in
      match.liveOf[place].map { live.sameRule($0, wanted, place) } ?? true
    }
    result =
      slots.isEmpty && isAsHeld ? counted : Self.woven(counted, match.liveOf, with: slots, of: live)
    own = counted.dropping { place in
      match.liveOf[place].map { match.isClaimed($0) && isRecognised(live[$0]) } ?? false
    }
  }

  /// The wanted rules, as the kernel holds them where they read the same, and between them the foreign ones.
  private static func woven(
    _ wanted: RuleList, _ liveOf: [Int?], with slots: [(live: Int, place: Int)], of live: RuleList
  ) -> RuleList {
    var result = RuleList(family: wanted.family)
    result.reserve(rules: wanted.count + slots.count, bytes: wanted.bytes.count + live.bytes.count)
    var next = 0
    for place in 0...wanted.count {
      while next < slots.count, slots[next].place == place {
        result.copy(slots[next].live, from: live, at: nil)
        next += 1
      }
      guard place < wanted.count else { break }
      if let source = liveOf[place], live.sameText(source, wanted, place) {
        result.copy(source, from: live, at: wanted.position(of: place))
      } else {
        result.copy(place, from: wanted)
      }
    }
    return result
  }
}

extension RuleList {
  /// The same rules with the counters of others, where there are such.
  fileprivate func counted(by live: RuleList, _ sources: [Int?]) -> RuleList {
    var result = self
    for (place, source) in sources.enumerated() {
      if let source { result.setCounters(live.counters(of: source), of: place) }
    }
    return result
  }

  /// Without some rules.
  fileprivate func dropping(_ isDropped: (Int) -> Bool) -> RuleList {
    let dropped = Set(indices.filter(isDropped))
    guard !dropped.isEmpty else { return self }
    var result = RuleList(family: family)
    result.reserve(rules: count, bytes: bytes.count)
    for place in indices where !dropped.contains(place) { result.copy(place, from: self) }
    return result
  }

  fileprivate func sameText(_ index: Int, _ other: RuleList, _ otherIndex: Int) -> Bool {
    if sameRule(index, other, otherIndex) { return true }
    let (mine, theirs) = (self[index], other[otherIndex])
    return mine.residue == theirs.residue
      && SaveText.rule(mine, family: family) == SaveText.rule(theirs, family: family)
  }
}

extension Rule {
  /// `-j RETURN` for every packet: it closes a chain, and what comes behind it is never reached.
  var isBareReturn: Bool {
    target == .return && matches.allSatisfy { $0 is Comment } && source == nil && destination == nil
      && inInterface == nil && outInterface == nil && proto == nil && fragment == nil
  }
}

/// Which live rule each wanted rule is, and where among the wanted ones the others stand.
private struct RuleMatching {
  private let kinds: RuleKinds
  /// For each live rule its place in base.
  private let baseOf: [Int?]
  /// For each rule of base its place in what is wanted.
  private let wantedOf: [Int?]
  /// For each wanted rule the live one that it is.
  private(set) var liveOf: [Int?]
  /// For each wanted rule the live one whose counters it goes on with: itself, or the same one at another place.
  private(set) var counted: [Int?]
  /// For each live rule that others wrote and that is wanted now: where.
  private var claimed: [Int: Int] = [:]
  /// Those of them that stand in order with what stays.
  private var anchors: [Int: Int] = [:]
  /// Live rules that are ours although they are paired with none.
  private var moved: Set<Int> = []

  init(_ kinds: RuleKinds) {
    self.kinds = kinds
    let inLive = OrderedPairing(kinds.base, kinds.live).places
    wantedOf = OrderedPairing(kinds.base, kinds.wanted).places
    var baseOf = [Int?](repeating: nil, count: kinds.live.count)
    liveOf = [Int?](repeating: nil, count: kinds.wanted.count)
    for (base, live) in inLive.enumerated() {
      guard let live else { continue }
      baseOf[live] = base
      if let wanted = wantedOf[base] { liveOf[wanted] = live }
    }
    self.baseOf = baseOf
    counted = liveOf
    claimInPlace()
    claim(of: kinds.live.indices.filter { baseOf[$0] == nil && claimed[$0] == nil }) { matching, wanted, live in
      matching.liveOf[wanted] = live
      matching.claimed[live] = wanted
    }
    moved = Self.moved(kinds, missing: inLive, baseOf, claimed)
    let dropped = kinds.live.indices.filter { live in
      moved.contains(live) || baseOf[live].map { wantedOf[$0] == nil } ?? false
    }
    claim(of: dropped) { _, _, _ in }
  }

  /// Between two rules that stay, what others added and we want now is paired in order: it holds its place, and with it
  /// that of the others around it.
  private mutating func claimInPlace() {
    var (firstWanted, firstLive) = (0, 0)
    for end in kinds.wanted.indices where liveOf[end] != nil {
      claimInPlace(firstWanted..<end, firstLive..<liveOf[end]!)
      (firstWanted, firstLive) = (end + 1, liveOf[end]! + 1)
    }
    claimInPlace(firstWanted..<kinds.wanted.count, firstLive..<kinds.live.count)
  }

  private mutating func claimInPlace(_ wantedPart: Range<Int>, _ livePart: Range<Int>) {
    let others = livePart.filter { baseOf[$0] == nil }
    guard !wantedPart.isEmpty, !others.isEmpty else { return }
    let pairs = OrderedPairing(wantedPart.map { kinds.wanted[$0] }, others.map { kinds.live[$0] }).places
    for (index, place) in pairs.enumerated() {
      guard let place else { continue }
      let (wanted, live) = (wantedPart.lowerBound + index, others[place])
      liveOf[wanted] = live
      counted[wanted] = live
      claimed[live] = wanted
      anchors[live] = wanted
    }
  }

  /// The live rules that are ours and stand where we did not put them, as far as none is wanted.
  private static func moved(_ kinds: RuleKinds, missing inLive: [Int?], _ baseOf: [Int?], _ claimed: [Int: Int])
    -> Set<Int>
  {
    var missing: [Int: Int] = [:]
    for (base, live) in inLive.enumerated() where live == nil { missing[kinds.base[base], default: 0] += 1 }
    guard !missing.isEmpty else { return [] }
    for live in claimed.keys { missing[kinds.live[live], default: 0] -= 1 }
    var result: Set<Int> = []
    for live in kinds.live.indices where baseOf[live] == nil && claimed[live] == nil {
      guard missing[kinds.live[live], default: 0] > 0 else { continue }
      missing[kinds.live[live], default: 0] -= 1
      result.insert(live)
    }
    return result
  }

  /// Whether we did not commit the live rule and want it now.
  func isClaimed(_ live: Int) -> Bool { claimed[live] != nil }

  /// Gives the wanted rules that no live rule is yet the same ones of `stock`, each once and in order.
  private mutating func claim(of stock: [Int], _ body: (inout RuleMatching, Int, Int) -> Void) {
    guard !stock.isEmpty else { return }
    var waiting: [Int: [Int]] = [:]
    for live in stock.reversed() { waiting[kinds.live[live], default: []].append(live) }
    for wanted in kinds.wanted.indices where counted[wanted] == nil {
      guard let live = waiting[kinds.wanted[wanted]]?.popLast() else { continue }
      counted[wanted] = live
      body(&self, wanted, live)
    }
  }

  /// The foreign rules in their order, each with the number of wanted rules that stand before it.
  /// - Parameter isLast: whether a live rule closes the chain.
  func slots(isLast: (Int) -> Bool) -> [(live: Int, place: Int)] {
    let behind = survivors()
    let lastOwn = baseOf.lastIndex { $0 != nil }.map { max($0, anchors.keys.max() ?? $0) }
    var result: [(live: Int, place: Int)] = []
    var place = 0
    for live in kinds.live.indices {
      if let base = baseOf[live] {
        place = max(place, behind[base])
      } else if let wanted = anchors[live] {
        place = max(place, wanted + 1)
      } else if claimed[live] == nil, !moved.contains(live) {
        if let lastOwn, live > lastOwn { place = kinds.wanted.count }
        if live == kinds.live.count - 1, isLast(live) { place = kinds.wanted.count }
        result.append((live, place))
      }
    }
    return result
  }

  /// For each rule of base: how many wanted rules stand up to it, or up to the nearest one before it that is still wanted.
  private func survivors() -> [Int] {
    var place = 0
    return wantedOf.map { wanted in
      if let wanted { place = wanted + 1 }
      return place
    }
  }
}
