public import Netfilter

/// What can be said of a packet, by the names that packets in JSON have for it.
public enum PacketField: String, CaseIterable, Sendable {
  case source = "src"
  case destination = "dst"
  case proto
  case inInterface = "in"
  case outInterface = "out"
  case sourcePort = "sport"
  case destinationPort = "dport"
  case flags
  case icmpType = "icmp_type"
  case icmpCode = "icmp_code"
  case state = "ctstate"
  case direction = "ctdir"
  case statuses = "ctstatus"
  case connectionMark = "connmark"
  case mark
  case length
  case hopLimit = "ttl"
  case trafficClass = "tos"
  case fragment
  case tcpOptions = "tcp_options"
  case maximumSegmentSize = "mss"
  case mac
  case kind = "pkttype"
  case bytes

  public var name: String { rawValue }

  /// Whether a packet in JSON has an array for it.
  var isList: Bool { self == .flags || self == .statuses || self == .tcpOptions }

  private static let names: [(name: StaticString, field: PacketField)] = [
    ("src", .source), ("dst", .destination), ("proto", .proto), ("in", .inInterface), ("out", .outInterface),
    ("sport", .sourcePort), ("dport", .destinationPort), ("flags", .flags), ("icmp_type", .icmpType),
    ("icmp_code", .icmpCode), ("ctstate", .state), ("ctdir", .direction), ("ctstatus", .statuses),
    ("connmark", .connectionMark), ("mark", .mark), ("length", .length), ("ttl", .hopLimit), ("tos", .trafficClass),
    ("fragment", .fragment), ("tcp_options", .tcpOptions), ("mss", .maximumSegmentSize), ("mac", .mac),
    ("pkttype", .kind), ("bytes", .bytes),
  ]

  init?(_ name: Token) {
    for known in Self.names where name == known.name {
      self = known.field
      return
    }
    return nil
  }

  fileprivate var bit: UInt32 { 1 << UInt32(Self.allCases.firstIndex(of: self)!) }

  /// The packet with values for what is not said of it, of which one or the other makes a condition on it come out
  /// differently; empty where it is said.
  func samples(for packet: Packet) -> [Packet] {
    func filled<Value>(_ path: WritableKeyPath<Packet, Value?>, _ values: Value...) -> [Packet] {
      guard packet[keyPath: path] == nil else { return [] }
      return values.map { value in
        var copy = packet
        copy[keyPath: path] = value
        return copy
      }
    }
    return switch self {
    case .source, .destination, .proto, .inInterface, .outInterface, .fragment, .bytes: []
    case .sourcePort: filled(\.sourcePort, 0, 443, 40000)
    case .destinationPort: filled(\.destinationPort, 0, 443, 40000)
    case .flags: filled(\.tcpFlags, [], .all, .syn)
    case .icmpType: filled(\.icmpType, 0, 8, 128)
    case .icmpCode: filled(\.icmpCode, 0, 255)
    case .state: filled(\.connection.state, .new, .established, .invalid)
    case .direction: filled(\.connection.direction, .original, .reply)
    case .statuses: filled(\.connection.statuses, [], .all)
    case .connectionMark: filled(\.connection.mark, 0, .max)
    case .mark: filled(\.mark, 0, .max)
    case .length: filled(\.length, 0, 1500, 65535)
    case .hopLimit: filled(\.hopLimit, 0, 64, 255)
    case .trafficClass: filled(\.trafficClass, 0, 255)
    case .tcpOptions: filled(\.tcpOptions, [], Set(0...255))
    case .maximumSegmentSize: filled(\.maximumSegmentSize, 0, 1460, 65535)
    case .mac: filled(\.sourceMAC, MACAddress(bits: 0), MACAddress(bits: 0xffff_ffff_ffff))
    case .kind: filled(\.kind, .unicast, .broadcast)
    }
  }
}

/// A packet of which one property after the other is said.
public struct PacketDraft {
  private var packet = Packet(source: .any(.ipv4), destination: .any(.ipv4), proto: IPProtocol(rawValue: 0))
  private var said: UInt32 = 0
  private let names: Names

  public init(names: Names = .wellKnown) { self.names = names }

  /// Says a property in the words of the command line: a list's parts stand between commas.
  /// - Throws: ``SyntaxError`` with the field's name where the text cannot be its value, or it has one already.
  public mutating func set(_ field: PacketField, _ text: String) throws(SyntaxError) {
    var copy = text
    let problem = copy.withUTF8 { bytes -> SyntaxError? in
      do throws(SyntaxError) {
        let word = Token(bytes)
        guard field.isList else {
          try set(field, word)
          return nil
        }
        try beginList(field, word)
        try word.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in try add(field, part) }
        return nil
      } catch {
        return error
      }
    }
    if let problem { throw problem }
  }

  public func has(_ field: PacketField) -> Bool { said & field.bit != 0 }

  /// The packet.
  /// - Throws: ``SyntaxError`` that names the field without which it is none, or where its addresses are of two families.
  public func finish() throws(SyntaxError) -> Packet {
    for field in [PacketField.source, .destination, .proto] where !has(field) {
      throw SyntaxError("'\(field.name)' is missing", hint: "a packet has src, dst and proto")
    }
    guard packet.source.family == packet.destination.family else {
      throw SyntaxError("src is an \(packet.source.family) address and dst is not")
    }
    return packet
  }

  private mutating func note(_ field: PacketField, _ word: Token) throws(SyntaxError) {
    guard !has(field) else { throw SyntaxError(at: word, "'\(field.name)' is said twice") }
    said |= field.bit
  }

  // MARK: Values

  mutating func set(_ field: PacketField, _ word: Token) throws(SyntaxError) {
    try note(field, word)
    switch field {
    case .source: packet.source = try address(word, field)
    case .destination: packet.destination = try address(word, field)
    case .proto: packet.proto = try proto(word)
    case .inInterface: packet.inInterface = try interface(word, field)
    case .outInterface: packet.outInterface = try interface(word, field)
    case .sourcePort: packet.sourcePort = try port(word, field)
    case .destinationPort: packet.destinationPort = try port(word, field)
    case .icmpType: packet.icmpType = try number(word, field)
    case .icmpCode: packet.icmpCode = try number(word, field)
    case .state: packet.connection.state = try choice(word, field, Self.states)
    case .direction: packet.connection.direction = try choice(word, field, Self.directions)
    case .connectionMark: packet.connection.mark = try number(word, field)
    case .mark: packet.mark = try number(word, field)
    case .length: packet.length = Int(try number(word, field) as UInt16)
    case .hopLimit: packet.hopLimit = try number(word, field)
    case .trafficClass: packet.trafficClass = try number(word, field)
    case .fragment: packet.isLaterFragment = try choice(word, field, [("true", true), ("false", false)])
    case .maximumSegmentSize: packet.maximumSegmentSize = try number(word, field)
    case .mac:
      guard let address = MACAddress(token: word) else {
        throw wrong(word, field, "an address such as 00:16:3e:00:00:01")
      }
      packet.sourceMAC = address
    case .kind: packet.kind = try choice(word, field, Self.kinds)
    case .bytes: packet.bytes = try hexadecimal(word, field)
    case .flags, .statuses, .tcpOptions: throw wrong(word, field, "a list: [\"…\"]")
    }
  }

  /// Begins a list, which is empty until something is added.
  mutating func beginList(_ field: PacketField, _ name: Token) throws(SyntaxError) {
    try note(field, name)
    switch field {
    case .flags: packet.tcpFlags = []
    case .statuses: packet.connection.statuses = []
    case .tcpOptions: packet.tcpOptions = []
    default: throw SyntaxError(at: name, "\(field.name): one value, not a list")
    }
  }

  mutating func add(_ field: PacketField, _ word: Token) throws(SyntaxError) {
    switch field {
    case .flags:
      let flag = try choice(word, field, Self.flags)
      packet.tcpFlags?.formUnion(flag)
    case .statuses:
      let status = try choice(word, field, Self.statuses)
      packet.connection.statuses?.formUnion(status)
    case .tcpOptions:
      let option: UInt8 = try number(word, field)
      packet.tcpOptions?.insert(option)
    default: preconditionFailure("\(field) is no list")
    }
  }

  private static let flags: [(StaticString, TCPFlags)] = [
    ("SYN", .syn), ("ACK", .ack), ("FIN", .fin), ("RST", .rst), ("PSH", .psh), ("URG", .urg),
    ("ECE", TCPFlags(rawValue: 0x40)), ("CWR", TCPFlags(rawValue: 0x80)), ("NONE", []),
  ]
  private static let states: [(StaticString, ConnectionStates)] = [
    ("NEW", .new), ("ESTABLISHED", .established), ("RELATED", .related), ("INVALID", .invalid),
    ("UNTRACKED", .untracked),
  ]
  private static let directions: [(StaticString, ConnectionDirection)] = [("ORIGINAL", .original), ("REPLY", .reply)]
  private static let statuses: [(StaticString, ConnectionStatuses)] = [
    ("EXPECTED", .expected), ("SEEN_REPLY", .seenReply), ("ASSURED", .assured), ("CONFIRMED", .confirmed),
    ("SNAT", .sourceTranslated), ("DNAT", .destinationTranslated),
    ("NONE", []),
  ]
  private static let kinds: [(StaticString, PktType.Kind)] = [
    ("unicast", .unicast), ("broadcast", .broadcast), ("multicast", .multicast), ("otherhost", .otherHost),
  ]

  // MARK: Words

  private func wrong(_ word: Token, _ field: PacketField, _ wanted: String) -> SyntaxError {
    SyntaxError(at: word, "\(field.name): '\(word.string)' is not \(wanted)")
  }

  private func address(_ word: Token, _ field: PacketField) throws(SyntaxError) -> IPAddress {
    guard let address = IPAddress(family: .ipv4, token: word) ?? IPAddress(family: .ipv6, token: word) else {
      throw wrong(word, field, "an IP address")
    }
    return address
  }

  private func proto(_ word: Token) throws(SyntaxError) -> IPProtocol {
    if word == "tcp" { return .tcp }
    if word == "udp" { return .udp }
    if word.equalsIgnoringCase("all") { throw wrong(word, .proto, "one protocol, which a packet has") }
    do throws(SyntaxError) {
      return try names.proto(word)
    } catch {
      throw SyntaxError(at: word, "proto: \(error.message)", hint: error.hint)
    }
  }

  private func interface(_ word: Token, _ field: PacketField) throws(SyntaxError) -> InterfaceName {
    guard word.count <= 15, !word.bytes.contains(0), let name = InterfaceName(bytes: word.bytes) else {
      throw wrong(word, field, "an interface: names have at most 15 bytes")
    }
    return name
  }

  private func port(_ word: Token, _ field: PacketField) throws(SyntaxError) -> UInt16 {
    if let first = word.bytes.first, first > UInt8(ascii: "9"), let port = names.service(word.string, nil) {
      return port
    }
    return try number(word, field)
  }

  private func number<Number: FixedWidthInteger>(_ word: Token, _ field: PacketField) throws(SyntaxError) -> Number {
    guard let number = word.number(in: Number.min...Number.max) else {
      throw wrong(word, field, "a number from \(Number.min) to \(Number.max)")
    }
    return number
  }

  private func choice<Value>(_ word: Token, _ field: PacketField, _ values: [(StaticString, Value)])
    throws(SyntaxError) -> Value
  {
    for index in values.indices where word == values[index].0 { return values[index].1 }
    for index in values.indices where word.equalsIgnoringCase(values[index].0) { return values[index].1 }
    let known = values.map { "\($0.0)" }
    throw SyntaxError(
      at: word, "\(field.name): '\(word.string)' is none of its values",
      hint: suggestion(for: word.string, among: known) ?? "possible: \(known.joined(separator: ", "))")
  }

  private func hexadecimal(_ word: Token, _ field: PacketField) throws(SyntaxError) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(word.count / 2)
    for place in stride(from: 0, to: word.count, by: 2) {
      guard word.count % 2 == 0, let high = hexDigit(word.bytes[place]), let low = hexDigit(word.bytes[place + 1])
      else {
        throw wrong(word, field, "bytes in hexadecimal digits")
      }
      result.append(high << 4 | low)
    }
    return result
  }
}
