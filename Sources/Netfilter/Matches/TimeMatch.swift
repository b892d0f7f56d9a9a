/// When the packet passes (`struct xt_time_info`, linux/netfilter/xt_time.h).
public struct TimeMatch: Match {
  /// First and last second, counted from 1970-01-01T00:00:00.
  public let dates: Bounds<UInt32>
  /// First and last second of the day. A day that begins later than it ends leaves out what lies between.
  public let daytime: Bounds<UInt32>
  public let monthDays: MonthDays
  public let weekDays: WeekDays
  /// Whether the clock is the kernel's time zone, not UTC.
  public let usesKernelTimeZone: Bool
  /// Whether a time that goes past midnight belongs to the day on which it began.
  public let isContiguous: Bool

  /// Days of a month: a bit for each, the first in bit 1.
  public struct MonthDays: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// nil unless from 1 to 31.
    public init?(day: Int) {
      guard (1...31).contains(day) else { return nil }
      rawValue = 1 << UInt32(day)
    }
    public static let all = MonthDays(rawValue: 0xffff_fffe)
  }

  /// Days of a week: a bit for each, Monday in bit 1.
  public struct WeekDays: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let monday = WeekDays(rawValue: 1 << 1)
    public static let tuesday = WeekDays(rawValue: 1 << 2)
    public static let wednesday = WeekDays(rawValue: 1 << 3)
    public static let thursday = WeekDays(rawValue: 1 << 4)
    public static let friday = WeekDays(rawValue: 1 << 5)
    public static let saturday = WeekDays(rawValue: 1 << 6)
    public static let sunday = WeekDays(rawValue: 1 << 7)
    public static let all = WeekDays(rawValue: 0xfe)

    fileprivate static let names: [(name: StaticString, flag: WeekDays)] = [
      ("Mon", .monday), ("Tue", .tuesday), ("Wed", .wednesday), ("Thu", .thursday), ("Fri", .friday),
      ("Sat", .saturday), ("Sun", .sunday),
    ]
  }

  /// From the beginning of 1970 to the greatest second that 31 bits hold, which is what rules without dates have.
  public static let anyDate: Bounds<UInt32> = Bounds(0, UInt32(Int32.max))
  public static let anyTime: Bounds<UInt32> = Bounds(0, 86_399)

  /// nil when a set is empty or holds what is no day, when the last date is the first second of all, which has no
  /// spelling, when a second is not in the day, or when a contiguous time does not go past midnight.
  public init?(
    dates: Bounds<UInt32> = anyDate, daytime: Bounds<UInt32> = anyTime, monthDays: MonthDays = .all,
    weekDays: WeekDays = .all, usesKernelTimeZone: Bool = false, isContiguous: Bool = false
  ) {
    guard dates.last > 0, max(daytime.first, daytime.last) <= Self.anyTime.last, !monthDays.isEmpty,
      monthDays.isSubset(of: .all), !weekDays.isEmpty, weekDays.isSubset(of: .all),
      !isContiguous || daytime.first >= daytime.last
    else { return nil }
    self.dates = dates
    self.daytime = daytime
    self.monthDays = monthDays
    self.weekDays = weekDays
    self.usesKernelTimeZone = usesKernelTimeZone
    self.isContiguous = isContiguous
  }
}

// MARK: Syntax

extension TimeMatch {
  public static let definition = ExtensionDefinition(
    "time", summary: "date, day and time of the day",
    options: [
      OptionSpec("--datestart", .custom("YYYY[-MM[-DD[Thh[:mm[:ss]]]]]"), "first second"),
      OptionSpec("--datestop", .custom("YYYY[-MM[-DD[Thh[:mm[:ss]]]]]"), "last second"),
      OptionSpec("--timestart", .custom("hh:mm[:ss]"), "first second of the day"),
      OptionSpec("--timestop", .custom("hh:mm[:ss]"), "last second of the day"),
      OptionSpec("--contiguous", .none, "a time past midnight belongs to the day on which it began"),
      OptionSpec("--weekdays", .custom("DAY[,DAY]…"), negatable: true, "Mon to Sun, or 1 to 7"),
      OptionSpec("--monthdays", .custom("DAY[,DAY]…"), negatable: true, "1 to 31"),
      OptionSpec("--localtz", .none, excludes: ["--utc"], "an older name of --kerneltz"),
      OptionSpec("--utc", .none, excludes: ["--localtz", "--kerneltz"], "the clock is UTC, as it is if not said"),
      OptionSpec("--kerneltz", .none, excludes: ["--utc"], "the clock is the kernel's time zone"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let dates = Bounds(
      try Self.date(options, "--datestart") ?? Self.anyDate.first,
      try Self.date(options, "--datestop") ?? Self.anyDate.last)
    guard dates.last > 0 else {
      throw options.error(
        "--datestop", "iptables does not save the date 1970-01-01T00:00:00", hint: "leave the rule out")
    }
    let daytime = Bounds(
      try Self.daytime(options, "--timestart") ?? Self.anyTime.first,
      try Self.daytime(options, "--timestop") ?? Self.anyTime.last)
    let isContiguous = options.has("--contiguous")
    guard !isContiguous || daytime.first >= daytime.last else {
      throw options.error("--contiguous", "the time has to go past midnight: --timestop before --timestart")
    }
    let monthDays = try Self.monthDays(options)
    let weekDays = try Self.weekDays(options)
    if monthDays.isEmpty { throw options.error("--monthdays", "no day is left, so the rule never matches") }
    if weekDays.isEmpty { throw options.error("--weekdays", "no day is left, so the rule never matches") }
    let value = TimeMatch(
      dates: dates, daytime: daytime, monthDays: monthDays, weekDays: weekDays,
      usesKernelTimeZone: options.has("--kerneltz") || options.has("--localtz"), isContiguous: isContiguous)
    guard let value else { throw SyntaxError("time: these options exclude each other") }
    self = value
  }

  private static func monthDays(_ options: OptionValues) throws(SyntaxError) -> MonthDays {
    guard options.has("--monthdays") else { return .all }
    var days: MonthDays = []
    try forEachDay(options, "--monthdays") { part throws(SyntaxError) in
      if part.count == 0 { return options.warn(part, "--monthdays: a day is missing between the commas") }
      guard let number: Int = part.number(in: 1...31), let day = MonthDays(day: number) else {
        throw SyntaxError(
          at: part, "--monthdays: '\(part.string)' is not a day of a month",
          hint: "write numbers from 1 to 31 without zeros before them")
      }
      days.formUnion(day)
    }
    return options.isInverted("--monthdays") ? MonthDays.all.subtracting(days) : days
  }

  /// Two letters are enough, as in iptables, and what follows the third is not looked at.
  private static func weekDays(_ options: OptionValues) throws(SyntaxError) -> WeekDays {
    guard options.has("--weekdays") else { return .all }
    var days: WeekDays = []
    try forEachDay(options, "--weekdays") { part throws(SyntaxError) in
      if let number: Int = part.number(in: 1...7) {
        days.formUnion(WeekDays.names[number - 1].flag)
        return
      }
      let known = WeekDays.names.first { known in
        part.count >= 2 && (0..<2).allSatisfy { part.bytes[$0] == known.name.utf8Start[$0] }
      }
      guard let known else {
        throw SyntaxError(
          at: part, "--weekdays: '\(part.string)' is not a day of the week",
          hint: suggestion(for: part.string, among: WeekDays.names.map { "\($0.name)" }))
      }
      days.formUnion(known.flag)
    }
    return options.isInverted("--weekdays") ? WeekDays.all.subtracting(days) : days
  }

  /// The parts between commas; one comma may end the list.
  private static func forEachDay(
    _ options: OptionValues, _ name: StaticString, _ body: (Token) throws(SyntaxError) -> Void
  ) throws(SyntaxError) {
    guard let token = options.token(name) else { return }
    let isEnded = token.count > 1 && token.bytes[token.count - 1] == UInt8(ascii: ",")
    try token.part(0..<token.count - (isEnded ? 1 : 0)).forEachPart(separatedBy: UInt8(ascii: ","), body)
  }

  private static func daytime(_ options: OptionValues, _ name: StaticString) throws(SyntaxError) -> UInt32? {
    guard let token = options.token(name) else { return nil }
    var numbers: [UInt32] = []
    token.forEachPart(separatedBy: UInt8(ascii: ":")) { numbers.append(decimal($0) ?? .max) }
    guard (2...3).contains(numbers.count), numbers[0] <= 23, numbers.dropFirst().allSatisfy({ $0 <= 59 }) else {
      throw options.error(name, "'\(token.string)' is not a time", hint: "write hh:mm or hh:mm:ss, up to 23:59:59")
    }
    return numbers[0] * 3600 + numbers[1] * 60 + (numbers.count == 3 ? numbers[2] : 0)
  }

  private static func date(_ options: OptionValues, _ name: StaticString) throws(SyntaxError) -> UInt32? {
    guard let token = options.token(name) else { return nil }
    let halves = token.split(at: UInt8(ascii: "T"))
    var day: [UInt32] = []
    var time: [UInt32] = []
    halves.before.forEachPart(separatedBy: UInt8(ascii: "-")) { day.append(decimal($0) ?? .max) }
    halves.after?.forEachPart(separatedBy: UInt8(ascii: ":")) { time.append(decimal($0) ?? .max) }
    let isComplete = halves.after == nil || day.count == 3
    guard day.count <= 3, time.count <= 3, isComplete, let date = CalendarDate(day), date.year <= 2038,
      time.first ?? 0 <= 23, time.dropFirst().allSatisfy({ $0 <= 59 })
    else {
      throw options.error(
        name, "'\(token.string)' is not a date from 1970 to 2038",
        hint: "for example 2027, 2027-05-31 or 2027-05-31T18:30")
    }
    while time.count < 3 { time.append(0) }
    return date.daysSince1970 * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
  }

  /// Decimal digits only: iptables reads `08` as eight here.
  private static func decimal(_ token: Token) -> UInt32? { token.decimal.flatMap { UInt32(exactly: $0) } }

  public func print(to out: inout RuleWriter) {
    if daytime != Self.anyTime {
      out.option("--timestart")
      out.time(daytime.first, separator: UInt8(ascii: " "))
      out.option("--timestop")
      out.time(daytime.last, separator: UInt8(ascii: " "))
    }
    if monthDays != .all {
      out.option("--monthdays")
      var separator = UInt8(ascii: " ")
      for day: UInt32 in 1...31 where monthDays.rawValue >> day & 1 == 1 {
        out.text.write(byte: separator)
        out.text.write(day)
        separator = UInt8(ascii: ",")
      }
    }
    if weekDays != .all {
      out.option("--weekdays")
      out.list(weekDays, of: WeekDays.names)
    }
    if dates.first != 0 {
      out.option("--datestart")
      out.date(dates.first)
    }
    out.option("--datestop")
    out.date(dates.last)
    if usesKernelTimeZone { out.option("--kerneltz") }
    if isContiguous { out.option("--contiguous") }
  }

  public func list(to out: inout RuleWriter) {
    out.word("TIME")
    if daytime != Self.anyTime {
      out.word("from")
      out.time(daytime.first, separator: UInt8(ascii: " "))
      out.word("to")
      out.time(daytime.last, separator: UInt8(ascii: " "))
    }
    if weekDays != .all {
      out.word("on")
      out.list(weekDays, of: WeekDays.names)
    }
    if monthDays != .all {
      out.word("on")
      var separator = UInt8(ascii: " ")
      for day: UInt32 in 1...31 where monthDays.rawValue >> day & 1 == 1 {
        out.text.write(byte: separator)
        out.text.write(day)
        out.text.write(Self.ordinalEnding(day))
        separator = UInt8(ascii: ",")
      }
    }
    if dates.first != 0 {
      out.word("starting from")
      out.date(dates.first, separator: UInt8(ascii: " "))
    }
    if dates.last != Self.anyDate.last {
      out.word("until date")
      out.date(dates.last, separator: UInt8(ascii: " "))
    }
    if !usesKernelTimeZone { out.word("UTC") }
    if isContiguous { out.word("contiguous") }
  }

  /// By the last digit alone, as iptables has it: `11st`.
  private static func ordinalEnding(_ day: UInt32) -> StaticString {
    switch day % 10 {
    case 1: "st"
    case 2: "nd"
    case 3: "rd"
    default: "th"
    }
  }
}

/// A day of the calendar from 1970 on.
private struct CalendarDate {
  let year: UInt32
  let month: UInt32
  let day: UInt32

  /// From the year, or year and month, or all three; nil when there is no such day.
  init?(_ numbers: [UInt32]) {
    year = numbers[0]
    month = numbers.count > 1 ? numbers[1] : 1
    day = numbers.count > 2 ? numbers[2] : 1
    guard (1970...9999).contains(year), (1...12).contains(month),
      (1...Self.length(ofMonth: month, year)).contains(day)
    else { return nil }
  }

  init(daysSince1970 days: UInt32) {
    var year: UInt32 = 1970
    var month: UInt32 = 1
    var rest = days
    while rest >= Self.length(ofYear: year) {
      rest -= Self.length(ofYear: year)
      year += 1
    }
    while rest >= Self.length(ofMonth: month, year) {
      rest -= Self.length(ofMonth: month, year)
      month += 1
    }
    (self.year, self.month, day) = (year, month, rest + 1)
  }

  var daysSince1970: UInt32 {
    (1970..<year).reduce(0) { $0 + Self.length(ofYear: $1) }
      + (1..<month).reduce(0) { $0 + Self.length(ofMonth: $1, year) } + day - 1
  }

  private static func isLeap(_ year: UInt32) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func length(ofYear year: UInt32) -> UInt32 { isLeap(year) ? 366 : 365 }

  private static func length(ofMonth month: UInt32, _ year: UInt32) -> UInt32 {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

extension RuleWriter {
  /// ` 2027-05-31T18:30:00`, or with another separator.
  fileprivate mutating func date(_ seconds: UInt32, separator: UInt8 = UInt8(ascii: "T")) {
    let date = CalendarDate(daysSince1970: seconds / 86_400)
    number(date.year)
    text.write(byte: UInt8(ascii: "-"))
    twoDigits(date.month)
    text.write(byte: UInt8(ascii: "-"))
    twoDigits(date.day)
    time(seconds % 86_400, separator: separator)
  }

  /// `18:30:00` after the separator.
  fileprivate mutating func time(_ seconds: UInt32, separator: UInt8) {
    text.write(byte: separator)
    twoDigits(seconds / 3600)
    text.write(byte: UInt8(ascii: ":"))
    twoDigits(seconds / 60 % 60)
    text.write(byte: UInt8(ascii: ":"))
    twoDigits(seconds % 60)
  }

  private mutating func twoDigits(_ value: UInt32) {
    text.write(value / 10)
    text.write(value % 10)
  }
}

// MARK: Kernel bytes

extension TimeMatch {
  private enum Flag {
    static let kernelTimeZone: UInt8 = 0x1
    static let contiguous: UInt8 = 0x2
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(dates.first)
    out.write(dates.last)
    out.write(daytime.first)
    out.write(daytime.last)
    out.write(monthDays.rawValue)
    out.write(weekDays.rawValue)
    out.write((usesKernelTimeZone ? Flag.kernelTimeZone : 0) | (isContiguous ? Flag.contiguous : 0))
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let dates = Bounds(try bytes.uint32("date_start"), try bytes.uint32("date_stop"))
    let daytime = Bounds(try bytes.uint32("daytime_start"), try bytes.uint32("daytime_stop"))
    let monthDays = MonthDays(rawValue: try bytes.uint32("monthdays_match"))
    let weekDays = WeekDays(rawValue: try bytes.uint8("weekdays_match"))
    let flags = try bytes.uint8("flags")
    guard flags & ~(Flag.kernelTimeZone | Flag.contiguous) == 0 else { throw bytes.invalid("flags") }
    try bytes.zeros("padding", 2)
    guard max(dates.first, dates.last) < Self.firstUnreadable else { throw bytes.invalid("date_stop") }
    let value = TimeMatch(
      dates: dates, daytime: daytime, monthDays: monthDays, weekDays: weekDays,
      usesKernelTimeZone: flags & Flag.kernelTimeZone != 0, isContiguous: flags & Flag.contiguous != 0)
    guard let value else { throw bytes.invalid("flags") }
    self = value
  }

  /// 2039-01-01T00:00:00: iptables prints later dates and does not read them.
  private static let firstUnreadable: UInt32 = 2_177_452_800
}

// MARK: Meaning

extension TimeMatch {
  /// Rules without dates end too, in 2038.
  public func matches(_ packet: Packet) -> Answer {
    dates.isEmpty ? .no : .depends(on: "the date and the time of day")
  }
}
