/// The packet's mark, under a mask (`struct xt_mark_mtinfo1`, linux/netfilter/xt_mark.h).
public struct MarkMatch: Match {
  public var value: UInt32
  /// Bits that are compared.
  public var mask: UInt32
  public var isInverted: Bool

  public init(_ value: UInt32, mask: UInt32 = .max, inverted: Bool = false) {
    self.value = value
    self.mask = mask
    isInverted = inverted
  }
}

// MARK: Syntax

extension MarkMatch {
  public static let definition = ExtensionDefinition(
    "mark", summary: "the packet's mark", revisions: [1],
    options: [
      OptionSpec("--mark", .mark, negatable: true, required: true, "the bits of MASK in the mark are those of VALUE")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let mark = try options.mark("--mark") else { throw options.error("--mark", "needs --mark VALUE") }
    (value, mask) = (mark.value, mark.mask)
    isInverted = options.isInverted("--mark")
  }

  public func print(to out: inout RuleWriter) {
    out.option("--mark", inverted: isInverted)
    out.mark(value, mask: mask)
  }

  public func list(to out: inout RuleWriter) {
    out.word("mark match")
    if isInverted { out.text.write(" !") }
    out.mark(value, mask: mask)
  }
}

extension RuleWriter {
  /// ` 0x1`, or ` 0x1/0xff` where not all bits are compared.
  package mutating func mark(_ value: UInt32, mask: UInt32) {
    hex(value)
    guard mask != .max else { return }
    text.write("/0x")
    text.write(hex: mask)
  }
}

// MARK: Kernel bytes

extension MarkMatch {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(value)
    out.write(mask)
    out.write(UInt8(isInverted ? 1 : 0))
    out.zeros(3)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    value = try bytes.uint32("mark")
    mask = try bytes.uint32("mask")
    let inverted = try bytes.uint8("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    isInverted = inverted == 1
    try bytes.zeros("padding", 3)
  }
}

// MARK: Meaning

extension MarkMatch {
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.mark, "the packet's mark", is: value, under: mask, inverted: isInverted)
  }
}
