package import Netfilter
internal import RuleStore

/// How one chain becomes another: which rules go, which stay where they are with what they count, and which come where.
/// The kernel moves no rules, so one that changes its place among those that stay is taken out and put in again.
package struct ChainEdit {
  /// Where a new rule comes.
  package enum Place: Hashable, Sendable {
    case start
    case end
    /// Before an old rule that stays.
    case before(Int)
    /// In place of an old rule, which goes.
    case instead(Int)
    /// Behind the rule that was put in last.
    case afterPrevious
  }

  /// Old rules to take out one by one; nil for all of them at once.
  package private(set) var deletions: [Int]?
  /// New rules, in order.
  package private(set) var insertions: [(rule: Int, place: Place)] = []
  /// For each new rule the old one that stays for it.
  package private(set) var staying: [Int?] = []
  private let pairings: RulePairings
  private let given: [Int?]?

  /// What the kernel and this machine need for each, in nanoseconds, as measured with Linux 6.18: they are only compared.
  private enum Cost {
    /// The kernel looks for each rule that is named from the chain's beginning on; a long chain is more than the
    /// processor's caches hold.
    static func step(_ count: Int) -> Int { count > 30_000 ? 20 : 6 }
    static let addition = 13_000
    static let removal = 1_500
    /// Rules that are read are found rule by rule too, but all that fit into one answer at once.
    static let reading = 7_000
    static let rulesOfAnAnswer = 70
  }

  /// - Parameters:
  ///   - given: which old rule each new one is, where that is known.
  ///   - rewrites: put every rule in anew, with the counters of `new`.
  ///   - isCounted: whether the counters of `old` are those of now. Where they are not, those of rules that do not stay
  ///     have yet to be read.
  ///   - canFollow: whether the kernel knows ``Place/afterPrevious``.
  ///   - pairings: knows which rule is which.
  package init(
    from old: RuleList, to new: RuleList, sources given: [Int?]? = nil, rewrites: Bool, isCounted: Bool = true,
    canFollow: Bool = true,
    pairings: RulePairings = RulePairings()
  ) {
    (self.pairings, self.given) = (pairings, given)
    if !rewrites {
      let sources = given ?? pairings.sources(old, new)
      let kept = Self.longestIncreasing(sources)
      plan(old.count, new.count, sources, kept, canFollow: canFollow)
      guard deletions != nil else { return }
      let search = search * Cost.step(old.count) * (isCounted ? 1 : 2)
      let reading = isCounted ? 0 : Self.readingCost(of: old.count)
      if search <= new.count * Cost.addition + old.count * Cost.removal + reading { return }
    }
    deletions = old.isEmpty ? [] : nil
    insertions = new.indices.map { ($0, .end) }
    staying = [Int?](repeating: nil, count: new.count)
  }

  /// Whether reading so many rules one by one costs less than reading all of their chain.
  package static func readsOneByOne(_ rules: [Int], of count: Int) -> Bool {
    rules.reduce(0, +) * Cost.step(count) + rules.count * Cost.reading < readingCost(of: count)
  }

  private static func readingCost(of count: Int) -> Int {
    count * Cost.reading + count / Cost.rulesOfAnAnswer * count / 2 * Cost.step(count)
  }

  /// Walks along both lists from one rule that stays to the next.
  private mutating func plan(
    _ oldCount: Int, _ newCount: Int, _ sources: [Int?], _ kept: [Bool], canFollow: Bool
  ) {
    staying = zip(sources, kept).map { $1 ? $0 : nil }
    var gone: [Int] = []
    var from = 0
    var to = 0
    while from < oldCount || to < newCount {
      let nextNew = (to..<newCount).first { staying[$0] != nil } ?? newCount
      let nextOld = nextNew < newCount ? staying[nextNew]! : oldCount
      fill(from..<nextOld, to..<nextNew, isLast: nextOld == oldCount, canFollow, &gone)
      from = nextOld + 1
      to = nextNew + 1
    }
    let isRewrite = staying.allSatisfy { $0 == nil }
    deletions = isRewrite && oldCount > 0 ? nil : gone
    if isRewrite { insertions = (0..<newCount).map { ($0, .end) } }
  }

  /// Between two rules that stay.
  private mutating func fill(
    _ old: Range<Int>, _ new: Range<Int>, isLast: Bool, _ canFollow: Bool, _ gone: inout [Int]
  ) {
    for (index, rule) in new.enumerated() {
      let place: Place =
        if index < old.count {
          .instead(old.lowerBound + index)
        } else if isLast {
          .end
        } else if index > 0, canFollow {
          .afterPrevious
        } else if old.lowerBound == 0, index == 0 {
          .start
        } else {
          .before(old.upperBound)
        }
      insertions.append((rule, place))
    }
    gone += old.dropFirst(new.count)
  }

  /// How many rules the kernel steps over to find those that are named.
  private var search: Int {
    (deletions ?? []).reduce(0, +)
      + insertions.enumerated().reduce(0) { sum, insertion in
        switch insertion.element.place {
        case .start, .end: sum
        case .before(let index), .instead(let index): sum + index
        case .afterPrevious: sum + insertion.offset
        }
      }
  }

  /// The old rules that do not stay, and what comes of them: the new rule that is the same, in another place.
  package func moved(_ old: RuleList, _ new: RuleList) -> [(old: Int, new: Int?)] {
    var isStaying = [Bool](repeating: false, count: old.count)
    for case let index? in staying { isStaying[index] = true }
    var news: [Int: Int] = [:]
    for (index, source) in (given ?? pairings.sources(old, new)).enumerated() where staying[index] == nil {
      if let source { news[source] = index }
    }
    return old.indices.filter { !isStaying[$0] }.map { ($0, news[$0]) }
  }

  /// Which of the numbers to leave in so that they rise and as many as possible stay.
  static func longestIncreasing(_ sources: [Int?]) -> [Bool] {
    if isIncreasing(sources) { return sources.map { $0 != nil } }
    var kept = [Bool](repeating: false, count: sources.count)
    var tails: [Int] = []  // places in `sources`: the smallest end of a rising row of each length
    var previous = [Int?](repeating: nil, count: sources.count)
    for (place, source) in sources.enumerated() {
      guard let source else { continue }
      var low = 0
      var high = tails.count
      while low < high {
        let middle = (low + high) / 2
        if sources[tails[middle]]! < source { low = middle + 1 } else { high = middle }
      }
      previous[place] = low > 0 ? tails[low - 1] : nil
      if low == tails.count { tails.append(place) } else { tails[low] = place }
    }
    var next = tails.last
    while let place = next {
      kept[place] = true
      next = previous[place]
    }
    return kept
  }

  private static func isIncreasing(_ sources: [Int?]) -> Bool {
    var last = -1
    for case let source? in sources {
      if source <= last { return false }
      last = source
    }
    return true
  }
}
