/// What connection tracking knows of the packet's connection
/// (`struct xt_conntrack_mtinfo3`, linux/netfilter/xt_conntrack.h).
public struct Conntrack: Match {
  public private(set) var states: Negatable<ConnectionStates>?
  public private(set) var proto: Negatable<IPProtocol>?
  /// Addresses as the first packet had them.
  public private(set) var originalSource: Negatable<ConntrackAddress>?
  public private(set) var originalDestination: Negatable<ConntrackAddress>?
  /// Addresses that replies have.
  public private(set) var replySource: Negatable<ConntrackAddress>?
  public private(set) var replyDestination: Negatable<ConntrackAddress>?
  public private(set) var originalSourcePorts: Negatable<Bounds<UInt16>>?
  public private(set) var originalDestinationPorts: Negatable<Bounds<UInt16>>?
  public private(set) var replySourcePorts: Negatable<Bounds<UInt16>>?
  public private(set) var replyDestinationPorts: Negatable<Bounds<UInt16>>?
  public private(set) var statuses: Negatable<ConnectionStatuses>?
  /// Seconds until the connection is forgotten.
  public private(set) var expiry: Negatable<Bounds<UInt32>>?
  public private(set) var direction: ConnectionDirection?

  private init() {}

  /// nil when nothing is asked for, when `states` is empty, or when ports run backwards to 0, which has no spelling.
  public init?(
    states: Negatable<ConnectionStates>? = nil, proto: Negatable<IPProtocol>? = nil,
    originalSource: Negatable<ConntrackAddress>? = nil, originalDestination: Negatable<ConntrackAddress>? = nil,
    replySource: Negatable<ConntrackAddress>? = nil, replyDestination: Negatable<ConntrackAddress>? = nil,
    originalSourcePorts: Negatable<Bounds<UInt16>>? = nil,
    originalDestinationPorts: Negatable<Bounds<UInt16>>? = nil, replySourcePorts: Negatable<Bounds<UInt16>>? = nil,
    replyDestinationPorts: Negatable<Bounds<UInt16>>? = nil, statuses: Negatable<ConnectionStatuses>? = nil,
    expiry: Negatable<Bounds<UInt32>>? = nil, direction: ConnectionDirection? = nil
  ) {
    self.states = states
    self.proto = proto
    self.originalSource = originalSource
    self.originalDestination = originalDestination
    self.replySource = replySource
    self.replyDestination = replyDestination
    self.originalSourcePorts = originalSourcePorts
    self.originalDestinationPorts = originalDestinationPorts
    self.replySourcePorts = replySourcePorts
    self.replyDestinationPorts = replyDestinationPorts
    self.statuses = statuses
    self.expiry = expiry
    self.direction = direction
    guard isMeaningful else { return nil }
  }

  private var isMeaningful: Bool {
    flags.match != 0 && states?.value.isEmpty != true
      && End.allCases.allSatisfy { end in self[ports: end].map { Self.canBePrinted($0.value) } ?? true }
  }

  /// iptables prints the upper limit 0 as if there were none.
  private static func canBePrinted(_ ports: Bounds<UInt16>) -> Bool { ports.last > 0 || ports.first == 0 }

  /// One of the four ends that connection tracking keeps: a direction's source or destination.
  fileprivate enum End: UInt16, CaseIterable {
    case originalSource
    case originalDestination
    case replySource
    case replyDestination

    var addressFlag: UInt16 { Flag.firstAddress << rawValue }
    var portFlag: UInt16 { Flag.firstPort << rawValue }

    var addressOption: StaticString {
      switch self {
      case .originalSource: "--ctorigsrc"
      case .originalDestination: "--ctorigdst"
      case .replySource: "--ctreplsrc"
      case .replyDestination: "--ctrepldst"
      }
    }

    var portOption: StaticString {
      switch self {
      case .originalSource: "--ctorigsrcport"
      case .originalDestination: "--ctorigdstport"
      case .replySource: "--ctreplsrcport"
      case .replyDestination: "--ctrepldstport"
      }
    }

    /// As a listing has it.
    var addressWord: StaticString {
      switch self {
      case .originalSource: "ctorigsrc"
      case .originalDestination: "ctorigdst"
      case .replySource: "ctreplsrc"
      case .replyDestination: "ctrepldst"
      }
    }

    var portWord: StaticString {
      switch self {
      case .originalSource: "ctorigsrcport"
      case .originalDestination: "ctorigdstport"
      case .replySource: "ctreplsrcport"
      case .replyDestination: "ctrepldstport"
      }
    }

    func address(of packet: Packet) -> IPAddress? {
      let ends = packet.connectionEnds(isOriginal ? .original : .reply)
      return isSource ? ends?.source : ends?.destination
    }

    func port(of packet: Packet) -> UInt16? {
      let ends = packet.connectionEnds(isOriginal ? .original : .reply)
      return isSource ? ends?.sourcePort : ends?.destinationPort
    }

    private var isOriginal: Bool { self == .originalSource || self == .originalDestination }
    private var isSource: Bool { self == .originalSource || self == .replySource }
  }

  fileprivate subscript(address end: End) -> Negatable<ConntrackAddress>? {
    get {
      switch end {
      case .originalSource: originalSource
      case .originalDestination: originalDestination
      case .replySource: replySource
      case .replyDestination: replyDestination
      }
    }
    set {
      switch end {
      case .originalSource: originalSource = newValue
      case .originalDestination: originalDestination = newValue
      case .replySource: replySource = newValue
      case .replyDestination: replyDestination = newValue
      }
    }
  }

  fileprivate subscript(ports end: End) -> Negatable<Bounds<UInt16>>? {
    get {
      switch end {
      case .originalSource: originalSourcePorts
      case .originalDestination: originalDestinationPorts
      case .replySource: replySourcePorts
      case .replyDestination: replyDestinationPorts
      }
    }
    set {
      switch end {
      case .originalSource: originalSourcePorts = newValue
      case .originalDestination: originalDestinationPorts = newValue
      case .replySource: replySourcePorts = newValue
      case .replyDestination: replyDestinationPorts = newValue
      }
    }
  }
}

/// States a connection can be in for a packet. Raw values are the kernel's state mask.
public struct ConnectionStates: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// The packet belongs to no connection and can begin none.
  public static let invalid = ConnectionStates(rawValue: 0x001)
  public static let established = ConnectionStates(rawValue: 0x002)
  public static let related = ConnectionStates(rawValue: 0x004)
  public static let new = ConnectionStates(rawValue: 0x008)
  /// The source address is translated.
  public static let snat = ConnectionStates(rawValue: 0x040)
  public static let dnat = ConnectionStates(rawValue: 0x080)
  /// Kept out of connection tracking in the raw table.
  public static let untracked = ConnectionStates(rawValue: 0x100)
  public static let all: ConnectionStates = [.invalid, .established, .related, .new, .snat, .dnat, .untracked]

  /// In the order in which they are printed.
  static let names: [(name: StaticString, flag: ConnectionStates)] = [
    ("INVALID", .invalid), ("NEW", .new), ("RELATED", .related), ("ESTABLISHED", .established),
    ("UNTRACKED", .untracked), ("SNAT", .snat), ("DNAT", .dnat),
  ]
}

/// Bits of a tracked connection. The empty set stands for a connection that has none of them (`NONE`).
public struct ConnectionStatuses: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// Another connection announced it.
  public static let expected = ConnectionStatuses(rawValue: 0x1)
  public static let seenReply = ConnectionStatuses(rawValue: 0x2)
  /// Not dropped early when the table is full.
  public static let assured = ConnectionStatuses(rawValue: 0x4)
  /// Its first packet has left the machine.
  public static let confirmed = ConnectionStatuses(rawValue: 0x8)
  /// Its source address is translated. Rules ask for it as ``ConnectionStates/snat``.
  public static let sourceTranslated = ConnectionStatuses(rawValue: 0x10)
  public static let destinationTranslated = ConnectionStatuses(rawValue: 0x20)
  /// Those that rules ask for.
  public static let all: ConnectionStatuses = [.expected, .seenReply, .assured, .confirmed]

  static let names: [(name: StaticString, flag: ConnectionStatuses)] = [
    ("EXPECTED", .expected), ("SEEN_REPLY", .seenReply), ("ASSURED", .assured), ("CONFIRMED", .confirmed),
  ]
}

public enum ConnectionDirection: Hashable, Sendable {
  /// As the first packet went.
  case original
  case reply
}

/// An address and a mask, compared under the mask; bits of the address outside the mask are kept as they were given.
public struct ConntrackAddress: Hashable, Sendable {
  public let address: IPAddress
  /// The mask as the kernel keeps it, in 128 bits for IPv4 too, which compares the first 32. iptables fills the others
  /// with ones where it was given no mask.
  package let unionMask: UInt128

  /// One address.
  public init(_ address: IPAddress) {
    self.address = address
    unionMask = .max
  }

  /// The addresses that begin with the first `length` bits of this one; nil when the family has fewer bits.
  public init?(_ address: IPAddress, prefixLength length: Int) {
    guard length >= 0, length <= address.family.addressBits else { return nil }
    self.address = address
    unionMask = AddressMask.prefixMask(length, .ipv6)
  }

  package init(_ address: IPAddress, unionMask: UInt128) {
    self.address = address
    self.unionMask = unionMask
  }

  /// The addresses it stands for.
  public var network: AddressMask {
    AddressMask(address: address, mask: address.family == .ipv4 ? unionMask >> 96 : unionMask)
  }
}

// MARK: Syntax

extension Conntrack {
  public static let definition = ExtensionDefinition(
    "conntrack", summary: "what connection tracking knows of the connection", revisions: [1, 2, 3],
    options: [
      OptionSpec("--ctstate", .list(stateWords), negatable: true, "the connection is in one of these states"),
      OptionSpec("--ctproto", .custom("PROTOCOL"), negatable: true, "the connection's protocol, by number or name"),
      OptionSpec("--ctorigsrc", .address, negatable: true, "source address of the first packet"),
      OptionSpec("--ctorigdst", .address, negatable: true, "destination address of the first packet"),
      OptionSpec("--ctreplsrc", .address, negatable: true, "source address of replies"),
      OptionSpec("--ctrepldst", .address, negatable: true, "destination address of replies"),
      OptionSpec("--ctorigsrcport", .portRange, negatable: true, "source port of the first packet"),
      OptionSpec("--ctorigdstport", .portRange, negatable: true, "destination port of the first packet"),
      OptionSpec("--ctreplsrcport", .portRange, negatable: true, "source port of replies"),
      OptionSpec("--ctrepldstport", .portRange, negatable: true, "destination port of replies"),
      OptionSpec("--ctstatus", .list(statusWords), negatable: true, "the connection has one of these marks"),
      OptionSpec(
        "--ctexpire", .numberRange(0...UInt64(UInt32.max)), negatable: true, "seconds until it is forgotten"),
      OptionSpec("--ctdir", .choice(["ORIGINAL", "REPLY"]), "direction of the packet"),
    ])

  private static let stateWords: [StaticString] = [
    "INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT",
  ]
  private static let statusWords: [StaticString] = ["EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED", "NONE"]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let places = try options.list("--ctstate", abbreviated: true) {
      let flags = ConnectionStates(places.map { ConnectionStates.names[$0].flag })
      states = Negatable(flags, inverted: options.isInverted("--ctstate"))
    }
    if let token = options.token("--ctproto") {
      proto = Negatable(try options.names.proto(token), inverted: options.isInverted("--ctproto"))
    }
    for end in End.allCases {
      if let token = options.token(end.addressOption) {
        let address = try options.maskedAddress(token, of: end.addressOption)
        self[address: end] = Negatable(address, inverted: options.isInverted(end.addressOption))
      }
      guard let ports = try options.portBounds(end.portOption, nil) else { continue }
      guard Self.canBePrinted(ports) else {
        throw options.error(end.portOption, "no port lies between \(ports.first) and 0")
      }
      self[ports: end] = Negatable(ports, inverted: options.isInverted(end.portOption))
    }
    if let places = try options.list("--ctstatus", abbreviated: true) {
      let named = places.filter { $0 < ConnectionStatuses.names.count }
      let flags = ConnectionStatuses(named.map { ConnectionStatuses.names[$0].flag })
      statuses = Negatable(flags, inverted: options.isInverted("--ctstatus"))
    }
    if let seconds = try options.numberBounds("--ctexpire") {
      expiry = Negatable(
        Bounds(UInt32(seconds.first), UInt32(seconds.last)), inverted: options.isInverted("--ctexpire"))
    }
    if let choice = try options.choice("--ctdir") { direction = choice == 0 ? .original : .reply }
    guard flags.match != 0 else {
      throw SyntaxError("conntrack needs at least one option", hint: "for example: --ctstate RELATED,ESTABLISHED")
    }
  }

  public func print(to out: inout RuleWriter) {
    if let states {
      out.option("--ctstate", inverted: states.isInverted)
      out.list(states.value, of: ConnectionStates.names)
    }
    if let proto {
      out.option("--ctproto", inverted: proto.isInverted)
      out.number(proto.value.rawValue)
    }
    for end in End.allCases {
      guard let address = self[address: end] else { continue }
      out.option(end.addressOption, inverted: address.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(address.value)
    }
    for end in End.allCases {
      guard let ports = self[ports: end] else { continue }
      out.option(end.portOption, inverted: ports.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(ports.value)
    }
    if let statuses {
      out.option("--ctstatus", inverted: statuses.isInverted)
      if statuses.value.isEmpty { out.word("NONE") }
      out.list(statuses.value, of: ConnectionStatuses.names)
    }
    if let expiry {
      out.option("--ctexpire", inverted: expiry.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(expiry.value)
    }
    if let direction {
      out.option("--ctdir")
      out.word(direction == .original ? "ORIGINAL" : "REPLY")
    }
  }

  public func list(to out: inout RuleWriter) {
    if let states {
      out.option("ctstate", inverted: states.isInverted)
      out.list(states.value, of: ConnectionStates.names)
    }
    if let proto {
      out.option("ctproto", inverted: proto.isInverted)
      out.number(proto.value.rawValue)
    }
    for end in End.allCases {
      guard let address = self[address: end] else { continue }
      out.option(end.addressWord, inverted: address.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.listAddress(address.value)
    }
    for end in End.allCases {
      guard let ports = self[ports: end] else { continue }
      out.option(end.portWord, inverted: ports.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(ports.value)
    }
    if let statuses {
      out.option("ctstatus", inverted: statuses.isInverted)
      if statuses.value.isEmpty { out.word("NONE") }
      out.list(statuses.value, of: ConnectionStatuses.names)
    }
    if let expiry {
      out.option("ctexpire", inverted: expiry.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(expiry.value)
    }
    if let direction { out.word(direction == .original ? "ctdir ORIGINAL" : "ctdir REPLY") }
  }
}

extension RuleWriter {
  /// The address under its mask, without a blank before it; where names are shown `anywhere` for no address, whatever
  /// the mask.
  package mutating func listAddress(_ address: ConntrackAddress) {
    guard !isNumeric else { return text.write(address) }
    guard address.address.bits != 0 else { return text.write("anywhere") }
    guard let name = names.reverse.host(address.address) else { return text.write(address) }
    text.write(name)
    text.writeMask(of: address)
  }
}

extension TextWriter {
  /// `10.0.0.1`, `10.0.0.1/8`, or `10.0.0.1/255.0.0.255`.
  package mutating func write(_ address: ConntrackAddress) {
    write(address.address)
    writeMask(of: address)
  }

  /// `/8`, `/255.0.0.255`; nothing where every bit is compared.
  fileprivate mutating func writeMask(of address: ConntrackAddress) {
    let network = address.network
    guard network.prefixLength != address.address.family.addressBits else { return }
    write(byte: UInt8(ascii: "/"))
    if let length = network.prefixLength {
      write(length)
    } else {
      write(IPAddress(family: address.address.family, bits: network.mask))
    }
  }
}

// MARK: Kernel bytes

extension Conntrack {
  /// Offsets in the structure.
  enum Layout {
    static let matchFlags = 146
    static let statusMask = 152
    static let size = 164
  }

  enum Flag {
    static let states: UInt16 = 0x0001
    static let proto: UInt16 = 0x0002
    /// The first of four for the addresses.
    static let firstAddress: UInt16 = 0x0004
    static let statuses: UInt16 = 0x0040
    static let expiry: UInt16 = 0x0080
    /// The first of four for the ports.
    static let firstPort: UInt16 = 0x0100
    static let direction: UInt16 = 0x1000
    /// The match is spelled `state`.
    static let stateAlias: UInt16 = 0x2000
    static let known: UInt16 = 0x1fff
  }

  /// `match_flags` and `invert_flags`.
  fileprivate var flags: (match: UInt16, invert: UInt16) {
    var flags: (match: UInt16, invert: UInt16) = (0, 0)
    func note(_ flag: UInt16, _ isInverted: Bool?) {
      guard let isInverted else { return }
      flags.match |= flag
      if isInverted { flags.invert |= flag }
    }
    note(Flag.states, states?.isInverted)
    note(Flag.proto, proto?.isInverted)
    for end in End.allCases {
      note(end.addressFlag, self[address: end]?.isInverted)
      note(end.portFlag, self[ports: end]?.isInverted)
    }
    note(Flag.statuses, statuses?.isInverted)
    note(Flag.expiry, expiry?.isInverted)
    note(Flag.direction, direction.map { $0 == .reply })
    return flags
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    encodeBeforePorts(to: &out, family: family)
    for end in End.allCases { out.write(self[ports: end]?.value.first ?? 0) }
    let flags = flags
    out.write(flags.match)
    out.write(flags.invert)
    out.write(states?.value.rawValue ?? 0)
    out.write(statuses?.value.rawValue ?? 0)
    for end in End.allCases { out.write(self[ports: end]?.value.last ?? 0) }
    out.zeros(2)
  }

  /// Revisions 1 and 2 have single ports, in network order, and revision 1 has masks of 8 bits.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    let ports = End.allCases.map { self[ports: $0]?.value ?? Bounds(0) }
    let masks = (states: states?.value.rawValue ?? 0, statuses: statuses?.value.rawValue ?? 0)
    guard revision == 1 || revision == 2, ports.allSatisfy({ $0.first == $0.last }) else { return false }
    guard revision == 2 || max(masks.states, masks.statuses) <= UInt8.max else { return false }
    encodeBeforePorts(to: &out, family: family)
    for port in ports { out.write(big: port.first) }
    let flags = flags
    out.write(flags.match)
    out.write(flags.invert)
    if revision == 1 {
      out.write(UInt8(masks.states))
      out.write(UInt8(masks.statuses))
    } else {
      out.write(masks.states)
      out.write(masks.statuses)
      out.zeros(2)
    }
    return true
  }

  private func encodeBeforePorts(to out: inout ByteWriter, family: Family) {
    for end in End.allCases {
      let address = self[address: end]?.value
      out.write(unionAddress: address?.address.bits ?? 0, family)
      out.write(big: address?.unionMask ?? 0)
    }
    out.write(expiry?.value.first ?? 0)
    out.write(expiry?.value.last ?? 0)
    out.write(UInt16(proto?.value.rawValue ?? 0))
  }

  /// - Throws: ``WireError`` too when the alias flag is set, when a flag is not known, or when a field holds something
  ///   though its flag is not set.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    var addresses: [ConntrackAddress] = []
    for _ in End.allCases {
      let address = try bytes.unionAddress("addr", family)
      addresses.append(ConntrackAddress(address, unionMask: try bytes.uint128("mask")))
    }
    let seconds = Bounds(try bytes.uint32("expires_min"), try bytes.uint32("expires_max"))
    let number = try bytes.uint16("l4proto")
    guard number <= 255 else { throw bytes.invalid("l4proto") }
    var low: [UInt16] = []
    for _ in End.allCases { low.append(revision == 3 ? try bytes.uint16("port") : try bytes.bigUInt16("port")) }
    let match = try bytes.uint16("match_flags")
    let invert = try bytes.uint16("invert_flags")
    guard match & ~Flag.known == 0, invert & ~match == 0 else { throw bytes.invalid("match_flags") }
    func mask(_ field: StaticString) throws(WireError) -> UInt16 {
      revision == 1 ? UInt16(try bytes.uint8(field)) : try bytes.uint16(field)
    }
    let stateMask = ConnectionStates(rawValue: try mask("state_mask"))
    let statusMask = ConnectionStatuses(rawValue: try mask("status_mask"))
    guard stateMask.isSubset(of: .all), statusMask.isSubset(of: .all) else { throw bytes.invalid("state_mask") }
    var ports: [Bounds<UInt16>] = []
    for first in low { ports.append(revision == 3 ? Bounds(first, try bytes.uint16("port_high")) : Bounds(first)) }
    if revision > 1 { try bytes.zeros("padding", 2) }

    /// nil where the flag is not set; the field then holds `empty`.
    func field<Value: Hashable & Sendable>(_ flag: UInt16, _ value: Value, empty: Value) throws(WireError)
      -> Negatable<Value>?
    {
      if match & flag != 0 { return Negatable(value, inverted: invert & flag != 0) }
      guard value == empty else { throw WireError(offset: 0, field: "match_flags", reason: .invalid) }
      return nil
    }
    self.init()
    states = try field(Flag.states, stateMask, empty: [])
    proto = try field(Flag.proto, IPProtocol(rawValue: UInt8(number)), empty: IPProtocol(rawValue: 0))
    let noAddress = ConntrackAddress(.any(family), unionMask: 0)
    for (place, end) in End.allCases.enumerated() {
      guard addresses[place].network.prefixLength != nil else { throw bytes.invalid("mask") }
      self[address: end] = try field(end.addressFlag, addresses[place], empty: noAddress)
      self[ports: end] = try field(end.portFlag, ports[place], empty: Bounds(0))
    }
    statuses = try field(Flag.statuses, statusMask, empty: [])
    expiry = try field(Flag.expiry, seconds, empty: Bounds(0))
    if match & Flag.direction != 0 { direction = invert & Flag.direction != 0 ? .reply : .original }
    guard isMeaningful else { throw bytes.invalid("match_flags") }
  }
}

// MARK: Meaning

extension Conntrack {
  /// Where the state is not known the answer is decided if it is the same for every state.
  public func matches(_ packet: Packet) -> Answer {
    if let state = packet.connection.state { return answer(packet, in: state) }
    let states: [ConnectionStates] = [.invalid, .untracked, .new, .related, .established]
    let answers = states.map { answer(packet, in: $0) }
    guard let first = answers.first, answers.allSatisfy({ $0 == first }) else {
      return .depends(on: "the connection's state")
    }
    return first
  }

  /// A packet without a connection meets nothing but a condition on its state, and then whatever stands beside it.
  private func answer(_ packet: Packet, in state: ConnectionStates) -> Answer {
    let hasConnection = state != .invalid && state != .untracked
    guard hasConnection else {
      guard let states else { return .no }
      return Answer(states.value.contains(state) != states.isInverted)
    }
    return stateAnswer(packet, state) && directionAnswer(packet, state) && endsAnswer(packet)
      && protoAnswer(packet, state) && statusAnswer(packet) && expiryAnswer
  }

  private func stateAnswer(_ packet: Packet, _ state: ConnectionStates) -> Answer {
    guard let states else { return .yes }
    var answer = Answer(states.value.contains(state))
    let translations: [(state: ConnectionStates, status: ConnectionStatuses)] = [
      (.snat, .sourceTranslated), (.dnat, .destinationTranslated),
    ]
    for (word, status) in translations where states.value.contains(word) {
      answer =
        answer || (packet.connection.statuses.map { Answer($0.contains(status)) } ?? .depends(on: Self.statusPhrase))
    }
    return states.isInverted ? !answer : answer
  }

  private static let statusPhrase: StaticString = "the connection's status"

  private func directionAnswer(_ packet: Packet, _ state: ConnectionStates) -> Answer {
    guard let direction else { return .yes }
    guard let known = packet.connection.direction(in: state) else {
      return .depends(on: "the connection's direction")
    }
    return Answer(known == direction)
  }

  private func endsAnswer(_ packet: Packet) -> Answer {
    var answer = Answer.yes
    for end in End.allCases {
      answer =
        answer
        && .about(end.address(of: packet), "the connection's addresses", self[address: end]) { $1.network.contains($0) }
        && .about(end.port(of: packet), "the connection's ports", self[ports: end]) { $1.contains($0) }
    }
    return answer
  }

  /// An error that ICMP reports belongs to the connection it is about, which is of another protocol.
  private func protoAnswer(_ packet: Packet, _ state: ConnectionStates) -> Answer {
    .about(packet.canReportError(in: state) ? nil : packet.proto, "the connection's protocol", proto) { $0 == $1 }
  }

  /// One of the statuses is enough, so the empty set, `NONE`, is never met.
  private func statusAnswer(_ packet: Packet) -> Answer {
    guard let statuses else { return .yes }
    if statuses.value.isEmpty { return Answer(statuses.isInverted) }
    return .about(packet.connection.statuses, Self.statusPhrase, self.statuses) { !$0.isDisjoint(with: $1) }
  }

  private var expiryAnswer: Answer {
    guard let expiry else { return .yes }
    if expiry.value.isEmpty { return Answer(expiry.isInverted) }
    if expiry.value == Bounds(0, .max) { return Answer(!expiry.isInverted) }
    return .depends(on: "the connection's timeout")
  }
}

extension ConnectionFacts {
  /// The first packets of a connection, which alone are new, go in its original direction.
  fileprivate func direction(in state: ConnectionStates) -> ConnectionDirection? {
    direction ?? (state == .new ? .original : nil)
  }
}

extension Packet {
  fileprivate func canReportError(in state: ConnectionStates) -> Bool {
    state == .related && (proto == .icmp || proto == .icmpv6)
  }

  /// The ends of the connection in a direction: as they are given, or the packet's own where nothing is translated.
  func connectionEnds(_ wanted: ConnectionDirection) -> ConnectionEnds? {
    if let given = wanted == .original ? connection.original : connection.reply { return given }
    guard let state = connection.state, !canReportError(in: state), let direction = connection.direction(in: state),
      let statuses = connection.statuses, statuses.isDisjoint(with: [.sourceTranslated, .destinationTranslated])
    else { return nil }
    return direction == wanted
      ? ConnectionEnds(
        source: source, destination: destination, sourcePort: sourcePort, destinationPort: destinationPort)
      : ConnectionEnds(
        source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort)
  }
}
