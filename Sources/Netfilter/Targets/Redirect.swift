/// Maps the destination of a connection to this machine
/// (`struct nf_nat_ipv4_multi_range_compat` for IPv4, `struct nf_nat_range` for IPv6, linux/netfilter/nf_nat.h).
public struct Redirect: Target {
  /// The port to go to, or the ports of which one is taken; nil for the original one.
  public var ports: PortRange?
  /// Whether the port is drawn at random.
  public var isRandom: Bool

  public init(ports: PortRange? = nil, isRandom: Bool = false) {
    self.ports = ports
    self.isRandom = isRandom
  }
}

// MARK: Syntax

extension Redirect {
  public static let definition = ExtensionDefinition(
    "REDIRECT", summary: "map the destination to this machine", tables: [.nat], hooks: [.prerouting, .output],
    options: [OptionSpec("--to-ports", .custom("PORT[-PORT]"), "the port to go to"), .natRandom])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(ports: try options.plainNATPorts("--to-ports"), isRandom: options.has("--random"))
  }

  public func print(to out: inout RuleWriter) { out.natPorts("--to-ports", ports, isRandom ? .random : []) }

  public func list(to out: inout RuleWriter) { out.listNATPorts("redir ports ", ports, isRandom ? .random : []) }
}

// MARK: Kernel bytes

extension Redirect {
  public func encode(to out: inout ByteWriter, family: Family) {
    NATRange(ports: ports.map { NATPorts($0) }, options: isRandom ? .random : [])
      .encode(as: NATRange.portStructure(of: family), to: &out, family: family)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let range = try NATRange.decodePorts(&bytes, family: family, options: .random)
    self.init(ports: range.ports?.range, isRandom: range.options.contains(.random))
  }
}

// MARK: Meaning

extension Redirect {
  /// What this machine sends goes to its loopback address, other packets to an address of the interface they came by.
  public func act(on packet: inout Packet) -> TargetOutcome {
    var range = NATRange(ports: ports.map { NATPorts($0) }, options: isRandom ? .random : [])
    let isSentHere = packet.hook.map { $0 == .output } ?? (packet.inInterface == .none)
    if isSentHere { range.addresses = NATAddresses(.loopback(packet.family)) }
    let outcome = range.mapDestination(of: &packet)
    return isSentHere ? outcome : .depends(on: "the address of the incoming interface")
  }
}

extension IPAddress {
  fileprivate static func loopback(_ family: Family) -> IPAddress {
    family == .ipv4 ? IPAddress(ipv4: 0x7f00_0001) : IPAddress(ipv6: 1)
  }
}
