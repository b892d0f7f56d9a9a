/// Puts the packet into a class of the queueing discipline
/// (`struct xt_classify_target_info`, linux/netfilter/xt_CLASSIFY.h).
public struct Classify: Target {
  public var major: UInt16
  public var minor: UInt16

  public init(major: UInt16, minor: UInt16) {
    self.major = major
    self.minor = minor
  }
}

// MARK: Syntax

extension Classify {
  public static let definition = ExtensionDefinition(
    "CLASSIFY", summary: "put the packet into a traffic class", hooks: [.forward, .output, .postrouting],
    options: [OptionSpec("--set-class", .custom("MAJOR:MINOR"), required: true, "two hexadecimal numbers")])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--set-class") else { throw options.error("--set-class", "a class is missing") }
    let parts = token.split(at: UInt8(ascii: ":"))
    guard let after = parts.after, let major = Self.hex(parts.before), let minor = Self.hex(after) else {
      throw options.error(
        "--set-class", "'\(token.string)' is not a class",
        hint: "write two hexadecimal numbers of at most four digits, for example 1:ff")
    }
    self.init(major: major, minor: minor)
  }

  private static func hex(_ token: Token) -> UInt16? {
    let isMarked = token.hasPrefix("0x") || token.hasPrefix("0X")
    let digits = isMarked ? token.part(2..<token.count) : token
    guard digits.count > 0, digits.bytes.allSatisfy({ hexDigit($0) != nil }) else { return nil }
    return UInt16(digits.string, radix: 16)
  }

  public func print(to out: inout RuleWriter) {
    out.option("--set-class")
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(hex: major, width: 4)
    out.text.write(byte: UInt8(ascii: ":"))
    out.text.write(hex: minor, width: 4)
  }

  public func list(to out: inout RuleWriter) {
    out.word("CLASSIFY set ")
    out.text.write(hex: major)
    out.text.write(byte: UInt8(ascii: ":"))
    out.text.write(hex: minor)
  }
}

// MARK: Kernel bytes

extension Classify {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(UInt32(major) << 16 | UInt32(minor))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let priority = try bytes.uint32("priority")
    self.init(major: UInt16(priority >> 16), minor: UInt16(truncatingIfNeeded: priority))
  }
}

// MARK: Meaning

extension Classify {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
