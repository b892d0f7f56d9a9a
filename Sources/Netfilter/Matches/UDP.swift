/// Ports of a UDP datagram (`struct xt_udp`, linux/netfilter/xt_tcpudp.h). Other than for ``TCP``, iptables takes ports
/// that run backwards, which no datagram has.
public struct UDP: Match {
  public var sourcePorts: Negatable<Bounds<UInt16>>?
  public var destinationPorts: Negatable<Bounds<UInt16>>?

  public init(
    sourcePorts: Negatable<Bounds<UInt16>>? = nil, destinationPorts: Negatable<Bounds<UInt16>>? = nil
  ) {
    self.sourcePorts = sourcePorts
    self.destinationPorts = destinationPorts
  }
}

// MARK: Syntax

extension UDP {
  public static let definition = ExtensionDefinition(
    "udp", summary: "UDP ports", protocols: [.udp],
    options: [
      OptionSpec("--source-port", aliases: ["--sport"], .portRange, negatable: true, "source port or range"),
      OptionSpec("--destination-port", aliases: ["--dport"], .portRange, negatable: true, "destination port or range"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let ports = try options.portBounds("--source-port", nil) {
      sourcePorts = ports.condition(inverted: options.isInverted("--source-port"))
    }
    if let ports = try options.portBounds("--destination-port", nil) {
      destinationPorts = ports.condition(inverted: options.isInverted("--destination-port"))
    }
    if options.interface == .nfTables {
      sourcePorts = sourcePorts?.saidByNFTables
      destinationPorts = destinationPorts?.saidByNFTables
    }
  }

  public func print(to out: inout RuleWriter) {
    out.ports("--sport", sourcePorts)
    out.ports("--dport", destinationPorts)
  }

  public func list(to out: inout RuleWriter) {
    out.word("udp")
    out.listPorts("spt", sourcePorts, .udp)
    out.listPorts("dpt", destinationPorts, .udp)
  }
}

// MARK: Kernel bytes

extension UDP {
  public func encode(to out: inout ByteWriter, family: Family) {
    for ports in [sourcePorts?.value ?? .anyPort, destinationPorts?.value ?? .anyPort] {
      out.write(ports.first)
      out.write(ports.last)
    }
    var inverts: UInt8 = 0
    if sourcePorts?.isInverted == true { inverts |= 0x01 }  // XT_UDP_INV_SRCPT
    if destinationPorts?.isInverted == true { inverts |= 0x02 }  // XT_UDP_INV_DSTPT
    out.write(inverts)
    out.zeros(1)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let source = Bounds(try bytes.uint16("spts"), try bytes.uint16("spts"))
    let destination = Bounds(try bytes.uint16("dpts"), try bytes.uint16("dpts"))
    let inverts = try bytes.uint8("invflags")
    guard inverts <= 0x03 else { throw bytes.invalid("invflags") }
    try bytes.skip("padding", 1)
    sourcePorts = source.condition(inverted: inverts & 0x01 != 0)
    destinationPorts = destination.condition(inverted: inverts & 0x02 != 0)
  }
}

extension Bounds<UInt16> {
  /// Every port.
  public static var anyPort: Bounds { Bounds(0, .max) }

  /// nil for every port, which is how the kernel says that ports do not matter.
  fileprivate func condition(inverted: Bool) -> Negatable<Bounds<UInt16>>? {
    self == .anyPort && !inverted ? nil : Negatable(self, inverted: inverted)
  }
}

extension RuleWriter {
  /// ` ! --dport 22:25`; nothing for nil.
  fileprivate mutating func ports(_ name: StaticString, _ ports: Negatable<Bounds<UInt16>>?) {
    guard let ports else { return }
    option(name, inverted: ports.isInverted)
    text.write(byte: UInt8(ascii: " "))
    text.write(ports.value)
  }
}

// MARK: Meaning

extension UDP {
  /// A later fragment has no ports, so no rule of this match is for it.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    return .about(packet.sourcePort, "the source port", sourcePorts) { $1.contains($0) }
      && .about(packet.destinationPort, "the destination port", destinationPorts) { $1.contains($0) }
  }
}
