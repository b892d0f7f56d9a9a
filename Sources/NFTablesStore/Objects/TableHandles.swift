/// The kernel's numbers of what is in a table (handles), in the order of its image: chains, rules, sets, objects and
/// flowtables are numbered together as they are made, and a number never comes again.
package struct TableHandles: Hashable, Sendable {
  var chains: [UInt64] = []
  /// By chain.
  var rules: [[UInt64]] = []
  var sets: [UInt64] = []
  var objects: [UInt64] = []
  var flowtables: [UInt64] = []

  /// Something in a table, by its place in the image.
  enum Part {
    case chain(Int)
    case rule(Int, of: Int, RulePosition)
    case set(Int)
    case object(Int)
    case flowtable(Int)
  }

  /// Where a rule comes among those with lower numbers.
  enum RulePosition {
    case start
    case end
    case behind(UInt64)
  }

  /// More numbers that nothing has any more are not passed over.
  private static let mostGaps: UInt64 = 100_000

  /// Everything in the order of the numbers; nil where they are not those of a table, or far apart.
  func parts(of table: RulesetImage.Table) -> [(handle: UInt64, part: Part)]? {
    guard chains.count == table.chains.count, sets.count == table.sets.count, objects.count == table.objects.count,
      flowtables.count == table.flowtables.count, rules.count == chains.count,
      zip(rules, table.chains).allSatisfy({ $0.count == $1.rules.count })
    else { return nil }
    var parts: [(handle: UInt64, part: Part)] = []
    parts += chains.enumerated().map { ($1, .chain($0)) }
    parts += sets.enumerated().map { ($1, .set($0)) }
    parts += objects.enumerated().map { ($1, .object($0)) }
    parts += flowtables.enumerated().map { ($1, .flowtable($0)) }
    for (chain, handles) in rules.enumerated() {
      for (place, position) in Self.positions(handles).enumerated() {
        parts.append((handles[place], .rule(place, of: chain, position)))
      }
    }
    parts.sort { $0.handle < $1.handle }
    guard let last = parts.last else { return parts }
    let isStrict = zip(parts, parts.dropFirst()).allSatisfy { $0.handle < $1.handle } && parts[0].handle > 0
    return isStrict && last.handle - UInt64(parts.count) <= Self.mostGaps ? parts : nil
  }

  private static func positions(_ handles: [UInt64]) -> [RulePosition] {
    // Of each rule the lowest number behind it.
    var lowest = [UInt64](repeating: .max, count: handles.count + 1)
    for place in handles.indices.reversed() { lowest[place] = min(lowest[place + 1], handles[place]) }
    var before: [UInt64] = []  // rising
    return handles.enumerated().map { place, handle in
      while let last = before.last, last > handle { before.removeLast() }
      defer { before.append(handle) }
      if lowest[place + 1] > handle { return .end }
      return before.last.map { .behind($0) } ?? .start
    }
  }
}
