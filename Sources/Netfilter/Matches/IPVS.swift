/// The IP Virtual Server connection that a packet belongs to
/// (`struct xt_ipvs_mtinfo`, linux/netfilter/xt_ipvs.h).
public struct IPVS: Match {
  public let condition: Condition

  public enum Condition: Hashable, Sendable {
    /// It belongs to such a connection, or to none.
    case isServed(Negatable<Served>)
    /// It belongs to a connection that is like this.
    case connection(Connection)
  }

  /// A packet that IPVS handles.
  public enum Served: Hashable, Sendable {
    case yes
  }

  /// What is known of a connection; nil is not compared.
  public struct Connection: Hashable, Sendable {
    /// The protocol of the virtual service.
    public let proto: Negatable<IPProtocol>?
    public let address: Negatable<ConntrackAddress>?
    public let port: Negatable<UInt16>?
    public let direction: ConnectionDirection?
    public let method: Negatable<Method>?
    /// The port of the connection that this one came from, such as 21 for FTP.
    public let controlPort: Negatable<UInt16>?

    /// nil when nothing is compared.
    public init?(
      proto: Negatable<IPProtocol>? = nil, address: Negatable<ConntrackAddress>? = nil, port: Negatable<UInt16>? = nil,
      direction: ConnectionDirection? = nil, method: Negatable<Method>? = nil, controlPort: Negatable<UInt16>? = nil
    ) {
      self.proto = proto
      self.address = address
      self.port = port
      self.direction = direction
      self.method = method
      self.controlPort = controlPort
      guard flags.match != 0 else { return nil }
    }
  }

  /// How packets get to the real server. Raw values are `IP_VS_CONN_F_*` (linux/ip_vs.h).
  public enum Method: UInt8, Hashable, Sendable {
    case masquerading = 0
    case tunnel = 2
    case directRouting = 3

    fileprivate static let names: [(name: StaticString, method: Method)] = [
      ("GATE", .directRouting), ("IPIP", .tunnel), ("MASQ", .masquerading),
    ]
  }

  public init(_ condition: Condition) { self.condition = condition }
}

// MARK: Syntax

extension IPVS {
  public static let definition = ExtensionDefinition(
    "ipvs", summary: "IP Virtual Server connection",
    options: [
      OptionSpec("--ipvs", negatable: true, "the packet belongs to such a connection"),
      OptionSpec("--vproto", .custom("PROTOCOL"), negatable: true, "protocol of the virtual service"),
      OptionSpec("--vaddr", .address, negatable: true, "address of the virtual service"),
      OptionSpec("--vport", .port, negatable: true, "port of the virtual service"),
      OptionSpec("--vdir", .choice(["ORIGINAL", "REPLY"]), "direction of the packet"),
      OptionSpec("--vmethod", .choice(Method.names.map(\.name)), negatable: true, "how packets get to the real server"),
      OptionSpec("--vportctl", .port, negatable: true, "port of the connection that this one came from"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    func negatable<Value>(_ value: Value?, _ name: StaticString) -> Negatable<Value>? {
      value.map { Negatable($0, inverted: options.isInverted(name)) }
    }
    let proto = try options.token("--vproto").map { token throws(SyntaxError) in try options.names.proto(token) }
    let address = try options.token("--vaddr").map { token throws(SyntaxError) in
      try options.maskedAddress(token, of: "--vaddr")
    }
    let connection = Connection(
      proto: negatable(proto, "--vproto"), address: negatable(address, "--vaddr"),
      port: negatable(try options.port("--vport", nil), "--vport"),
      direction: try options.choice("--vdir").map { $0 == 0 ? .original : .reply },
      method: negatable(try options.choice("--vmethod").map { Method.names[$0].method }, "--vmethod"),
      controlPort: negatable(try options.port("--vportctl", nil), "--vportctl"))
    if let connection {
      guard !options.isInverted("--ipvs") else {
        throw options.error("--ipvs", "'! --ipvs' cannot stand beside other options, which all need a connection")
      }
      condition = .connection(connection)
    } else if options.has("--ipvs") {
      condition = .isServed(Negatable(.yes, inverted: options.isInverted("--ipvs")))
    } else {
      throw SyntaxError("ipvs needs at least one option", hint: "for example: --ipvs")
    }
  }

  public func print(to out: inout RuleWriter) {
    switch condition {
    case .isServed(let served): out.option("--ipvs", inverted: served.isInverted)
    case .connection(let connection): Self.print(connection, to: &out)
    }
  }

  public func list(to out: inout RuleWriter) {
    switch condition {
    case .isServed(let served): out.option("ipvs", inverted: served.isInverted)
    case .connection(let connection): Self.list(connection, to: &out)
    }
  }

  private static func list(_ connection: Connection, to out: inout RuleWriter) {
    if let proto = connection.proto {
      out.option("vproto", inverted: proto.isInverted)
      out.number(proto.value.rawValue)
    }
    if let address = connection.address {
      out.option("vaddr", inverted: address.isInverted)
      out.text.write(" ")
      out.listAddress(address.value)
    }
    if let port = connection.port {
      out.option("vport", inverted: port.isInverted)
      out.number(port.value)
    }
    if let direction = connection.direction { out.word(direction == .original ? "vdir ORIGINAL" : "vdir REPLY") }
    if let method = connection.method {
      out.option("vmethod", inverted: method.isInverted)
      for known in Method.names where known.method == method.value { out.word(known.name) }
    }
    if let port = connection.controlPort {
      out.option("vportctl", inverted: port.isInverted)
      out.number(port.value)
    }
  }

  private static func print(_ connection: Connection, to out: inout RuleWriter) {
    if let proto = connection.proto {
      out.option("--vproto", inverted: proto.isInverted)
      out.number(proto.value.rawValue)
    }
    if let address = connection.address {
      out.option("--vaddr", inverted: address.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(address.value)
    }
    if let port = connection.port {
      out.option("--vport", inverted: port.isInverted)
      out.number(port.value)
    }
    if let direction = connection.direction {
      out.option("--vdir")
      out.word(direction == .original ? "ORIGINAL" : "REPLY")
    }
    if let method = connection.method {
      out.option("--vmethod", inverted: method.isInverted)
      for known in Method.names where known.method == method.value { out.word(known.name) }
    }
    if let port = connection.controlPort {
      out.option("--vportctl", inverted: port.isInverted)
      out.number(port.value)
    }
  }
}

// MARK: Kernel bytes

extension IPVS {
  fileprivate enum Flag {
    static let served: UInt8 = 0x01
    static let proto: UInt8 = 0x02
    static let address: UInt8 = 0x04
    static let port: UInt8 = 0x08
    static let direction: UInt8 = 0x10
    static let method: UInt8 = 0x20
    static let controlPort: UInt8 = 0x40
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var connection: Connection?
    var flags: (match: UInt8, invert: UInt8)
    switch condition {
    case .isServed(let served): flags = (Flag.served, served.isInverted ? Flag.served : 0)
    case .connection(let given):
      connection = given
      flags = given.flags
      flags.match |= Flag.served
    }
    out.write(unionAddress: connection?.address?.value.address.bits ?? 0, family)
    out.write(big: connection?.address?.value.unionMask ?? 0)
    out.write(big: connection?.port?.value ?? 0)
    out.write(connection?.proto?.value.rawValue ?? 0)
    out.write(connection?.method?.value.rawValue ?? 0)
    out.write(big: connection?.controlPort?.value ?? 0)
    out.write(flags.invert)
    out.write(flags.match)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let address = try bytes.unionAddress("vaddr", family)
    let mask = try bytes.uint128("vmask")
    guard ConntrackAddress(address, unionMask: mask).network.prefixLength != nil else { throw bytes.invalid("vmask") }
    let port = try bytes.bigUInt16("vport")
    let proto = IPProtocol(rawValue: try bytes.uint8("l4proto"))
    let method = Method(rawValue: try bytes.uint8("fwd_method"))
    let controlPort = try bytes.bigUInt16("vportctl")
    let inverted = try bytes.uint8("invert")
    let flags = try bytes.uint8("bitmask")
    guard flags <= 0x7f, flags & Flag.served != 0 else { throw bytes.invalid("bitmask") }
    guard inverted & ~flags == 0 else { throw bytes.invalid("invert") }
    guard let method else { throw bytes.invalid("fwd_method") }
    guard flags & Flag.address != 0 || address.bits == 0 && mask == 0, flags & Flag.port != 0 || port == 0,
      flags & Flag.proto != 0 || proto.rawValue == 0, flags & Flag.method != 0 || method == .masquerading,
      flags & Flag.controlPort != 0 || controlPort == 0
    else { throw bytes.invalid("bitmask") }
    func condition<Value>(_ value: Value, _ flag: UInt8) -> Negatable<Value>? {
      flags & flag == 0 ? nil : Negatable(value, inverted: inverted & flag != 0)
    }
    let connection = Connection(
      proto: condition(proto, Flag.proto),
      address: condition(ConntrackAddress(address, unionMask: mask), Flag.address), port: condition(port, Flag.port),
      direction: condition(true, Flag.direction).map { $0.isInverted ? .reply : .original },
      method: condition(method, Flag.method), controlPort: condition(controlPort, Flag.controlPort))
    guard let connection else {
      self.condition = .isServed(Negatable(.yes, inverted: inverted & Flag.served != 0))
      return
    }
    guard inverted & Flag.served == 0 else { throw bytes.invalid("invert") }
    self.condition = .connection(connection)
  }
}

extension IPVS.Connection {
  /// What is compared, and which of it is inverted; a reply is the inverted direction.
  fileprivate var flags: (match: UInt8, invert: UInt8) {
    typealias Flag = IPVS.Flag
    let conditions: [(flag: UInt8, isInverted: Bool?)] = [
      (Flag.proto, proto?.isInverted), (Flag.address, address?.isInverted), (Flag.port, port?.isInverted),
      (Flag.direction, direction.map { $0 == .reply }), (Flag.method, method?.isInverted),
      (Flag.controlPort, controlPort?.isInverted),
    ]
    return conditions.reduce((0, 0)) { flags, condition in
      guard let isInverted = condition.isInverted else { return flags }
      return (flags.0 | condition.flag, isInverted ? flags.1 | condition.flag : flags.1)
    }
  }
}

// MARK: Meaning

extension IPVS {
  public func matches(_ packet: Packet) -> Answer {
    let isServed = Answer.depends(on: "the connections of IP Virtual Server")
    switch condition {
    case .isServed: return isServed
    case .connection(let connection):
      let isProto = connection.proto.map { Answer(($0.value == packet.proto) != $0.isInverted) } ?? .yes
      return isProto && connection.isDirection(of: packet) && isServed
    }
  }
}

extension IPVS.Connection {
  /// A packet that is not tracked has no direction.
  fileprivate func isDirection(of packet: Packet) -> Answer {
    guard let direction else { return .yes }
    if packet.connection.isTracked == false { return .no }
    return packet.connection.direction.map { Answer($0 == direction) } ?? .depends(on: "the connection's direction")
  }
}
