/// How much a connection has carried so far (`struct xt_connbytes_info`, linux/netfilter/xt_connbytes.h).
public struct ConnBytes: Match {
  public enum Unit: UInt8, Hashable, Sendable, CaseIterable {
    case packets = 0
    case bytes = 1
    /// Bytes in a packet, on average.
    case averagePacket = 2
  }

  /// Which packets of the connection are counted.
  public enum Direction: UInt8, Hashable, Sendable, CaseIterable {
    case original = 0
    case reply = 1
    case both = 2
  }

  public let counts: Negatable<ClosedRange<UInt64>>
  public let unit: Unit
  public let direction: Direction

  /// nil for what iptables would save as something else: 0 alone, and any other number alone inverted.
  public init?(_ counts: Negatable<ClosedRange<UInt64>>, _ unit: Unit, direction: Direction) {
    guard Self.hasSpelling(counts) else { return nil }
    self.counts = counts
    self.unit = unit
    self.direction = direction
  }

  private static func hasSpelling(_ counts: Negatable<ClosedRange<UInt64>>) -> Bool {
    counts.value.lowerBound < counts.value.upperBound || (!counts.isInverted && counts.value.upperBound > 0)
  }
}

// MARK: Syntax

extension ConnBytes {
  public static let definition = ExtensionDefinition(
    "connbytes", summary: "how much a connection has carried",
    options: [
      OptionSpec(
        "--connbytes", .numberRange(0...UInt64.max), negatable: true, required: true,
        "limits; without the second, any greater number matches"),
      OptionSpec("--connbytes-dir", .custom("original|reply|both"), required: true, "which packets are counted"),
      OptionSpec("--connbytes-mode", .custom("packets|bytes|avgpkt"), required: true, "what is counted"),
    ])

  private static let directions: [StaticString] = ["original", "reply", "both"]
  private static let units: [StaticString] = ["packets", "bytes", "avgpkt"]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let range = try options.numberRange("--connbytes"), let token = options.token("--connbytes") else {
      throw options.error("--connbytes", "needs --connbytes N[:N]")
    }
    let isOpen = token.firstIndex(of: UInt8(ascii: ":")) == nil
    let isInverted = options.isInverted("--connbytes")
    counts = Negatable(isOpen ? range.lowerBound...UInt64.max : range, inverted: isInverted)
    guard Self.hasSpelling(counts) else {
      throw options.error(
        "--connbytes", "iptables forgets a part of \(isInverted ? "'! " : "'")\(token.string)' when it saves it",
        hint: range.lowerBound == 0 ? "write \(isInverted ? "" : "! ")--connbytes 1" : nil)
    }
    direction = try Self.value(options, "--connbytes-dir", Self.directions)
    unit = try Self.value(options, "--connbytes-mode", Self.units)
  }

  private static func value<Value: RawRepresentable>(
    _ options: OptionValues, _ name: StaticString, _ words: [StaticString]
  ) throws(SyntaxError) -> Value where Value.RawValue == UInt8 {
    guard let token = options.token(name), let place = words.firstIndex(where: { token == $0 }),
      let value = Value(rawValue: UInt8(place))
    else {
      throw options.error(
        name, "'\(options.token(name)?.string ?? "")' is not one of its values",
        hint: "possible: \(words.map { "\($0)" }.joined(separator: ", "))")
    }
    return value
  }

  public func print(to out: inout RuleWriter) {
    out.option("--connbytes", inverted: counts.isInverted)
    out.number(counts.value.lowerBound)
    if counts.value.upperBound < .max {
      out.text.write(byte: UInt8(ascii: ":"))
      out.text.write(counts.value.upperBound)
    }
    out.option("--connbytes-mode")
    out.word(Self.units[Int(unit.rawValue)])
    out.option("--connbytes-dir")
    out.word(Self.directions[Int(direction.rawValue)])
  }

  public func list(to out: inout RuleWriter) {
    out.option("connbytes", inverted: counts.isInverted)
    out.number(counts.value.lowerBound)
    if counts.value.upperBound < .max {
      out.text.write(byte: UInt8(ascii: ":"))
      out.text.write(counts.value.upperBound)
    }
    out.word("connbytes mode")
    out.word(Self.units[Int(unit.rawValue)])
    out.word("connbytes direction")
    out.word(Self.directions[Int(direction.rawValue)])
  }
}

// MARK: Kernel bytes

extension ConnBytes {
  /// Limits that run backwards are how the kernel says that they are inverted.
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(counts.isInverted ? counts.value.upperBound : counts.value.lowerBound)
    out.write(counts.isInverted ? counts.value.lowerBound : counts.value.upperBound)
    out.write(unit.rawValue)
    out.write(direction.rawValue)
    out.zeros(6)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let from = try bytes.uint64("from")
    let to = try bytes.uint64("to")
    guard let unit = Unit(rawValue: try bytes.uint8("what")) else { throw bytes.invalid("what") }
    guard let direction = Direction(rawValue: try bytes.uint8("direction")) else { throw bytes.invalid("direction") }
    try bytes.zeros("padding", 6)
    let counts = Negatable(min(from, to)...max(from, to), inverted: from > to)
    guard let value = ConnBytes(counts, unit, direction: direction) else { throw bytes.invalid("from") }
    self = value
  }
}

// MARK: Meaning

extension ConnBytes {
  /// A packet without a connection does not match, nor does one of a connection that is not counted, inverted or not.
  public func matches(_ packet: Packet) -> Answer {
    let isNever = counts.value == 0...UInt64.max && counts.isInverted
    guard packet.connection.isTracked != false, !isNever else { return .no }
    return .depends(on: "what the connection has carried")
  }
}
