/// The Differentiated Services codepoint of a packet (`struct xt_dscp_info`, linux/netfilter/xt_dscp.h; RFC 2474).
public struct DSCPMatch: Match {
  public let codepoint: Negatable<UInt8>

  /// nil when the codepoint has more than six bits.
  public init?(_ codepoint: Negatable<UInt8>) {
    guard codepoint.value <= Self.maxCodepoint else { return nil }
    self.codepoint = codepoint
  }

  fileprivate static let maxCodepoint: UInt8 = 0x3f

  /// Names of codepoints (RFC 2474, RFC 2597, RFC 3246).
  fileprivate static let classes: [(name: StaticString, codepoint: UInt8)] = [
    ("CS0", 0x00), ("CS1", 0x08), ("CS2", 0x10), ("CS3", 0x18), ("CS4", 0x20), ("CS5", 0x28), ("CS6", 0x30),
    ("CS7", 0x38), ("BE", 0x00), ("AF11", 0x0a), ("AF12", 0x0c), ("AF13", 0x0e), ("AF21", 0x12), ("AF22", 0x14),
    ("AF23", 0x16), ("AF31", 0x1a), ("AF32", 0x1c), ("AF33", 0x1e), ("AF41", 0x22), ("AF42", 0x24), ("AF43", 0x26),
    ("EF", 0x2e),
  ]
}

// MARK: Syntax

extension DSCPMatch {
  public static let definition = ExtensionDefinition(
    "dscp", summary: "Differentiated Services codepoint",
    options: [
      OptionSpec("--dscp", .number(0...63), negatable: true, excludes: ["--dscp-class"], "codepoint"),
      OptionSpec(
        "--dscp-class", .choice(classes.map(\.name)), negatable: true, excludes: ["--dscp"], "codepoint by its name"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let number = try options.number("--dscp") {
      codepoint = Negatable(UInt8(number), inverted: options.isInverted("--dscp"))
    } else if let place = try options.choice("--dscp-class") {
      codepoint = Negatable(Self.classes[place].codepoint, inverted: options.isInverted("--dscp-class"))
    } else {
      throw SyntaxError("dscp needs --dscp or --dscp-class")
    }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--dscp", inverted: codepoint.isInverted)
    out.text.write(" 0x")
    out.text.write(hex: codepoint.value, width: 2)
  }

  public func list(to out: inout RuleWriter) {
    out.word(codepoint.isInverted ? "DSCP match !0x" : "DSCP match 0x")
    out.text.write(hex: codepoint.value, width: 2)
  }
}

// MARK: Kernel bytes

extension DSCPMatch {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(codepoint.value)
    out.write(flag: codepoint.isInverted)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let number = try bytes.uint8("dscp")
    guard let value = DSCPMatch(Negatable(number, inverted: try bytes.flag("invert"))) else {
      throw bytes.invalid("dscp")
    }
    self = value
  }
}

// MARK: Meaning

extension DSCPMatch {
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.trafficClass, "the traffic class", codepoint) { $0 >> 2 == $1 }
  }
}
