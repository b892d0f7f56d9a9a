/// Matches at a rate that each host, or whatever else packets are told apart by, has to itself
/// (`struct xt_hashlimit_mtinfo3`, linux/netfilter/xt_hashlimit.h).
public struct HashLimit: Match {
  public enum Rate: Hashable, Sendable {
    case packets(PacketRate)
    case bytes(ByteRate)
  }

  /// By what packets are told apart; by nothing, all of them share one account. Raw values are the kernel's bits.
  public struct Keys: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let destinationAddress = Keys(rawValue: 0x1)
    public static let destinationPort = Keys(rawValue: 0x2)
    public static let sourceAddress = Keys(rawValue: 0x4)
    public static let sourcePort = Keys(rawValue: 0x8)
    public static let all: Keys = [.destinationAddress, .destinationPort, .sourceAddress, .sourcePort]

    /// In the order in which they are printed.
    fileprivate static let names: [(name: StaticString, flag: Keys)] = [
      ("srcip", .sourceAddress), ("srcport", .sourcePort), ("dstip", .destinationAddress),
      ("dstport", .destinationPort),
    ]
  }

  public let rate: Rate
  /// Whether packets above the rate match, not those up to it.
  public let matchesAbove: Bool
  public let keys: Keys
  public let table: HashLimitTable
  /// How many bits of addresses are told apart; nil for all.
  public let sourcePrefixLength: UInt8?
  public let destinationPrefixLength: UInt8?
  /// Seconds over which the rate is measured instead of limited; nil where it is limited. Not 0.
  public let measuringInterval: UInt32?

  /// nil for prefixes longer than addresses, for an interval of 0, and where the kernel cannot count the rate.
  public init?(
    _ rate: Rate, matchesAbove: Bool = false, keys: Keys = [], table: HashLimitTable, sourcePrefixLength: UInt8? = nil,
    destinationPrefixLength: UInt8? = nil, measuringInterval: UInt32? = nil
  ) {
    guard keys.isSubset(of: .all), max(sourcePrefixLength ?? 0, destinationPrefixLength ?? 0) <= 128,
      measuringInterval != 0, Self.kernelTakes(rate, isMeasured: measuringInterval != nil)
    else { return nil }
    self.rate = rate
    self.matchesAbove = matchesAbove
    self.keys = keys
    self.table = table
    self.sourcePrefixLength = sourcePrefixLength
    self.destinationPrefixLength = destinationPrefixLength
    self.measuringInterval = measuringInterval
  }

  /// What a kernel with 250 or 1000 ticks a second counts with: `HZ * CREDITS_PER_JIFFY` (net/netfilter/xt_hashlimit.c).
  private static let creditsPerSecond: UInt64 = 1000 << 37

  private static func kernelTakes(_ rate: Rate, isMeasured: Bool) -> Bool {
    func credits(_ time: UInt64) -> UInt64 { time &* (creditsPerSecond / 1_000_000) }
    switch rate {
    case .packets(let rate) where isMeasured: return rate.interval <= UInt32.max
    case .packets(let rate): return credits(rate.interval * UInt64(rate.burst)) >= credits(rate.interval)
    case .bytes(let rate): return isMeasured || rate.cost > 1
    }
  }
}

extension HashLimit {
  /// Packets in a time.
  public struct PacketRate: Hashable, Sendable {
    /// Microseconds between two packets once the burst is used up.
    public let interval: UInt64
    /// How many may come at once.
    public let burst: UInt32

    /// A day: nothing slower has a spelling.
    public static let longestInterval: UInt64 = 86_400_000_000
    public static let largestBurst: UInt32 = 1_000_000

    /// nil when one of them is 0 or greater than its limit.
    public init?(interval: UInt64, burst: UInt32 = 5) {
      guard (1...Self.longestInterval).contains(interval), (1...Self.largestBurst).contains(burst) else { return nil }
      self.interval = interval
      self.burst = burst
    }

    /// `count` packets in each unit of time; nil when that is none, or more than 1,000,000 a second.
    public init?(_ count: UInt64, per unit: Limit.Unit, burst: UInt32 = 5) {
      guard count > 0 else { return nil }
      self.init(interval: HashLimit.microseconds(unit) / count, burst: burst)
    }
  }

  fileprivate static let ticksToMicroseconds: UInt64 = 100

  fileprivate static func microseconds(_ unit: Limit.Unit) -> UInt64 { UInt64(unit.ticks) * ticksToMicroseconds }

  /// Bytes in a second, in steps that grow with the rate.
  public struct ByteRate: Hashable, Sendable {
    /// What 16 bytes cost of the 4,294,967,295 that a second brings.
    package let cost: UInt32
    /// How many seconds' bytes may come at once; nil where the kernel decides.
    public let burstSeconds: UInt32?

    /// What the kernel lets through in a second.
    public var bytesPerSecond: UInt64 { (UInt64(UInt32.max / cost) - 1) << 4 }
    public var burstBytes: UInt64? { burstSeconds.map { bytesPerSecond * UInt64($0) } }

    /// nil for less than 16 bytes, for more than the kernel's unit can hold, and for a burst that is less than one
    /// second's bytes or does not fit 32 bits.
    public init?(bytesPerSecond: UInt64, burstBytes: UInt64? = nil) {
      let units = bytesPerSecond >> 4
      guard (1..<UInt64(UInt32.max)).contains(units) else { return nil }
      let cost = UInt32.max / UInt32(units + 1)
      guard let burstBytes else {
        self.init(cost: cost, burstSeconds: nil)
        return
      }
      let second = (UInt64(UInt32.max / cost) - 1) << 4
      guard burstBytes >= second, let seconds = UInt32(exactly: (burstBytes + second - 1) / second) else { return nil }
      self.init(cost: cost, burstSeconds: seconds)
    }

    /// nil for a cost that no spelling gives, and for a burst of 0 or of more bytes than 32 bits hold.
    package init?(cost: UInt32, burstSeconds: UInt32?) {
      guard cost > 0, cost <= UInt32.max / 2, UInt32.max / (UInt32.max / cost) == cost else { return nil }
      self.cost = cost
      self.burstSeconds = burstSeconds
      guard burstSeconds != 0, burstBytes ?? 0 <= UInt32.max else { return nil }
    }
  }
}

/// The kernel's table in which a hashlimit keeps its accounts, /proc/net/ipt_hashlimit/NAME.
public struct HashLimitTable: Hashable, Sendable {
  public let name: String
  /// How many buckets; nil where the kernel decides.
  public let buckets: UInt32?
  /// How many accounts at most; nil where the kernel decides.
  public let entries: UInt32?
  /// Milliseconds between two looks for accounts that have expired.
  public let sweepInterval: UInt32
  /// Milliseconds after which an account expires that is not used.
  public let expiry: UInt32

  /// `NAME_MAX` less its terminator.
  public static let maxNameBytes = 254
  /// The most buckets or entries that the kernel makes.
  public static let maxSize: UInt32 = 1_048_576

  /// nil when the name cannot be a file's name, is longer than 254 bytes or holds blanks, quotes or control characters,
  /// and when one of the numbers is 0 or greater than the kernel takes.
  public init?(
    _ name: String, expiry: UInt32, buckets: UInt32? = nil, entries: UInt32? = nil, sweepInterval: UInt32 = 1000
  ) {
    guard name.utf8.count <= Self.maxNameBytes, RecentListName.isFileName(name), expiry > 0, sweepInterval > 0,
      (1...Self.maxSize).contains(buckets ?? 1), (1...Self.maxSize).contains(entries ?? 1)
    else { return nil }
    self.name = name
    self.expiry = expiry
    self.buckets = buckets
    self.entries = entries
    self.sweepInterval = sweepInterval
  }
}

// MARK: Syntax

extension HashLimit {
  public static let definition = ExtensionDefinition(
    "hashlimit", summary: "a rate for each host or port by itself", revisions: [1, 2, 3],
    options: [
      OptionSpec(
        "--hashlimit-upto", aliases: ["--hashlimit"], .custom(ratePlaceholder), negatable: true,
        excludes: ["--hashlimit-above"], "packets or bytes up to this rate"),
      OptionSpec(
        "--hashlimit-above", .custom(ratePlaceholder), negatable: true, excludes: ["--hashlimit-upto"],
        "packets or bytes above this rate"),
      OptionSpec("--hashlimit-srcmask", .custom("BITS"), "networks of this prefix length are one source"),
      OptionSpec("--hashlimit-dstmask", .custom("BITS"), "networks of this prefix length are one destination"),
      OptionSpec(
        "--hashlimit-burst", .custom("N[k|m][b]"), "packets or bytes that may come at once; 5 packets if not given"),
      OptionSpec("--hashlimit-htable-size", .number(sizes), "buckets of the table"),
      OptionSpec("--hashlimit-htable-max", .number(sizes), "entries of the table"),
      OptionSpec(
        "--hashlimit-htable-gcinterval", .number(milliseconds), "milliseconds between two looks for expired entries"),
      OptionSpec("--hashlimit-htable-expire", .number(milliseconds), "milliseconds after which idle entries expire"),
      OptionSpec("--hashlimit-mode", .custom("srcip,srcport,dstip,dstport"), "by what packets are told apart"),
      OptionSpec(
        "--hashlimit-name", .string(maxBytes: HashLimitTable.maxNameBytes), required: true, "name of the table"),
      OptionSpec("--hashlimit-rate-match", .none, "measure the rate, do not limit it"),
      OptionSpec(
        "--hashlimit-rate-interval", .number(1...UInt64(Int32.max)), "seconds over which the rate is measured"),
    ])

  private static let ratePlaceholder: StaticString = "N[/second|/minute|/hour|/day]|N[k|m]b/s"
  private static let sizes: ClosedRange<UInt64> = 0...UInt64(UInt32.max)
  private static let milliseconds: ClosedRange<UInt64> = 1...UInt64(UInt32.max)

  /// Milliseconds after which entries expire where nothing is said about it.
  private enum DefaultExpiry {
    static let bytes: UInt32 = 15_000
    static let bytesWithBurst: UInt32 = 60_000
    static func packets(_ unit: Limit.Unit) -> UInt32 { unit.ticks / 10 }
  }

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard options.has("--hashlimit-upto") || options.has("--hashlimit-above") else {
      throw SyntaxError("hashlimit needs --hashlimit-upto RATE or --hashlimit-above RATE")
    }
    let name: StaticString = options.has("--hashlimit-upto") ? "--hashlimit-upto" : "--hashlimit-above"
    let isMeasured = options.has("--hashlimit-rate-match")
    let (rate, unit) = try Self.rate(options, name, isMeasured: isMeasured)
    let expiry: UInt32
    var interval: UInt32 = 1
    switch rate {
    case .packets:
      expiry = DefaultExpiry.packets(unit)
      interval = unit.ticks / Limit.Unit.second.ticks
    case .bytes(let rate): expiry = rate.burstSeconds == nil ? DefaultExpiry.bytes : DefaultExpiry.bytesWithBurst
    }
    if let seconds = try options.number("--hashlimit-rate-interval") {
      interval = UInt32(seconds)
      if !isMeasured, let token = options.token("--hashlimit-rate-interval") {
        options.warn(token, "--hashlimit-rate-interval: without --hashlimit-rate-match it means nothing")
      }
    }
    let value = HashLimit(
      rate, matchesAbove: options.isInverted(name) == options.has("--hashlimit-upto"), keys: try Self.keys(options),
      table: try Self.table(options, expiry: expiry),
      sourcePrefixLength: try Self.prefixLength(options, "--hashlimit-srcmask"),
      destinationPrefixLength: try Self.prefixLength(options, "--hashlimit-dstmask"),
      measuringInterval: isMeasured ? interval : nil)
    guard let value else {
      switch rate {
      case .bytes: throw options.error(name, "the kernel cannot count so fast")
      case .packets(let rate):
        throw options.error(
          options.has("--hashlimit-burst") ? "--hashlimit-burst" : name,
          "the kernel cannot count a burst of \(rate.burst) at so slow a rate",
          hint: "write --hashlimit-burst \(Self.largestBurst(interval: rate.interval))")
      }
    }
    self = value
  }

  /// The greatest burst whose credits do not overflow.
  private static func largestBurst(interval: UInt64) -> UInt64 {
    max(1, UInt64.max / creditsPerSecond * 1_000_000 / interval)
  }

  private static func rate(_ options: OptionValues, _ name: StaticString, isMeasured: Bool)
    throws(SyntaxError) -> (rate: Rate, unit: Limit.Unit)
  {
    guard let token = options.token(name) else { throw options.error(name, "needs a rate") }
    let burst = try burst(options)
    if let perSecond = try bytes(token, name) {
      guard let rate = ByteRate(bytesPerSecond: perSecond) else {
        throw options.error(
          name, "the kernel cannot count \(perSecond) bytes a second", hint: "from 16b/s to 65535mb/s are possible")
      }
      guard let burst else { return (.bytes(rate), .second) }
      guard let whole = ByteRate(bytesPerSecond: perSecond, burstBytes: burst) else {
        throw options.error(
          "--hashlimit-burst", "the burst is between one second's bytes (\(rate.bytesPerSecond)b) and 4095mb")
      }
      return (.bytes(whole), .second)
    }
    let (count, unit) = try Limit.rate(token, of: name)
    guard burst ?? 5 <= UInt64(PacketRate.largestBurst) else {
      throw options.error("--hashlimit-burst", "at most \(PacketRate.largestBurst) packets can come at once")
    }
    let scale = isMeasured ? UInt64(unit.ticks / Limit.Unit.second.ticks) : 1
    guard let rate = PacketRate(interval: microseconds(unit) / count / scale, burst: UInt32(burst ?? 5)) else {
      throw options.error(name, "'\(token.string)' is too fast", hint: "the fastest rate is 1000000/second")
    }
    return (.packets(rate), unit)
  }

  /// `Nb/s`, `Nkb/s` or `Nmb/s`; nil for what does not count bytes.
  private static func bytes(_ token: Token, _ name: StaticString) throws(SyntaxError) -> UInt64? {
    let parts = token.split(at: UInt8(ascii: "/"))
    guard let unit = parts.after, parts.before.bytes.last == UInt8(ascii: "b"), unit.count > 0, unit.begins("second")
    else { return nil }
    var digits = parts.before.part(0..<parts.before.count - 1)
    let factor = Self.factor(&digits)
    guard let count = digits.decimal, count > 0 else {
      throw SyntaxError(
        at: token, "\(name): '\(token.string)' is not a rate", hint: "write whole numbers, for example 512kb/s or 2mb/s"
      )
    }
    let product = count.multipliedReportingOverflow(by: factor)
    return product.overflow ? .max : product.partialValue
  }

  /// What a `k` or `m` at the end multiplies by; it is taken off.
  private static func factor(_ token: inout Token) -> UInt64 {
    let factor: UInt64
    switch token.bytes.last {
    case UInt8(ascii: "k"): factor = 1024
    case UInt8(ascii: "m"): factor = 1024 * 1024
    default: return 1
    }
    token = token.part(0..<token.count - 1)
    return factor
  }

  private static func burst(_ options: OptionValues) throws(SyntaxError) -> UInt64? {
    guard let token = options.token("--hashlimit-burst") else { return nil }
    let isHex = token.hasPrefix("0x") || token.hasPrefix("0X")
    var digits = token
    if !isHex, token.bytes.last == UInt8(ascii: "b") { digits = token.part(0..<token.count - 1) }
    let factor = Self.factor(&digits)
    let isPlain = digits.count == token.count
    guard let count = digits.number, count > 0, !isPlain || count <= PacketRate.largestBurst else {
      throw options.error(
        "--hashlimit-burst", "'\(token.string)' is not a number from 1 to \(PacketRate.largestBurst)",
        hint: "more is possible for bytes, as 4mb")
    }
    let product = count.multipliedReportingOverflow(by: factor)
    return product.overflow ? .max : product.partialValue
  }

  private static func keys(_ options: OptionValues) throws(SyntaxError) -> Keys {
    var keys: Keys = []
    guard let token = options.token("--hashlimit-mode") else { return keys }
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      try part.forEachPart(separatedBy: UInt8(ascii: "|")) { word throws(SyntaxError) in
        guard word.count > 0 else { return }
        guard let known = Keys.names.first(where: { word == $0.name }) else {
          throw SyntaxError(
            at: word, "--hashlimit-mode: '\(word.string)' is not one of its values",
            hint: suggestion(for: word.string, among: Keys.names.map { "\($0.name)" }))
        }
        keys.formUnion(known.flag)
      }
    }
    return keys
  }

  private static func table(_ options: OptionValues, expiry: UInt32) throws(SyntaxError) -> HashLimitTable {
    let name = try options.string("--hashlimit-name") ?? ""
    let table = HashLimitTable(
      name, expiry: try options.number("--hashlimit-htable-expire").map { UInt32($0) } ?? expiry,
      buckets: try size(options, "--hashlimit-htable-size"), entries: try size(options, "--hashlimit-htable-max"),
      sweepInterval: try options.number("--hashlimit-htable-gcinterval").map { UInt32($0) } ?? 1000)
    guard let table else {
      throw options.error(
        "--hashlimit-name", "'\(name)' cannot name a table",
        hint: "a name is a file's name without blanks, quotes and '/'"
      )
    }
    return table
  }

  /// nil for 0, with which the kernel decides; it makes what is too great as great as it can.
  private static func size(_ options: OptionValues, _ name: StaticString) throws(SyntaxError) -> UInt32? {
    guard let number = try options.number(name), number > 0 else { return nil }
    guard number > HashLimitTable.maxSize else { return UInt32(number) }
    if let token = options.token(name) {
      options.warn(token, "\(name): the kernel makes \(HashLimitTable.maxSize) at most, and takes that")
    }
    return HashLimitTable.maxSize
  }

  private static func prefixLength(_ options: OptionValues, _ name: StaticString) throws(SyntaxError) -> UInt8? {
    guard let token = options.token(name) else { return nil }
    let mask = try options.names.addressMask(token, options.family)
    guard let length = AddressMask(address: .any(options.family), mask: mask).prefixLength else {
      throw options.error(name, "the mask has holes", hint: "write a prefix length").byKernel
    }
    return length == options.family.addressBits ? nil : UInt8(length)
  }

  public func print(to out: inout RuleWriter) {
    out.option(matchesAbove ? "--hashlimit-above" : "--hashlimit-upto")
    let expiry: UInt32
    switch rate {
    case .packets(let rate):
      let unit = Limit.Unit.shown(interval: rate.interval, scale: Self.ticksToMicroseconds)
      expiry = DefaultExpiry.packets(unit)
      out.number(Self.microseconds(unit) / rate.interval)
      out.text.write(unit.shownName)
      out.option("--hashlimit-burst")
      out.number(rate.burst)
    case .bytes(let rate):
      expiry = rate.burstSeconds == nil ? DefaultExpiry.bytes : DefaultExpiry.bytesWithBurst
      Self.print(rate, to: &out)
    }
    if !keys.isEmpty {
      out.option("--hashlimit-mode")
      out.list(keys, of: Keys.names)
    }
    out.option("--hashlimit-name")
    out.word(table.name)
    func option(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
      guard let value else { return }
      out.option(name)
      out.number(value)
    }
    option("--hashlimit-htable-size", table.buckets)
    option("--hashlimit-htable-max", table.entries)
    option("--hashlimit-htable-gcinterval", table.sweepInterval == 1000 ? nil : table.sweepInterval)
    option("--hashlimit-htable-expire", table.expiry == expiry ? nil : table.expiry)
    option("--hashlimit-srcmask", sourcePrefixLength)
    option("--hashlimit-dstmask", destinationPrefixLength)
    guard let measuringInterval else { return }
    out.option("--hashlimit-rate-match")
    option("--hashlimit-rate-interval", measuringInterval == 1 ? nil : measuringInterval)
  }

  /// The burst in the greatest unit of which there is at least one, as iptables cuts it off.
  public func list(to out: inout RuleWriter) {
    out.word(matchesAbove ? "limit: above" : "limit: up to")
    let expiry: UInt32
    switch rate {
    case .packets(let rate):
      expiry = Self.list(interval: rate.interval &* UInt64(measuringInterval ?? 1), to: &out)
      out.word("burst")
      out.number(rate.burst)
    case .bytes(let rate):
      expiry = rate.burstSeconds == nil ? DefaultExpiry.bytes : DefaultExpiry.bytesWithBurst
      Self.printBytesPerSecond(rate, to: &out)
      if let bytes = rate.burstBytes, let unit = Self.byteUnits.first(where: { bytes >= $0.size }) {
        out.word("burst")
        out.number(bytes / unit.size)
        out.text.write(unit.name)
      }
    }
    if !keys.isEmpty {
      out.word("mode")
      out.list(keys, of: Keys.names, separator: "-")
    }
    func number(_ name: StaticString, _ value: (some FixedWidthInteger)?) {
      guard let value else { return }
      out.word(name)
      out.number(value)
    }
    number("htable-size", table.buckets)
    number("htable-max", table.entries)
    number("htable-gcinterval", table.sweepInterval == 1000 ? nil : table.sweepInterval)
    number("htable-expire", table.expiry == expiry ? nil : table.expiry)
    number("srcmask", sourcePrefixLength)
    number("dstmask", destinationPrefixLength)
    guard let measuringInterval else { return }
    out.word("rate-match")
    number("rate-interval", measuringInterval == 1 ? nil : measuringInterval)
  }

  /// The rate of one packet in so many microseconds; returns the time after which entries expire if not said otherwise.
  private static func list(interval: UInt64, to out: inout RuleWriter) -> UInt32 {
    guard interval > 0 else {
      out.word("inf")
      return 0
    }
    let unit = Limit.Unit.shown(interval: interval, scale: ticksToMicroseconds)
    out.number(microseconds(unit) / interval)
    out.text.write(unit.shownName)
    return DefaultExpiry.packets(unit)
  }

  private static let byteUnits: [(name: StaticString, size: UInt64)] = [
    ("mb", 1024 * 1024), ("kb", 1024), ("b", 1),
  ]

  /// The burst in the greatest unit of which there is at least one: where that cuts off so much that fewer seconds
  /// would be read, iptables saves another rule than it was given, and here a smaller unit is written.
  private static func print(_ rate: ByteRate, to out: inout RuleWriter) {
    printBytesPerSecond(rate, to: &out)
    let perSecond = rate.bytesPerSecond
    guard let seconds = rate.burstSeconds, let bytes = rate.burstBytes else { return }
    let burstUnit = byteUnits.first { unit in
      bytes >= unit.size && (bytes / unit.size * unit.size + perSecond - 1) / perSecond == UInt64(seconds)
    }
    let whole = burstUnit ?? byteUnits[2]
    out.option("--hashlimit-burst")
    out.number(bytes / whole.size)
    out.text.write(whole.name)
  }

  /// In the greatest unit in which the rate is still the same, where iptables looks at its lower 32 bits only.
  private static func printBytesPerSecond(_ rate: ByteRate, to out: inout RuleWriter) {
    let perSecond = rate.bytesPerSecond
    let shown = byteUnits.first { unit in
      let low = UInt64(UInt32(truncatingIfNeeded: perSecond)) / unit.size * unit.size
      return perSecond >= unit.size && ByteRate(bytesPerSecond: low)?.cost == rate.cost
    }
    let unit = shown ?? byteUnits[2]
    out.number(perSecond / unit.size)
    out.text.write(unit.name)
    out.text.write("/s")
  }
}

// MARK: Kernel bytes

extension HashLimit {
  private enum Flag {
    static let above: UInt32 = 0x10
    static let bytes: UInt32 = 0x20
    static let measured: UInt32 = 0x40
  }
  private static let nameSize = 255
  /// The same in revision 1.
  private static let shortNameSize = 16
  /// Microseconds in the unit in which revision 1 counts time between packets.
  private static let coarseUnit: UInt64 = 100
  /// `XT_HASHLIMIT_BURST_MAX_v1` of the kernel's tools.
  private static let coarseBurst: UInt32 = 10_000
  /// `hinfo`, where the kernel keeps its table.
  private static let privateSize = 8

  public func encode(to out: inout ByteWriter, family: Family) {
    encodeRateFirst(to: &out)
    encodeTable(to: &out)
    out.write(measuringInterval ?? 0)
    encodePrefixLengths(to: &out, family)
    out.zeros(6)
    out.zeros(Self.privateSize)
  }

  /// Revisions 1 and 2 measure nothing. Revision 1 has shorter names, coarser time and smaller bursts.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard measuringInterval == nil else { return false }
    if revision == 2 {
      encodeRateFirst(to: &out)
      encodeTable(to: &out)
      encodePrefixLengths(to: &out, family)
      out.zeros(2)
      out.zeros(Self.privateSize)
      return true
    }
    guard revision == 1, table.name.utf8.count < Self.shortNameSize else { return false }
    let numbers = numbers
    let isPackets = mode & Flag.bytes == 0
    let average = isPackets ? numbers.average / Self.coarseUnit : numbers.average
    guard average > 0, let average = UInt32(exactly: average), !isPackets || numbers.burst <= Self.coarseBurst else {
      return false
    }
    out.write(text: table.name, size: Self.shortNameSize)
    out.write(mode)
    out.write(average)
    out.write(numbers.burst)
    out.write(table.buckets ?? 0)
    out.write(table.entries ?? 0)
    out.write(table.sweepInterval)
    out.write(table.expiry)
    encodePrefixLengths(to: &out, family)
    out.zeros(2)
    out.zeros(Self.privateSize)
    return true
  }

  private var mode: UInt32 {
    var mode = keys.rawValue | (matchesAbove ? Flag.above : 0) | (measuringInterval != nil ? Flag.measured : 0)
    if case .bytes = rate { mode |= Flag.bytes }
    return mode
  }

  /// `avg` and `burst`.
  private var numbers: (average: UInt64, burst: UInt32) {
    switch rate {
    case .packets(let rate): (rate.interval, rate.burst)
    case .bytes(let rate): (UInt64(rate.cost), rate.burstSeconds ?? 0)
    }
  }

  /// The time between packets that stands for the rate which a time of revision 1 stands for.
  private static func fine(_ coarse: UInt64) -> UInt64 {
    guard coarse > 0 else { return 0 }
    let unit = Limit.Unit.shown(interval: coarse, scale: 1)
    let count = UInt64(unit.ticks) / coarse
    let fine = count > 0 ? microseconds(unit) / count : 0
    return fine / coarseUnit == coarse ? fine : coarse * coarseUnit
  }

  private func encodeRateFirst(to out: inout ByteWriter) {
    out.write(text: table.name, size: Self.nameSize)
    out.zeros(1)
    out.write(numbers.average)
    out.write(UInt64(numbers.burst))
    out.write(mode)
  }

  private func encodeTable(to out: inout ByteWriter) {
    out.write(table.buckets ?? 0)
    out.write(table.entries ?? 0)
    out.write(table.sweepInterval)
    out.write(table.expiry)
  }

  private func encodePrefixLengths(to out: inout ByteWriter, _ family: Family) {
    out.write(sourcePrefixLength ?? UInt8(family.addressBits))
    out.write(destinationPrefixLength ?? UInt8(family.addressBits))
  }

  /// - Throws: ``WireError`` too for an interval that nothing is measured over.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let field = try bytes.raw("name", count: revision == 1 ? Self.shortNameSize : Self.nameSize)
    let text = field.prefix { $0 != 0 }
    guard field.dropFirst(text.count).allSatisfy({ $0 == 0 }), let name = String(validating: text, as: UTF8.self) else {
      throw bytes.invalid("name")
    }
    let mode: UInt32
    let average: UInt64
    let burst: UInt32
    if revision == 1 {
      mode = try bytes.uint32("mode")
      let coarse = UInt64(try bytes.uint32("avg"))
      average = mode & Flag.bytes == 0 ? Self.fine(coarse) : coarse
      burst = try bytes.uint32("burst")
    } else {
      try bytes.zeros("padding", 1)
      average = try bytes.uint64("avg")
      guard let number = UInt32(exactly: try bytes.uint64("burst")) else { throw bytes.invalid("burst") }
      burst = number
      mode = try bytes.uint32("mode")
    }
    let known = Keys.all.rawValue | Flag.above | Flag.bytes | (revision == 3 ? Flag.measured : 0)
    guard mode & ~known == 0 else { throw bytes.invalid("mode") }
    let buckets = try bytes.uint32("size")
    let entries = try bytes.uint32("max")
    let sweepInterval = try bytes.uint32("gc_interval")
    let table = HashLimitTable(
      name, expiry: try bytes.uint32("expire"), buckets: buckets == 0 ? nil : buckets,
      entries: entries == 0 ? nil : entries, sweepInterval: sweepInterval)
    guard let table else { throw bytes.invalid("expire") }
    let interval = revision == 3 ? try bytes.uint32("interval") : 0
    guard interval == 0 || mode & Flag.measured != 0 else { throw bytes.invalid("interval") }
    let lengths = (source: try bytes.uint8("srcmask"), destination: try bytes.uint8("dstmask"))
    let whole = UInt8(family.addressBits)
    guard max(lengths.source, lengths.destination) <= whole else { throw bytes.invalid("dstmask") }
    try bytes.zeros("padding", revision == 3 ? 6 : 2)
    try bytes.skip("hinfo", Self.privateSize)
    let rate: Rate?
    if mode & Flag.bytes != 0 {
      rate = UInt32(exactly: average).flatMap { cost in
        ByteRate(cost: cost, burstSeconds: burst == 0 ? nil : burst).map { .bytes($0) }
      }
    } else {
      rate = PacketRate(interval: average, burst: burst).map { .packets($0) }
    }
    guard let rate else { throw bytes.invalid("avg") }
    let value = HashLimit(
      rate, matchesAbove: mode & Flag.above != 0, keys: Keys(rawValue: mode & Keys.all.rawValue), table: table,
      sourcePrefixLength: lengths.source == whole ? nil : lengths.source,
      destinationPrefixLength: lengths.destination == whole ? nil : lengths.destination,
      measuringInterval: mode & Flag.measured != 0 ? interval : nil)
    guard let value else { throw bytes.invalid("avg") }
    self = value
  }
}

// MARK: Meaning

extension HashLimit {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "how many packets came before") }
}
