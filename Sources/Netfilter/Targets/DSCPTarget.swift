/// Sets the six bits of the IP header that say how the packet is treated
/// (`struct xt_DSCP_info`, linux/netfilter/xt_DSCP.h; RFC 2474).
public struct DSCPTarget: Target {
  public let value: UInt8

  /// nil when the value has more than six bits.
  public init?(_ value: UInt8) {
    guard value <= 0x3f else { return nil }
    self.value = value
  }
}

// MARK: Syntax

extension DSCPTarget {
  public static let definition = ExtensionDefinition(
    "DSCP", summary: "set the DSCP field", tables: [.mangle],
    options: [
      OptionSpec("--set-dscp", .number(0...0x3f), excludes: ["--set-dscp-class"], "the value"),
      OptionSpec(
        "--set-dscp-class", .choice(classes.map(\.name)), excludes: ["--set-dscp"], "the value by its class"),
    ])

  /// Class selectors (RFC 2474), best effort, assured forwarding (RFC 2597), expedited forwarding (RFC 3246).
  private static let classes: [(name: StaticString, value: UInt8)] = [
    ("CS0", 0x00), ("CS1", 0x08), ("CS2", 0x10), ("CS3", 0x18), ("CS4", 0x20), ("CS5", 0x28), ("CS6", 0x30),
    ("CS7", 0x38), ("BE", 0x00), ("AF11", 0x0a), ("AF12", 0x0c), ("AF13", 0x0e), ("AF21", 0x12), ("AF22", 0x14),
    ("AF23", 0x16), ("AF31", 0x1a), ("AF32", 0x1c), ("AF33", 0x1e), ("AF41", 0x22), ("AF42", 0x24), ("AF43", 0x26),
    ("EF", 0x2e),
  ]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let number = try options.number("--set-dscp") {
      value = UInt8(number)
    } else if let place = try options.choice("--set-dscp-class") {
      value = Self.classes[place].value
    } else {
      throw SyntaxError("DSCP needs --set-dscp or --set-dscp-class")
    }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--set-dscp")
    out.text.write(" 0x")
    out.text.write(hex: value, width: 2)
  }

  public func list(to out: inout RuleWriter) {
    out.word("DSCP set 0x")
    out.text.write(hex: value, width: 2)
  }
}

// MARK: Kernel bytes

extension DSCPTarget {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(value) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let target = DSCPTarget(try bytes.uint8("dscp")) else { throw bytes.invalid("dscp") }
    self = target
  }
}

// MARK: Meaning

extension DSCPTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    packet.rewrite(\.trafficClass, packet.trafficClass.map { $0 & 0x03 | value << 2 })
    return .proceed
  }
}
