/// Ports, types and options of a DCCP packet (`struct xt_dccp_info`, linux/netfilter/xt_dccp.h; RFC 4340).
public struct DCCP: Match {
  public let sourcePorts: Negatable<Bounds<UInt16>>?
  public let destinationPorts: Negatable<Bounds<UInt16>>?
  public let types: Negatable<DCCPTypes>?
  /// The number of an option that must be present.
  public let option: Negatable<UInt8>?

  /// nil when no type is named, a type has no name, or the option is 0, which iptables cannot write.
  public init?(
    sourcePorts: Negatable<Bounds<UInt16>>? = nil, destinationPorts: Negatable<Bounds<UInt16>>? = nil,
    types: Negatable<DCCPTypes>? = nil, option: Negatable<UInt8>? = nil
  ) {
    if let types { guard types.value.canBePrinted else { return nil } }
    if let option { guard option.value > 0 else { return nil } }
    self.sourcePorts = sourcePorts
    self.destinationPorts = destinationPorts
    self.types = types
    self.option = option
  }
}

/// Types of packets, a bit for each number.
public struct DCCPTypes: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  public static let request = DCCPTypes(rawValue: 0x001)
  public static let response = DCCPTypes(rawValue: 0x002)
  public static let data = DCCPTypes(rawValue: 0x004)
  public static let ack = DCCPTypes(rawValue: 0x008)
  public static let dataAck = DCCPTypes(rawValue: 0x010)
  public static let closeRequest = DCCPTypes(rawValue: 0x020)
  public static let close = DCCPTypes(rawValue: 0x040)
  public static let reset = DCCPTypes(rawValue: 0x080)
  public static let sync = DCCPTypes(rawValue: 0x100)
  public static let syncAck = DCCPTypes(rawValue: 0x200)
  /// The numbers from 10, which are no types.
  public static let invalid = DCCPTypes(rawValue: 0xfc00)

  fileprivate static let names: [(name: StaticString, flag: DCCPTypes)] = [
    ("REQUEST", .request), ("RESPONSE", .response), ("DATA", .data), ("ACK", .ack), ("DATAACK", .dataAck),
    ("CLOSEREQ", .closeRequest), ("CLOSE", .close), ("RESET", .reset), ("SYNC", .sync), ("SYNCACK", .syncAck),
    ("INVALID", .invalid),
  ]

  fileprivate static let numbers: [(name: StaticString, flag: DCCPTypes)] = [
    ("0", .request), ("1", .response), ("2", .data), ("3", .ack), ("4", .dataAck), ("5", .closeRequest), ("6", .close),
    ("7", .reset), ("8", .sync), ("9", .syncAck), ("10,11,12,13,14,15", .invalid),
  ]

  fileprivate var canBePrinted: Bool {
    let others = intersection(.invalid)
    return !isEmpty && (others.isEmpty || others == .invalid)
  }
}

// MARK: Syntax

extension DCCP {
  public static let definition = ExtensionDefinition(
    "dccp", summary: "DCCP ports, types and options", protocols: [.dccp],
    options: [
      OptionSpec("--source-port", aliases: ["--sport"], .portRange, negatable: true, "source port or range"),
      OptionSpec("--destination-port", aliases: ["--dport"], .portRange, negatable: true, "destination port or range"),
      OptionSpec("--dccp-types", .list(DCCPTypes.names.map(\.name)), negatable: true, "the packet is of one of these"),
      OptionSpec("--dccp-option", .number(1...255), negatable: true, "option of this number present"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    func ports(_ name: StaticString) throws(SyntaxError) -> Negatable<Bounds<UInt16>>? {
      guard let ports = try options.portBounds(name, .dccp) else { return nil }
      return Negatable(ports, inverted: options.isInverted(name))
    }
    var types: Negatable<DCCPTypes>?
    if let token = options.token("--dccp-types") {
      types = Negatable([], inverted: options.isInverted("--dccp-types"))
      try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
        guard part.count > 0 else { return }
        let place = try options.choice(part, among: DCCPTypes.names.map(\.name), of: "--dccp-types")
        types?.value.formUnion(DCCPTypes.names[place].flag)
      }
    }
    let option = try options.number("--dccp-option").map {
      Negatable(UInt8($0), inverted: options.isInverted("--dccp-option"))
    }
    let value = DCCP(
      sourcePorts: try ports("--source-port"), destinationPorts: try ports("--destination-port"), types: types,
      option: option)
    guard let value else { throw options.error("--dccp-types", "no type is named") }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    out.bounds("--sport", sourcePorts)
    out.bounds("--dport", destinationPorts)
    if let types {
      out.option("--dccp-types", inverted: types.isInverted)
      out.list(types.value, of: DCCPTypes.names)
    }
    if let option {
      out.option("--dccp-option", inverted: option.isInverted)
      out.number(option.value)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("dccp")
    for (name, ports) in [("spt" as StaticString, sourcePorts), ("dpt", destinationPorts)]
    where ports != Negatable(Bounds(0, .max)) {
      out.listPorts(name, ports, .dccp)
    }
    if let types {
      if types.isInverted { out.word("!") }
      if out.isNumeric {
        out.list(types.value, of: DCCPTypes.numbers)
      } else {
        out.list(types.value, of: DCCPTypes.names)
      }
    }
    if let option {
      out.word(option.isInverted ? "option=!" : "option=")
      out.text.write(option.value)
    }
  }
}

extension RuleWriter {
  fileprivate mutating func bounds(_ name: StaticString, _ ports: Negatable<Bounds<UInt16>>?) {
    guard let ports else { return }
    option(name, inverted: ports.isInverted)
    text.write(byte: UInt8(ascii: " "))
    text.write(ports.value)
  }
}

// MARK: Kernel bytes

extension DCCP {
  private enum Flag {
    static let sourcePorts: UInt16 = 0x1
    static let destinationPorts: UInt16 = 0x2
    static let types: UInt16 = 0x4
    static let option: UInt16 = 0x8
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(destinationPorts?.value.first ?? 0)
    out.write(destinationPorts?.value.last ?? 0)
    out.write(sourcePorts?.value.first ?? 0)
    out.write(sourcePorts?.value.last ?? 0)
    let conditions: [(flag: UInt16, isInverted: Bool?)] = [
      (Flag.sourcePorts, sourcePorts?.isInverted), (Flag.destinationPorts, destinationPorts?.isInverted),
      (Flag.types, types?.isInverted), (Flag.option, option?.isInverted),
    ]
    out.write(conditions.reduce(0 as UInt16) { $1.isInverted == nil ? $0 : $0 | $1.flag })
    out.write(conditions.reduce(0 as UInt16) { $1.isInverted == true ? $0 | $1.flag : $0 })
    out.write(types?.value.rawValue ?? 0)
    out.write(option?.value ?? 0)
    out.zeros(1)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let destination = Bounds(try bytes.uint16("dpts"), try bytes.uint16("dpts"))
    let source = Bounds(try bytes.uint16("spts"), try bytes.uint16("spts"))
    let flags = try bytes.uint16("flags")
    let inverted = try bytes.uint16("invflags")
    let types = DCCPTypes(rawValue: try bytes.uint16("typemask"))
    let option = try bytes.uint8("option")
    try bytes.zeros("padding", 1)
    guard inverted & ~flags == 0 else { throw bytes.invalid("invflags") }
    guard flags <= 0xf, flags & Flag.sourcePorts != 0 || source == Bounds(0),
      flags & Flag.destinationPorts != 0 || destination == Bounds(0), flags & Flag.types != 0 || types.isEmpty,
      flags & Flag.option != 0 || option == 0
    else { throw bytes.invalid("flags") }
    func condition<Value>(_ value: Value, _ flag: UInt16) -> Negatable<Value>? {
      flags & flag == 0 ? nil : Negatable(value, inverted: inverted & flag != 0)
    }
    let value = DCCP(
      sourcePorts: condition(source, Flag.sourcePorts),
      destinationPorts: condition(destination, Flag.destinationPorts), types: condition(types, Flag.types),
      option: condition(option, Flag.option))
    guard let value else { throw bytes.invalid("typemask") }
    self = value
  }
}

// MARK: Meaning

extension DCCP {
  public func matches(_ packet: Packet) -> Answer {
    switch packet.readTransportHeader(atLeast: DCCPHeader.genericSize, else: answer(packet, nil)) {
    case .answer(let answer): return answer
    case .bytes(let bytes): return answer(packet, DCCPHeader(bytes))
    }
  }

  private func answer(_ packet: Packet, _ header: DCCPHeader?) -> Answer {
    let sent = packet.sourcePort ?? header?.sourcePort
    let received = packet.destinationPort ?? header?.destinationPort
    return .about(sent, "the source port", sourcePorts) { $1.contains($0) }
      && .about(received, "the destination port", destinationPorts) { $1.contains($0) }
      && .about(header?.type, "the packet's bytes", types) { $1.contains($0) }
      && optionAnswer(header)
  }

  private func optionAnswer(_ header: DCCPHeader?) -> Answer {
    guard let option else { return .yes }
    guard let header else { return .depends(on: "the packet's bytes") }
    return header.options.map { Answer($0.contains(option.value) != option.isInverted) } ?? .broken
  }
}

/// The header of a DCCP packet (RFC 4340 section 5).
private struct DCCPHeader {
  let sourcePort: UInt16
  let destinationPort: UInt16
  let type: DCCPTypes
  /// The numbers of its options; nil where they do not end where the header says.
  let options: Set<UInt8>?

  /// nil where the bytes end within the part that every header has.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.genericSize, let source = bytes.bigUInt16(at: 0), let destination = bytes.bigUInt16(at: 2)
    else { return nil }
    let number = bytes[8] >> 1 & 0xf
    sourcePort = source
    destinationPort = destination
    type = DCCPTypes(rawValue: 1 << UInt16(number))
    let hasLongNumbers = bytes[8] & 1 == 1
    let start = Self.genericSize + (hasLongNumbers ? 4 : 0) + Self.subheaderSize(number)
    options = Self.options(bytes, start, 4 * Int(bytes[4]))
  }

  /// `struct dccp_hdr` (linux/dccp.h), before a sequence number's longer half.
  static let genericSize = 12

  /// Bytes between the generic header and the options.
  private static func subheaderSize(_ type: UInt8) -> Int {
    switch type {
    case 0: 4  // request
    case 2: 0  // data
    case 3...6, 8, 9: 8  // with an acknowledgement
    default: 12  // response and reset, and what is not known
    }
  }

  /// Options 0 and 1 are one byte; the second byte of others is their length.
  private static func options(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Set<UInt8>? {
    guard start <= end, end <= bytes.count || start == end else { return nil }
    var options: Set<UInt8> = []
    var place = start
    while place < end {
      options.insert(bytes[place])
      if bytes[place] < 2 {
        place += 1
      } else {
        guard place + 1 < end else { break }
        place += max(1, Int(bytes[place + 1]))
      }
    }
    return options
  }
}
