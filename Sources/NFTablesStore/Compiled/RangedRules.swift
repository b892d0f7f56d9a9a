internal import Netfilter

/// The rules of a chain that have ranges of ports too wide to be written port by port, and the choice of a map for each:
/// one with ranges, or one with what else the rule asks, whichever costs packets less.
struct RangedRules {
  /// Kinds of map by number; -1 for none.
  struct Options {
    var whole = -1
    var detour = -1

    /// - Parameter kinds: by their numbers here, their numbers elsewhere.
    func renumbered(_ kinds: [Int]) -> Options {
      Options(whole: whole < 0 ? -1 : kinds[whole], detour: detour < 0 ? -1 : kinds[detour])
    }
  }

  struct Choice {
    let kind: Int
    let isWhole: Bool
    let split: RuleSplit
  }

  private(set) var forms: [Int: RuleForms] = [:]
  private var options: [Int: Options] = [:]

  mutating func add(_ rule: Int, _ forms: RuleForms, _ options: Options) {
    (self.forms[rule], self.options[rule]) = (forms, options)
  }

  /// Takes in those of later rules.
  /// - Parameters:
  ///   - shift: how many rules come before them.
  ///   - kinds: the numbers here of their kinds.
  mutating func append(_ other: RangedRules, after shift: Int, _ kinds: [Int]) {
    for (rule, forms) in other.forms { add(rule + shift, forms, other.options[rule]!.renumbered(kinds)) }
  }

  /// - Parameters:
  ///   - single: the kinds with single ports, by rule.
  ///   - counts: how many rules each kind holds whole.
  /// - Returns: a choice for each rule that has none by its single ports, and may have one.
  func choices(
    _ single: [Options], _ counts: [Int], _ kinds: [ChainLayout.Kind], _ smallestMap: Int
  ) -> [Int: Choice] {
    let open = forms.keys.filter { single[$0].whole < 0 || counts[single[$0].whole] < smallestMap }.sorted()
    let wanted = wantedKinds(open, kinds, smallestMap)
    var ranged: [Int: [RuleSplit]] = [:]
    var others: [Int: OtherMaps] = [:]
    for rule in open {
      if let kind = wanted[rule] { ranged[kind, default: []].append(forms[rule]!.ranged!) }
      let detour = single[rule].detour
      if detour >= 0 { others[detour, default: OtherMaps()].add(forms[rule]!.single) }
    }
    let costs = ranged.mapValues { Self.cost($0) }
    var result: [Int: Choice] = [:]
    for rule in open {
      guard let kind = wanted[rule], let cost = costs[kind] else { continue }
      guard Double(ranged[kind]!.count) >= 1 + Double(smallestMap - 1) * cost else { continue }
      let detour = single[rule].detour
      if let other = others[detour], other.count + counts[detour] >= smallestMap, other.cost <= cost {
        continue
      }
      result[rule] = Choice(kind: kind, isWhole: kind == options[rule]!.whole, split: forms[rule]!.ranged!)
    }
    return result
  }

  /// The kind with ranges for each rule: that which holds it whole, unless few are of that.
  private func wantedKinds(_ open: [Int], _ kinds: [ChainLayout.Kind], _ smallestMap: Int) -> [Int: Int] {
    var counts = [Int](repeating: 0, count: kinds.count)
    for rule in open where options[rule]!.whole >= 0 { counts[options[rule]!.whole] += 1 }
    var result: [Int: Int] = [:]
    for rule in open {
      let (whole, detour) = (options[rule]!.whole, options[rule]!.detour)
      let isWhole =
        whole >= 0 && (whole == detour || counts[whole] >= ChainLayout.least(kinds[whole].shape, smallestMap))
      let kind = isWhole ? whole : detour
      if kind >= 0 { result[rule] = kind }
    }
    return result
  }

  // MARK: What a packet pays, in lookups of a key without ranges

  /// Rules in maps without their ranges: those with one key stand in maps one after the other.
  private struct OtherMaps {
    private(set) var count = 0
    private var keys: Set<HeaderKey> = []

    mutating func add(_ split: RuleSplit) {
      count += 1
      keys.insert(split.keys[0])
    }

    var cost: Double { Double(count) / Double(keys.count) }
  }

  /// Elements that have a packet's port in common are gone through one by one (10 to 19 ns each, where a lookup takes 110),
  /// and the kernel keeps bits of all elements for each field (22 ns for a thousand of them).
  private static func cost(_ splits: [RuleSplit]) -> Double {
    let shape = splits[0].shape
    let hasDestination = shape.fields.contains(.destinationPort)
    var portsAlone = KeyShape()
    portsAlone.proto = shape.proto
    portsAlone.fields = hasDestination ? [.destinationPort, .destinationRange] : [.sourcePort, .sourceRange]
    let cost = ChainLayout.costOfRanges + Double(splits.count / 1000) / 5
    // Those in one map share no port.
    guard shape != portsAlone else { return cost }
    let ranges = splits.flatMap { $0.keys.map { hasDestination ? $0.destinationPorts : $0.sourcePorts } }
    return cost + Double(mostAtOnePort(ranges)) / 6
  }

  private static func mostAtOnePort(_ ranges: [ClosedRange<UInt16>]) -> Int {
    let firsts = ranges.map { $0.lowerBound }.sorted()
    let lasts = ranges.map { $0.upperBound }.sorted()
    var (ended, most) = (0, 0)
    for (begun, first) in firsts.enumerated() {
      while lasts[ended] < first { ended += 1 }
      most = max(most, begun + 1 - ended)
    }
    return most
  }
}
