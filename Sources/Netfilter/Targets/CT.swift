/// Sets what connection tracking does with the connection of the packet
/// (`struct xt_ct_target_info_v1`, linux/netfilter/xt_CT.h).
public struct CT: Target {
  /// The packet is kept out of connection tracking.
  public var isUntracked: Bool
  /// The helper that watches the connection, such as `ftp`.
  public var helper: BareName<15>?
  /// The policy that says when the connection is forgotten.
  public var timeout: BareName<31>?
  /// Events that are told to listeners; empty for those that are told anyway.
  public var events: ConnectionEvents
  /// Whether nothing but new expectations is told of expectations.
  public var tellsNewExpectations: Bool
  public var zone: ConnectionZone?
  /// Bits that a rule came with and that mean the same as ``Flag/direction(of:)``.
  private var directionBits: DirectionBits?

  private struct DirectionBits: Hashable {
    let zone: ConnectionZone?
    let flags: UInt16
  }

  public init(
    isUntracked: Bool = false, helper: BareName<15>? = nil, timeout: BareName<31>? = nil,
    events: ConnectionEvents = [], tellsNewExpectations: Bool = false, zone: ConnectionZone? = nil
  ) {
    self.isUntracked = isUntracked
    self.helper = helper
    self.timeout = timeout
    self.events = events
    self.tellsNewExpectations = tellsNewExpectations
    self.zone = zone
  }
}

/// Keeps connections with the same addresses apart.
public struct ConnectionZone: Hashable, Sendable {
  public enum Number: Hashable, Sendable {
    case id(UInt16)
    /// The packet's mark.
    case mark
  }

  /// Packets that look for their connection in the zone; the others look in zone 0.
  public enum Direction: Hashable, Sendable {
    case both
    case original
    case reply
  }

  public let number: Number
  public let direction: Direction

  /// nil for number 0, which is where connections are without a zone.
  public init?(_ number: Number, direction: Direction = .both) {
    guard number != .id(0) else { return nil }
    self.number = number
    self.direction = direction
  }
}

/// What happens to a connection. Raw values are a bit for each `IPCT_*` (linux/netfilter/nf_conntrack_common.h).
public struct ConnectionEvents: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let new = ConnectionEvents(rawValue: 0x001)
  public static let related = ConnectionEvents(rawValue: 0x002)
  public static let destroy = ConnectionEvents(rawValue: 0x004)
  public static let reply = ConnectionEvents(rawValue: 0x008)
  public static let assured = ConnectionEvents(rawValue: 0x010)
  public static let protocolInfo = ConnectionEvents(rawValue: 0x020)
  public static let helper = ConnectionEvents(rawValue: 0x040)
  public static let mark = ConnectionEvents(rawValue: 0x080)
  public static let sequenceAdjustment = ConnectionEvents(rawValue: 0x100)
  public static let securityMark = ConnectionEvents(rawValue: 0x200)
  static let all = ConnectionEvents(rawValue: 0x3ff)

  fileprivate static let names: [(name: StaticString, flag: ConnectionEvents)] = [
    ("new", .new), ("related", .related), ("destroy", .destroy), ("reply", .reply), ("assured", .assured),
    ("protoinfo", .protocolInfo), ("helper", .helper), ("mark", .mark), ("natseqinfo", .sequenceAdjustment),
    ("secmark", .securityMark),
  ]
}

// MARK: Syntax

extension CT {
  public static let definition = ExtensionDefinition(
    "CT", summary: "what connection tracking does with the connection", revisions: [0, 1, 2], tables: [.raw],
    options: [
      OptionSpec("--notrack", .none, "keep the packet out of connection tracking"),
      OptionSpec("--helper", .string(maxBytes: 15), "the helper that watches the connection, such as ftp"),
      OptionSpec("--timeout", .string(maxBytes: 31), "the policy that says when the connection is forgotten"),
      OptionSpec("--ctevents", .list(ConnectionEvents.names.map(\.name)), "events of the connection that are told"),
      OptionSpec("--expevents", .list(["new"]), "events of expectations that are told"),
      OptionSpec("--zone-orig", .custom("N|mark"), excludes: zones, "the zone of packets in the original direction"),
      OptionSpec("--zone-reply", .custom("N|mark"), excludes: zones, "the zone of packets in the reply direction"),
      OptionSpec("--zone", .custom("N|mark"), excludes: zones, "the zone of the connection"),
    ])

  private static let zones: [StaticString] = ["--zone", "--zone-orig", "--zone-reply"]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let events = try options.list("--ctevents", exactly: true) ?? []
    self.init(
      isUntracked: options.has("--notrack"), helper: try options.bareName("--helper"),
      timeout: try options.bareName("--timeout"),
      events: ConnectionEvents(events.map { ConnectionEvents.names[$0].flag }),
      tellsNewExpectations: try options.list("--expevents", exactly: true) != nil, zone: try Self.zone(options))
    if let token = options.token("--timeout"), token.count > Self.reportedTimeoutBytes {
      options.warn(
        token, "--timeout: kernels report \(Self.reportedTimeoutBytes) bytes of the name, so saved rules lose the rest",
        hint: "give the policy a name of at most \(Self.reportedTimeoutBytes) bytes")
    }
    guard !isUntracked else { return }
    try Self.checkProtocol("--helper", options)
    try Self.checkProtocol("--timeout", options)
  }

  /// Kernels hand back the part of the structure that revision 0 has.
  private static let reportedTimeoutBytes = 4

  /// Helpers and timeouts belong to a protocol, which the kernel takes from the rule.
  private static func checkProtocol(_ name: StaticString, _ options: OptionValues) throws(SyntaxError) {
    guard options.has(name), options.proto == nil || options.proto!.isInverted else { return }
    throw options.error(name, "the rule has to name one protocol", hint: "write -p tcp or -p udp in the rule")
  }

  private static func zone(_ options: OptionValues) throws(SyntaxError) -> ConnectionZone? {
    for (name, direction) in zoneDirections {
      guard let token = options.token(name) else { continue }
      if token.equalsIgnoringCase("mark") { return ConnectionZone(.mark, direction: direction) }
      guard let id: UInt16 = token.number(in: 0...65535) else {
        throw options.error(name, "'\(token.string)' is not a zone", hint: "a number from 0 to 65535, or mark")
      }
      return ConnectionZone(.id(id), direction: direction)
    }
    return nil
  }

  private static let zoneDirections: [(StaticString, ConnectionZone.Direction)] = [
    ("--zone", .both), ("--zone-orig", .original), ("--zone-reply", .reply),
  ]

  public func print(to out: inout RuleWriter) { write(to: &out, dashes: true) }

  public func list(to out: inout RuleWriter) {
    out.word("CT")
    write(to: &out, dashes: false)
  }

  private func write(to out: inout RuleWriter, dashes: Bool) {
    if isUntracked { out.option("--notrack", dashes: dashes) }
    if let helper {
      out.option("--helper", dashes: dashes)
      out.word(helper.text)
    }
    if let timeout {
      out.option("--timeout", dashes: dashes)
      out.word(timeout.text)
    }
    if !events.isEmpty {
      out.option("--ctevents", dashes: dashes)
      out.list(events, of: ConnectionEvents.names)
    }
    if tellsNewExpectations {
      out.option("--expevents", dashes: dashes)
      out.word("new")
    }
    guard let zone else { return }
    switch zone.direction {
    case .both: out.option("--zone", dashes: dashes)
    case .original: out.option("--zone-orig", dashes: dashes)
    case .reply: out.option("--zone-reply", dashes: dashes)
    }
    switch zone.number {
    case .id(let id): out.number(id)
    case .mark: out.word("mark")
    }
  }
}

// MARK: Kernel bytes

extension CT {
  enum Flag {
    static let untracked: UInt16 = 0x01
    static let alias: UInt16 = 0x02
    static let original: UInt16 = 0x04
    static let reply: UInt16 = 0x08
    static let zoneIsMark: UInt16 = 0x10
    static let known: UInt16 = 0x1f
    static let directions = original | reply

    static func direction(of zone: ConnectionZone?) -> UInt16 {
      switch zone?.direction {
      case nil, .both: 0
      case .original: original
      case .reply: reply
      }
    }
  }

  /// Bytes behind the flags.
  static let restSize = 70
  /// A pointer of the kernel's at the end, and the gap before it.
  private static let privateSize = 12

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags: UInt16 = isUntracked ? Flag.untracked : 0
    var id: UInt16 = 0
    if let directionBits, directionBits.zone == zone {
      flags |= directionBits.flags
    } else {
      flags |= Flag.direction(of: zone)
    }
    switch zone?.number {
    case nil: break
    case .id(let number): id = number
    case .mark: flags |= Flag.zoneIsMark
    }
    out.write(flags)
    out.write(id)
    out.write(events.rawValue)
    out.write(UInt32(tellsNewExpectations ? 1 : 0))
    out.write(helper)
    out.write(timeout)
    out.zeros(Self.privateSize)
  }

  /// Revisions 0 and 1 have one zone for both directions, and revision 0 no timeout.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 1 || revision == 0 && timeout == nil, zone == nil || zone?.direction == .both else {
      return false
    }
    var id: UInt16 = 0
    switch zone?.number {
    case nil: break
    case .id(let number): id = number
    case .mark: return false
    }
    out.write(isUntracked ? Flag.untracked : 0)
    out.write(id)
    out.write(events.rawValue)
    out.write(UInt32(tellsNewExpectations ? 1 : 0))
    out.write(helper)
    if revision == 1 { out.write(timeout) }
    out.zeros(revision == 1 ? Self.privateSize : 12)
    return true
  }

  /// - Throws: ``WireError`` for what text cannot say, and for ``NoTrack``.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let flags = try bytes.uint16("flags")
    let known = revision == 2 ? Flag.known & ~Flag.alias : Flag.untracked
    guard flags & ~known == 0 else { throw bytes.invalid("flags") }
    let id = try bytes.uint16("zone")
    let events = ConnectionEvents(rawValue: try bytes.uint32("ct_events"))
    guard events.isSubset(of: .all) else { throw bytes.invalid("ct_events") }
    let expectationEvents = try bytes.uint32("exp_events")
    guard expectationEvents <= 1 else { throw bytes.invalid("exp_events") }
    self.init(
      isUntracked: flags & Flag.untracked != 0, helper: try bytes.bareName("helper"),
      timeout: revision == 0 ? nil : try bytes.bareName("timeout"), events: events,
      tellsNewExpectations: expectationEvents == 1)
    try bytes.zeros("ct", Self.privateSize)
    let isMark = flags & Flag.zoneIsMark != 0
    guard !isMark || id == 0 else { throw bytes.invalid("zone") }
    let directions = flags & Flag.directions
    let direction: ConnectionZone.Direction =
      directions == Flag.original ? .original : directions == Flag.reply ? .reply : .both
    zone = ConnectionZone(isMark ? .mark : .id(id), direction: direction)
    if directions != Flag.direction(of: zone) { directionBits = DirectionBits(zone: zone, flags: directions) }
  }
}

// MARK: Meaning

extension CT {
  /// Everything but `--notrack` is about the connection that is found later.
  public func act(on packet: inout Packet) -> TargetOutcome {
    if isUntracked { packet.skipTracking() }
    return .proceed
  }
}

extension Packet {
  /// Has no connection from here on. What this machine sent itself over the loopback interface keeps the one that it
  /// got when it was sent.
  mutating func skipTracking() {
    guard inInterface != InterfaceName("lo") else { return }
    connection = ConnectionFacts()
    connection.state = .untracked
  }
}
