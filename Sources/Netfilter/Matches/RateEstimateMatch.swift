/// Rates that RATEEST rules estimate, compared with numbers or with each other
/// (`struct xt_rateest_match_info`, linux/netfilter/xt_rateest.h).
public struct RateEstimateMatch: Match {
  public let estimator: EstimatorName
  /// What the rates are compared with; nil for numbers.
  public let other: EstimatorName?
  /// What is compared is how far the rates fall short of the numbers.
  public let isDelta: Bool
  public let relation: Negatable<Relation>
  /// Bytes per second.
  public let bytes: Numbers?
  /// Packets per second.
  public let packets: Numbers?

  /// Raw values are `XT_RATEEST_MATCH_*`.
  public enum Relation: UInt16, Hashable, Sendable, CaseIterable {
    case equal = 1
    case less = 2
    case greater = 3

    fileprivate var option: StaticString {
      switch self {
      case .equal: "--rateest-eq"
      case .less: "--rateest-lt"
      case .greater: "--rateest-gt"
      }
    }

    fileprivate var shownName: StaticString {
      switch self {
      case .equal: "eq"
      case .less: "lt"
      case .greater: "gt"
      }
    }
  }

  /// The numbers on the left and on the right; 0 where there is none.
  public struct Numbers: Hashable, Sendable {
    public var left: UInt32
    public var right: UInt32

    public init(left: UInt32 = 0, right: UInt32 = 0) {
      self.left = left
      self.right = right
    }
  }

  /// nil when neither bytes nor packets are compared, or for a number that the kernel would not look at: on the left
  /// without `isDelta`, and on the right with `other` and without `isDelta`.
  public init?(
    _ estimator: EstimatorName, _ relation: Negatable<Relation>, other: EstimatorName? = nil, isDelta: Bool = false,
    bytes: Numbers? = nil, packets: Numbers? = nil
  ) {
    guard bytes != nil || packets != nil else { return nil }
    for numbers in [bytes, packets] {
      guard let numbers, !isDelta else { continue }
      guard numbers.left == 0, other == nil || numbers.right == 0 else { return nil }
    }
    self.estimator = estimator
    self.other = other
    self.isDelta = isDelta
    self.relation = relation
    self.bytes = bytes
    self.packets = packets
  }
}

/// The name of an estimator. A RATEEST rule has to make it before.
public struct EstimatorName: Hashable, Sendable {
  public let text: String

  /// `IFNAMSIZ` less its terminator.
  public static let maxBytes = 15

  /// nil when the text is empty, longer than 15 bytes, or holds blanks, quotes or control characters, which
  /// iptables-save would print so that nothing can read them.
  public init?(_ text: String) {
    guard !text.isEmpty, text.utf8.count <= Self.maxBytes, isBareWord(text) else { return nil }
    self.text = text
  }
}

// MARK: Syntax

extension RateEstimateMatch {
  public static let definition = ExtensionDefinition(
    "rateest", summary: "estimated rates",
    options: [
      OptionSpec("--rateest1", aliases: ["--rateest"], .custom("NAME"), required: true, "estimator"),
      OptionSpec("--rateest2", .custom("NAME"), "estimator to compare with"),
      OptionSpec("--rateest-bps1", .custom("[RATE]"), optional: true, "bytes per second, less the estimated rate"),
      OptionSpec("--rateest-pps1", .custom("[N]"), optional: true, "packets per second, less the estimated rate"),
      OptionSpec(
        "--rateest-bps2", aliases: ["--rateest-bps"], .custom("[RATE]"), optional: true,
        "compare bytes per second, with a rate such as 2mbit or 500KBps"),
      OptionSpec(
        "--rateest-pps2", aliases: ["--rateest-pps"], .custom("[N]"), optional: true, "compare packets per second"),
      OptionSpec("--rateest-delta", .none, "compare what the rates fall short of"),
      OptionSpec("--rateest-lt", negatable: true, excludes: ["--rateest-gt", "--rateest-eq"], "less"),
      OptionSpec("--rateest-gt", negatable: true, excludes: ["--rateest-lt", "--rateest-eq"], "greater"),
      OptionSpec("--rateest-eq", negatable: true, excludes: ["--rateest-lt", "--rateest-gt"], "equal"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let estimator = try Self.name("--rateest1", options) else {
      throw SyntaxError("rateest needs --rateest1 NAME")
    }
    guard let relation = Relation.allCases.first(where: { options.has($0.option) }) else {
      throw SyntaxError("rateest needs one of --rateest-lt, --rateest-gt, --rateest-eq")
    }
    let other = try Self.name("--rateest2", options)
    let isDelta = options.has("--rateest-delta")
    let rates = try Self.numbers(
      "--rateest-bps1", "--rateest-bps2", options, isDelta, other != nil, Self.rate)
    let packets = try Self.numbers(
      "--rateest-pps1", "--rateest-pps2", options, isDelta, other != nil, { $0.number(in: 0...UInt32.max) })
    let value = RateEstimateMatch(
      estimator, Negatable(relation, inverted: options.isInverted(relation.option)), other: other, isDelta: isDelta,
      bytes: rates, packets: packets)
    guard let value else { throw SyntaxError("rateest needs --rateest-bps or --rateest-pps") }
    self = value
  }

  private static func name(_ option: StaticString, _ options: OptionValues) throws(SyntaxError) -> EstimatorName? {
    guard let token = options.token(option) else { return nil }
    guard let name = EstimatorName(token.string) else {
      throw options.error(
        option, "'\(token.string)' cannot name an estimator",
        hint: "a name has 1 to \(EstimatorName.maxBytes) bytes without blanks and quotes")
    }
    return name
  }

  private static func numbers(
    _ left: StaticString, _ right: StaticString, _ options: OptionValues, _ isDelta: Bool, _ hasOther: Bool,
    _ read: (Token) -> UInt32?
  ) throws(SyntaxError) -> Numbers? {
    guard options.has(left) || options.has(right) else { return nil }
    func number(_ name: StaticString, isUsed: Bool) throws(SyntaxError) -> UInt32 {
      guard let token = options.token(name) else { return 0 }
      guard isUsed else {
        throw SyntaxError(at: token, "\(name): the kernel does not look at this number without --rateest-delta")
      }
      guard let number = read(token) else {
        throw SyntaxError(
          at: token, "\(name): '\(token.string)' is not a rate up to \(UInt32.max) a second",
          hint: "bytes are written as bits, or with a unit such as kbit, mbit, KBps or MBps")
      }
      return number
    }
    if !hasOther, options.token(right) == nil {
      throw options.error(options.has(right) ? right : left, "needs a number to compare with, or --rateest2 NAME")
    }
    let first = try number(left, isUsed: isDelta)
    return Numbers(left: first, right: try number(right, isUsed: isDelta || !hasOther))
  }

  /// Bits of each unit.
  private static let units: [(name: StaticString, bits: Double)] = [
    ("bit", 1), ("Kibit", 1024), ("kbit", 1e3), ("Mibit", 1_048_576), ("mbit", 1e6), ("Gibit", 1_073_741_824),
    ("gbit", 1e9), ("Tibit", 1_099_511_627_776), ("tbit", 1e12), ("Bps", 8), ("KiBps", 8192), ("KBps", 8e3),
    ("MiBps", 8_388_608), ("MBps", 8e6), ("GiBps", 8_589_934_592), ("GBps", 8e9), ("TiBps", 8_796_093_022_208),
    ("TBps", 8e12),
  ]

  /// Bytes per second from a number and a unit; without a unit they are bits.
  private static func rate(_ token: Token) -> UInt32? {
    var number = token
    var bits = 1.0
    var longest = 0
    for unit in units where unit.name.utf8CodeUnitCount > longest && unit.name.utf8CodeUnitCount <= token.count {
      let start = token.count - unit.name.utf8CodeUnitCount
      guard token.part(start..<token.count).equalsIgnoringCase(unit.name) else { continue }
      number = token.part(0..<start)
      bits = unit.bits
      longest = unit.name.utf8CodeUnitCount
    }
    guard let value = Double(number.string), value >= 0 else { return nil }
    let bytes = value * bits / 8
    return bytes < 4_294_967_296 ? UInt32(bytes) : nil
  }

  public func print(to out: inout RuleWriter) {
    if isDelta { out.option("--rateest-delta") }
    out.option(other == nil ? "--rateest" : "--rateest1")
    out.word(estimator.text)
    let hasRight = isDelta || other == nil
    // iptables-save prints the relation again for the second unit, and iptables then refuses it.
    var isRelationPrinted = false
    func relate(_ out: inout RuleWriter) {
      if !isRelationPrinted { out.option(relation.value.option, inverted: relation.isInverted) }
      isRelationPrinted = true
    }
    if let bytes {
      if isDelta {
        out.option("--rateest-bps1")
        out.rate(bytes.left)
      }
      relate(&out)
      out.option(isDelta ? "--rateest-bps2" : "--rateest-bps")
      if hasRight { out.rate(bytes.right) }
    }
    if let packets {
      if isDelta {
        out.option("--rateest-pps1")
        out.number(packets.left)
      }
      relate(&out)
      out.option(isDelta ? "--rateest-pps2" : "--rateest-pps")
      if hasRight { out.number(packets.right) }
    }
    if let other {
      out.option("--rateest2")
      out.word(other.text)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("rateest match")
    out.word(estimator.text)
    if isDelta { out.word("delta") }
    if let bytes {
      out.word("bps")
      if isDelta { out.listRate(bytes.left) }
      if other == nil {
        out.listRate(bytes.right)
        out.option(relation.value.shownName, inverted: relation.isInverted)
      }
    }
    if let packets {
      out.word("pps")
      if isDelta { out.number(packets.left) }
      if other == nil {
        out.option(relation.value.shownName, inverted: relation.isInverted)
        out.number(packets.right)
      }
    }
    guard let other else { return }
    out.option(relation.value.shownName, inverted: relation.isInverted)
    out.word(other.text)
    if let bytes {
      out.word("bps")
      if isDelta { out.listRate(bytes.right) }
    }
    if let packets {
      out.word("pps")
      if isDelta { out.number(packets.right) }
    }
  }
}

extension RuleWriter {
  /// In the unit that iptables-save takes, unless it would round the rate.
  fileprivate mutating func rate(_ bytes: UInt32) {
    let bits = UInt64(bytes) * 8
    if bits >= 1_000_000_000, bits % 1_000_000 == 0 {
      number(bits / 1_000_000)
      text.write("Mbit")
    } else if bits >= 1_000_000, bits % 1000 == 0 {
      number(bits / 1000)
      text.write("Kbit")
    } else {
      number(bits)
      text.write("bit")
    }
  }

  /// Bytes where the listing is numeric, else bits in a unit that is rounded to.
  fileprivate mutating func listRate(_ bytes: UInt32) {
    guard !isNumeric else { return number(bytes) }
    let bits = UInt64(bytes) * 8
    if bits >= 1_000_000_000 {
      number(Self.rounded(bits, to: 1_000_000))
      text.write("Mbit")
    } else if bits >= 1_000_000 {
      number(Self.rounded(bits, to: 1000))
      text.write("Kbit")
    } else {
      number(bits)
      text.write("bit")
    }
  }

  /// As printf(3) rounds, half to even.
  private static func rounded(_ value: UInt64, to unit: UInt64) -> UInt64 {
    let (quotient, rest) = value.quotientAndRemainder(dividingBy: unit)
    return rest * 2 > unit || rest * 2 == unit && quotient & 1 == 1 ? quotient + 1 : quotient
  }
}

// MARK: Kernel bytes

extension RateEstimateMatch {
  private enum Flag {
    static let invert: UInt16 = 0x01
    static let numbers: UInt16 = 0x02
    static let other: UInt16 = 0x04
    static let delta: UInt16 = 0x08
    static let bytes: UInt16 = 0x10
    static let packets: UInt16 = 0x20
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(text: estimator.text, size: EstimatorName.maxBytes + 1)
    out.write(text: other?.text ?? "", size: EstimatorName.maxBytes + 1)
    var flags = other == nil ? Flag.numbers : Flag.other
    if relation.isInverted { flags |= Flag.invert }
    if isDelta { flags |= Flag.delta }
    if bytes != nil { flags |= Flag.bytes }
    if packets != nil { flags |= Flag.packets }
    out.write(flags)
    out.write(relation.value.rawValue)
    out.write(bytes?.left ?? 0)
    out.write(packets?.left ?? 0)
    out.write(bytes?.right ?? 0)
    out.write(packets?.right ?? 0)
    out.zeros(4 + 16)  // the kernel's two pointers, at a multiple of 8
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let estimator = try bytes.estimatorName("name1")
    let other = try bytes.estimatorName("name2")
    let flags = try bytes.uint16("flags")
    let relation = Relation(rawValue: try bytes.uint16("mode"))
    var rates = Numbers(left: try bytes.uint32("bps1"))
    var packets = Numbers(left: try bytes.uint32("pps1"))
    rates.right = try bytes.uint32("bps2")
    packets.right = try bytes.uint32("pps2")
    try bytes.zeros("est", 4 + 16)
    guard let relation else { throw bytes.invalid("mode") }
    let kind = other == nil ? Flag.numbers : Flag.other
    guard flags <= 0x3f, flags & (Flag.numbers | Flag.other) == kind, flags & Flag.bytes != 0 || rates == Numbers(),
      flags & Flag.packets != 0 || packets == Numbers()
    else { throw bytes.invalid("flags") }
    guard let estimator,
      let value = RateEstimateMatch(
        estimator, Negatable(relation, inverted: flags & Flag.invert != 0), other: other,
        isDelta: flags & Flag.delta != 0, bytes: flags & Flag.bytes == 0 ? nil : rates,
        packets: flags & Flag.packets == 0 ? nil : packets)
    else { throw bytes.invalid("name1") }
    self = value
  }
}

extension ByteReader {
  /// nil for an empty field.
  fileprivate mutating func estimatorName(_ field: StaticString) throws(WireError) -> EstimatorName? {
    let bytes = try raw(field, count: EstimatorName.maxBytes + 1)
    let text = bytes.prefix { $0 != 0 }
    guard bytes[text.count...].allSatisfy({ $0 == 0 }) else { throw invalid(field) }
    if text.isEmpty { return nil }
    guard let string = String(validating: text, as: UTF8.self), let name = EstimatorName(string) else {
      throw invalid(field)
    }
    return name
  }
}

// MARK: Meaning

extension RateEstimateMatch {
  /// What is less or greater than an estimate that is not known is so only where no rate can be.
  public func matches(_ packet: Packet) -> Answer {
    let answer = holds(for: bytes) && holds(for: packets)
    return relation.isInverted ? !answer : answer
  }

  private func holds(for numbers: Numbers?) -> Answer {
    guard let numbers else { return .yes }
    // Nothing falls short of 0.
    let left: UInt32? = isDelta && numbers.left == 0 ? 0 : nil
    let right: UInt32? = other == nil ? numbers.right : isDelta && numbers.right == 0 ? 0 : nil
    switch (relation.value, left, right) {
    case (.equal, let left?, let right?): return Answer(left == right)
    case (.less, let left?, let right?): return Answer(left < right)
    case (.less, _, 0), (.greater, 0, _): return .no
    default: return .depends(on: "the estimated rates")
    }
  }
}
