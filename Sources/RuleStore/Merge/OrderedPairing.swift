/// The longest sequence that two lists have in common, in order: which element of one is which of the other.
///
/// Hunt and Szymanski's algorithm (1977): exact where elements repeat seldom. Where they repeat so often that it would
/// take too long, the first of one kind is paired with the first of the same kind, and so on, as far as order allows.
struct OrderedPairing {
  /// For each element of the first list its place in the second, nil where it is not there.
  private(set) var places: [Int?]

  private static let mostCandidates = 1 << 20

  init(_ first: [Int], _ second: [Int]) {
    places = [Int?](repeating: nil, count: first.count)
    let shorter = min(first.count, second.count)
    var front = 0
    while front < shorter, first[front] == second[front] {
      places[front] = front
      front += 1
    }
    var back = 0
    while back < shorter - front, first[first.count - 1 - back] == second[second.count - 1 - back] {
      places[first.count - 1 - back] = second.count - 1 - back
      back += 1
    }
    let candidates = Self.candidates(first, front..<first.count - back, second, front..<second.count - back)
    for (one, other) in Increasing.longest(candidates) { places[one] = other }
  }

  /// Pairs of equal elements: by place in the first list, and for one such place backwards by place in the second, so that
  /// no element is taken twice.
  private static func candidates(_ first: [Int], _ firstPart: Range<Int>, _ second: [Int], _ secondPart: Range<Int>)
    -> [(Int, Int)]
  {
    guard !firstPart.isEmpty, !secondPart.isEmpty else { return [] }
    var found: [Int: [Int]] = [:]
    for place in secondPart { found[second[place], default: []].append(place) }
    let count = firstPart.reduce(0) { $0 + (found[first[$1]]?.count ?? 0) }
    guard count > mostCandidates else {
      return firstPart.flatMap { place in (found[first[place]] ?? []).reversed().map { (place, $0) } }
    }
    var used: [Int: Int] = [:]
    return firstPart.compactMap { place in
      let kind = first[place]
      guard let same = found[kind], used[kind, default: 0] < same.count else { return nil }
      defer { used[kind, default: 0] += 1 }
      return (place, same[used[kind, default: 0]])
    }
  }
}

/// Sequences that rise.
enum Increasing {
  /// The longest part of `pairs`, in order, whose second numbers rise.
  static func longest(_ pairs: [(Int, Int)]) -> [(Int, Int)] {
    var ends: [Int] = []  // for each length the pair with the lowest end
    var before = [Int](repeating: -1, count: pairs.count)
    for (index, pair) in pairs.enumerated() {
      var low = 0
      var high = ends.count
      while low < high {
        let middle = (low + high) / 2
        if pairs[ends[middle]].1 < pair.1 { low = middle + 1 } else { high = middle }
      }
      before[index] = low > 0 ? ends[low - 1] : -1
      if low < ends.count { ends[low] = index } else { ends.append(index) }
    }
    var result: [(Int, Int)] = []
    var index = ends.last ?? -1
    while index >= 0 {
      result.append(pairs[index])
      index = before[index]
    }
    return result.reversed()
  }
}
