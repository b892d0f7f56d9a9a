/// Writes a line about the packet to the kernel log and goes on (`struct xt_log_info`, linux/netfilter/xt_LOG.h).
public struct Log: Target {
  public var level: LogLevel
  /// Stands before the line; nil for none.
  public var prefix: LogPrefix?
  public var details: LogDetails

  public init(level: LogLevel = .warning, prefix: LogPrefix? = nil, details: LogDetails = []) {
    self.level = level
    self.prefix = prefix
    self.details = details
  }
}

/// The kernel log's levels (syslog(3)).
public enum LogLevel: UInt8, Hashable, Sendable, CaseIterable {
  case emergency = 0
  case alert = 1
  case critical = 2
  case error = 3
  case warning = 4
  case notice = 5
  case info = 6
  case debug = 7

  /// The words of rules text; `panic` is a second one for the first level.
  fileprivate static let names: [(name: StaticString, level: LogLevel)] = [
    ("emerg", .emergency), ("alert", .alert), ("crit", .critical), ("error", .error), ("warning", .warning),
    ("notice", .notice), ("info", .info), ("debug", .debug), ("panic", .emergency),
  ]

  /// The words of syslog(3), which a listing shows.
  fileprivate var listed: StaticString {
    switch self {
    case .emergency: "emerg"
    case .alert: "alert"
    case .critical: "crit"
    case .error: "err"
    case .warning: "warn"
    case .notice: "notice"
    case .info: "info"
    case .debug: "debug"
    }
  }
}

/// What a log line tells besides addresses and ports. Raw values are `XT_LOG_*`.
public struct LogDetails: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let tcpSequence = LogDetails(rawValue: 0x01)
  public static let tcpOptions = LogDetails(rawValue: 0x02)
  public static let ipOptions = LogDetails(rawValue: 0x04)
  public static let userID = LogDetails(rawValue: 0x08)
  public static let decodedMAC = LogDetails(rawValue: 0x20)
  fileprivate static let all = LogDetails(rawValue: 0x2f)

  fileprivate static let names:
    [(option: StaticString, listed: StaticString, detail: LogDetails, summary: StaticString)] = [
      ("--log-tcp-sequence", "tcp-sequence", .tcpSequence, "log TCP sequence numbers"),
      ("--log-tcp-options", "tcp-options", .tcpOptions, "log the options of the TCP header"),
      ("--log-ip-options", "ip-options", .ipOptions, "log the options of the IP header"),
      ("--log-uid", "uid", .userID, "log the user that owns the sending process"),
      ("--log-macdecode", "macdecode", .decodedMAC, "log MAC addresses and protocol one by one"),
    ]
}

/// 1 to 29 bytes of any encoding, without zero and line feed.
public struct LogPrefix: Hashable, Sendable {
  public static let maxBytes = 29
  package let bytes: [UInt8]

  /// nil when the text is empty, too long, or holds a line feed or zero.
  public init?(_ text: String) { self.init(bytes: text.utf8) }

  package init?(bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty, bytes.count <= Self.maxBytes, bytes.allSatisfy(canStandInText)
    else { return nil }
    self.bytes = Array(bytes)
  }
}

extension LogPrefix: CustomStringConvertible {
  public var description: String { String(decoding: bytes, as: UTF8.self) }
}

// MARK: Syntax

extension Log {
  public static let definition = ExtensionDefinition(
    "LOG", summary: "write a line to the kernel log",
    options: [
      OptionSpec("--log-level", .custom("LEVEL"), "a number from 0 to 7 or a name such as warning"),
      OptionSpec("--log-prefix", .string(maxBytes: LogPrefix.maxBytes), "text before the line"),
    ] + LogDetails.names.map { OptionSpec($0.option, .none, $0.summary) })

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init()
    if let token = options.token("--log-level") { level = try Self.level(token) }
    if let token = options.token("--log-prefix") {
      if token.count > LogPrefix.maxBytes {
        options.warn(
          token, "--log-prefix: the text has \(token.count) bytes, the kernel keeps the first \(LogPrefix.maxBytes)")
      }
      guard let prefix = LogPrefix(bytes: token.bytes.prefix(LogPrefix.maxBytes)) else {
        throw options.error(
          "--log-prefix", "the text is empty or has a line end", hint: "leave --log-prefix out to log without one")
      }
      self.prefix = prefix
    }
    for known in LogDetails.names where options.has(known.option) { details.insert(known.detail) }
  }

  private static func level(_ token: Token) throws(SyntaxError) -> LogLevel {
    if let number: UInt8 = token.number(in: 0...7) { return LogLevel(rawValue: number)! }
    if let known = LogLevel.names.first(where: { token == $0.name }) { return known.level }
    throw SyntaxError(
      at: token, "--log-level: '\(token.string)' is not a level",
      hint: "a number from 0 to 7, or one of \(LogLevel.names.prefix(8).map { "\($0.name)" }.joined(separator: ", "))")
  }

  public func print(to out: inout RuleWriter) {
    if let prefix {
      out.option("--log-prefix")
      out.quoted(prefix.bytes)
    }
    if level != .warning {
      out.option("--log-level")
      out.number(level.rawValue)
    }
    for known in LogDetails.names where details.contains(known.detail) { out.option(known.option) }
  }

  public func list(to out: inout RuleWriter) {
    out.word("LOG")
    if out.isNumeric {
      out.word("flags")
      out.number(details.rawValue)
      out.word("level")
      out.number(level.rawValue)
    } else {
      out.word("level")
      out.word(level.listed)
      for known in LogDetails.names where details.contains(known.detail) { out.word(known.listed) }
    }
    guard let prefix else { return }
    out.word("prefix \"")
    out.text.write(prefix.bytes)
    out.text.write(byte: UInt8(ascii: "\""))
  }
}

// MARK: Kernel bytes

extension Log {
  private static let prefixSize = 30

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(level.rawValue)
    out.write(details.rawValue)
    let bytes = prefix?.bytes ?? []
    out.write(bytes)
    out.zeros(Self.prefixSize - bytes.count)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let level = LogLevel(rawValue: try bytes.uint8("level")) else { throw bytes.invalid("level") }
    let details = LogDetails(rawValue: try bytes.uint8("logflags"))
    guard details.isSubset(of: .all) else { throw bytes.invalid("logflags") }
    let field = try bytes.raw("prefix", count: Self.prefixSize)
    let text = field.prefix { $0 != 0 }
    guard field[text.count...].allSatisfy({ $0 == 0 }) else { throw bytes.invalid("prefix") }
    let prefix = LogPrefix(bytes: text)
    guard prefix != nil || text.isEmpty else { throw bytes.invalid("prefix") }
    self.init(level: level, prefix: prefix, details: details)
  }
}

// MARK: Meaning

extension Log {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
