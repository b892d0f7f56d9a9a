/// Maps the source of a connection to the address of the interface it leaves by
/// (`struct nf_nat_ipv4_multi_range_compat` for IPv4, `struct nf_nat_range` for IPv6, linux/netfilter/nf_nat.h).
public struct Masquerade: Target {
  /// The source ports to use; nil for the original one where it is free.
  public var ports: PortRange?
  /// How the port is chosen; `persistent` has no meaning here and is dropped.
  public let options: NATOptions

  public init(ports: PortRange? = nil, options: NATOptions = []) {
    self.ports = ports
    self.options = options.intersection(Self.knownOptions)
  }

  private static let knownOptions: NATOptions = [.random, .randomFully]
}

// MARK: Syntax

extension Masquerade {
  public static let definition = ExtensionDefinition(
    "MASQUERADE", summary: "map the source to the outgoing interface's address", tables: [.nat], hooks: .postrouting,
    options: [
      OptionSpec("--to-ports", .custom("PORT[-PORT]"), "the source ports to use"), .natRandom, .natRandomFully,
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(ports: try options.plainNATPorts("--to-ports"), options: options.natOptions())
  }

  public func print(to out: inout RuleWriter) { out.natPorts("--to-ports", ports, options) }

  public func list(to out: inout RuleWriter) { out.listNATPorts("masq ports: ", ports, options) }
}

// MARK: Kernel bytes

extension Masquerade {
  public func encode(to out: inout ByteWriter, family: Family) {
    NATRange(ports: ports.map { NATPorts($0) }, options: options)
      .encode(as: NATRange.portStructure(of: family), to: &out, family: family)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let range = try NATRange.decodePorts(&bytes, family: family, options: Self.knownOptions)
    self.init(ports: range.ports?.range, options: range.options)
  }
}

// MARK: Meaning

extension Masquerade {
  /// The source becomes an address of the outgoing interface, which the packet does not say.
  public func act(on packet: inout Packet) -> TargetOutcome {
    _ = NATRange(ports: ports.map { NATPorts($0) }, options: options).mapSource(of: &packet)
    return .depends(on: "the address of the outgoing interface")
  }
}
