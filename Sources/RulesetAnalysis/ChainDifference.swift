import Netfilter

/// Compares two tables chain by chain.
struct ChainDifference {
  private(set) var parts: [RulesetDifference.ChainPart] = []
  private let names: Names
  private let family: Family

  init(from old: Table, to new: Table, names: Names) {
    self.names = names
    family = new.family
    for chain in new.chains { compare(old[chain.name], chain) }
    for chain in old.chains where new[chain.name] == nil { compare(chain, nil) }
  }

  private mutating func compare(_ old: Chain?, _ new: Chain?) {
    guard let name = (new ?? old)?.name else { return }
    var lines: [RulesetDifference.Line] = []
    if old == nil || new == nil || old?.policy != new?.policy {
      if let old { lines.append(.init(side: .removed, text: Self.declaration(old))) }
      if let new { lines.append(.init(side: .added, text: Self.declaration(new))) }
    }
    let before = old?.rules ?? RuleList(family: family)
    let after = new?.rules ?? RuleList(family: family)
    if !before.sameRules(as: after) { lines += compare(before, after, name) }
    if !lines.isEmpty { parts.append(.init(name: name, lines: lines)) }
  }

  private static func declaration(_ chain: Chain) -> String {
    ":\(chain.name) \(chain.policy.map { "\($0.verdict.label)" } ?? "-")"
  }

  private func compare(_ old: RuleList, _ new: RuleList, _ chain: ChainName) -> [RulesetDifference.Line] {
    var first = 0
    let shorter = min(old.count, new.count)
    while first < shorter, old.sameRule(first, new, first) { first += 1 }
    var tail = 0
    while tail < shorter - first, old.sameRule(old.count - 1 - tail, new, new.count - 1 - tail) { tail += 1 }
    let before = (first..<old.count - tail).map { RuleMeaning(old[$0], family) }
    let after = (first..<new.count - tail).map { RuleMeaning(new[$0], family) }
    return SequenceDifference.edits(before, after).map { edit in
      switch edit {
      case .remove(let index): .init(side: .removed, text: text(old[first + index], chain))
      case .insert(let index): .init(side: .added, text: text(new[first + index], chain))
      }
    }
  }

  private func text(_ rule: Rule, _ chain: ChainName) -> String {
    "-A \(chain)" + SaveText.rule(rule, family: family, names: names)
  }
}

/// The steps that turn one sequence into another.
enum SequenceDifference {
  enum Edit {
    case remove(Int)
    case insert(Int)
  }

  /// Few steps, in order; the least number by Myers' algorithm (1986) as long as that takes bounded memory, else all of
  /// one and then all of the other.
  static func edits<T: Hashable>(_ old: [T], _ new: [T]) -> [Edit] {
    var codes: [T: Int] = [:]
    func code(_ value: T) -> Int {
      if let known = codes[value] { return known }
      codes[value] = codes.count
      return codes.count - 1
    }
    let a = old.map(code)
    let b = new.map(code)
    return shortest(a, b) ?? (a.indices.map { .remove($0) } + b.indices.map { .insert($0) })
  }

  private static let mostSteps = 2000

  private static func shortest(_ a: [Int], _ b: [Int]) -> [Edit]? {
    var reached: [Int: Int] = [1: 0]
    var history: [[Int: Int]] = []
    for steps in 0...min(a.count + b.count, mostSteps) {
      history.append(reached)
      for diagonal in stride(from: -steps, through: steps, by: 2) {
        let down =
          diagonal == -steps
          || (diagonal != steps && reached[diagonal - 1, default: -1] < reached[diagonal + 1, default: -1])
        var x = down ? reached[diagonal + 1, default: 0] : reached[diagonal - 1, default: 0] + 1
        var y = x - diagonal
        while x < a.count, y < b.count, a[x] == b[y] {
          x += 1
          y += 1
        }
        reached[diagonal] = x
        if x >= a.count, y >= b.count { return path(history, a.count, b.count) }
      }
    }
    return nil
  }

  private static func path(_ history: [[Int: Int]], _ a: Int, _ b: Int) -> [Edit] {
    var edits: [Edit] = []
    var x = a
    var y = b
    for steps in stride(from: history.count - 1, through: 1, by: -1) {
      let reached = history[steps]
      let diagonal = x - y
      let down =
        diagonal == -steps
        || (diagonal != steps && reached[diagonal - 1, default: -1] < reached[diagonal + 1, default: -1])
      let before = down ? diagonal + 1 : diagonal - 1
      let startX = reached[before, default: 0]
      let startY = startX - before
      edits.append(down ? .insert(startY) : .remove(startX))
      x = startX
      y = startY
    }
    return edits.reversed()
  }
}
