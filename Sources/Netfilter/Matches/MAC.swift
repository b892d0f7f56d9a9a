/// The Ethernet address a packet came from (`struct xt_mac_info`, linux/netfilter/xt_mac.h).
public struct MAC: Match {
  public var source: Negatable<MACAddress>

  public init(_ source: Negatable<MACAddress>) { self.source = source }
}

// MARK: Syntax

extension MAC {
  public static let definition = ExtensionDefinition(
    "mac", summary: "Ethernet source address", hooks: [.prerouting, .input, .forward],
    options: [
      OptionSpec("--mac-source", .macAddress, negatable: true, required: true, "Ethernet source address")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let address = try options.macAddress("--mac-source") else {
      throw options.error("--mac-source", "needs --mac-source")
    }
    source = Negatable(address, inverted: options.isInverted("--mac-source"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--mac-source", inverted: source.isInverted)
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(source.value)
  }

  public func list(to out: inout RuleWriter) {
    out.word(source.isInverted ? "MAC ! " : "MAC ")
    out.text.write(source.value)
  }
}

// MARK: Kernel bytes

extension MAC {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(source.value.bytes)
    out.zeros(2)
    out.write(UInt32(source.isInverted ? 1 : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let address = try bytes.raw("srcaddr", count: 6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    try bytes.zeros("padding", 2)
    let inverted = try bytes.uint32("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    source = Negatable(MACAddress(bits: address), inverted: inverted == 1)
  }
}

// MARK: Meaning

extension MAC {
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.sourceMAC, "the Ethernet source address", source) { $0 == $1 }
  }
}
