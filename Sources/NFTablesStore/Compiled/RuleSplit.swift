package import Netfilter

/// A rule as a key, or several of which a packet has one at most, and what the key does not say.
package struct RuleSplit: Sendable {
  package private(set) var shape = KeyShape()
  /// At least one; each is a packet that the rule is about, so far as the shape tells.
  package private(set) var keys: [HeaderKey] = [HeaderKey()]
  /// The conditions that the key leaves, with the protocol; nil where key, these, ``ports`` and ``comment`` do not make the rule.
  package var rest: Rule? {
    switch remainder {
    case .nothing: nil
    case .proto: Rule(proto: shape.proto == 0 ? nil : Negatable(IPProtocol(rawValue: shape.proto)))
    case .conditions(let rules): rules[0]
    }
  }
  /// See ``rest``.
  private(set) var remainder = Remainder.nothing
  /// The match that named the ports, where it cannot be told from the key alone.
  package private(set) var ports: (any Match)?
  package private(set) var comment: Comment?
  package private(set) var commentLeads = false
  /// Whether the key leaves ports out because they are too many to be written one by one.
  package private(set) var leavesPorts = false
  private let takesRanges: Bool

  enum Remainder: Sendable {
    case nothing
    /// The shape's protocol, or none.
    case proto
    /// One rule, kept apart from the many splits that have none.
    case conditions([Rule])
  }

  /// Ports are written out one by one up to so many.
  package static let mostKeys = 16

  /// - Parameter takesRanges: whether a key may have ranges of ports; otherwise it has single ones.
  package init(_ rule: Rule, _ family: Family, takesRanges: Bool = false) {
    self.takesRanges = takesRanges
    guard rule.residue == HeaderResidue() else { return }
    var rest = Rule()
    var key = HeaderKey()
    if let source = rule.source {
      if let bits = Self.prefix(source) {
        (shape.sourceBits, key.source) = (bits, source.value.address.bits)
      } else {
        rest.source = source
      }
    }
    if let destination = rule.destination {
      if let bits = Self.prefix(destination) {
        (shape.destinationBits, key.destination) = (bits, destination.value.address.bits)
      } else {
        rest.destination = destination
      }
    }
    if let pattern = rule.inInterface {
      if Self.isExact(pattern) {
        shape.fields.insert(.inInterface)
        key.inInterface = pattern.value.name
      } else {
        rest.inInterface = pattern
      }
    }
    if let pattern = rule.outInterface {
      if Self.isExact(pattern) {
        shape.fields.insert(.outInterface)
        key.outInterface = pattern.value.name
      } else {
        rest.outInterface = pattern
      }
    }
    if let proto = rule.proto {
      rest.proto = proto
      if !proto.isInverted { shape.proto = proto.value.rawValue }
    }
    rest.fragment = rule.fragment
    keys = [key]
    let isWhole = read(rule.matches, into: &rest)
    if shape.keyLength(family) > KeyShape.maxKeyLength {
      shape.fields.remove(.outInterface)
      for index in keys.indices { keys[index].outInterface = 0 }
    } else if isWhole, shape.hasKey {
      if rest.isProtocolOnly, comment == nil, rule.matches.count <= 1 {
        remainder = .proto
      } else if rebuilt(rest, family, as: rule) == rule {
        remainder = rest.isProtocolOnly ? .proto : .conditions([rest])
      }
    }
  }

  private static func prefix(_ network: Negatable<AddressMask>) -> UInt8? {
    guard !network.isInverted, let length = network.value.prefixLength, length > 0 else { return nil }
    return UInt8(length)
  }

  /// A whole name.
  private static func isExact(_ pattern: Negatable<InterfacePattern>) -> Bool {
    guard !pattern.isInverted else { return false }
    let name = pattern.value.nameBytes
    return name.last != UInt8(ascii: "+")
      && name.withUnsafeBufferPointer { InterfacePattern(bytes: $0) } == pattern.value
  }

  // MARK: Matches

  /// The kernel asks the matches in their order: what stands behind one that counts packets may not be asked before it.
  /// - Returns: whether what was taken into the key can be told from it.
  private mutating func read(_ matches: [any Match], into rest: inout Rule) -> Bool {
    var isOpen = true
    var isWhole = true
    for (index, match) in matches.enumerated() {
      if comment == nil, index == 0 || index == matches.count - 1, let note = match as? Comment {
        (comment, commentLeads) = (note, index == 0)
        continue
      }
      if isOpen, take(match) {
        // What is left of a rule is put behind the ports when it is put together again.
        if !rest.matches.isEmpty || !isAlone(match) { isWhole = false }
        if !isAlone(match) { rest.matches.append(match) }
        continue
      }
      rest.matches.append(match)
      if !Guard.isStateless(match) { isOpen = false }
    }
    return isWhole
  }

  /// Whether the key says all that the match says.
  private func isAlone(_ match: any Match) -> Bool {
    switch match {
    case let tcp as TCP:
      tcp.flags == nil && tcp.option == nil && (tcp.sourcePorts == nil || shape.fields.contains(.sourcePort))
        && (tcp.destinationPorts == nil || shape.fields.contains(.destinationPort))
    case let udp as UDP:
      (udp.sourcePorts == nil || shape.fields.contains(.sourcePort))
        && (udp.destinationPorts == nil || shape.fields.contains(.destinationPort))
    default: true
    }
  }

  /// Takes what the match says of ports or messages into the key, as far as it can.
  private mutating func take(_ match: any Match) -> Bool {
    switch match {
    case let tcp as TCP where shape.proto == IPProtocol.tcp.rawValue:
      return take(
        match, tcp.sourcePorts.map { Negatable(Bounds(ports: $0.value), inverted: $0.isInverted) },
        tcp.destinationPorts.map { Negatable(Bounds(ports: $0.value), inverted: $0.isInverted) })
    case let udp as UDP where shape.proto == IPProtocol.udp.rawValue:
      return take(match, udp.sourcePorts, udp.destinationPorts)
    case let multiport as Multiport where shape.proto != 0 && !multiport.isInverted && multiport.side != .either:
      let ports = multiport.ports.map { Bounds(ports: $0) }
      guard spread(multiport.side == .source ? .sourcePort : .destinationPort, ports) else { return false }
      self.ports = match
      return true
    case let icmp as ICMP where shape.proto == IPProtocol.icmp.rawValue && icmp.message.value.type != ICMP.anyType:
      return take(icmp.message)
    case let icmp as ICMPv6 where shape.proto == IPProtocol.icmpv6.rawValue: return take(icmp.message)
    default: return false
    }
  }

  private mutating func take(
    _ match: any Match, _ source: Negatable<Bounds<UInt16>>?, _ destination: Negatable<Bounds<UInt16>>?
  ) -> Bool {
    var isTaken = false
    var isRange = false
    for (field, ports) in [(KeyShape.Fields.sourcePort, source), (.destinationPort, destination)] {
      guard let ports, !ports.isInverted, spread(field, [ports.value]) else { continue }
      isTaken = true
      if ports.value.first != ports.value.last { isRange = true }
    }
    if isRange { self.ports = match }
    return isTaken
  }

  private mutating func take(_ message: Negatable<ICMPMessage>) -> Bool {
    guard !message.isInverted, !shape.fields.contains(.icmpType) else { return false }
    let codes = message.value.codes
    guard codes == 0...255 || codes.count == 1 else { return false }
    shape.fields.insert(.icmpType)
    for index in keys.indices { keys[index].icmpType = message.value.type }
    if codes.count == 1 {
      shape.fields.insert(.icmpCode)
      for index in keys.indices { keys[index].icmpCode = codes.lowerBound }
    }
    return true
  }

  /// Makes a key of each port; false where they are too many, or none, or the field is taken.
  private mutating func spread(_ field: KeyShape.Fields, _ ranges: [Bounds<UInt16>]) -> Bool {
    guard !shape.fields.contains(field) else { return false }
    if takesRanges { return spreadRanges(field, ranges) }
    var ports: [UInt16] = []
    for range in ranges where !range.isEmpty {
      guard Int(range.last) - Int(range.first) < Self.mostKeys else {
        leavesPorts = true
        return false
      }
      for port in range.first...range.last where !ports.contains(port) { ports.append(port) }
    }
    guard !ports.isEmpty else { return false }
    guard ports.count * keys.count <= Self.mostKeys else {
      leavesPorts = true
      return false
    }
    shape.fields.insert(field)
    if ports.count == 1 {
      for index in keys.indices {
        if field == .sourcePort { keys[index].sourcePort = ports[0] } else { keys[index].destinationPort = ports[0] }
      }
      return true
    }
    keys = keys.flatMap { key in
      ports.map { port in
        var key = key
        if field == .sourcePort { key.sourcePort = port } else { key.destinationPort = port }
        return key
      }
    }
    return true
  }

  /// Makes a key of each range; false where they are too many, or none. Ranges that touch are one.
  private mutating func spreadRanges(_ field: KeyShape.Fields, _ ranges: [Bounds<UInt16>]) -> Bool {
    var merged: [(first: UInt16, last: UInt16)] = []
    for range in ranges.filter({ !$0.isEmpty }).sorted(by: { $0.first < $1.first }) {
      if let end = merged.last?.last, Int(range.first) <= Int(end) + 1 {
        merged[merged.count - 1].last = max(end, range.last)
      } else {
        merged.append((range.first, range.last))
      }
    }
    guard !merged.isEmpty, merged.count * keys.count <= Self.mostKeys else { return false }
    let isRanged = merged.contains { $0.first != $0.last }
    shape.fields.insert(field)
    if isRanged { shape.fields.insert(field == .sourcePort ? .sourceRange : .destinationRange) }
    keys = keys.flatMap { key in
      merged.map { range in
        var key = key
        let end = isRanged ? range.last : 0
        if field == .sourcePort {
          (key.sourcePort, key.sourcePortEnd) = (range.first, end)
        } else {
          (key.destinationPort, key.destinationPortEnd) = (range.first, end)
        }
        return key
      }
    }
    return true
  }

  // MARK: Back

  private func rebuilt(_ rest: Rule, _ family: Family, as rule: Rule) -> Rule {
    Self.rule(
      shape, keys[0], rest, family, ports: ports, comment: comment, commentLeads: commentLeads, target: rule.target,
      counters: rule.counters)
  }

  /// The rule of which a map holds these parts.
  static func rule(
    _ shape: KeyShape, _ key: HeaderKey, _ rest: Rule, _ family: Family, ports: (any Match)?, comment: Comment?,
    commentLeads: Bool, target: RuleTarget, counters: Counters
  ) -> Rule {
    var rule = rest
    rule.target = target
    rule.counters = counters
    shape.setHead(of: &rule, key, family)
    var matches: [any Match] = []
    matches.reserveCapacity(rest.matches.count + 2)
    if let comment, commentLeads { matches.append(comment) }
    if let ports {
      matches.append(ports)
    } else if let match = shape.match(key) {
      matches.append(match)
    }
    matches += rest.matches
    if let comment, !commentLeads { matches.append(comment) }
    rule.matches = matches
    return rule
  }
}

extension KeyShape {
  fileprivate func setHead(of rule: inout Rule, _ key: HeaderKey, _ family: Family) {
    if sourceBits > 0 {
      let address = IPAddress(family: family, bits: key.source)
      rule.source = AddressMask(address, prefixLength: Int(sourceBits)).map { Negatable($0) }
    }
    if destinationBits > 0 {
      let address = IPAddress(family: family, bits: key.destination)
      rule.destination = AddressMask(address, prefixLength: Int(destinationBits)).map { Negatable($0) }
    }
    if fields.contains(.inInterface) { rule.inInterface = Self.pattern(key.inInterface) }
    if fields.contains(.outInterface) { rule.outInterface = Self.pattern(key.outInterface) }
  }

  private static func pattern(_ name: UInt128) -> Negatable<InterfacePattern>? {
    let bytes = withUnsafeBytes(of: name.bigEndian) { Array($0.prefix { $0 != 0 }) }
    return bytes.withUnsafeBufferPointer { InterfacePattern(bytes: $0) }.map { Negatable($0) }
  }

  /// The match that says what the key says of ports or messages.
  fileprivate func match(_ key: HeaderKey) -> (any Match)? {
    let source = fields.contains(.sourcePort) ? key.sourcePort : nil
    let destination = fields.contains(.destinationPort) ? key.destinationPort : nil
    if source != nil || destination != nil {
      switch IPProtocol(rawValue: proto) {
      case .tcp:
        return TCP(
          sourcePorts: source.map { Negatable(PortRange($0)) },
          destinationPorts: destination.map { Negatable(PortRange($0)) })
      case .udp:
        return UDP(
          sourcePorts: source.map { Negatable(Bounds($0)) }, destinationPorts: destination.map { Negatable(Bounds($0)) }
        )
      default: return nil
      }
    }
    guard fields.contains(.icmpType) else { return nil }
    let message =
      fields.contains(.icmpCode)
      ? ICMPMessage(type: key.icmpType, code: key.icmpCode) : ICMPMessage(type: key.icmpType)
    return proto == IPProtocol.icmp.rawValue ? ICMP(Negatable(message)) : ICMPv6(Negatable(message))
  }
}
