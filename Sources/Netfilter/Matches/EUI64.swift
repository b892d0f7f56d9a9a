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

  /// Its name alone, with the blank behind it: so iptables shows a match that has nothing to say of itself.
  public func list(to out: inout RuleWriter) { out.text.write("eui64 ") }
}

// MARK: Kernel bytes

extension EUI64 {
  public func encode(to out: inout ByteWriter, family: Family) { out.zeros(4) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    try bytes.zeros("data", 4)
  }
}

// MARK: Meaning

extension EUI64 {
  /// The interface's half of the address has the Ethernet address around ff:fe, with the universal bit flipped.
  public func matches(_ packet: Packet) -> Answer {
    let identifier = UInt64(truncatingIfNeeded: packet.source.bits)
    guard identifier >> 24 & 0xffff == 0xfffe else { return .no }
    guard let sender = packet.sourceMAC else { return .depends(on: "the Ethernet source address") }
    let (maker, number) = (sender.bits >> 24 ^ 0x02_0000, sender.bits & 0xff_ffff)
    return Answer(identifier == maker << 40 | 0xfffe << 24 | number)
  }
}
