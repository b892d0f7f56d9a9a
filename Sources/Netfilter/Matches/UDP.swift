/// Ports of a UDP datagram (`struct xt_udp`, linux/netfilter/xt_tcpudp.h).
public struct UDP: Match {
  public var sourcePorts: Negatable<PortRange>?
  public var destinationPorts: Negatable<PortRange>?

  public init(sourcePorts: Negatable<PortRange>? = nil, destinationPorts: Negatable<PortRange>? = nil) {
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

  public init(parsing options: borrowing OptionValues) throws(SyntaxError) {
    if let ports = try options.portRange("--source-port", .udp) {
      sourcePorts = Negatable(ports, inverted: options.isInverted("--source-port"))
    }
    if let ports = try options.portRange("--destination-port", .udp) {
      destinationPorts = Negatable(ports, inverted: options.isInverted("--destination-port"))
    }
  }

  public func print(to out: inout RuleWriter) {
    out.ports("--sport", sourcePorts)
    out.ports("--dport", destinationPorts)
  }
}

// MARK: Kernel bytes

extension UDP {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(sourcePorts?.value ?? .any)
    out.write(destinationPorts?.value ?? .any)
    var inverts: UInt8 = 0
    if sourcePorts?.isInverted == true { inverts |= 0x01 }  // XT_UDP_INV_SRCPT
    if destinationPorts?.isInverted == true { inverts |= 0x02 }  // XT_UDP_INV_DSTPT
    out.write(inverts)
    out.zeros(1)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let source = try bytes.portRange("spts")
    let destination = try bytes.portRange("dpts")
    let inverts = try bytes.uint8("invflags")
    guard inverts <= 0x03 else { throw bytes.invalid("invflags") }
    try bytes.skip("padding", 1)
    sourcePorts = source.condition(inverted: inverts & 0x01 != 0)
    destinationPorts = destination.condition(inverted: inverts & 0x02 != 0)
  }
}
