/// The routing header of an IPv6 packet (`struct ip6t_rt`, linux/netfilter_ipv6/ip6t_rt.h; RFC 8200 section 4.4).
public struct RoutingHeader: Match {
  public let type: Negatable<UInt32>?
  public let segmentsLeft: Negatable<Bounds<UInt32>>?
  public let length: Negatable<UInt32>?
  /// The reserved field of a header of type 0 is zero.
  public let isReservedZero: Bool
  /// Addresses in a header of type 0.
  public let route: Route?

  /// Addresses that a header of type 0 lists.
  public struct Route: Hashable, Sendable {
    public let addresses: [IPAddress]
    /// The header lists these and no others; else these in this order, among others.
    public let isStrict: Bool

    /// `IP6T_RT_HOPS`.
    public static let maxAddresses = 16

    /// nil for no addresses, for more than 16 or for IPv4 addresses.
    public init?(_ addresses: [IPAddress], isStrict: Bool = true) {
      guard (1...Self.maxAddresses).contains(addresses.count), addresses.allSatisfy({ $0.family == .ipv6 }) else {
        return nil
      }
      self.addresses = addresses
      self.isStrict = isStrict
    }
  }

  /// nil when `isReservedZero` or `route` is given without the type 0, which alone has them.
  public init?(
    type: Negatable<UInt32>? = nil, segmentsLeft: Negatable<Bounds<UInt32>>? = nil, length: Negatable<UInt32>? = nil,
    isReservedZero: Bool = false, route: Route? = nil
  ) {
    guard !isReservedZero && route == nil || type == Negatable(0) else { return nil }
    self.type = type
    self.segmentsLeft = segmentsLeft
    self.length = length
    self.isReservedZero = isReservedZero
    self.route = route
  }
}

// MARK: Syntax

extension RoutingHeader {
  public static let definition = ExtensionDefinition(
    "rt", summary: "IPv6 routing header", families: [.ipv6],
    options: [
      OptionSpec("--rt-type", .anyNumber, negatable: true, "routing type"),
      OptionSpec("--rt-segsleft", .anyNumberRange, negatable: true, "segments left"),
      OptionSpec("--rt-len", .anyNumber, negatable: true, "length of the header in bytes"),
      OptionSpec("--rt-0-res", .none, "the reserved field of a header of type 0 is zero"),
      OptionSpec("--rt-0-addrs", .custom("ADDRESS[,ADDRESS]…"), "addresses that a header of type 0 lists"),
      OptionSpec("--rt-0-not-strict", .none, "the header may list others among them"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let type = try options.condition("--rt-type")
    let needsType: [StaticString] = ["--rt-0-res", "--rt-0-addrs"]
    for name in needsType where options.has(name) {
      guard type == Negatable(0), options.stands("--rt-type", before: name) else {
        throw options.error(name, "only headers of type 0 have it", hint: "write --rt-type 0 before it")
      }
    }
    if options.has("--rt-0-not-strict"), !options.stands("--rt-0-addrs", before: "--rt-0-not-strict") {
      throw options.error("--rt-0-not-strict", "needs --rt-0-addrs ADDRESS before it")
    }
    let value = RoutingHeader(
      type: type, segmentsLeft: try options.bounds("--rt-segsleft"), length: try options.condition("--rt-len"),
      isReservedZero: options.has("--rt-0-res"), route: try Self.route(options))
    guard let value else { throw options.error("--rt-0-res", "only headers of type 0 have it") }
    self = value
  }

  private static func route(_ options: OptionValues) throws(SyntaxError) -> Route? {
    guard let token = options.token("--rt-0-addrs") else { return nil }
    var addresses: [IPAddress] = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      addresses.append(try options.numericAddress(part, of: "--rt-0-addrs"))
    }
    guard let route = Route(addresses, isStrict: !options.has("--rt-0-not-strict")) else {
      throw options.error("--rt-0-addrs", "\(addresses.count) addresses, at most \(Route.maxAddresses) fit")
    }
    return route
  }

  public func print(to out: inout RuleWriter) {
    out.condition("--rt-type", type)
    out.bounds("--rt-segsleft", segmentsLeft)
    out.condition("--rt-len", length)
    if isReservedZero { out.option("--rt-0-res") }
    guard let route else { return }
    out.option("--rt-0-addrs")
    Self.write(route, to: &out)
    if !route.isStrict { out.option("--rt-0-not-strict") }
  }

  /// Types above 2,147,483,647 as negative numbers, as iptables has them.
  public func list(to out: inout RuleWriter) {
    out.word("rt")
    if let type {
      out.word(type.isInverted ? "type:!" : "type:")
      out.text.write(Int32(bitPattern: type.value))
    }
    if let segmentsLeft, segmentsLeft.value != .anyNumber || segmentsLeft.isInverted {
      out.word(segmentsLeft.value.first == segmentsLeft.value.last ? "segsleft:" : "segslefts:")
      if segmentsLeft.isInverted { out.text.write("!") }
      out.text.write(segmentsLeft.value)
    }
    if let length {
      out.word(length.isInverted ? "length:!" : "length:")
      out.text.write(length.value)
    }
    if isReservedZero { out.word("reserved") }
    guard let route else { return }
    out.word("0-addrs")
    Self.write(route, to: &out)
    if !route.isStrict { out.word("0-not-strict") }
  }

  private static func write(_ route: Route, to out: inout RuleWriter) {
    var separator = UInt8(ascii: " ")
    for address in route.addresses {
      out.text.write(byte: separator)
      out.text.write(address)
      separator = UInt8(ascii: ",")
    }
  }
}

// MARK: Kernel bytes

extension RoutingHeader {
  private enum Flag {
    static let type: UInt8 = 0x01
    static let segmentsLeft: UInt8 = 0x02
    static let length: UInt8 = 0x04
    static let reserved: UInt8 = 0x08
    static let route: UInt8 = 0x10
    static let notStrict: UInt8 = 0x20
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags: UInt8 = 0
    var inverted: UInt8 = 0
    func note(_ flag: UInt8, _ isInverted: Bool?) {
      guard let isInverted else { return }
      flags |= flag
      if isInverted { inverted |= flag }
    }
    note(Flag.type, type?.isInverted)
    note(Flag.segmentsLeft, segmentsLeft?.isInverted)
    note(Flag.length, length?.isInverted)
    if isReservedZero { flags |= Flag.reserved }
    if let route { flags |= route.isStrict ? Flag.route : Flag.route | Flag.notStrict }
    out.write(type?.value ?? 0)
    out.write(segmentsLeft?.value ?? .anyNumber)
    out.write(length?.value ?? 0)
    out.write(flags)
    out.write(inverted)
    out.zeros(2)
    let addresses = route?.addresses ?? []
    for address in addresses { out.write(address: address.bits, .ipv6) }
    out.zeros(16 * (Route.maxAddresses - addresses.count))
    out.write(UInt8(addresses.count))
    out.zeros(3)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let type = try bytes.uint32("rt_type")
    let segmentsLeft = try bytes.bounds("segsleft")
    let length = try bytes.uint32("hdrlen")
    let flags = try bytes.uint8("flags")
    let inverted = try bytes.uint8("invflags")
    guard flags <= 0x3f else { throw bytes.invalid("flags") }
    guard inverted & ~flags == 0, inverted <= 0x07 else { throw bytes.invalid("invflags") }
    guard flags & Flag.type != 0 || type == 0, flags & Flag.length != 0 || length == 0,
      flags & Flag.segmentsLeft != 0 || segmentsLeft == .anyNumber
    else { throw bytes.invalid("flags") }
    try bytes.zeros("padding", 2)
    var addresses: [IPAddress] = []
    for _ in 0..<Route.maxAddresses { addresses.append(try bytes.address("addrs", .ipv6)) }
    let count = Int(try bytes.uint8("addrnr"))
    guard count <= Route.maxAddresses, addresses[count...].allSatisfy({ $0.bits == 0 }) else {
      throw bytes.invalid("addrnr")
    }
    try bytes.zeros("padding", 3)
    let route = Route(Array(addresses.prefix(count)), isStrict: flags & Flag.notStrict == 0)
    guard (route != nil) == (flags & Flag.route != 0), route != nil || flags & Flag.notStrict == 0 else {
      throw bytes.invalid("flags")
    }
    let value = RoutingHeader(
      type: flags & Flag.type == 0 ? nil : Negatable(type, inverted: inverted & Flag.type != 0),
      segmentsLeft: flags & Flag.segmentsLeft == 0
        ? nil : Negatable(segmentsLeft, inverted: inverted & Flag.segmentsLeft != 0),
      length: flags & Flag.length == 0 ? nil : Negatable(length, inverted: inverted & Flag.length != 0),
      isReservedZero: flags & Flag.reserved != 0, route: route)
    guard let value else { throw bytes.invalid("flags") }
    self = value
  }
}

// MARK: Meaning

extension RoutingHeader {
  /// A packet without the header does not match, inverted or not. One with less of it than it says is dropped by newer
  /// kernels and does not match for older ones.
  public func matches(_ packet: Packet) -> Answer {
    guard let bytes = packet.bytes, let header = packet.ipv6Header(IPv6Extension.routing.rawValue) else {
      return .depends(on: "the packet's bytes")
    }
    switch header {
    case .absent: return .no
    case .broken: return .broken
    case .at(let start):
      let size = IPv6Extension.routing.length(bytes[start + 1])
      guard start + size <= bytes.count else { return .broken }
      return Answer(holds(for: Array(bytes[start..<start + size])))
    }
  }

  private func holds(for fields: [UInt8]) -> Bool {
    func meets<Value>(_ condition: Negatable<Value>?, _ test: (Value) -> Bool) -> Bool {
      condition.map { test($0.value) != $0.isInverted } ?? true
    }
    return meets(segmentsLeft) { $0.contains(UInt32(fields[3])) } && meets(length) { $0 == UInt32(fields.count) }
      && meets(type) { $0 == UInt32(fields[2]) } && (!isReservedZero || fields[4..<8].allSatisfy { $0 == 0 })
      && (route?.isListed(in: fields) ?? true)
  }
}

extension RoutingHeader.Route {
  /// Whether a header of type 0 goes this way.
  fileprivate func isListed(in header: [UInt8]) -> Bool {
    let listed = (0..<(header.count - 8) / 16).map { place in
      header[8 + 16 * place..<24 + 16 * place].reduce(0 as UInt128) { $0 << 8 | UInt128($1) }
    }
    guard !isStrict else { return listed == addresses.map(\.bits) }
    var wanted = addresses[...]
    for address in listed where address == wanted.first?.bits { wanted.removeFirst() }
    return wanted.isEmpty
  }
}
