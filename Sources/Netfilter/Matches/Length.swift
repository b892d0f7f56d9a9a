/// The length of the packet with its IP header (`struct xt_length_info`, linux/netfilter/xt_length.h).
public struct Length: Match {
  public var bytes: Negatable<Bounds<UInt16>>

  public init(_ bytes: Negatable<Bounds<UInt16>>) { self.bytes = bytes }
}

// MARK: Syntax

extension Length {
  public static let definition = ExtensionDefinition(
    "length", summary: "length of the packet",
    options: [
      OptionSpec("--length", .numberRange(0...65_535), negatable: true, required: true, "bytes with the IP header")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let limits = try options.numberBounds("--length") else {
      throw options.error("--length", "needs --length N[:N]")
    }
    bytes = Negatable(
      Bounds(UInt16(limits.first), UInt16(limits.last)), inverted: options.isInverted("--length"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--length", inverted: bytes.isInverted)
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(bytes.value)
  }

  public func list(to out: inout RuleWriter) {
    out.word(bytes.isInverted ? "length !" : "length ")
    out.text.write(bytes.value)
  }
}

// MARK: Kernel bytes

extension Length {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(bytes.value.first)
    out.write(bytes.value.last)
    out.write(UInt8(bytes.isInverted ? 1 : 0))
    out.zeros(1)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let limits = Bounds(try bytes.uint16("min"), try bytes.uint16("max"))
    let inverted = try bytes.uint8("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    try bytes.zeros("padding", 1)
    self.bytes = Negatable(limits, inverted: inverted == 1)
  }
}

// MARK: Meaning

extension Length {
  /// A fragment has its own length.
  public func matches(_ packet: Packet) -> Answer {
    guard !bytes.value.isEmpty else { return Answer(bytes.isInverted) }
    return .about(packet.length, "the packet's length", bytes) { Int($1.first) <= $0 && $0 <= Int($1.last) }
  }
}
