/// Sends a copy of the packet to another host (`struct xt_tee_tginfo`, linux/netfilter/xt_TEE.h).
public struct Tee: Target {
  /// A host in a network that this machine is in.
  public let gateway: IPAddress
  /// The interface that leads there; nil for whichever the routing table says.
  public let outInterface: BareName<15>?

  /// nil for the address 0.0.0.0 or ::.
  public init?(gateway: IPAddress, outInterface: BareName<15>? = nil) {
    guard gateway.bits != 0 else { return nil }
    self.gateway = gateway
    self.outInterface = outInterface
  }
}

// MARK: Syntax

extension Tee {
  public static let definition = ExtensionDefinition(
    "TEE", summary: "send a copy of the packet to another host", revisions: [1],
    options: [
      OptionSpec("--gateway", .custom("ADDRESS"), required: true, "the host that gets the copy"),
      OptionSpec("--oif", .string(maxBytes: 15), "the interface that leads there"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--gateway") else { throw options.error("--gateway", "an address is missing") }
    let gateway = try options.host(token, of: "--gateway")
    guard let tee = Tee(gateway: gateway, outInterface: try options.bareName("--oif")) else {
      throw options.error("--gateway", "no host has the address \(gateway)")
    }
    self = tee
  }

  public func print(to out: inout RuleWriter) {
    out.option("--gateway")
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(gateway)
    if let outInterface {
      out.option("--oif")
      out.word(outInterface.text)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("TEE gw:")
    if !out.isNumeric, let name = out.names.reverse.host(gateway) {
      out.text.write(name)
    } else {
      out.text.write(gateway)
    }
    guard let outInterface else { return }
    out.word("oif=")
    out.text.write(outInterface.text)
  }
}

// MARK: Kernel bytes

extension Tee {
  /// A pointer of the kernel's.
  private static let privateSize = 8

  /// - Precondition: the gateway is of the rule's family.
  public func encode(to out: inout ByteWriter, family: Family) {
    precondition(gateway.family == family, "an \(gateway.family) gateway cannot stand in an \(family) rule")
    out.write(unionAddress: gateway.bits, family)
    out.write(outInterface)
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let gateway = try bytes.unionAddress("gw", family)
    guard let tee = Tee(gateway: gateway, outInterface: try bytes.bareName("oif")) else { throw bytes.invalid("gw") }
    try bytes.zeros("priv", Self.privateSize)
    self = tee
  }
}

// MARK: Meaning

extension Tee {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
