/// Measures how many packets and bytes come here, for the match `rateest`
/// (`struct xt_rateest_target_info`, linux/netfilter/xt_RATEEST.h).
public struct RateEstTarget: Target {
  public let name: BareName<15>
  public let interval: RateInterval
  /// The power of two of intervals over which the rate is averaged.
  public let averagingPower: UInt8

  /// nil when the averaging power is 0, or the time to average over is too long to be written down in microseconds.
  public init?(_ name: BareName<15>, interval: RateInterval, averagingPower: UInt8) {
    guard averagingPower > 0, averagingPower < 32,
      UInt64(interval.microseconds) << UInt64(averagingPower) <= UInt64(UInt32.max)
    else { return nil }
    self.name = name
    self.interval = interval
    self.averagingPower = averagingPower
  }
}

/// How often a rate is measured. Raw values are the kernel's: the power of two of seconds.
public enum RateInterval: Int8, Hashable, Sendable, CaseIterable {
  case quarterOfASecond = -2
  case halfASecond = -1
  case second = 0
  case twoSeconds = 1
  case fourSeconds = 2
  case eightSeconds = 3

  var microseconds: UInt32 { 250_000 << UInt32(rawValue + 2) }
}

// MARK: Syntax

extension RateEstTarget {
  public static let definition = ExtensionDefinition(
    "RATEEST", summary: "measure a rate for -m rateest",
    options: [
      OptionSpec("--rateest-name", .string(maxBytes: 15), required: true, "the name of the rate"),
      OptionSpec("--rateest-interval", .custom("TIME"), required: true, "how often it is measured, 250ms to 8s"),
      OptionSpec("--rateest-ewmalog", .custom("TIME"), required: true, "over what time it is averaged"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let name: BareName<15> = try options.bareName("--rateest-name"),
      let stated = try Self.microseconds("--rateest-interval", options),
      let averaged = try Self.microseconds("--rateest-ewmalog", options)
    else { throw SyntaxError("RATEEST needs --rateest-name, --rateest-interval and --rateest-ewmalog") }
    guard let interval = RateInterval.allCases.first(where: { stated <= $0.microseconds }) else {
      throw options.error("--rateest-interval", "a rate is measured every 8 seconds at least", hint: "write 8s or less")
    }
    guard let power = Self.averagingPower(interval: stated, time: averaged),
      let target = RateEstTarget(name, interval: interval, averagingPower: power)
    else {
      throw options.error(
        "--rateest-ewmalog", "the kernel cannot average over that time",
        hint: "it has to be longer than --rateest-interval; four times as long is usual")
    }
    self = target
  }

  /// The greatest power whose average forgets within `time`, which is how iptables counts: an average with weight
  /// `1 - 2^-n` for what was before forgets within `interval / -ln(1 - 2^-n)`.
  private static func averagingPower(interval: UInt32, time: UInt32) -> UInt8? {
    for power in 1...30 where Double(interval) / negativeLog(power) > Double(time) {
      return power > 1 ? UInt8(power - 1) : nil
    }
    return nil
  }

  /// `-ln(1 - 2^-power)` by its series.
  private static func negativeLog(_ power: Int) -> Double {
    var term = 1.0
    var sum = 0.0
    for index in 1...64 {
      term /= Double(UInt64(1) << UInt64(power))
      sum += term / Double(index)
    }
    return sum
  }

  /// A number with `s`, `ms` or `us`; microseconds where none is named.
  private static func microseconds(_ name: StaticString, _ options: OptionValues) throws(SyntaxError) -> UInt32? {
    guard let token = options.token(name) else { return nil }
    let digits = token.bytes.prefix { $0 == UInt8(ascii: ".") || $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    let unit = token.part(digits.count..<token.count)
    let number = Double(String(decoding: digits, as: UTF8.self))
    guard let number, let scale = Self.scale(of: unit), number * scale < Double(UInt32.max) + 1 else {
      throw options.error(
        name, "'\(token.string)' is not a time of at most 4294 seconds", hint: "for example 250ms, 0.5s or 4s")
    }
    return UInt32(number * scale)
  }

  private static func scale(of unit: Token) -> Double? {
    if unit.count == 0 { return 1 }
    return units.first { unit.equalsIgnoringCase($0.name) }?.scale
  }

  private static let units: [(name: StaticString, scale: Double)] = [
    ("s", 1_000_000), ("sec", 1_000_000), ("secs", 1_000_000), ("ms", 1000), ("msec", 1000), ("msecs", 1000), ("us", 1),
    ("usec", 1), ("usecs", 1),
  ]

  public func print(to out: inout RuleWriter) {
    out.option("--rateest-name")
    out.word(name.text)
    out.option("--rateest-interval")
    Self.print(interval.microseconds, to: &out)
    out.option("--rateest-ewmalog")
    Self.print(interval.microseconds << UInt32(averagingPower), to: &out)
  }

  public func list(to out: inout RuleWriter) {
    out.word("name")
    out.word(name.text)
    out.word("interval")
    Self.print(interval.microseconds, to: &out)
    out.word("ewmalog")
    Self.print(interval.microseconds << UInt32(averagingPower), to: &out)
  }

  /// Quarters and halves of a second, and whole seconds.
  private static func print(_ microseconds: UInt32, to out: inout RuleWriter) {
    if microseconds < 1_000_000 {
      out.number(microseconds / 1000)
      out.text.write(".0ms")
    } else {
      out.number(microseconds / 1_000_000)
      out.text.write(".0s")
    }
  }
}

// MARK: Kernel bytes

extension RateEstTarget {
  /// A pointer of the kernel's at the end, and the gap before it.
  private static let privateSize = 14

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(name)
    out.write(interval.rawValue)
    out.write(averagingPower)
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let name: BareName<15> = try bytes.bareName("name") else { throw bytes.invalid("name") }
    guard let interval = RateInterval(rawValue: Int8(bitPattern: try bytes.uint8("interval"))) else {
      throw bytes.invalid("interval")
    }
    guard let target = RateEstTarget(name, interval: interval, averagingPower: try bytes.uint8("ewma_log")) else {
      throw bytes.invalid("ewma_log")
    }
    try bytes.zeros("est", Self.privateSize)
    self = target
  }
}

// MARK: Meaning

extension RateEstTarget {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
