/// Hands the packet to programs that listen to a group (`struct xt_nflog_info`, linux/netfilter/xt_NFLOG.h).
public struct NFLog: Target {
  public var group: UInt16
  /// Text that goes along; nil for none.
  public var prefix: NFLogPrefix?
  public var length: NFLogLength?
  /// Packets that are collected before they are handed over; 0 for the listener's number.
  public var threshold: UInt16

  public init(group: UInt16 = 0, prefix: NFLogPrefix? = nil, length: NFLogLength? = nil, threshold: UInt16 = 0) {
    self.group = group
    self.prefix = prefix
    self.length = length
    self.threshold = threshold
  }
}

/// How many bytes of a packet are copied.
public struct NFLogLength: Hashable, Sendable {
  public let bytes: UInt32
  /// False for `--nflog-range`, which the kernel keeps and never looks at.
  public let hasEffect: Bool

  public init(_ bytes: UInt32) {
    self.bytes = bytes
    hasEffect = true
  }

  /// nil for 0, which says nothing.
  public init?(withoutEffect bytes: UInt32) {
    guard bytes > 0 else { return nil }
    self.bytes = bytes
    hasEffect = false
  }
}

/// 1 to 127 bytes of any encoding, without zero and line feed.
public struct NFLogPrefix: Hashable, Sendable {
  /// What nf_tables' expression has room for (`NF_LOG_PREFIXLEN`, linux/netfilter/nf_log.h).
  public static let maxBytes = 127
  /// What the structure of xtables has room for (`prefix` of `struct xt_nflog_info`).
  public static let maxBytesOfXTables = 63
  package let bytes: [UInt8]

  /// nil when the text is empty, too long, or holds a line feed or zero.
  public init?(_ text: String) { self.init(bytes: text.utf8) }

  package init?(bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty, bytes.count <= Self.maxBytes, bytes.allSatisfy(canStandInText)
    else { return nil }
    self.bytes = Array(bytes)
  }
}

extension NFLogPrefix: CustomStringConvertible {
  public var description: String { String(decoding: bytes, as: UTF8.self) }
}

// MARK: Syntax

extension NFLog {
  public static let definition = ExtensionDefinition(
    "NFLOG", summary: "hand the packet to programs that log it",
    options: [
      OptionSpec("--nflog-group", .number(0...65535), "the group that is listened to; 0 if not given"),
      OptionSpec("--nflog-prefix", .string(maxBytes: NFLogPrefix.maxBytes), "text that goes along"),
      OptionSpec("--nflog-range", .number(0...UInt64(UInt32.max)), excludes: ["--nflog-size"], "without effect"),
      OptionSpec("--nflog-size", .number(0...UInt64(UInt32.max)), excludes: ["--nflog-range"], "bytes to copy"),
      OptionSpec("--nflog-threshold", .number(0...65535), "packets to collect before they are handed over"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(
      group: UInt16(try options.number("--nflog-group") ?? 0), prefix: try Self.prefix(options),
      threshold: UInt16(try options.number("--nflog-threshold") ?? 0))
    if let size = try options.number("--nflog-size") {
      length = NFLogLength(UInt32(size))
    } else if let size = try options.number("--nflog-range"), let token = options.token("--nflog-range") {
      length = NFLogLength(withoutEffect: UInt32(size))
      options.warn(token, "--nflog-range has no effect: whole packets are copied", hint: "write --nflog-size \(size)")
    }
  }

  private static func prefix(_ options: OptionValues) throws(SyntaxError) -> NFLogPrefix? {
    guard let token = options.token("--nflog-prefix") else { return nil }
    let room = options.interface == .nfTables ? NFLogPrefix.maxBytes : NFLogPrefix.maxBytesOfXTables
    if token.count > room {
      options.warn(token, "--nflog-prefix: the text has \(token.count) bytes, the kernel keeps the first \(room)")
    }
    guard let prefix = NFLogPrefix(bytes: token.bytes.prefix(room)) else {
      throw options.error(
        "--nflog-prefix", "the text is empty or has a line end", hint: "leave --nflog-prefix out to log without one")
    }
    return prefix
  }

  public func print(to out: inout RuleWriter) { write(to: &out, dashes: true) }

  public func list(to out: inout RuleWriter) { write(to: &out, dashes: false) }

  private func write(to out: inout RuleWriter, dashes: Bool) {
    if let prefix {
      out.option("--nflog-prefix", dashes: dashes)
      out.quoted(prefix.bytes)
    }
    if group != 0 {
      out.option("--nflog-group", dashes: dashes)
      out.number(group)
    }
    if let length {
      out.option(length.hasEffect ? "--nflog-size" : "--nflog-range", dashes: dashes)
      out.number(length.bytes)
    }
    if threshold != 0 {
      out.option("--nflog-threshold", dashes: dashes)
      out.number(threshold)
    }
  }
}

// MARK: Kernel bytes

extension NFLog {
  private static let copiesLength: UInt16 = 0x1
  private static let prefixSize = NFLogPrefix.maxBytesOfXTables + 1
  private static let longPrefixSize = NFLogPrefix.maxBytes + 1

  /// A prefix for which the kernel's structure has no room makes it longer, and ip_tables, which knows its size, refuses it.
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(length?.bytes ?? 0)
    out.write(group)
    out.write(threshold)
    out.write(length?.hasEffect == true ? Self.copiesLength : 0)
    out.zeros(2)
    let bytes = prefix?.bytes ?? []
    out.write(bytes)
    out.zeros((bytes.count < Self.prefixSize ? Self.prefixSize : Self.longPrefixSize) - bytes.count)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let size = try bytes.uint32("len")
    let group = try bytes.uint16("group")
    let threshold = try bytes.uint16("threshold")
    let flags = try bytes.uint16("flags")
    guard flags & ~Self.copiesLength == 0 else { throw bytes.invalid("flags") }
    try bytes.zeros("pad", 2)
    let prefix = try Self.prefix(&bytes)
    self.init(
      group: group, prefix: prefix,
      length: flags & Self.copiesLength != 0 ? NFLogLength(size) : NFLogLength(withoutEffect: size),
      threshold: threshold)
  }

  private static func prefix(_ bytes: inout ByteReader) throws(WireError) -> NFLogPrefix? {
    let isLong = bytes.remaining >= longPrefixSize
    let field = try bytes.raw("prefix", count: isLong ? longPrefixSize : prefixSize)
    let text = field.prefix { $0 != 0 }
    guard text.count < field.count, field[text.count...].allSatisfy({ $0 == 0 }), !isLong || text.count >= prefixSize
    else { throw bytes.invalid("prefix") }
    let prefix = NFLogPrefix(bytes: text)
    guard prefix != nil || text.isEmpty else { throw bytes.invalid("prefix") }
    return prefix
  }
}

// MARK: Meaning

extension NFLog {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
