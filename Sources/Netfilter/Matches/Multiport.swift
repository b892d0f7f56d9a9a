/// Ports of any protocol that has them, several at once (`struct xt_multiport_v1`, linux/netfilter/xt_multiport.h).
public struct Multiport: Match {
  /// Which ports of the packet are compared.
  public enum Side: UInt8, Hashable, Sendable, CaseIterable {
    case source = 0
    case destination = 1
    /// It is enough when one of the two is in the list.
    case either = 2
  }

  public let side: Side
  public let ports: [PortRange]
  public let isInverted: Bool

  /// Places in the kernel's list: one port takes one, a range takes two.
  public static let slotCount = 15

  /// nil when there are no ports or more than the kernel has places for.
  public init?(_ side: Side, _ ports: [PortRange], inverted: Bool = false) {
    guard !ports.isEmpty, Self.slots(of: ports) <= Self.slotCount else { return nil }
    self.side = side
    self.ports = ports
    isInverted = inverted
  }

  private static func slots(of ports: [PortRange]) -> Int {
    ports.reduce(0) { $0 + ($1.first == $1.last ? 1 : 2) }
  }
}

// MARK: Syntax

extension Multiport {
  public static let definition = ExtensionDefinition(
    "multiport", summary: "several ports", revisions: [1], protocols: [.tcp, .udp, .udplite, .dccp, .sctp],
    options: [
      OptionSpec(
        "--source-ports", aliases: ["--sports"], .ports, negatable: true, excludes: ["--destination-ports", "--ports"],
        "source port is one of these"),
      OptionSpec(
        "--destination-ports", aliases: ["--dports"], .ports, negatable: true, excludes: ["--source-ports", "--ports"],
        "destination port is one of these"),
      OptionSpec(
        "--ports", .ports, negatable: true, excludes: ["--source-ports", "--destination-ports"],
        "source or destination port is one of these"),
    ])

  private static func option(_ side: Side) -> StaticString {
    switch side {
    case .source: "--source-ports"
    case .destination: "--destination-ports"
    case .either: "--ports"
    }
  }

  public init(parsing options: OptionValues) throws(SyntaxError) {
    for side in Side.allCases {
      let name = Self.option(side)
      guard let token = options.token(name) else { continue }
      var ports: [PortRange] = []
      try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
        ports.append(try Self.port(part, options, name))
        guard Self.slots(of: ports) <= Self.slotCount else {
          throw SyntaxError(
            at: part, "\(name): more than \(Self.slotCount) ports, of which a range counts as two",
            hint: "write a second rule for the rest")
        }
      }
      self.side = side
      self.ports = ports
      isInverted = options.isInverted(name)
      return
    }
    throw SyntaxError("multiport needs --sports, --dports or --ports")
  }

  /// A port or a range, both of whose ends have to be there.
  private static func port(_ token: Token, _ options: OptionValues, _ name: StaticString)
    throws(SyntaxError) -> PortRange
  {
    let proto = options.proto?.value
    let parts = token.split(at: UInt8(ascii: ":"))
    guard token.count > 0 else { throw SyntaxError(at: token, "\(name): a port is missing between the commas") }
    guard let last = parts.after else { return PortRange(try options.names.port(token, proto, option: name)) }
    guard parts.before.count > 0, last.count > 0 else {
      throw SyntaxError(
        at: token, "\(name): the range '\(token.string)' needs both its ends",
        hint: "write \(parts.before.count > 0 ? parts.before.string : "0"):\(last.count > 0 ? last.string : "65535")")
    }
    let range = try options.names.portRange(token, proto, option: name)
    guard range.first < range.last else {
      throw SyntaxError(
        at: token, "\(name): a range goes from a smaller port to a greater one", hint: "write \(range.first)")
    }
    return range
  }

  public func print(to out: inout RuleWriter) {
    switch side {
    case .source: out.option("--sports", inverted: isInverted)
    case .destination: out.option("--dports", inverted: isInverted)
    case .either: out.option("--ports", inverted: isInverted)
    }
    var separator = UInt8(ascii: " ")
    for range in ports {
      out.text.write(byte: separator)
      out.text.write(range)
      separator = UInt8(ascii: ",")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("multiport")
    switch side {
    case .source: out.word("sports ")
    case .destination: out.word("dports ")
    case .either: out.word("ports ")
    }
    if isInverted { out.text.write(" !") }
    for (place, range) in ports.enumerated() {
      if place > 0 { out.text.write(",") }
      out.listPort(range.first, out.proto)
      guard range.last != range.first else { continue }
      out.text.write(":")
      out.listPort(range.last, out.proto)
    }
  }
}

// MARK: Kernel bytes

extension Multiport {
  public func encode(to out: inout ByteWriter, family: Family) {
    var slots: [UInt16] = []
    var rangeFlags: [UInt8] = []
    for range in ports {
      slots.append(range.first)
      rangeFlags.append(range.first == range.last ? 0 : 1)
      guard range.first != range.last else { continue }
      slots.append(range.last)
      rangeFlags.append(0)
    }
    let free = Self.slotCount - slots.count
    out.write(side.rawValue)
    out.write(UInt8(slots.count))
    for slot in slots { out.write(slot) }
    out.zeros(2 * free)
    out.write(rangeFlags)
    out.zeros(free)
    out.write(UInt8(isInverted ? 1 : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let side = Side(rawValue: try bytes.uint8("flags")) else { throw bytes.invalid("flags") }
    let count = Int(try bytes.uint8("count"))
    guard count <= Self.slotCount else { throw bytes.invalid("count") }
    var slots: [UInt16] = []
    for _ in 0..<count { slots.append(try bytes.uint16("ports")) }
    try bytes.zeros("ports", 2 * (Self.slotCount - count))
    let rangeFlags = try bytes.raw("pflags", count: count)
    try bytes.zeros("pflags", Self.slotCount - count)
    let inverted = try bytes.uint8("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }

    var ports: [PortRange] = []
    var place = 0
    while place < count {
      if rangeFlags[place] == 0 {
        ports.append(PortRange(slots[place]))
      } else {
        guard rangeFlags[place] == 1, place + 1 < count, rangeFlags[place + 1] == 0, slots[place] < slots[place + 1],
          let range = PortRange(slots[place], through: slots[place + 1])
        else { throw bytes.invalid("pflags") }
        ports.append(range)
        place += 1
      }
      place += 1
    }
    guard let value = Multiport(side, ports, inverted: inverted == 1) else { throw bytes.invalid("count") }
    self = value
  }
}

// MARK: Meaning

extension Multiport {
  /// A later fragment has no ports, so no rule of this match is for it.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    let isListed: Answer
    switch side {
    case .source: isListed = isOne(packet.sourcePort, "the source port")
    case .destination: isListed = isOne(packet.destinationPort, "the destination port")
    case .either:
      isListed =
        isOne(packet.sourcePort, "the source port") || isOne(packet.destinationPort, "the destination port")
    }
    return isInverted ? !isListed : isListed
  }

  private func isOne(_ port: UInt16?, _ name: StaticString) -> Answer {
    guard let port else { return .depends(on: name) }
    return Answer(ports.contains { $0.contains(port) })
  }
}
