/// A sentence that offers the nearest spellings, or all of them where the list is short; nil when none is near.
public func suggestion(for word: String, among candidates: [String]) -> String? {
  guard !candidates.isEmpty else { return nil }
  let lowered = word.lowercased()
  var best: [String] = []
  var bestDistance = max(2, lowered.utf8.count / 3) + 1
  for candidate in candidates {
    let distance = editDistance(lowered, candidate.lowercased(), limit: bestDistance + 1)
    if distance < bestDistance {
      best = [candidate]
      bestDistance = distance
    } else if distance == bestDistance, !best.isEmpty {
      best.append(candidate)
    }
  }
  if !best.isEmpty { return "did you mean \(best.prefix(3).joined(separator: " or "))?" }
  return candidates.count <= 12 ? "possible: \(candidates.joined(separator: ", "))" : nil
}

/// Single-byte insertions, deletions, changes and swaps that turn one word into the other; `limit` or more is `limit`.
private func editDistance(_ a: String, _ b: String, limit: Int) -> Int {
  let a = Array(a.utf8)
  let b = Array(b.utf8)
  guard abs(a.count - b.count) < limit, a.count <= 64, b.count <= 64 else { return limit }
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in 1..<(a.count + 1) {
    var row = [i] + Array(repeating: 0, count: b.count)
    for j in 1..<(b.count + 1) {
      let change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      row[j] = min(change, last[j] + 1, row[j - 1] + 1)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        row[j] = min(row[j], beforeLast[j - 2] + 1)
      }
    }
    beforeLast = last
    last = row
  }
  return min(last[b.count], limit)
}
