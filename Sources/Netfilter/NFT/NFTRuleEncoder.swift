/// See ``NFTRuleCodec``.
struct NFTRuleEncoder {
  typealias Unsupported = NFTRuleCodec.Unsupported

  private let family: Family
  private(set) var expressions: [NFTExpression] = []

  /// iptables-nft puts everything into the first one.
  private static let register: NFTRegister = 1
  /// The one of the trace bit, `NFT_REG32_01`.
  private static let traceRegister: NFTRegister = 9

  /// The revision to write of an extension that stays a structure of xtables.
  private let revision: (any Extension) -> UInt8

  init(family: Family, revision: @escaping (any Extension) -> UInt8) {
    self.family = family
    self.revision = revision
  }

  mutating func append(_ rule: Rule) throws(Unsupported) {
    guard rule.residue == HeaderResidue() else {
      throw Unsupported("the head of the rule has flags that only ip_tables knows")
    }
    try append(rule.inInterface, .inInterfaceName)
    try append(rule.outInterface, .outInterfaceName)
    if let proto = rule.proto { try append(proto) }
    append(rule.source, at: NFTOffset.source(family))
    append(rule.destination, at: NFTOffset.destination(family))
    if let fragment = rule.fragment { try append(fragment) }
    for match in rule.matches { try append(match, of: rule) }
    expressions.append(.counter(rule.counters))
    try append(rule.target)
  }

  private mutating func compare(_ comparison: NFTComparison, _ data: [UInt8]) {
    expressions.append(.compare(comparison, Self.register, data))
  }

  private mutating func load(_ key: NFTMetaKey) { expressions.append(.meta(key, into: Self.register)) }

  private mutating func load(_ base: NFTPayloadBase, _ offset: Int, _ length: Int) {
    expressions.append(.payload(base, offset: offset, length: length, into: Self.register))
  }

  private mutating func mask(_ mask: [UInt8]) {
    let none = [UInt8](repeating: 0, count: mask.count)
    expressions.append(.bitwise(Self.register, mask: mask, flip: none, into: Self.register))
  }
}

// MARK: The head

extension NFTRuleEncoder {
  /// A whole name with the zero behind it, or the beginning of one without. `+` alone is loaded and compared with nothing.
  private mutating func append(_ interface: Negatable<InterfacePattern>?, _ key: NFTMetaKey) throws(Unsupported) {
    guard let interface else { return }
    let name = interface.value.nameBytes
    guard name.withUnsafeBufferPointer({ InterfacePattern(bytes: $0) }) == interface.value else {
      throw Unsupported("the rule compares an interface's name under a mask that only ip_tables knows")
    }
    load(key)
    let comparison: NFTComparison = interface.isInverted ? .notEqual : .equal
    if name.last != UInt8(ascii: "+") {
      compare(comparison, name + [0])
    } else if name.count > 1 {
      compare(comparison, name.dropLast())
    } else if interface.isInverted {
      compare(.equal, nftNoInterface)
    }
  }

  /// Protocol 0 is every protocol.
  private mutating func append(_ proto: Negatable<IPProtocol>) throws(Unsupported) {
    guard proto.value.rawValue != 0 else {
      guard proto.isInverted else { return }
      throw Unsupported("the rule asks for another protocol than 0, which only ip_tables has a meaning for")
    }
    load(.transportProtocol)
    compare(proto.isInverted ? .notEqual : .equal, [proto.value.rawValue])
  }

  /// A prefix of whole bytes, but for 3 bytes of IPv4, is loaded alone, any other network whole and under its mask.
  private mutating func append(_ network: Negatable<AddressMask>?, at offset: Int) {
    guard let network, network.isInverted || network.value != .any(family) else { return }
    let comparison: NFTComparison = network.isInverted ? .notEqual : .equal
    let address = bytes(of: network.value.address.bits)
    if let length = network.value.prefixLength, NFTRuleCodec.loadsPrefixAlone(length, family) {
      load(.network, offset, length / 8)
      compare(comparison, Array(address.prefix(length / 8)))
    } else {
      load(.network, offset, address.count)
      mask(bytes(of: network.value.mask))
      compare(comparison, address)
    }
  }

  private func bytes(of bits: UInt128) -> [UInt8] {
    let count = family.addressBits / 8
    return (0..<count).map { UInt8(truncatingIfNeeded: bits >> UInt128(8 * (count - 1 - $0))) }
  }

  private mutating func append(_ fragment: Negatable<FragmentKind>) throws(Unsupported) {
    guard family == .ipv4 else { throw Unsupported("-f is a condition of IPv4 alone") }
    load(.network, NFTOffset.fragment4, 2)
    mask(nftFragmentMask)
    compare(fragment.isInverted ? .equal : .notEqual, [0, 0])
  }
}

// MARK: Matches

extension NFTRuleEncoder {
  private mutating func append(_ match: any Match, of rule: Rule) throws(Unsupported) {
    switch match {
    case let tcp as TCP: try append(tcp, rule.proto)
    case let udp as UDP: try append(udp, rule.proto)
    case let match as MarkMatch: append(match.mark)
    case let limit as Limit:
      guard let native = NFTLimit(limit) else { return try appendStructure(limit) }
      expressions.append(.limit(native))
    default: try appendStructure(match)
    }
  }

  private mutating func append(_ tcp: TCP, _ proto: Negatable<IPProtocol>?) throws(Unsupported) {
    guard proto == Negatable(.tcp) else { throw Unsupported("tcp needs -p tcp") }
    let source = tcp.sourcePorts.map { Negatable(Bounds(ports: $0.value), inverted: $0.isInverted) }
    let destination = tcp.destinationPorts.map { Negatable(Bounds(ports: $0.value), inverted: $0.isInverted) }
    let ports = PortTests(source, destination)
    guard let ports, tcp.option == nil, tcp.flags?.value.mask.isEmpty != true, !ports.isEmpty || tcp.flags != nil else {
      return try appendStructure(tcp)
    }
    if let flags = tcp.flags {
      load(.transport, NFTOffset.tcpFlags, 1)
      mask([flags.value.mask.rawValue])
      compare(flags.isInverted ? .notEqual : .equal, [flags.value.set.rawValue])
    }
    append(ports)
  }

  private mutating func append(_ udp: UDP, _ proto: Negatable<IPProtocol>?) throws(Unsupported) {
    guard proto == Negatable(.udp) else { throw Unsupported("udp needs -p udp") }
    guard let ports = PortTests(udp.sourcePorts, udp.destinationPorts), !ports.isEmpty else {
      return try appendStructure(udp)
    }
    append(ports)
  }

  /// Conditions on ports; one that every port meets is none.
  private struct PortTests {
    var source: Negatable<Bounds<UInt16>>?
    var destination: Negatable<Bounds<UInt16>>?

    /// nil where no port meets one of them: a comparison that never holds cannot be told from none.
    init?(_ source: Negatable<Bounds<UInt16>>?, _ destination: Negatable<Bounds<UInt16>>?) {
      let none = Negatable(Bounds<UInt16>.anyPort, inverted: true)
      guard source != none, destination != none else { return nil }
      self.source = source == !none ? nil : source
      self.destination = destination == !none ? nil : destination
    }

    var isEmpty: Bool { source == nil && destination == nil }
  }

  /// Two single ports are one comparison, but for port 0.
  private mutating func append(_ ports: PortTests) {
    if let source = ports.source?.single, let destination = ports.destination?.single {
      load(.transport, NFTOffset.sourcePort, 4)
      return compare(.equal, source.networkBytes + destination.networkBytes)
    }
    append(ports.source, at: NFTOffset.sourcePort)
    append(ports.destination, at: NFTOffset.destinationPort)
  }

  private mutating func append(_ ports: Negatable<Bounds<UInt16>>?, at offset: Int) {
    guard let ports else { return }
    load(.transport, offset, 2)
    let (first, last) = (ports.value.first.networkBytes, ports.value.last.networkBytes)
    if first == last {
      compare(ports.isInverted ? .notEqual : .equal, first)
    } else if ports.value.first == 0, ports.value.last < .max, !ports.isInverted {
      compare(.lessOrEqual, last)
    } else {
      expressions.append(.range(Self.register, from: first, to: last, inverted: ports.isInverted))
    }
  }

  private mutating func append(_ mark: MarkTest) {
    load(.mark)
    if mark.mask != .max { mask(mark.mask.hostBytes) }
    compare(mark.isInverted ? .notEqual : .equal, mark.value.hostBytes)
  }

  private mutating func appendStructure(_ match: any Match) throws(Unsupported) {
    let (revision, bytes) = try structure(of: match)
    expressions.append(.match(name: match.kernelName, revision: revision, bytes: bytes))
  }

  /// The kernel's structure, with its bytes up to its alignment.
  private func structure(of part: any Extension) throws(Unsupported) -> (revision: UInt8, bytes: [UInt8]) {
    var out = ByteWriter()
    let wanted = revision(part)
    if wanted == part.revision(for: family) {
      part.encode(to: &out, family: family)
    } else if !part.encode(to: &out, family: family, earlier: wanted) {
      throw Unsupported("'\(part.kernelName)' in revision \(wanted) cannot say what the rule says", lacking: part)
    }
    out.align(RuleCodec.alignment)
    return (wanted, out.bytes)
  }
}

extension Negatable<Bounds<UInt16>> {
  /// The one port that it asks for, where that is not 0.
  fileprivate var single: UInt16? {
    !isInverted && value.first == value.last && value.first != 0 ? value.first : nil
  }
}

extension FixedWidthInteger {
  fileprivate var networkBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
  fileprivate var hostBytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}

// MARK: Targets

extension NFTRuleEncoder {
  private mutating func append(_ target: RuleTarget) throws(Unsupported) {
    switch target {
    case .none: break
    case .verdict(.accept): expressions.append(.verdict(.accept))
    case .verdict(.drop): expressions.append(.verdict(.drop))
    case .verdict(.queue): expressions.append(nftQueueVerdict)
    case .verdict(.return): expressions.append(.verdict(.return))
    case .jump(let chain): expressions.append(.verdict(.jump(chain)))
    case .goto(let chain): expressions.append(.verdict(.goto(chain)))
    case .extension(let target): try append(target)
    }
  }

  private mutating func append(_ target: any Target) throws(Unsupported) {
    switch target {
    case let log as NFLog: expressions.append(.log(NFTLog(log)))
    case is Trace:
      expressions.append(.immediate([1], into: Self.traceRegister))
      expressions.append(.setMeta(.trace, from: Self.traceRegister))
    default:
      let (revision, bytes) = try structure(of: target)
      expressions.append(.target(name: target.kernelName, revision: revision, bytes: bytes))
    }
  }
}

extension NFTLog {
  init(_ log: NFLog) {
    self.init()
    group = log.group
    prefix = log.prefix?.bytes
    if let length = log.length, length.hasEffect { snapLength = length.bytes }
    if log.threshold != 0 { queueThreshold = log.threshold }
  }
}
