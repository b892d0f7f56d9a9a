import Netfilter

/// Collects what the rules of one chain ask for, and makes indexes of it.
struct RuleIndexBuilder {
  private let family: Family
  /// For each rule, in the order of ``RuleIndex/Part``: the values that it takes; nil for all.
  private var rules: [[[ClosedRange<UInt128>]?]] = []

  init(_ family: Family) { self.family = family }

  mutating func append(_ rule: Rule) {
    rules.append(RuleIndex.Part.allCases.map { rule.values(of: $0, family) })
  }

  /// An index needs as many rows as it has limits, and a row grows with the rules: cut in pieces, the whole takes less
  /// room. A chain of some thousand rules stays in one piece; one of 100,000 takes some 32 MB a dimension.
  private static let largestBlock = 4096
  private static let roomForRows = 1 << 27
  /// In groups of rules, for each dimension of an index: 8 MB.
  private static let mostGroups = 1 << 17

  func blocks() -> [RuleIndex] {
    let step = RuleIndex.rulesInGroup
    let size = min(Self.largestBlock, max(step, Self.roomForRows / rules.count / step * step))
    return stride(from: 0, to: rules.count, by: size).flatMap { blocks($0..<min($0 + size, rules.count)) }
  }

  /// One index, or several where one would be too large.
  private func blocks(_ range: Range<Int>) -> [RuleIndex] {
    let step = RuleIndex.rulesInGroup
    let groups = (range.count + step - 1) / step
    let limits = RuleIndex.Part.allCases.map { self.limits($0, range) }
    if groups > 1, limits.contains(where: { ($0.count + 1) * groups > Self.mostGroups }) {
      let middle = range.lowerBound + groups / 2 * step
      return blocks(range.lowerBound..<middle) + blocks(middle..<range.upperBound)
    }
    return [index(range, groups, limits)]
  }

  /// Where intervals begin, sorted; 0 is not among them. Empty where no rule asks.
  private func limits(_ part: RuleIndex.Part, _ range: Range<Int>) -> [UInt128] {
    var limits: Set<UInt128> = []
    for rule in range {
      for values in rules[rule][Int(part.rawValue)] ?? [] {
        if values.lowerBound > 0 { limits.insert(values.lowerBound) }
        if values.upperBound < .max { limits.insert(values.upperBound + 1) }
      }
    }
    return limits.sorted()
  }

  private func index(_ range: Range<Int>, _ groups: Int, _ limits: [[UInt128]]) -> RuleIndex {
    var dimensions: [RuleIndex.Dimension] = []
    var narrow: [UInt32] = []
    var wide: [UInt128] = []
    var rows: [RuleIndex.Group] = []
    for part in RuleIndex.Part.allCases {
      let values = rules[range].map { $0[Int(part.rawValue)] }
      guard values.contains(where: { $0 != nil }) else { continue }
      // Values of less than 32 bits may be followed by the limit 2^32, above which there are none.
      let limits = limits[Int(part.rawValue)].filter { part.isWide(family) || $0 <= UInt32.max }
      let start = part.isWide(family) ? wide.count : narrow.count
      dimensions.append(
        RuleIndex.Dimension(
          part: part, isWide: part.isWide(family), limits: start..<start + limits.count, firstRow: rows.count))
      if part.isWide(family) {
        wide += limits
      } else {
        narrow += limits.map { UInt32($0) }
      }
      append(values, limits, groups, to: &rows)
    }
    var lastGroup = RuleIndex.Group()
    for rule in 0..<range.count - (groups - 1) * RuleIndex.rulesInGroup {
      lastGroup[rule / 64] |= 1 << UInt64(rule % 64)
    }
    return RuleIndex(
      firstRule: range.lowerBound, groupCount: groups, dimensions: dimensions, narrow: narrow, wide: wide, rows: rows,
      lastGroup: lastGroup)
  }

  /// Goes through the intervals from below, setting and clearing the bits of rules that begin and end there.
  private func append(
    _ values: [[ClosedRange<UInt128>]?], _ limits: [UInt128], _ groups: Int, to rows: inout [RuleIndex.Group]
  ) {
    var changes: [(limit: UInt128, rule: Int, isSet: Bool)] = []
    var row = [RuleIndex.Group](repeating: RuleIndex.Group(), count: groups)
    func set(_ rule: Int, _ isSet: Bool) {
      let (group, place) = (rule / RuleIndex.rulesInGroup, rule % RuleIndex.rulesInGroup)
      let bit: UInt64 = 1 << UInt64(place % 64)
      if isSet { row[group][place / 64] |= bit } else { row[group][place / 64] &= ~bit }
    }
    for (rule, ranges) in values.enumerated() {
      guard let ranges else {
        set(rule, true)
        continue
      }
      for range in ranges {
        if range.lowerBound == 0 { set(rule, true) } else { changes.append((range.lowerBound, rule, true)) }
        if range.upperBound < .max { changes.append((range.upperBound + 1, rule, false)) }
      }
    }
    // At one limit a rule's range may end and its next begin, so what ends comes first.
    changes.sort { ($0.limit, $0.isSet ? 1 : 0) < ($1.limit, $1.isSet ? 1 : 0) }
    rows.reserveCapacity(rows.count + (limits.count + 1) * groups)
    rows += row
    var next = 0
    for limit in limits {
      while next < changes.count, changes[next].limit <= limit {
        set(changes[next].rule, changes[next].isSet)
        next += 1
      }
      rows += row
    }
  }
}

extension RuleIndex.Part {
  fileprivate func isWide(_ family: Family) -> Bool {
    switch self {
    case .source, .destination: family == .ipv6
    case .inInterface, .outInterface: true
    case .proto, .sourcePort, .destinationPort: false
    }
  }
}

// MARK: What a rule asks for

extension Rule {
  /// The values of which the rule does not definitely exclude all others; nil where it may take any.
  fileprivate func values(of part: RuleIndex.Part, _ family: Family) -> [ClosedRange<UInt128>]? {
    switch part {
    case .source: source.flatMap(Self.values) ?? addressRange { $0.source }
    case .destination: destination.flatMap(Self.values) ?? addressRange { $0.destination }
    case .inInterface: inInterface.flatMap(Self.values)
    case .outInterface: outInterface.flatMap(Self.values)
    case .proto: protocols(family)
    case .sourcePort: ports(\.source)
    case .destinationPort: ports(\.destination)
    }
  }

  private static func values(_ network: Negatable<AddressMask>) -> [ClosedRange<UInt128>]? {
    let width = network.value.address.family.addressBits
    guard network.value.prefixLength != nil else { return nil }
    let bits = network.value.address.bits
    return values(bits...(bits | (~network.value.mask & (.max >> UInt128(128 - width)))), network.isInverted)
  }

  private static func values(_ pattern: Negatable<InterfacePattern>) -> [ClosedRange<UInt128>]? {
    let rest = ~pattern.value.mask
    guard rest & (rest &+ 1) == 0 else { return nil }
    let bits = pattern.value.name & pattern.value.mask
    return values(bits...(bits | rest), pattern.isInverted)
  }

  private static func values(_ range: ClosedRange<UInt128>, _ isInverted: Bool) -> [ClosedRange<UInt128>] {
    guard isInverted else { return [range] }
    var rest: [ClosedRange<UInt128>] = []
    if range.lowerBound > 0 { rest.append(0...range.lowerBound - 1) }
    if range.upperBound < .max { rest.append(range.upperBound + 1 ... .max) }
    return rest
  }

  private func addressRange(_ side: (IPRange) -> Negatable<Bounds<IPAddress>>?) -> [ClosedRange<UInt128>]? {
    for match in matches {
      guard let range = match as? IPRange, let bounds = side(range) else { continue }
      guard bounds.value.first <= bounds.value.last else { continue }
      return Self.values(bounds.value.first.bits...bounds.value.last.bits, bounds.isInverted)
    }
    return nil
  }

  private func protocols(_ family: Family) -> [ClosedRange<UInt128>]? {
    guard let proto, proto.value.rawValue != 0, !(family == .ipv6 && residue.protocolFlagDiffers) else { return nil }
    let number = UInt128(proto.value.rawValue)
    return Self.values(number...number, proto.isInverted)
  }

  private func ports(_ side: KeyPath<PortConditions, [ClosedRange<UInt128>]?>) -> [ClosedRange<UInt128>]? {
    for match in matches {
      if let ports = PortConditions(match)?[keyPath: side] { return ports }
    }
    return nil
  }

  /// What a match asks of ports; it says no to every packet whose ports are known and not among these.
  private struct PortConditions {
    var source: [ClosedRange<UInt128>]?
    var destination: [ClosedRange<UInt128>]?

    init?(_ match: any Match) {
      switch match {
      case let tcp as TCP:
        source = tcp.sourcePorts.map { Self.values([Bounds(ports: $0.value)], $0.isInverted) }
        destination = tcp.destinationPorts.map { Self.values([Bounds(ports: $0.value)], $0.isInverted) }
      case let udp as UDP:
        source = udp.sourcePorts.map { Self.values([$0.value], $0.isInverted) }
        destination = udp.destinationPorts.map { Self.values([$0.value], $0.isInverted) }
      case let multiport as Multiport where multiport.side != .either:
        let values = Self.values(multiport.ports.map { Bounds(ports: $0) }, multiport.isInverted)
        if multiport.side == .source { source = values } else { destination = values }
      default: return nil
      }
    }

    /// Ranges without overlap, in order.
    private static func values(_ bounds: [Bounds<UInt16>], _ isInverted: Bool) -> [ClosedRange<UInt128>] {
      var ranges: [ClosedRange<UInt128>] = []
      for bounds in bounds.sorted(by: { $0.first < $1.first }) where !bounds.isEmpty {
        let (first, last) = (UInt128(bounds.first), UInt128(bounds.last))
        if let previous = ranges.last, first <= previous.upperBound + 1 {
          ranges[ranges.count - 1] = previous.lowerBound...max(previous.upperBound, last)
        } else {
          ranges.append(first...last)
        }
      }
      guard isInverted else { return ranges }
      var rest: [ClosedRange<UInt128>] = []
      var next: UInt128 = 0
      for range in ranges {
        if range.lowerBound > next { rest.append(next...range.lowerBound - 1) }
        next = range.upperBound + 1
      }
      return rest + [next ... .max]
    }
  }
}
