/// What IPsec did to the packet or will do to it (`struct xt_policy_info`, linux/netfilter/xt_policy.h).
public struct IPsecPolicy: Match {
  public enum Direction: UInt16, Hashable, Sendable {
    /// How it was unwrapped when it came in.
    case inbound = 1
    /// How it will be wrapped on its way out.
    case outbound = 2
  }

  public enum Policy: Hashable, Sendable {
    /// IPsec has nothing to do with the packet.
    case none
    /// Some transformation is like this.
    case any(Transformation)
    /// The transformations are these, one for one.
    case exactly(Sequence)
  }

  /// 1 to 4 transformations, each of which asks for something.
  public struct Sequence: Hashable, Sendable {
    public let elements: [Transformation]

    /// `XT_POLICY_MAX_ELEM`.
    public static let maxCount = 4

    /// nil for no elements, more than four, or one that asks for nothing.
    public init?(_ elements: [Transformation]) {
      guard !elements.isEmpty, elements.count <= Self.maxCount, !elements.contains(Transformation.anything) else {
        return nil
      }
      self.elements = elements
    }
  }

  /// What is asked of one transformation (`struct xt_policy_elem`).
  public struct Transformation: Hashable, Sendable {
    public fileprivate(set) var requestID: Negatable<UInt32>?
    /// The number as the kernel compares it, which iptables does not turn into network order.
    public fileprivate(set) var spi: Negatable<UInt32>?
    public fileprivate(set) var proto: Negatable<Proto>?
    public fileprivate(set) var mode: Negatable<Mode>?
    public fileprivate(set) var tunnelDestination: Negatable<ConntrackAddress>?
    public fileprivate(set) var tunnelSource: Negatable<ConntrackAddress>?

    /// Nothing is asked.
    public static let anything = Transformation()

    private init() {}

    /// nil for addresses of a tunnel where the mode does not have to be a tunnel.
    public init?(
      requestID: Negatable<UInt32>? = nil, spi: Negatable<UInt32>? = nil, proto: Negatable<Proto>? = nil,
      mode: Negatable<Mode>? = nil, tunnelDestination: Negatable<ConntrackAddress>? = nil,
      tunnelSource: Negatable<ConntrackAddress>? = nil
    ) {
      self.requestID = requestID
      self.spi = spi
      self.proto = proto
      self.mode = mode
      self.tunnelDestination = tunnelDestination
      self.tunnelSource = tunnelSource
      guard isPossible else { return nil }
    }

    fileprivate var isPossible: Bool {
      let isTunnel = mode == Negatable(.tunnel) || mode == Negatable(.transport, inverted: true)
      return isTunnel || (tunnelSource == nil && tunnelDestination == nil)
    }
  }

  /// Protocols of IPsec by their numbers.
  public enum Proto: UInt8, Hashable, Sendable {
    case esp = 50
    case ah = 51
    case ipcomp = 108
  }

  public enum Mode: UInt8, Hashable, Sendable {
    case transport = 0
    case tunnel = 1

    fileprivate var name: StaticString {
      switch self {
      case .transport: "transport"
      case .tunnel: "tunnel"
      }
    }
  }

  public let direction: Direction
  public let policy: Policy

  public init(_ direction: Direction, _ policy: Policy) {
    self.direction = direction
    self.policy = policy
  }
}

// MARK: Syntax

extension IPsecPolicy {
  public static let definition = ExtensionDefinition(
    "policy", summary: "what IPsec does to the packet", narrowsHooks: true,
    options: [
      OptionSpec("--dir", .custom("in|out"), required: true, "how it was unwrapped, or will be wrapped"),
      OptionSpec("--pol", .custom("none|ipsec"), "without IPsec or with it; with it, if not given"),
      OptionSpec("--strict", .none, "the whole policy is described, not one of its transformations"),
      OptionSpec("--reqid", .number(limits), negatable: true, repeatable: true, "number of the request"),
      OptionSpec("--spi", .number(limits), negatable: true, repeatable: true, "number of the security parameters"),
      OptionSpec(
        "--proto", .custom("ah|esp|ipcomp"), negatable: true, repeatable: true, "protocol of the transformation"),
      OptionSpec(
        "--mode", .custom("transport|tunnel"), negatable: true, repeatable: true, "mode of the transformation"),
      OptionSpec("--tunnel-src", .address, negatable: true, repeatable: true, "where the tunnel begins"),
      OptionSpec("--tunnel-dst", .address, negatable: true, repeatable: true, "where the tunnel ends"),
      OptionSpec("--next", repeatable: true, "the options after it describe the next transformation"),
    ])

  private static let limits: ClosedRange<UInt64> = 0...UInt64(UInt32.max)

  /// Where a packet has been unwrapped, or can still be wrapped.
  public var hooks: HookSet {
    switch direction {
    case .inbound: [.prerouting, .input, .forward]
    case .outbound: [.forward, .output, .postrouting]
    }
  }

  public init(parsing options: OptionValues) throws(SyntaxError) {
    switch options.token("--dir")?.string {
    case "in": direction = .inbound
    case "out": direction = .outbound
    case let word: throw options.error("--dir", "'\(word ?? "")' is not a direction", hint: "possible: in, out")
    }
    let elements = try Self.elements(options)
    switch options.token("--pol")?.string {
    case nil, "ipsec": break
    case "none":
      let described: [StaticString] = [
        "--strict", "--reqid", "--spi", "--proto", "--mode", "--tunnel-src", "--tunnel-dst", "--next",
      ]
      for name in described where options.has(name) {
        throw options.error(name, "--pol none leaves nothing to describe", hint: "write --pol ipsec")
      }
      policy = .none
      return
    case let word?: throw options.error("--pol", "'\(word)' is not a policy", hint: "possible: none, ipsec")
    }
    guard options.has("--strict") else {
      if options.has("--next") { throw options.error("--next", "needs --strict") }
      policy = .any(elements[0])
      return
    }
    guard let sequence = Sequence(elements) else {
      throw options.error(
        "--strict", "each transformation needs one of --reqid, --spi, --proto, --mode, --tunnel-src, --tunnel-dst")
    }
    policy = .exactly(sequence)
  }

  /// What stands before, between and after the uses of `--next`.
  private static func elements(_ options: OptionValues) throws(SyntaxError) -> [Transformation] {
    var elements = [Transformation.anything]
    for use in options.inOrder {
      guard let token = use.value else {
        guard "\(use.name)" == "--next" else { continue }
        guard elements.count < Sequence.maxCount else {
          throw SyntaxError(at: use.word, "--next: a policy has at most \(Sequence.maxCount) transformations")
        }
        elements.append(.anything)
        continue
      }
      try set(&elements[elements.count - 1], use.name, token, inverted: use.isInverted, options)
    }
    for element in elements where !element.isPossible {
      throw options.error(
        element.tunnelSource != nil ? "--tunnel-src" : "--tunnel-dst", "only tunnels have such an address",
        hint: "add --mode tunnel")
    }
    return elements
  }

  private static func set(
    _ element: inout Transformation, _ name: StaticString, _ token: Token, inverted: Bool, _ options: OptionValues
  ) throws(SyntaxError) {
    func once<Value>(_ earlier: Negatable<Value>?, _ value: Value) throws(SyntaxError) -> Negatable<Value> {
      guard earlier == nil else {
        throw SyntaxError(
          at: token, "\(name) is given twice for one transformation", hint: "--next begins the next one")
      }
      return Negatable(value, inverted: inverted)
    }
    switch "\(name)" {
    case "--reqid":
      element.requestID = try once(element.requestID, UInt32(try options.number(token, in: limits, of: name)))
    case "--spi": element.spi = try once(element.spi, UInt32(try options.number(token, in: limits, of: name)))
    case "--proto":
      guard let proto = Proto(rawValue: try options.names.proto(token).rawValue) else {
        throw SyntaxError(
          at: token, "--proto: '\(token.string)' is not a protocol of IPsec", hint: "possible: ah, esp, ipcomp")
      }
      element.proto = try once(element.proto, proto)
    case "--mode":
      guard let mode = [Mode.transport, .tunnel].first(where: { token == $0.name }) else {
        throw SyntaxError(
          at: token, "--mode: '\(token.string)' is not a mode of IPsec", hint: "possible: transport, tunnel")
      }
      element.mode = try once(element.mode, mode)
    case "--tunnel-src":
      element.tunnelSource = try once(element.tunnelSource, try options.maskedAddress(token, of: name))
    case "--tunnel-dst":
      element.tunnelDestination = try once(element.tunnelDestination, try options.maskedAddress(token, of: name))
    default: break
    }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--dir")
    out.word(direction == .inbound ? "in" : "out")
    out.option("--pol")
    switch policy {
    case .none: out.word("none")
    case .any(let element):
      out.word("ipsec")
      Self.print(element, to: &out)
    case .exactly(let sequence):
      out.word("ipsec")
      out.option("--strict")
      for (place, element) in sequence.elements.enumerated() {
        if place > 0 { out.option("--next") }
        Self.print(element, to: &out)
      }
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word(direction == .inbound ? "policy match dir in" : "policy match dir out")
    switch policy {
    case .none: out.word("pol none")
    case .any(let element):
      out.word("pol ipsec")
      Self.list(element, to: &out)
    case .exactly(let sequence):
      out.word("pol ipsec strict")
      for (place, element) in sequence.elements.enumerated() {
        if sequence.elements.count > 1 {
          out.word("[")
          out.text.write(place)
          out.text.write("]")
        }
        Self.list(element, to: &out)
      }
    }
  }

  private static func list(_ element: Transformation, to out: inout RuleWriter) {
    if let number = element.requestID {
      out.option("reqid", inverted: number.isInverted)
      out.number(number.value)
    }
    if let number = element.spi {
      out.option("spi", inverted: number.isInverted)
      out.hex(number.value)
    }
    if let proto = element.proto {
      out.option("proto", inverted: proto.isInverted)
      if out.isNumeric {
        out.number(proto.value.rawValue)
      } else {
        out.word(out.names.displayName(of: IPProtocol(rawValue: proto.value.rawValue)))
      }
    }
    if let mode = element.mode {
      out.option("mode", inverted: mode.isInverted)
      out.word(mode.value.name)
    }
    for (name, address) in [
      ("tunnel-dst" as StaticString, element.tunnelDestination), ("tunnel-src", element.tunnelSource),
    ] {
      guard let address else { continue }
      out.option(name, inverted: address.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(address.value)
    }
  }

  private static func print(_ element: Transformation, to out: inout RuleWriter) {
    if let number = element.requestID {
      out.option("--reqid", inverted: number.isInverted)
      out.number(number.value)
    }
    if let number = element.spi {
      out.option("--spi", inverted: number.isInverted)
      out.hex(number.value)
    }
    if let proto = element.proto {
      out.option("--proto", inverted: proto.isInverted)
      out.word(out.names.displayName(of: IPProtocol(rawValue: proto.value.rawValue)))
    }
    if let mode = element.mode {
      out.option("--mode", inverted: mode.isInverted)
      out.word(mode.value.name)
    }
    if let address = element.tunnelDestination {
      out.option("--tunnel-dst", inverted: address.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(address.value)
    }
    if let address = element.tunnelSource {
      out.option("--tunnel-src", inverted: address.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(address.value)
    }
  }
}

// MARK: Kernel bytes

extension IPsecPolicy {
  private enum Flag {
    static let none: UInt16 = 0x4
    static let strict: UInt16 = 0x8
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    let elements: [Transformation]
    var flags = direction.rawValue
    switch policy {
    case .none: (elements, flags) = ([], flags | Flag.none)
    case .any(let element): elements = [element]
    case .exactly(let sequence): (elements, flags) = (sequence.elements, flags | Flag.strict)
    }
    for element in elements { element.encode(to: &out, family) }
    out.zeros((Sequence.maxCount - elements.count) * Transformation.size)
    out.write(flags)
    out.write(UInt16(elements.count))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    var elements: [Transformation] = []
    for _ in 0..<Sequence.maxCount { elements.append(try Transformation(decoding: &bytes, family)) }
    let flags = try bytes.uint16("flags")
    guard let direction = Direction(rawValue: flags & ~(Flag.none | Flag.strict)) else { throw bytes.invalid("flags") }
    self.direction = direction
    let count = Int(try bytes.uint16("len"))
    guard count <= elements.count, elements.dropFirst(count).allSatisfy({ $0 == .anything }) else {
      throw bytes.invalid("len")
    }
    switch (flags & Flag.none != 0, flags & Flag.strict != 0, count) {
    case (true, false, 0): policy = .none
    case (false, false, 1): policy = .any(elements[0])
    case (false, true, _):
      guard let sequence = Sequence(Array(elements.prefix(count))) else { throw bytes.invalid("len") }
      policy = .exactly(sequence)
    default: throw bytes.invalid("flags")
    }
  }
}

extension IPsecPolicy.Transformation {
  fileprivate static let size = 76

  /// Bits of `match` and `invert`.
  private enum Flag {
    static let source: UInt8 = 0x01
    static let destination: UInt8 = 0x02
    static let proto: UInt8 = 0x04
    static let mode: UInt8 = 0x08
    static let spi: UInt8 = 0x10
    static let requestID: UInt8 = 0x20
    static let known: UInt8 = 0x3f
  }

  fileprivate func encode(to out: inout ByteWriter, _ family: Family) {
    var match: UInt8 = 0
    var invert: UInt8 = 0
    func note(_ flag: UInt8, _ isInverted: Bool?) {
      guard let isInverted else { return }
      match |= flag
      if isInverted { invert |= flag }
    }
    note(Flag.source, tunnelSource?.isInverted)
    note(Flag.destination, tunnelDestination?.isInverted)
    note(Flag.proto, proto?.isInverted)
    note(Flag.mode, mode?.isInverted)
    note(Flag.spi, spi?.isInverted)
    note(Flag.requestID, requestID?.isInverted)
    for address in [tunnelSource?.value, tunnelDestination?.value] {
      out.write(unionAddress: address?.address.bits ?? 0, family)
      out.write(big: address?.unionMask ?? 0)
    }
    out.write(spi?.value ?? 0)
    out.write(requestID?.value ?? 0)
    out.write(proto?.value.rawValue ?? 0)
    out.write(mode?.value.rawValue ?? 0)
    out.write(match)
    out.write(invert)
  }

  fileprivate init(decoding bytes: inout ByteReader, _ family: Family) throws(WireError) {
    let source = ConntrackAddress(try bytes.unionAddress("saddr", family), unionMask: try bytes.uint128("smask"))
    let destination = ConntrackAddress(try bytes.unionAddress("daddr", family), unionMask: try bytes.uint128("dmask"))
    let spi = try bytes.uint32("spi")
    let requestID = try bytes.uint32("reqid")
    let number = try bytes.uint8("proto")
    guard let mode = IPsecPolicy.Mode(rawValue: try bytes.uint8("mode")) else { throw bytes.invalid("mode") }
    let match = try bytes.uint8("match")
    let invert = try bytes.uint8("invert")
    guard match & ~Flag.known == 0, invert & ~match == 0 else { throw bytes.invalid("match") }
    let proto = IPsecPolicy.Proto(rawValue: number)
    guard number == 0 || proto != nil else { throw bytes.invalid("proto") }

    /// nil where the flag is not set; the field then holds `empty`.
    func field<Value: Hashable & Sendable>(_ flag: UInt8, _ value: Value?, empty: Value?) throws(WireError)
      -> Negatable<Value>?
    {
      if match & flag != 0, let value { return Negatable(value, inverted: invert & flag != 0) }
      guard match & flag == 0, value == empty else { throw WireError(offset: 0, field: "match", reason: .invalid) }
      return nil
    }
    let nowhere = ConntrackAddress(.any(family), unionMask: 0)
    let value = Self(
      requestID: try field(Flag.requestID, requestID, empty: 0), spi: try field(Flag.spi, spi, empty: 0),
      proto: try field(Flag.proto, proto, empty: nil), mode: try field(Flag.mode, mode, empty: .transport),
      tunnelDestination: try field(Flag.destination, destination, empty: nowhere),
      tunnelSource: try field(Flag.source, source, empty: nowhere))
    guard let value else { throw bytes.invalid("mode") }
    self = value
  }
}

// MARK: Meaning

extension IPsecPolicy {
  public func matches(_ packet: Packet) -> Answer {
    switch direction {
    case .inbound: .depends(on: "what IPsec did to the packet")
    case .outbound: .depends(on: "what IPsec will do to the packet")
    }
  }
}
