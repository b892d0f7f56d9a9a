/// What kind of address the routing table says the packet's addresses are
/// (`struct xt_addrtype_info_v1`, linux/netfilter/xt_addrtype.h).
public struct AddrType: Match {
  public let source: Negatable<AddressTypes>?
  public let destination: Negatable<AddressTypes>?
  /// Ask only about addresses of the interface the packet came in by, or leaves by.
  public let interface: Interface?

  public enum Interface: Hashable, Sendable {
    case incoming
    case outgoing
  }

  /// nil when neither address is asked about, or when a set of types is empty or holds an unknown type.
  public init?(
    source: Negatable<AddressTypes>? = nil, destination: Negatable<AddressTypes>? = nil, interface: Interface? = nil
  ) {
    guard source != nil || destination != nil else { return nil }
    for types in [source, destination] {
      guard let types else { continue }
      guard !types.value.isEmpty, types.value.isSubset(of: .all) else { return nil }
    }
    self.source = source
    self.destination = destination
    self.interface = interface
  }

  /// A packet has no outgoing interface before it is routed, and no incoming one after.
  public var hooks: HookSet {
    switch interface {
    case nil: .all
    case .incoming: [.prerouting, .input, .forward]
    case .outgoing: [.forward, .output, .postrouting]
    }
  }
}

/// Kinds of addresses, as a bit for each `RTN_*` of the routing table (linux/rtnetlink.h).
public struct AddressTypes: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// No address at all, such as 0.0.0.0.
  public static let unspecified = AddressTypes(rawValue: 0x001)
  public static let unicast = AddressTypes(rawValue: 0x002)
  /// An address of this machine.
  public static let local = AddressTypes(rawValue: 0x004)
  public static let broadcast = AddressTypes(rawValue: 0x008)
  public static let anycast = AddressTypes(rawValue: 0x010)
  public static let multicast = AddressTypes(rawValue: 0x020)
  public static let blackhole = AddressTypes(rawValue: 0x040)
  public static let unreachable = AddressTypes(rawValue: 0x080)
  public static let prohibited = AddressTypes(rawValue: 0x100)
  public static let `throw` = AddressTypes(rawValue: 0x200)
  public static let nat = AddressTypes(rawValue: 0x400)
  public static let externallyResolved = AddressTypes(rawValue: 0x800)
  public static let all = AddressTypes(rawValue: 0xfff)

  /// Types that the kernel refuses in IPv6 rules.
  public static let ipv4Only: AddressTypes = [
    .broadcast, .blackhole, .prohibited, .throw, .nat, .externallyResolved,
  ]

  fileprivate static let names: [(name: StaticString, flag: AddressTypes)] = [
    ("UNSPEC", .unspecified), ("UNICAST", .unicast), ("LOCAL", .local), ("BROADCAST", .broadcast),
    ("ANYCAST", .anycast), ("MULTICAST", .multicast), ("BLACKHOLE", .blackhole), ("UNREACHABLE", .unreachable),
    ("PROHIBIT", .prohibited), ("THROW", .throw), ("NAT", .nat), ("XRESOLVE", .externallyResolved),
  ]
}

// MARK: Syntax

extension AddrType {
  public static let definition = ExtensionDefinition(
    "addrtype", summary: "kind of address, by the routing table", revisions: [0, 1], narrowsHooks: true,
    options: [
      OptionSpec("--src-type", .list(words), negatable: true, "source address is of one of these kinds"),
      OptionSpec("--dst-type", .list(words), negatable: true, "destination address is of one of these kinds"),
      OptionSpec(
        "--limit-iface-in", excludes: ["--limit-iface-out"], "ask only about the interface the packet came in by"),
      OptionSpec(
        "--limit-iface-out", excludes: ["--limit-iface-in"], "ask only about the interface the packet leaves by"),
    ])

  private static let words: [StaticString] = [
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW",
    "NAT", "XRESOLVE",
  ]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    source = try Self.types("--src-type", options)
    destination = try Self.types("--dst-type", options)
    interface = options.has("--limit-iface-in") ? .incoming : options.has("--limit-iface-out") ? .outgoing : nil
    guard source != nil || destination != nil else { throw SyntaxError("addrtype needs --src-type or --dst-type") }
  }

  private static func types(_ name: StaticString, _ options: OptionValues) throws(SyntaxError)
    -> Negatable<AddressTypes>?
  {
    guard let places = try options.list(name, abbreviated: true) else { return nil }
    let types = AddressTypes(places.map { AddressTypes.names[$0].flag })
    if options.family == .ipv6,
      let wrong = places.first(where: { AddressTypes.ipv4Only.contains(AddressTypes.names[$0].flag) })
    {
      throw options.error(name, "the kernel cannot tell \(words[wrong]) addresses in IPv6 rules")
    }
    return Negatable(types, inverted: options.isInverted(name))
  }

  public func print(to out: inout RuleWriter) {
    if let source {
      out.option("--src-type", inverted: source.isInverted)
      out.list(source.value, of: AddressTypes.names)
    }
    if let destination {
      out.option("--dst-type", inverted: destination.isInverted)
      out.list(destination.value, of: AddressTypes.names)
    }
    switch interface {
    case nil: break
    case .incoming: out.option("--limit-iface-in")
    case .outgoing: out.option("--limit-iface-out")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("ADDRTYPE match")
    for (name, types) in [("src-type" as StaticString, source), ("dst-type", destination)] {
      guard let types else { continue }
      out.word(name)
      out.list(types.value, of: AddressTypes.names, after: types.isInverted ? " !" : " ")
    }
    switch interface {
    case nil: break
    case .incoming: out.word("limit-in")
    case .outgoing: out.word("limit-out")
    }
  }
}

// MARK: Kernel bytes

extension AddrType {
  private enum Flag {
    static let invertSource: UInt32 = 0x1
    static let invertDestination: UInt32 = 0x2
    static let incoming: UInt32 = 0x4
    static let outgoing: UInt32 = 0x8
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(source?.value.rawValue ?? 0)
    out.write(destination?.value.rawValue ?? 0)
    var flags: UInt32 = 0
    if source?.isInverted == true { flags |= Flag.invertSource }
    if destination?.isInverted == true { flags |= Flag.invertDestination }
    switch interface {
    case nil: break
    case .incoming: flags |= Flag.incoming
    case .outgoing: flags |= Flag.outgoing
    }
    out.write(flags)
  }

  /// Revision 0 is for IPv4 and asks about no interface.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0, family == .ipv4, interface == nil else { return false }
    out.write(source?.value.rawValue ?? 0)
    out.write(destination?.value.rawValue ?? 0)
    out.write(UInt32(source?.isInverted == true ? 1 : 0))
    out.write(UInt32(destination?.isInverted == true ? 1 : 0))
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let source = AddressTypes(rawValue: try bytes.uint16("source"))
    let destination = AddressTypes(rawValue: try bytes.uint16("dest"))
    var flags = try bytes.uint32("flags")
    if revision == 0 {
      let inverted = (source: flags, destination: try bytes.uint32("invert_dest"))
      guard max(inverted.source, inverted.destination) <= 1 else { throw bytes.invalid("invert_dest") }
      flags = inverted.source * Flag.invertSource | inverted.destination * Flag.invertDestination
    }
    let interfaces = flags & (Flag.incoming | Flag.outgoing)
    guard flags <= 0xf, interfaces != Flag.incoming | Flag.outgoing else { throw bytes.invalid("flags") }
    guard !source.isEmpty || flags & Flag.invertSource == 0 else { throw bytes.invalid("flags") }
    guard !destination.isEmpty || flags & Flag.invertDestination == 0 else { throw bytes.invalid("flags") }
    let value = AddrType(
      source: source.isEmpty ? nil : Negatable(source, inverted: flags & Flag.invertSource != 0),
      destination: destination.isEmpty ? nil : Negatable(destination, inverted: flags & Flag.invertDestination != 0),
      interface: interfaces == 0 ? nil : interfaces == Flag.incoming ? .incoming : .outgoing)
    guard let value else { throw bytes.invalid("source") }
    self = value
  }
}

// MARK: Meaning

extension AddrType {
  /// A limit to an interface changes only what the routing table answers.
  public func matches(_ packet: Packet) -> Answer {
    Self.answer(source, packet.source) && Self.answer(destination, packet.destination)
  }

  private static func answer(_ types: Negatable<AddressTypes>?, _ address: IPAddress) -> Answer {
    guard let types else { return .yes }
    let answer = address.family == .ipv4 ? ipv4(types.value, address) : ipv6(types.value, address)
    return types.isInverted ? !answer : answer
  }

  /// An IPv4 address is of one type (`inet_dev_addr_type`, net/ipv4/fib_frontend.c).
  private static func ipv4(_ types: AddressTypes, _ address: IPAddress) -> Answer {
    let possible: AddressTypes =
      address.bits == 0 || address.bits == 0xffff_ffff
      ? .broadcast : address.bits >> 28 == 0xe ? .multicast : [.unicast, .local, .broadcast, .anycast]
    if types.isDisjoint(with: possible) { return .no }
    return types.isSuperset(of: possible) ? .yes : .depends(on: "the routing table")
  }

  /// An IPv6 address has to be of each type that follows from itself, and then of one of the others.
  private static func ipv6(_ types: AddressTypes, _ address: IPAddress) -> Answer {
    let isMulticast = address.bits >> 120 == 0xff
    let isMappedIPv4 = address.bits >> 32 == 0xffff
    if types.contains(.multicast), !isMulticast { return .no }
    if types.contains(.unicast), isMulticast || isMappedIPv4 || address.bits == 0 { return .no }
    if types.contains(.unspecified), address.bits != 0 { return .no }
    return types.isDisjoint(with: [.local, .anycast, .unreachable]) ? .yes : .depends(on: "the routing table")
  }
}
