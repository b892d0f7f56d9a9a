/// Changes the type of service or traffic class: clears the bits of `mask` and flips those of `value`
/// (`struct xt_tos_target_info`, linux/netfilter/xt_DSCP.h).
public struct TOSTarget: Target {
  public var value: UInt8
  public var mask: UInt8

  public init(value: UInt8, mask: UInt8 = .max) {
    self.value = value
    self.mask = mask
  }
}

// MARK: Syntax

extension TOSTarget {
  public static let definition = ExtensionDefinition(
    "TOS", summary: "set the type of service", revisions: [1], tables: [.mangle],
    options: [
      OptionSpec(
        "--set-tos", .custom("VALUE[/MASK]"), excludes: others,
        "clear the bits of MASK and flip those of VALUE; or a name such as Minimize-Delay"),
      OptionSpec("--and-tos", .number(0...255), excludes: others, "keep only these bits"),
      OptionSpec("--or-tos", .number(0...255), excludes: others, "set these bits"),
      OptionSpec("--xor-tos", .number(0...255), excludes: others, "flip these bits"),
    ])

  private static let others: [StaticString] = ["--set-tos", "--and-tos", "--or-tos", "--xor-tos"]

  /// The names of RFC 1349, which leave the upper two bits alone.
  private static let names: [(name: StaticString, value: UInt8)] = [
    ("Minimize-Delay", 0x10), ("Maximize-Throughput", 0x08), ("Maximize-Reliability", 0x04), ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
  ]
  private static let namesMask: UInt8 = 0x3f

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let token = options.token("--set-tos") {
      self = try Self.change(token, options)
    } else if let bits = try options.number("--and-tos") {
      self.init(value: 0, mask: ~UInt8(bits))
    } else if let bits = try options.number("--or-tos") {
      self.init(value: UInt8(bits), mask: UInt8(bits))
    } else if let bits = try options.number("--xor-tos") {
      self.init(value: UInt8(bits), mask: 0)
    } else {
      throw SyntaxError("TOS needs one of --set-tos, --and-tos, --or-tos, --xor-tos")
    }
  }

  private static func change(_ token: Token, _ options: OptionValues) throws(SyntaxError) -> TOSTarget {
    if let known = names.first(where: { token.equalsIgnoringCase($0.name) }) {
      return TOSTarget(value: known.value, mask: namesMask)
    }
    let parts = token.split(at: UInt8(ascii: "/"))
    guard let value: UInt8 = parts.before.number(in: 0...255) else {
      throw options.error(
        "--set-tos", "'\(parts.before.string)' is not a type of service",
        hint: suggestion(for: token.string, among: names.map { "\($0.name)" }) ?? "a number from 0 to 255")
    }
    guard let after = parts.after else { return TOSTarget(value: value) }
    return TOSTarget(value: value, mask: UInt8(try options.number(after, in: 0...255, of: "--set-tos")))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--set-tos")
    out.text.write(" 0x")
    out.text.write(hex: value, width: 2)
    out.text.write("/0x")
    out.text.write(hex: mask, width: 2)
  }

  /// A name stands where iptables puts it, right behind `set`.
  public func list(to out: inout RuleWriter) {
    let name = Self.names.first { !out.isNumeric && mask == Self.namesMask && $0.value == value }?.name
    if let name {
      out.text.write("  TOS set")
      out.text.write(name)
      return
    }
    out.word("TOS")
    if out.isNumeric || value != 0 && value != mask && mask != 0 {
      out.word("set")
      Self.list(value, to: &out)
      out.text.write("/0x")
      out.text.write(hex: mask, width: 2)
    } else if value == 0 {
      out.word("and")
      Self.list(~mask, to: &out)
    } else {
      out.word(value == mask ? "or" : "xor")
      Self.list(value, to: &out)
    }
  }

  private static func list(_ bits: UInt8, to out: inout RuleWriter) {
    out.text.write(" 0x")
    out.text.write(hex: bits, width: 2)
  }
}

// MARK: Kernel bytes

extension TOSTarget {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(value)
    out.write(mask)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    value = try bytes.uint8("tos_value")
    mask = try bytes.uint8("tos_mask")
  }
}

// MARK: Meaning

extension TOSTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    packet.rewrite(\.trafficClass, mask == .max ? value : packet.trafficClass.map { ($0 & ~mask) ^ value })
    return .proceed
  }
}
