/// Changes the packet's mark: clears the bits of `mask` and flips those of `value`
/// (`struct xt_mark_tginfo2`, linux/netfilter/xt_mark.h).
public struct MarkTarget: Target {
  public var value: UInt32
  public var mask: UInt32

  public init(value: UInt32, mask: UInt32 = .max) {
    self.value = value
    self.mask = mask
  }
}

// MARK: Syntax

extension MarkTarget {
  public static let definition = ExtensionDefinition(
    "MARK", summary: "set the packet's mark", revisions: [2],
    options: [
      OptionSpec("--set-xmark", .mark, excludes: others, "clear the bits of MASK and flip those of VALUE"),
      OptionSpec("--set-mark", .mark, excludes: others, "clear the bits of MASK and set those of VALUE"),
      OptionSpec("--and-mark", .number(0...UInt64(UInt32.max)), excludes: others, "keep only these bits"),
      OptionSpec("--or-mark", .number(0...UInt64(UInt32.max)), excludes: others, "set these bits"),
      OptionSpec("--xor-mark", .number(0...UInt64(UInt32.max)), excludes: others, "flip these bits"),
    ])

  private static let others: [StaticString] = ["--set-xmark", "--set-mark", "--and-mark", "--or-mark", "--xor-mark"]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let mark = try options.mark("--set-xmark") {
      (value, mask) = (mark.value, mark.mask)
    } else if let mark = try options.mark("--set-mark") {
      (value, mask) = (mark.value, mark.value | mark.mask)
    } else if let bits = try options.number("--and-mark") {
      (value, mask) = (0, ~UInt32(bits))
    } else if let bits = try options.number("--or-mark") {
      (value, mask) = (UInt32(bits), UInt32(bits))
    } else if let bits = try options.number("--xor-mark") {
      (value, mask) = (UInt32(bits), 0)
    } else {
      throw SyntaxError("MARK needs one of --set-mark, --set-xmark, --and-mark, --or-mark, --xor-mark")
    }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--set-xmark")
    out.hex(value)
    out.text.write("/0x")
    out.text.write(hex: mask)
  }

  public func list(to out: inout RuleWriter) {
    out.word("MARK")
    out.listMarkChange(value, mask)
  }
}

extension RuleWriter {
  /// ` and 0xff`, ` or 0x4`, ` xor 0x4`, ` set 0x1`, ` xset 0x1/0x3`.
  mutating func listMarkChange(_ value: UInt32, _ mask: UInt32) {
    switch (value, mask) {
    case (0, _):
      word("and")
      hex(~mask)
    case (mask, _):
      word("or")
      hex(value)
    case (_, 0):
      word("xor")
      hex(value)
    case (_, .max):
      word("set")
      hex(value)
    default:
      word("xset")
      hex(value)
      text.write("/0x")
      text.write(hex: mask)
    }
  }
}

// MARK: Kernel bytes

extension MarkTarget {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(value)
    out.write(mask)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    value = try bytes.uint32("mark")
    mask = try bytes.uint32("mask")
  }
}

// MARK: Meaning

extension MarkTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    packet.mark = mask == .max ? value : packet.mark.map { ($0 & ~mask) ^ value }
    return .proceed
  }
}
