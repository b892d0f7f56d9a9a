/// Matches at a limited rate, after a first burst (`struct xt_rateinfo`, linux/netfilter/xt_limit.h).
public struct Limit: Match {
  /// Time between two matches once the burst is used up, in ten-thousandths of a second.
  public let interval: UInt32
  /// How many may match at once.
  public let burst: UInt32

  /// nil when one of them is zero, for a burst of more than 10,000, and for less than one a day.
  public init?(interval: UInt32, burst: UInt32 = 5) {
    guard (1...Unit.day.ticks).contains(interval), (1...10_000).contains(burst) else { return nil }
    self.interval = interval
    self.burst = burst
  }

  /// `count` matches in each unit of time; nil when that is none, or more than 10,000 a second.
  public init?(_ count: UInt32, per unit: Unit, burst: UInt32 = 5) {
    guard count > 0 else { return nil }
    self.init(interval: unit.ticks / count, burst: burst)
  }

  public enum Unit: Int, Hashable, Sendable, CaseIterable {
    case day
    case hour
    case minute
    case second

    /// Length in ten-thousandths of a second (`XT_LIMIT_SCALE`).
    var ticks: UInt32 {
      switch self {
      case .day: 10_000 * 86_400
      case .hour: 10_000 * 3_600
      case .minute: 10_000 * 60
      case .second: 10_000
      }
    }

    fileprivate var name: StaticString {
      switch self {
      case .day: "day"
      case .hour: "hour"
      case .minute: "minute"
      case .second: "second"
      }
    }

    /// As it stands behind a saved number.
    package var shownName: StaticString {
      switch self {
      case .day: "/day"
      case .hour: "/hour"
      case .minute: "/min"
      case .second: "/sec"
      }
    }

    /// The shortest unit to which the rate of one in `interval` parts, of which a unit has `scale` times its
    /// ``ticks``, can be scaled down without losing more than is shown.
    package static func shown(interval: UInt64, scale: UInt64 = 1) -> Unit {
      var shown = Unit.day
      for unit in allCases.dropFirst() {
        let parts = UInt64(unit.ticks) * scale
        if interval > parts || parts / interval < parts % interval { break }
        shown = unit
      }
      return shown
    }
  }
}

// MARK: Syntax

extension Limit {
  public static let definition = ExtensionDefinition(
    "limit", summary: "at most so many packets in a time",
    options: [
      OptionSpec("--limit", .custom("N[/second|/minute|/hour|/day]"), "rate after the burst; 3/hour if not given"),
      OptionSpec("--limit-burst", .number(0...10_000), "packets that may match at once; 5 if not given"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    interval = try Self.interval(options) ?? Unit.hour.ticks / 3
    let stated = try options.number("--limit-burst").map { UInt32($0) }
    guard options.interface == .ipTables else {
      burst = stated.flatMap { $0 > 0 ? $0 : nil } ?? Self.standardBurst
      return
    }
    burst = stated ?? Self.standardBurst
    guard burst > 0 else {
      throw options.error("--limit-burst", "with a burst of 0 nothing would ever match, and the kernel refuses it")
    }
    guard Self.kernelTakes(interval: interval, burst: burst) else {
      let largest = UInt32.max / Self.creditsPerSecond * 10_000 / interval
      throw options.error(
        options.has("--limit-burst") ? "--limit-burst" : "--limit",
        "the kernel cannot count a burst of \(burst) at so slow a rate",
        hint: "write --limit-burst \(max(1, largest))\(largest > 1 ? " or less" : "")")
    }
  }

  /// What iptables takes where none is given, and nf_tables for 0 (`NFT_LIMIT_PKT_BURST_DEFAULT`, net/netfilter/nft_limit.c).
  private static let standardBurst: UInt32 = 5

  private static func interval(_ options: OptionValues) throws(SyntaxError) -> UInt32? {
    guard let token = options.token("--limit") else { return nil }
    let (count, unit) = try rate(token, of: "--limit")
    guard count <= unit.ticks else {
      throw options.error("--limit", "'\(token.string)' is too fast", hint: "the fastest rate is 10000/second")
    }
    return unit.ticks / UInt32(count)
  }

  /// `N/unit`, or `N` for each second; a beginning stands for the unit.
  package static func rate(_ token: Token, of name: StaticString) throws(SyntaxError) -> (count: UInt64, unit: Unit) {
    let parts = token.split(at: UInt8(ascii: "/"))
    var unit = Unit.second
    if let after = parts.after {
      guard after.count > 0, let named = Unit.allCases.first(where: { after.begins($0.name) }) else {
        throw SyntaxError(
          at: after, "\(name): '\(after.string)' is not a unit of time", hint: "possible: second, minute, hour, day")
      }
      unit = named
    }
    guard let count = parts.before.decimal, count > 0 else {
      throw SyntaxError(
        at: token, "\(name): '\(token.string)' is not a rate", hint: "write a number and a unit, for example 10/minute")
    }
    return (count, unit)
  }

  /// What a kernel with 250 or 1000 ticks a second counts with (`HZ * CREDITS_PER_JIFFY`, net/netfilter/xt_limit.c).
  private static let creditsPerSecond: UInt32 = 32_000

  /// Whether the credits of the burst that ip_tables reckons with, in the kernel's 32 bits, do not fall below those of one packet.
  private static func kernelTakes(interval: UInt32, burst: UInt32) -> Bool {
    func credits(_ ticks: UInt32) -> UInt32 {
      ticks > UInt32.max / creditsPerSecond ? ticks / 10_000 &* creditsPerSecond : ticks * creditsPerSecond / 10_000
    }
    return credits(interval &* burst) >= credits(interval)
  }

  public func print(to out: inout RuleWriter) {
    out.option("--limit")
    let unit = Unit.shown(interval: UInt64(interval))
    out.number(unit.ticks / interval)
    out.text.write(unit.shownName)
    if burst != Self.standardBurst {
      out.option("--limit-burst")
      out.number(burst)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("limit: avg")
    let unit = Unit.shown(interval: UInt64(interval))
    out.number(unit.ticks / interval)
    out.text.write(unit.shownName)
    out.word("burst")
    out.number(burst)
  }
}

// MARK: Kernel bytes

extension Limit {
  /// `prev`, `credit`, `credit_cap`, `cost` and `master`, in which the kernel once kept its account.
  private static let privateSize = 32

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(interval)
    out.write(burst)
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let interval = try bytes.uint32("avg")
    let burst = try bytes.uint32("burst")
    try bytes.skip("prev", Self.privateSize)
    guard let value = Limit(interval: interval, burst: burst) else { throw bytes.invalid("avg") }
    self = value
  }
}

// MARK: Meaning

extension Limit {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "how many packets came before") }
}
