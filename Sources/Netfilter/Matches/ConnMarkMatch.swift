/// The mark of the packet's connection, under a mask (`struct xt_connmark_mtinfo1`, linux/netfilter/xt_connmark.h).
public struct ConnMarkMatch: Match {
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

extension ConnMarkMatch {
  public static let definition = ExtensionDefinition(
    "connmark", summary: "the connection's mark", revisions: [1],
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

  /// With two blanks before the number, as iptables has them.
  public func list(to out: inout RuleWriter) {
    out.word("connmark match ")
    if isInverted { out.text.write("!") }
    out.mark(value, mask: mask)
  }
}

// MARK: Kernel bytes

extension ConnMarkMatch {
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

extension ConnMarkMatch {
  /// A packet without a connection does not match, inverted or not.
  public func matches(_ packet: Packet) -> Answer {
    guard packet.connection.isTracked != false else { return .no }
    let (canBeEqual, canDiffer) = (value & ~mask == 0, mask != 0 || value != 0)
    guard isInverted ? canDiffer : canBeEqual else { return .no }
    guard let mark = packet.connection.mark else {
      let isCertain = packet.connection.isTracked == true && !(canBeEqual && canDiffer)
      return isCertain ? .yes : .depends(on: "the connection's mark")
    }
    return Answer((mark & mask == value) != isInverted)
  }
}
