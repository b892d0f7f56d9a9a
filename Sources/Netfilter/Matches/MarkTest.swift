/// A comparison with a mark: of the packet (``MarkMatch``) or of its connection (``ConnMarkMatch``).
///
/// Both have the same bytes (`struct xt_mark_mtinfo1`, linux/netfilter/xt_mark.h; `struct xt_connmark_mtinfo1`,
/// linux/netfilter/xt_connmark.h) and the same option.
public struct MarkTest: Hashable, Sendable {
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

extension MarkTest {
  package static let option = OptionSpec(
    "--mark", .mark, negatable: true, required: true, "the bits of MASK in the mark are those of VALUE")

  package init(_ options: OptionValues) throws(SyntaxError) {
    guard let mark = try options.mark("--mark") else { throw options.error("--mark", "needs --mark VALUE") }
    self.init(mark.value, mask: mark.mask, inverted: options.isInverted("--mark"))
  }

  package func print(to out: inout RuleWriter) {
    out.option("--mark", inverted: isInverted)
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

extension ByteWriter {
  /// Twelve bytes: value, mask, whether it is inverted, three of padding.
  package mutating func write(_ mark: MarkTest) {
    write(mark.value)
    write(mark.mask)
    write(UInt8(mark.isInverted ? 1 : 0))
    zeros(3)
  }
}

extension ByteReader {
  package mutating func markTest() throws(WireError) -> MarkTest {
    let value = try uint32("mark")
    let mask = try uint32("mask")
    let inverted = try uint8("invert")
    guard inverted <= 1 else { throw invalid("invert") }
    try zeros("padding", 3)
    return MarkTest(value, mask: mask, inverted: inverted == 1)
  }
}
