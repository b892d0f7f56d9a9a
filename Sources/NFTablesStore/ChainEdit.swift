package import Netfilter
internal import RuleStore

/// How one chain becomes another: which rules go, which stay where they are with what they count, and which come where.
/// The kernel moves no rules, so one that changes its place among those that stay is taken out and put in again.
package struct ChainEdit {
  /// Old rules to take out one by one; nil for all of them at once.
  package private(set) var deletions: [Int]?
  /// New rules, each with the old one before which it comes; nil for the end.
  package private(set) var insertions: [(rule: Int, before: Int?)] = []

  /// The kernel looks for each rule that is named from the chain's beginning on. When it steps over more rules than so
  /// many times those of the chain, taking them all out and putting all in costs less.
  private static let longestSearch = 800

  /// - Parameter rewrites: put every rule in anew, with the counters of `new`.
  package init(from old: RuleList, to new: RuleList, rewrites: Bool) {
    if !rewrites {
      let sources = RulePairing(old, new).sources
      let kept = Self.longestIncreasing(sources)
      plan(old.count, new.count, sources, kept)
      if search <= Self.longestSearch * (old.count + new.count) { return }
    }
    deletions = old.isEmpty ? [] : nil
    insertions = new.indices.map { ($0, nil) }
  }

  private mutating func plan(_ oldCount: Int, _ newCount: Int, _ sources: [Int?], _ kept: [Bool]) {
    var stays = [Bool](repeating: false, count: oldCount)
    for index in 0..<newCount where kept[index] { stays[sources[index]!] = true }
    deletions = stays.contains(true) || oldCount == 0 ? stays.indices.filter { !stays[$0] } : nil
    var next: Int?
    var coming: [(rule: Int, before: Int?)] = []
    for index in (0..<newCount).reversed() {
      if kept[index] { next = sources[index] } else { coming.append((index, next)) }
    }
    insertions = coming.reversed()
  }

  /// How many rules the kernel steps over to find those that are named.
  private var search: Int {
    (deletions ?? []).reduce(0, +) + insertions.reduce(0) { $0 + ($1.before ?? 0) }
  }

  /// Which of the numbers to leave in so that they rise and as many as possible stay.
  static func longestIncreasing(_ sources: [Int?]) -> [Bool] {
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
}
