/// The system that a TCP connection comes from, guessed from its first segment
/// (`struct nf_osf_info`, linux/netfilter/nfnetlink_osf.h).
public struct OSFingerprint: Match {
  public let genre: Negatable<Genre>
  /// How the TTL is compared; nil for ``TTLCheck/exact``.
  public let ttl: TTLCheck?
  public let log: LogLevel?

  /// A family of systems as nfnl_osf(8) loads them, or `unknown`.
  public struct Genre: Hashable, Sendable {
    public let text: String

    /// `MAXGENRELEN` less its terminator.
    public static let maxBytes = 31

    /// nil when the text is empty, longer than 31 bytes, or holds blanks, quotes or control characters, which
    /// iptables-save would print so that nothing can read them.
    public init?(_ text: String) {
      guard !text.isEmpty, text.utf8.count <= Self.maxBytes, isBareWord(text) else { return nil }
      self.text = text
    }
  }

  /// Raw values are `NF_OSF_TTL_*`.
  public enum TTLCheck: UInt32, Hashable, Sendable {
    /// It is the fingerprint's, as in the same network.
    case exact = 0
    /// It is less than the fingerprint's.
    case less = 1
    /// It is not compared.
    case ignored = 2
  }

  /// What the kernel logs, whether the rule matches or not. Raw values are `NF_OSF_LOGLEVEL_*`.
  public enum LogLevel: UInt32, Hashable, Sendable {
    /// All fingerprints that fit, and unknown ones.
    case all = 0
    /// The first that fits.
    case first = 1
    /// All that fit.
    case known = 2
  }

  public init(_ genre: Negatable<Genre>, ttl: TTLCheck? = nil, log: LogLevel? = nil) {
    self.genre = genre
    self.ttl = ttl
    self.log = log
  }
}

// MARK: Syntax

extension OSFingerprint {
  public static let definition = ExtensionDefinition(
    "osf", summary: "system that a connection comes from", families: [.ipv4], protocols: [.tcp],
    hooks: [.prerouting, .input, .forward],
    options: [
      OptionSpec("--genre", .string(maxBytes: Genre.maxBytes), negatable: true, required: true, "family of systems"),
      OptionSpec("--ttl", .number(0...2), "TTL is 0: the fingerprint's, 1: less, 2: not compared"),
      OptionSpec(
        "--log", .number(0...2), "log 0: all that fit and unknown ones, 1: the first that fits, 2: all that fit"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let text = try options.string("--genre"), let genre = Genre(text) else {
      throw options.error("--genre", "a name of systems is a word without blanks and quotes")
    }
    self.genre = Negatable(genre, inverted: options.isInverted("--genre"))
    ttl = try options.number("--ttl").flatMap { TTLCheck(rawValue: UInt32($0)) }
    log = try options.number("--log").flatMap { LogLevel(rawValue: UInt32($0)) }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--genre", inverted: genre.isInverted)
    out.word(genre.value.text)
    if let ttl {
      out.option("--ttl")
      out.number(ttl.rawValue)
    }
    if let log {
      out.option("--log")
      out.number(log.rawValue)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("OS fingerprint match")
    if genre.isInverted { out.text.write(" !") }
    out.word(genre.value.text)
  }
}

// MARK: Kernel bytes

extension OSFingerprint {
  private enum Flag {
    static let ttl: UInt32 = 0x2
    static let log: UInt32 = 0x4
    static let invert: UInt32 = 0x8
    static let all: UInt32 = 0xe
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(text: genre.value.text, size: Genre.maxBytes + 1)
    out.write(UInt32(genre.value.text.utf8.count))
    var flags: UInt32 = 0
    if ttl != nil { flags |= Flag.ttl }
    if log != nil { flags |= Flag.log }
    if genre.isInverted { flags |= Flag.invert }
    out.write(flags)
    out.write(log?.rawValue ?? 0)
    out.write(ttl?.rawValue ?? 0)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let field = try bytes.raw("genre", count: Genre.maxBytes + 1)
    let length = try bytes.uint32("len")
    let flags = try bytes.uint32("flags")
    let log = LogLevel(rawValue: try bytes.uint32("loglevel"))
    let ttl = TTLCheck(rawValue: try bytes.uint32("ttl"))
    let text = field.prefix { $0 != 0 }
    guard field[text.count...].allSatisfy({ $0 == 0 }), UInt32(text.count) == length,
      let string = String(validating: text, as: UTF8.self), let genre = Genre(string)
    else { throw bytes.invalid("genre") }
    guard flags & ~Flag.all == 0, let log, let ttl, flags & Flag.log != 0 || log == .all,
      flags & Flag.ttl != 0 || ttl == .exact
    else { throw bytes.invalid("flags") }
    self.init(
      Negatable(genre, inverted: flags & Flag.invert != 0), ttl: flags & Flag.ttl == 0 ? nil : ttl,
      log: flags & Flag.log == 0 ? nil : log)
  }
}

// MARK: Meaning

extension OSFingerprint {
  /// Only a segment with SYN has a fingerprint. The kernel does not look at the inversion of a rule.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .depends(on: "the packet's bytes") }
    guard let flags = packet.tcpFlags else { return .depends(on: "the TCP flags") }
    return flags.contains(.syn) ? .depends(on: "the fingerprints that are loaded") : .no
  }
}
