/// The IPv6 source address is made from the Ethernet source address (RFC 4291 appendix A). The kernel's structure is an
/// `int` that nothing looks at.
public struct EUI64: Match {
  public init() {}
}

// MARK: Syntax

extension EUI64 {
  public static let definition = ExtensionDefinition(
    "eui64", summary: "IPv6 address made from the Ethernet address", families: [.ipv6],
    hooks: [.prerouting, .input, .forward])

  public init(parsing options: OptionValues) throws(SyntaxError) {}

  public func print(to out: inout RuleWriter) {}
}

// MARK: Kernel bytes

extension EUI64 {
  public func encode(to out: inout ByteWriter, family: Family) { out.zeros(4) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    try bytes.zeros("data", 4)
  }
}
