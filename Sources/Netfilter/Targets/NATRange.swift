/// Where address translation maps to: addresses, ports, and how among them one is chosen
/// (`struct nf_nat_ipv4_multi_range_compat`, `struct nf_nat_range`, `struct nf_nat_range2`, linux/netfilter/nf_nat.h).
public struct NATRange: Hashable, Sendable {
  public var addresses: NATAddresses?
  public var ports: NATPorts?
  public var options: NATOptions

  public init(addresses: NATAddresses? = nil, ports: NATPorts? = nil, options: NATOptions = []) {
    self.addresses = addresses
    self.ports = ports
    self.options = options
  }
}

/// The addresses `first` to `last`. The kernel takes them in either order, and so do iptables and this type; a range
/// that runs backwards means addresses outside it, which reading it from text warns of.
public struct NATAddresses: Hashable, Sendable {
  public let first: IPAddress
  public let last: IPAddress

  /// nil when the two are of different families.
  public init?(_ first: IPAddress, through last: IPAddress) {
    guard first.family == last.family else { return nil }
    (self.first, self.last) = (first, last)
  }

  public init(_ address: IPAddress) { (first, last) = (address, address) }
}

/// The ports to map to, or the ports to map one by one from others that begin at `base`.
public struct NATPorts: Hashable, Sendable {
  public let range: PortRange
  /// The original port that becomes the first of the range; nil where any port of the range may be taken.
  public let base: UInt16?

  public init(_ range: PortRange) {
    self.range = range
    base = nil
  }

  /// nil when the range is one port, which needs no base, or the base is 0, which is no port.
  public init?(_ range: PortRange, shiftedFrom base: UInt16) {
    guard range.first < range.last, base > 0 else { return nil }
    self.range = range
    self.base = base
  }
}

/// How an address and a port are chosen. Raw values are `NF_NAT_RANGE_*`.
public struct NATOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Ports begin at a random place.
  public static let random = NATOptions(rawValue: 0x04)
  /// One client gets the same address for every connection.
  public static let persistent = NATOptions(rawValue: 0x08)
  /// Every port is drawn at random.
  public static let randomFully = NATOptions(rawValue: 0x10)
}

// MARK: Syntax

extension OptionSpec {
  static let natRandom = OptionSpec("--random", .none, "begin the search for a free port at a random place")
  static let natRandomFully = OptionSpec("--random-fully", .none, "draw the port at random")
  static let natPersistent = OptionSpec("--persistent", .none, "the same address for all connections of a client")
}

extension OptionValues {
  /// The options among `--random`, `--random-fully` and `--persistent` that were given.
  func natOptions() -> NATOptions {
    var result: NATOptions = []
    if has("--random") { result.insert(.random) }
    if has("--random-fully") { result.insert(.randomFully) }
    if has("--persistent") { result.insert(.persistent) }
    return result
  }

  /// `ADDRESS`, `ADDRESS-ADDRESS`, `:PORT` or both; IPv6 addresses stand in brackets when ports follow.
  func natRange(_ name: StaticString) throws(SyntaxError) -> NATRange? {
    guard let token = token(name) else { return nil }
    let (addresses, ports) = try natParts(token, of: name)
    var range = NATRange(options: natOptions())
    if let ports { range.ports = try natPorts(ports, of: name) }
    if addresses.count > 0 {
      range.addresses = try natAddresses(addresses, of: name)
    } else if ports == nil {
      throw SyntaxError(
        at: token, "\(name): an address or a port is missing", hint: "write \(name) \(Self.natExample(family))")
    }
    return range
  }

  private static func natExample(_ family: Family) -> String {
    family == .ipv4 ? "192.0.2.1:8080" : "[2001:db8::1]:8080"
  }

  private func natParts(_ token: Token, of name: StaticString) throws(SyntaxError) -> (addresses: Token, ports: Token?)
  {
    if let open = token.firstIndex(of: UInt8(ascii: "[")) {
      guard family == .ipv6 else {
        throw SyntaxError(
          at: token, "\(name): brackets are for IPv6 addresses", hint: "write \(name) \(Self.natExample(family))")
      }
      guard open == 0, let close = token.firstIndex(of: UInt8(ascii: "]")) else {
        throw SyntaxError(
          at: token, "\(name): the brackets do not stand around the address",
          hint: "write \(name) \(Self.natExample(family))")
      }
      let addresses = token.part(1..<close)
      let rest = token.part(close + 1..<token.count)
      guard rest.count > 0 else { return (addresses, nil) }
      guard rest.bytes[0] == UInt8(ascii: ":") else {
        throw SyntaxError(at: rest, "\(name): ':' and a port, or nothing, can follow the bracket")
      }
      return (addresses, rest.part(1..<rest.count))
    }
    let parts = token.split(at: UInt8(ascii: ":"))
    guard let after = parts.after, after.firstIndex(of: UInt8(ascii: ":")) != nil else {
      return (parts.before, parts.after)
    }
    guard family == .ipv4, IPAddress(family: .ipv6, token: token) == nil else { return (token, nil) }
    throw SyntaxError(
      at: after, "\(name): a range of ports is written with '-'", hint: "for example: \(name) 192.0.2.1:8080-8090")
  }

  private func natAddresses(_ token: Token, of name: StaticString) throws(SyntaxError) -> NATAddresses {
    let parts = token.split(at: UInt8(ascii: "-"))
    let first = try natAddress(parts.before, of: name)
    guard let after = parts.after else { return NATAddresses(first) }
    let last = try natAddress(after, of: name)
    if first > last {
      warn(
        token, "the range '\(token.string)' runs backwards: the kernel maps to addresses outside it",
        hint: "write \(last)-\(first)")
    }
    return NATAddresses(first, through: last)!
  }

  private func natAddress(_ token: Token, of name: StaticString) throws(SyntaxError) -> IPAddress {
    if let address = IPAddress(family: family, token: token) { return address }
    let isNetwork = token.firstIndex(of: UInt8(ascii: "/")) != nil
    throw SyntaxError(
      at: token, "\(name): '\(token.string)' is not an \(family) address",
      hint: isNetwork ? "write the first and the last address: FIRST-LAST" : "host names and networks cannot stand here"
    )
  }

  /// `PORT`, `PORT-PORT`, and `PORT-PORT/BASE` for DNAT.
  func natPorts(_ token: Token, of name: StaticString) throws(SyntaxError) -> NATPorts {
    guard let proto = proto?.value, Self.hasNATPorts(proto) else {
      throw SyntaxError(
        at: token, "\(name): ports need a protocol that has them",
        hint: "write -p tcp, udp, sctp, dccp or icmp in the rule")
    }
    // A service's name may hold a dash (ftp-data): only a number begins a range.
    guard let dash = token.firstIndex(of: UInt8(ascii: "-")), token.part(0..<dash).number != nil else {
      guard token.firstIndex(of: UInt8(ascii: ":")) == nil else {
        throw SyntaxError(at: token, "\(name): a range of ports is written with '-'", hint: "for example: 8080-8090")
      }
      return NATPorts(PortRange(try names.port(token, nil, option: name)))
    }
    let first = try names.port(token.part(0..<dash), nil, option: name)
    let end = token.part(dash + 1..<token.count).split(at: UInt8(ascii: "/"))
    guard let last: UInt16 = end.before.number(in: 0...65535) else {
      throw SyntaxError(
        at: end.before, "\(name): '\(end.before.string)' is not a port number",
        hint: "a range ends in a number from \(first) to 65535")
    }
    guard let range = PortRange(first, through: last) else {
      throw SyntaxError(
        at: token, "\(name): the range '\(first)-\(last)' runs backwards", hint: "write \(last)-\(first)")
    }
    guard let after = end.after else { return NATPorts(range) }
    guard let shifted = NATPorts(range, shiftedFrom: try names.port(after, nil, option: name)) else {
      throw SyntaxError(
        at: after, "\(name): a shifted range has several ports and a base from 1 to 65535",
        hint: first == last ? "write \(first) alone" : nil)
    }
    return shifted
  }

  /// Ports that are not shifted, which only DNAT can do.
  func plainNATPorts(_ name: StaticString) throws(SyntaxError) -> PortRange? {
    guard let token = token(name) else { return nil }
    let ports = try natPorts(token, of: name)
    guard ports.base == nil else { throw Self.shiftedPorts(token, name) }
    return ports.range
  }

  static func shiftedPorts(_ token: Token, _ name: StaticString) -> SyntaxError {
    SyntaxError(at: token, "\(name): only DNAT maps ports from a base", hint: "leave '/…' out")
  }

  /// The protocols whose connections the kernel tells apart by ports (ICMP by its identifier).
  private static func hasNATPorts(_ proto: IPProtocol) -> Bool {
    [.tcp, .udp, .sctp, .dccp, .icmp].contains(proto)
  }
}

extension RuleWriter {
  /// ` --to-source 192.0.2.1-192.0.2.9:1024-2048 --random`
  mutating func natRange(_ name: StaticString, _ range: NATRange) {
    option(name)
    text.write(byte: UInt8(ascii: " "))
    natRange(range)
    natOptions(range.options, dashes: true)
  }

  /// ` to:192.0.2.1-192.0.2.9:1024-2048 random`
  mutating func listNATRange(_ range: NATRange) {
    word("to:")
    natRange(range)
    natOptions(range.options, dashes: false)
  }

  /// ` --to-ports 1024-2048 --random`
  mutating func natPorts(_ name: StaticString, _ ports: PortRange?, _ options: NATOptions) {
    if let ports {
      option(name)
      text.write(byte: UInt8(ascii: " "))
      natPorts(NATPorts(ports))
    }
    natOptions(options, dashes: true)
  }

  /// ` redir ports 1024-2048 random`
  mutating func listNATPorts(_ words: StaticString, _ ports: PortRange?, _ options: NATOptions) {
    if let ports {
      word(words)
      natPorts(NATPorts(ports))
    }
    natOptions(options, dashes: false)
  }

  private mutating func natRange(_ range: NATRange) {
    if let addresses = range.addresses {
      let isBracketed = family == .ipv6 && range.ports != nil
      if isBracketed { text.write(byte: UInt8(ascii: "[")) }
      text.write(addresses.first)
      if addresses.last != addresses.first {
        text.write(byte: UInt8(ascii: "-"))
        text.write(addresses.last)
      }
      if isBracketed { text.write(byte: UInt8(ascii: "]")) }
    }
    if let ports = range.ports {
      text.write(byte: UInt8(ascii: ":"))
      natPorts(ports)
    }
  }

  private mutating func natPorts(_ ports: NATPorts) {
    text.write(ports.range.first)
    if ports.range.last != ports.range.first {
      text.write(byte: UInt8(ascii: "-"))
      text.write(ports.range.last)
    }
    if let base = ports.base {
      text.write(byte: UInt8(ascii: "/"))
      text.write(base)
    }
  }

  private mutating func natOptions(_ options: NATOptions, dashes: Bool) {
    if options.contains(.random) { option("--random", dashes: dashes) }
    if options.contains(.randomFully) { option("--random-fully", dashes: dashes) }
    if options.contains(.persistent) { option("--persistent", dashes: dashes) }
  }
}

// MARK: Kernel bytes

extension NATRange {
  /// The kernel's three structures for a range.
  enum Structure {
    /// `struct nf_nat_ipv4_multi_range_compat`: a count, which is 1, and 32-bit addresses.
    case multiRange
    /// `struct nf_nat_range`
    case range
    /// `struct nf_nat_range2`: `nf_nat_range` and a base port.
    case range2

    /// The structure of this revision of SNAT and DNAT; nil where the family has none.
    init?(_ revision: UInt8, _ family: Family) {
      switch (revision, family) {
      case (0, .ipv4): self = .multiRange
      case (1, .ipv6): self = .range
      case (2, _): self = .range2
      default: return nil
      }
    }
  }

  private enum Flag {
    static let addresses: UInt32 = 0x01  // NF_NAT_RANGE_MAP_IPS
    static let ports: UInt32 = 0x02  // NF_NAT_RANGE_PROTO_SPECIFIED
    static let base: UInt32 = 0x20  // NF_NAT_RANGE_PROTO_OFFSET
  }

  func encode(as structure: Structure, to out: inout ByteWriter, family: Family) {
    var flags = options.rawValue
    if addresses != nil { flags |= Flag.addresses }
    if ports != nil { flags |= Flag.ports }
    if ports?.base != nil { flags |= Flag.base }
    let first = addresses?.first.bits ?? 0
    let last = addresses?.last.bits ?? 0
    if case .multiRange = structure {
      out.write(UInt32(1))
      out.write(flags)
      out.write(address: first, family)
      out.write(address: last, family)
    } else {
      out.write(flags)
      out.write(unionAddress: first, family)
      out.write(unionAddress: last, family)
    }
    out.write(big: ports?.range.first ?? 0)
    out.write(big: ports?.range.last ?? 0)
    guard case .range2 = structure else { return }
    out.write(big: ports?.base ?? 0)
    out.zeros(2)
  }

  /// Reads a range that has no other options than those given, and whose fields are zero where its flags do not name
  /// them: text could not say anything else.
  init(decoding bytes: inout ByteReader, as structure: Structure, family: Family, options known: NATOptions)
    throws(WireError)
  {
    if case .multiRange = structure {
      guard family == .ipv4, try bytes.uint32("rangesize") == 1 else { throw bytes.invalid("rangesize") }
    }
    let flags = try bytes.uint32("flags")
    guard flags & ~(known.rawValue | Flag.addresses | Flag.ports | Flag.base) == 0 else { throw bytes.invalid("flags") }
    let (first, last) = try Self.addressBits(&bytes, structure, family)
    let firstPort = try bytes.bigUInt16("min_proto")
    let lastPort = try bytes.bigUInt16("max_proto")
    var base: UInt16 = 0
    if case .range2 = structure { base = try bytes.bigUInt16("base_proto") }
    options = NATOptions(rawValue: flags & known.rawValue)
    if flags & Flag.addresses != 0 {
      addresses = NATAddresses(IPAddress(family: family, bits: first), through: IPAddress(family: family, bits: last))
    } else {
      guard first == 0, last == 0 else { throw bytes.invalid("min_addr") }
      addresses = nil
    }
    let isShifted = flags & Flag.base != 0
    if flags & Flag.ports != 0 {
      guard let range = PortRange(firstPort, through: lastPort) else { throw bytes.invalid("max_proto") }
      ports = isShifted ? NATPorts(range, shiftedFrom: base) : NATPorts(range)
      guard ports != nil else { throw bytes.invalid("base_proto") }
    } else {
      guard firstPort == 0, lastPort == 0, !isShifted else { throw bytes.invalid("min_proto") }
      ports = nil
    }
    guard isShifted || base == 0 else { throw bytes.invalid("base_proto") }
  }

  private static func addressBits(_ bytes: inout ByteReader, _ structure: Structure, _ family: Family)
    throws(WireError) -> (first: UInt128, last: UInt128)
  {
    if case .multiRange = structure {
      return (try bytes.addressBits("min_ip", family), try bytes.addressBits("max_ip", family))
    }
    return (try unionBits(&bytes, "min_addr", family), try unionBits(&bytes, "max_addr", family))
  }

  private static func unionBits(_ bytes: inout ByteReader, _ field: StaticString, _ family: Family)
    throws(WireError) -> UInt128
  {
    let bits = try bytes.uint128(field)
    guard family == .ipv4 else { return bits }
    guard bits << 32 == 0 else { throw bytes.invalid(field) }
    return bits >> 96
  }
}

extension NATRange {
  /// The structure of MASQUERADE and REDIRECT, which have one revision for both families.
  static func portStructure(of family: Family) -> Structure { family == .ipv4 ? .multiRange : .range }

  /// Reads a range of ports alone.
  static func decodePorts(_ bytes: inout ByteReader, family: Family, options: NATOptions) throws(WireError) -> NATRange
  {
    let range = try NATRange(decoding: &bytes, as: portStructure(of: family), family: family, options: options)
    guard range.addresses == nil, range.ports?.base == nil else { throw bytes.invalid("flags") }
    return range
  }
}

// MARK: Meaning

extension NATRange {
  /// Puts the packet's source into the range. The port that it then has depends on other connections, unless the range
  /// has one port alone.
  func mapSource(of packet: inout Packet) -> TargetOutcome {
    if packet.proto.hasPorts { packet.rewrite(\.sourcePort, ports?.single) }
    return map(\.source, of: &packet)
  }

  /// Puts the packet's destination into the range. The port stays unless the range names ports.
  func mapDestination(of packet: inout Packet) -> TargetOutcome {
    if let ports, packet.proto.hasPorts {
      packet.rewrite(\.destinationPort, ports.single ?? packet.destinationPort.flatMap { ports.shifted($0) })
    }
    return map(\.destination, of: &packet)
  }

  private func map(_ end: WritableKeyPath<Packet, IPAddress>, of packet: inout Packet) -> TargetOutcome {
    guard let addresses else { return .accept }
    guard addresses.first == addresses.last else { return .depends(on: "the address that the kernel chooses") }
    packet.rewrite(end, addresses.first)
    return .accept
  }
}

extension NATPorts {
  fileprivate var single: UInt16? { range.first == range.last ? range.first : nil }

  /// The port as far into the range as the original is from the base, beginning again behind the last.
  fileprivate func shifted(_ original: UInt16) -> UInt16? {
    guard let base else { return nil }
    let count = UInt32(range.last - range.first) + 1
    return range.first + UInt16(UInt32(original &- base) % count)
  }
}

extension IPProtocol {
  /// Whether address translation knows its ports.
  fileprivate var hasPorts: Bool { [.tcp, .udp, .udplite, .sctp, .dccp].contains(self) }
}
