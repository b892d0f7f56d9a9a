/// The Type of Service byte of an IPv4 packet, or the Traffic Class of an IPv6 packet, under a mask
/// (`struct xt_tos_match_info`, linux/netfilter/xt_dscp.h).
public struct TOSMatch: Match {
  public var value: UInt8
  /// Bits that are compared.
  public var mask: UInt8
  public var isInverted: Bool

  public init(_ value: UInt8, mask: UInt8 = .max, inverted: Bool = false) {
    self.value = value
    self.mask = mask
    isInverted = inverted
  }

  /// Names of values, which leave the two bits of ECN alone.
  fileprivate static let names: [(name: StaticString, value: UInt8)] = [
    ("Minimize-Delay", 0x10), ("Maximize-Throughput", 0x08), ("Maximize-Reliability", 0x04), ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
  ]
  fileprivate static let maskOfNames: UInt8 = 0x3f
}

// MARK: Syntax

extension TOSMatch {
  public static let definition = ExtensionDefinition(
    "tos", summary: "Type of Service or Traffic Class", revisions: [1],
    options: [
      OptionSpec(
        "--tos", .custom("VALUE[/MASK]|NAME"), negatable: true, required: true,
        "the bits of MASK in the byte are those of VALUE")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--tos") else { throw options.error("--tos", "needs VALUE[/MASK]") }
    isInverted = options.isInverted("--tos")
    if let known = Self.names.first(where: { token.equalsIgnoringCase($0.name) }) {
      (value, mask) = (known.value, Self.maskOfNames)
      return
    }
    let parts = token.split(at: UInt8(ascii: "/"))
    let byte: ClosedRange<UInt8> = 0...UInt8.max
    guard let number = parts.before.number(in: byte) else {
      throw SyntaxError(
        at: token, "--tos: '\(token.string)' is neither a number up to 255 nor a name",
        hint: suggestion(for: token.string, among: Self.names.map { "\($0.name)" }))
    }
    value = number
    guard let rest = parts.after else {
      mask = .max
      return
    }
    guard let number = rest.number(in: byte) else {
      throw SyntaxError(at: rest, "--tos: the mask '\(rest.string)' is not a number from 0 to 255")
    }
    mask = number
  }

  public func print(to out: inout RuleWriter) {
    out.option("--tos", inverted: isInverted)
    out.text.write(" 0x")
    out.text.write(hex: value, width: 2)
    out.text.write("/0x")
    out.text.write(hex: mask, width: 2)
  }

  /// With no blank before a number, as iptables has it.
  public func list(to out: inout RuleWriter) {
    out.word(isInverted ? "tos match!" : "tos match")
    if !out.isNumeric, mask == Self.maskOfNames, let known = Self.names.first(where: { $0.value == value }) {
      return out.word(known.name)
    }
    out.text.write("0x")
    out.text.write(hex: value, width: 2)
    out.text.write("/0x")
    out.text.write(hex: mask, width: 2)
  }
}

// MARK: Kernel bytes

extension TOSMatch {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(mask)
    out.write(value)
    out.write(flag: isInverted)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    mask = try bytes.uint8("tos_mask")
    value = try bytes.uint8("tos_value")
    isInverted = try bytes.flag("invert")
  }
}

// MARK: Meaning

extension TOSMatch {
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.trafficClass, "the traffic class", is: value, under: mask, inverted: isInverted)
  }
}
