/// See ``NFTRuleCodec``. It reads what the encoder writes and what nft writes for conditions that xtables has too. Whatever
/// it does not know ends the reading, so no condition is ever left out.
struct NFTRuleDecoder {
  private let family: Family
  private let registry: Registry
  private var rule = Rule()
  /// What the register holds that was loaded last.
  private var load: Load?
  private var stage = Stage.conditions
  /// Whether a match stands in the rule whose answer, or what it counts, depends on which packets come to it.
  private var isOrderFixed = false
  /// The last condition of the match of `tcp` or `udp` at the end, as long as more can join it.
  private var openPart: TransportPart?

  private enum Stage {
    case conditions
    case counted
    /// A register holds the trace bit.
    case tracing(NFTRegister)
    case decided
  }

  private enum Source: Equatable {
    case meta(NFTMetaKey)
    case payload(NFTPayloadBase, Int)
  }

  private struct Load {
    var register: NFTRegister
    let source: Source
    let length: Int?
    var mask: [UInt8]?
    var isCompared = false
    /// Ports from here on are meant, unless an upper limit follows.
    var lowestPort: UInt16?
  }

  /// In the order in which one match of `tcp` is written.
  private enum TransportPart: Int {
    case flags
    case sourcePorts
    case destinationPorts
  }

  init(family: Family, registry: Registry) {
    self.family = family
    self.registry = registry
  }

  mutating func rule(from expressions: [NFTExpression]) -> Rule? {
    for expression in expressions {
      guard read(expression) else { return nil }
    }
    guard finishLoad() else { return nil }
    if case .tracing = stage { return nil }
    return rule
  }

  /// - Returns: false where no xtables rule says it. The same holds for all that follow.
  private mutating func read(_ expression: NFTExpression) -> Bool {
    switch expression {
    case .meta(let key, let register):
      return begin(Load(register: register, source: .meta(key), length: nil))
    case .payload(let base, let offset, let length, let register):
      return begin(Load(register: register, source: .payload(base, offset), length: length))
    case .bitwise(let register, let mask, let flip, let result):
      return apply(mask: mask, flip: flip, from: register, into: result)
    case .compare(let comparison, let register, let data): return compare(comparison, register, data)
    case .range(let register, let first, let last, let isInverted):
      return compareRange(register, first, last, isInverted)
    case .match(let name, let revision, let bytes):
      guard canAddMatch() else { return false }
      let payload = bytes.span.bytes
      append(registry.decodeMatch(kernelName: name, revision: revision, family: family, payload: payload))
      isOrderFixed = true
    case .limit(let limit):
      guard canAddMatch(), let match = Limit(limit) else { return false }
      append(match)
      isOrderFixed = true
    case .counter(let counters):
      guard finishLoad(), case .conditions = stage else { return false }
      rule.counters = counters
      stage = .counted
    case .verdict(let verdict):
      guard let target = RuleTarget(verdict) else { return false }
      return decide(target)
    case .log(let log):
      guard let target = NFLog(log) else { return false }
      return decide(.extension(target))
    case nftQueueVerdict: return decide(.verdict(.queue))
    case .target(let name, let revision, let bytes):
      let payload = bytes.span.bytes
      return decide(
        .extension(registry.decodeTarget(kernelName: name, revision: revision, family: family, payload: payload)))
    case .immediate(let bytes, let register):
      guard canDecide(), bytes.first ?? 0 != 0 else { return false }
      stage = .tracing(register)
    case .setMeta(.trace, let register):
      guard case .tracing(register) = stage else { return false }
      stage = .counted
      return decide(.extension(Trace()))
    case .setMeta, .opaque: return false
    }
    return true
  }

  private mutating func canAddMatch() -> Bool {
    guard finishLoad(), case .conditions = stage else { return false }
    return true
  }

  private mutating func append(_ match: any Match) {
    rule.matches.append(match)
    openPart = nil
  }

  /// A rule has one target, and nothing comes after it.
  private mutating func canDecide() -> Bool {
    guard finishLoad() else { return false }
    switch stage {
    case .conditions, .counted: return true
    case .tracing, .decided: return false
    }
  }

  private mutating func decide(_ target: RuleTarget) -> Bool {
    guard canDecide() else { return false }
    rule.target = target
    stage = .decided
    return true
  }
}

// MARK: Loading and comparing

extension NFTRuleDecoder {
  private mutating func begin(_ next: Load) -> Bool {
    guard finishLoad(), case .conditions = stage else { return false }
    load = next
    return true
  }

  /// What was loaded has to be compared; only `-i +` loads a name and asks nothing of it.
  private mutating func finishLoad() -> Bool {
    guard let done = load else { return true }
    load = nil
    if let lowest = done.lowestPort {
      return addPorts(Bounds(lowest, .max), inverted: false, at: done.source)
    }
    guard !done.isCompared else { return true }
    guard case .meta(let key) = done.source, done.mask == nil else { return false }
    return setInterface(key, Array("+".utf8), inverted: false)
  }

  private mutating func apply(mask: [UInt8], flip: [UInt8], from: NFTRegister, into: NFTRegister) -> Bool {
    guard let before = load, before.register == from, before.mask == nil, !before.isCompared,
      flip.count == mask.count, flip.allSatisfy({ $0 == 0 })
    else { return false }
    if let length = before.length, length != mask.count { return false }
    load?.mask = mask
    load?.register = into
    return true
  }

  private mutating func compare(_ comparison: NFTComparison, _ register: NFTRegister, _ data: [UInt8]) -> Bool {
    guard let current = load, current.register == register else { return false }
    if let lowest = current.lowestPort {
      guard comparison == .lessOrEqual, let last = UInt16(networkBytes: data) else { return false }
      load?.lowestPort = nil
      return addPorts(Bounds(lowest, last), inverted: false, at: current.source)
    }
    guard !current.isCompared else { return false }
    load?.isCompared = true
    if let length = current.length ?? current.mask?.count, length != data.count { return false }
    let isInverted = comparison == .notEqual
    let isEquality = isInverted || comparison == .equal
    switch current.source {
    case .meta(let key):
      guard isEquality else { return false }
      return addMeta(key, data, current.mask, inverted: isInverted)
    case .payload(.network, NFTOffset.hops(family)):
      guard current.mask == nil else { return false }
      return addHops(comparison, data)
    case .payload(.network, let offset):
      guard isEquality else { return false }
      return addNetwork(offset, data, current.mask, inverted: isInverted)
    case .payload(.transport, let offset):
      if isEquality { return addTransport(offset, data, current.mask, inverted: isInverted) }
      guard current.mask == nil else { return false }
      return addPortLimit(comparison, data, at: current.source)
    case .payload(.link, _): return false
    }
  }

  private mutating func compareRange(
    _ register: NFTRegister, _ first: [UInt8], _ last: [UInt8], _ isInverted: Bool
  ) -> Bool {
    guard let current = load, current.register == register, !current.isCompared, current.mask == nil,
      current.lowestPort == nil, current.length == 2,
      let first = UInt16(networkBytes: first), let last = UInt16(networkBytes: last)
    else { return false }
    load?.isCompared = true
    return addPorts(Bounds(first, last), inverted: isInverted, at: current.source)
  }
}

// MARK: The head

extension NFTRuleDecoder {
  /// Sets a condition of the head, which xtables asks before every match and only once.
  private mutating func set<Value>(
    _ field: WritableKeyPath<Rule, Negatable<Value>?>, _ value: Value, inverted: Bool
  ) -> Bool {
    let condition = Negatable(value, inverted: inverted)
    guard !isOrderFixed, rule[keyPath: field] == nil || rule[keyPath: field] == condition else { return false }
    rule[keyPath: field] = condition
    return true
  }

  private mutating func addMeta(_ key: NFTMetaKey, _ data: [UInt8], _ mask: [UInt8]?, inverted: Bool) -> Bool {
    switch key {
    case .inInterfaceName, .outInterfaceName:
      guard mask == nil else { return false }
      if data == nftNoInterface, !inverted { return setInterface(key, Array("+".utf8), inverted: true) }
      return addInterface(key, data, inverted: inverted)
    case .transportProtocol:
      guard mask == nil, data.count == 1 else { return false }
      return setProtocol(data[0], inverted: inverted)
    case .mark:
      guard let value = UInt32(hostBytes: data) else { return false }
      guard let mask else {
        append(MarkMatch(MarkTest(value, inverted: inverted)))
        return true
      }
      guard let mask = UInt32(hostBytes: mask) else { return false }
      append(MarkMatch(MarkTest(value, mask: mask, inverted: inverted)))
      return true
    case .packetType:
      guard mask == nil, data.count == 1, let kind = PktType.Kind(rawValue: UInt32(data[0])) else { return false }
      append(PktType(Negatable(kind, inverted: inverted)))
      return true
    case .length, .inInterfaceIndex, .outInterfaceIndex, .trace, .family: return false
    }
  }

  /// A name with a zero behind it is whole, one without is the beginning of one.
  private mutating func addInterface(_ key: NFTMetaKey, _ data: [UInt8], inverted: Bool) -> Bool {
    let plus = UInt8(ascii: "+")
    let name = Array(data.prefix { $0 != 0 })
    guard !name.isEmpty else { return false }
    guard name.count < data.count else { return setInterface(key, name + [plus], inverted: inverted) }
    guard name.last != plus, data[name.count...].allSatisfy({ $0 == 0 }) else { return false }
    return setInterface(key, name, inverted: inverted)
  }

  private mutating func setInterface(_ key: NFTMetaKey, _ name: [UInt8], inverted: Bool) -> Bool {
    guard let pattern = name.withUnsafeBufferPointer({ InterfacePattern(bytes: $0) }) else { return false }
    switch key {
    case .inInterfaceName: return set(\.inInterface, pattern, inverted: inverted)
    case .outInterfaceName: return set(\.outInterface, pattern, inverted: inverted)
    default: return false
    }
  }

  /// Number 0 is every protocol in xtables.
  private mutating func setProtocol(_ number: UInt8, inverted: Bool) -> Bool {
    number != 0 && set(\.proto, IPProtocol(rawValue: number), inverted: inverted)
  }

  private mutating func addNetwork(_ offset: Int, _ data: [UInt8], _ mask: [UInt8]?, inverted: Bool) -> Bool {
    if offset == NFTOffset.source(family) { return setNetwork(\.source, data, mask, inverted: inverted) }
    if offset == NFTOffset.destination(family) { return setNetwork(\.destination, data, mask, inverted: inverted) }
    guard family == .ipv4 else { return false }
    switch offset {
    case NFTOffset.proto4: return mask == nil && data.count == 1 && setProtocol(data[0], inverted: inverted)
    case NFTOffset.fragment4:
      guard mask == nftFragmentMask, data == [0, 0] else { return false }
      return set(\.fragment, .secondOrLater, inverted: !inverted)
    default: return false
    }
  }

  /// Fewer bytes than an address has are a prefix.
  private mutating func setNetwork(
    _ field: WritableKeyPath<Rule, Negatable<AddressMask>?>, _ data: [UInt8], _ mask: [UInt8]?, inverted: Bool
  ) -> Bool {
    let size = family.addressBits / 8
    guard (1...size).contains(data.count) else { return false }
    func bits(_ bytes: [UInt8]) -> UInt128 {
      bytes.reduce(0) { $0 << 8 | UInt128($1) } << UInt128(8 * (size - bytes.count))
    }
    let address = bits(data)
    let compared = bits(mask ?? [UInt8](repeating: 0xff, count: data.count))
    guard address & ~compared == 0, compared != 0 || inverted else { return false }
    return set(
      field, AddressMask(address: IPAddress(family: family, bits: address), mask: compared), inverted: inverted)
  }
}

// MARK: Matches

extension NFTRuleDecoder {
  private mutating func addHops(_ comparison: NFTComparison, _ data: [UInt8]) -> Bool {
    guard data.count == 1, let test = HopTest(comparison, data[0]) else { return false }
    switch family {
    case .ipv4: append(TTLMatch(test))
    case .ipv6: append(HopLimitMatch(test))
    }
    return true
  }

  private mutating func addTransport(_ offset: Int, _ data: [UInt8], _ mask: [UInt8]?, inverted: Bool) -> Bool {
    switch rule.proto {
    case Negatable(.icmp) where family == .ipv4, Negatable(.icmpv6) where family == .ipv6:
      return mask == nil && offset == 0 && addMessage(data, inverted: inverted)
    case Negatable(.tcp) where offset == NFTOffset.tcpFlags:
      guard let mask, data.count == 1 else { return false }
      return addFlags(TCPFlagTest(mask: TCPFlags(rawValue: mask[0]), set: TCPFlags(rawValue: data[0])), inverted)
    case Negatable(.tcp), Negatable(.udp): break
    default: return false
    }
    guard mask == nil else { return false }
    if data.count == 4, offset == NFTOffset.sourcePort {
      guard !inverted, let source = UInt16(networkBytes: Array(data[..<2])),
        let destination = UInt16(networkBytes: Array(data[2...]))
      else { return false }
      return addPorts(Bounds(source), inverted: false, .sourcePorts)
        && addPorts(Bounds(destination), inverted: false, .destinationPorts)
    }
    guard let port = UInt16(networkBytes: data) else { return false }
    return addPorts(Bounds(port), inverted: inverted, at: .payload(.transport, offset))
  }

  /// A type, or a type and a code.
  private mutating func addMessage(_ data: [UInt8], inverted: Bool) -> Bool {
    let message: ICMPMessage
    switch data.count {
    case 1: message = ICMPMessage(type: data[0])
    case 2: message = ICMPMessage(type: data[0], code: data[1])
    default: return false
    }
    switch family {
    case .ipv4:
      guard message.type != ICMP.anyType else { return false }
      append(ICMP(Negatable(message, inverted: inverted)))
    case .ipv6: append(ICMPv6(Negatable(message, inverted: inverted)))
    }
    return true
  }

  /// Ports above 80 are `81:65535`, as iptables-nft reads them, also where it was told `! 0:80`.
  private mutating func addPortLimit(_ comparison: NFTComparison, _ data: [UInt8], at source: Source) -> Bool {
    guard isPort(source), let port = UInt16(networkBytes: data) else { return false }
    switch comparison {
    case .lessOrEqual: return port < .max && addPorts(Bounds(0, port), inverted: false, at: source)
    case .less: return port > 0 && addPorts(Bounds(0, port - 1), inverted: false, at: source)
    case .greater:
      guard port < .max else { return addPorts(.anyPort, inverted: true, at: source) }
      return addPorts(Bounds(port + 1, .max), inverted: false, at: source)
    case .greaterOrEqual:
      guard port > 0 else { return false }
      load?.lowestPort = port
      return true
    case .equal, .notEqual: return false
    }
  }

  private func isPort(_ source: Source) -> Bool {
    let isOfPorts = rule.proto == Negatable(.tcp) || rule.proto == Negatable(.udp)
    return isOfPorts
      && (source == .payload(.transport, NFTOffset.sourcePort)
        || source == .payload(.transport, NFTOffset.destinationPort))
  }

  private mutating func addPorts(_ ports: Bounds<UInt16>, inverted: Bool, at source: Source) -> Bool {
    guard isPort(source) else { return false }
    let isSource = source == .payload(.transport, NFTOffset.sourcePort)
    return addPorts(ports, inverted: inverted, isSource ? .sourcePorts : .destinationPorts)
  }

  private mutating func addPorts(_ ports: Bounds<UInt16>, inverted: Bool, _ part: TransportPart) -> Bool {
    if rule.proto == Negatable(.udp) {
      var udp = joined(UDP(), part)
      let condition = Negatable(ports, inverted: inverted)
      if part == .sourcePorts { udp.sourcePorts = condition } else { udp.destinationPorts = condition }
      rule.matches[rule.matches.count - 1] = udp
    } else {
      guard let range = PortRange(ports.first, through: ports.last) else { return false }
      var tcp = joined(TCP(), part)
      let condition = Negatable(range, inverted: inverted)
      if part == .sourcePorts { tcp.sourcePorts = condition } else { tcp.destinationPorts = condition }
      rule.matches[rule.matches.count - 1] = tcp
    }
    return true
  }

  private mutating func addFlags(_ test: TCPFlagTest, _ isInverted: Bool) -> Bool {
    guard !test.mask.isEmpty, test.mask.isSubset(of: .all), test.set.isSubset(of: .all) else { return false }
    var tcp = joined(TCP(), .flags)
    tcp.flags = Negatable(test, inverted: isInverted)
    rule.matches[rule.matches.count - 1] = tcp
    return true
  }

  /// The match at the end, where the condition can join it, or the empty one, which is put there.
  private mutating func joined<T: Match>(_ empty: T, _ part: TransportPart) -> T {
    defer { openPart = part }
    if let openPart, openPart.rawValue < part.rawValue, let match = rule.matches.last as? T { return match }
    rule.matches.append(empty)
    return empty
  }
}

extension HopTest {
  fileprivate init?(_ comparison: NFTComparison, _ limit: UInt8) {
    switch comparison {
    case .equal: self = .equal(limit)
    case .notEqual: self = .notEqual(limit)
    case .less: self = .less(limit)
    case .greater: self = .greater(limit)
    case .lessOrEqual:
      guard limit < .max else { return nil }
      self = .less(limit + 1)
    case .greaterOrEqual:
      guard limit > 0 else { return nil }
      self = .greater(limit - 1)
    }
  }
}

extension UInt16 {
  fileprivate init?(networkBytes: [UInt8]) {
    guard networkBytes.count == 2 else { return nil }
    self = UInt16(networkBytes[0]) << 8 | UInt16(networkBytes[1])
  }
}

extension UInt32 {
  fileprivate init?(hostBytes: [UInt8]) {
    guard hostBytes.count == 4 else { return nil }
    self = hostBytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
  }
}

// MARK: Targets

extension RuleTarget {
  /// nil for a chain that xtables could not name.
  fileprivate init?(_ verdict: NFTVerdict) {
    switch verdict {
    case .accept: self = .accept
    case .drop: self = .drop
    case .queue: self = .verdict(.queue)
    case .return: self = .return
    case .continue: self = .none
    case .jump(let chain):
      guard chain.isOfXTables else { return nil }
      self = .jump(chain)
    case .goto(let chain):
      guard chain.isOfXTables else { return nil }
      self = .goto(chain)
    }
  }
}

extension ChainName {
  /// The name may come from the kernel, unchecked.
  fileprivate var isOfXTables: Bool { (try? ChainName(text)) != nil }
}

extension NFLog {
  /// nil for a log that is not a group's, or whose prefix no `--nflog-prefix` has.
  fileprivate init?(_ log: NFTLog) {
    guard let group = log.group, log.level == nil, log.flags ?? 0 == 0 else { return nil }
    self.init(group: group, length: log.snapLength.map { NFLogLength($0) }, threshold: log.queueThreshold ?? 0)
    guard let bytes = log.prefix, !bytes.isEmpty else { return }
    guard let prefix = NFLogPrefix(bytes: bytes) else { return nil }
    self.prefix = prefix
  }
}
