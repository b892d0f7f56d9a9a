/// Answers for a TCP server until the client has shown that it is there
/// (`struct nf_synproxy_info`, linux/netfilter/nf_synproxy.h).
public struct SynProxy: Target {
  public var flags: SynProxyFlags
  /// The server's window scale.
  public var windowScale: UInt8?
  /// The largest segment that the server announces.
  public var segmentSize: UInt16?

  public init(flags: SynProxyFlags = [], windowScale: UInt8? = nil, segmentSize: UInt16? = nil) {
    self.flags = flags
    self.windowScale = windowScale
    self.segmentSize = segmentSize
  }
}

/// What the server supports. Raw values are `NF_SYNPROXY_OPT_*`.
public struct SynProxyFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let selectiveAcknowledgement = SynProxyFlags(rawValue: 0x04)
  public static let timestamp = SynProxyFlags(rawValue: 0x08)
  public static let congestionNotification = SynProxyFlags(rawValue: 0x10)
  fileprivate static let all = SynProxyFlags(rawValue: 0x1c)
}

// MARK: Syntax

extension SynProxy {
  public static let definition = ExtensionDefinition(
    "SYNPROXY", summary: "answer for a TCP server until its client is known to be there", protocols: [.tcp],
    hooks: [.input, .forward],
    options: [
      OptionSpec("--sack-perm", .none, "the server takes selective acknowledgements"),
      OptionSpec("--timestamp", .none, "the server takes timestamps"),
      OptionSpec("--wscale", .number(0...255), "the server's window scale"),
      OptionSpec("--mss", .number(0...65535), "the largest segment that the server announces"),
      OptionSpec("--ecn", .none, "the server takes congestion notifications"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(
      windowScale: try options.number("--wscale").map { UInt8($0) },
      segmentSize: try options.number("--mss").map { UInt16($0) })
    if options.has("--sack-perm") { flags.insert(.selectiveAcknowledgement) }
    if options.has("--timestamp") { flags.insert(.timestamp) }
    if options.has("--ecn") { flags.insert(.congestionNotification) }
  }

  public func print(to out: inout RuleWriter) {
    if flags.contains(.selectiveAcknowledgement) { out.option("--sack-perm") }
    if flags.contains(.timestamp) { out.option("--timestamp") }
    if let windowScale {
      out.option("--wscale")
      out.number(windowScale)
    }
    if let segmentSize {
      out.option("--mss")
      out.number(segmentSize)
    }
    if flags.contains(.congestionNotification) { out.option("--ecn") }
  }

  /// Each word is followed by a blank.
  public func list(to out: inout RuleWriter) {
    out.word("SYNPROXY ")
    if flags.contains(.selectiveAcknowledgement) { out.text.write("sack-perm ") }
    if flags.contains(.timestamp) { out.text.write("timestamp ") }
    if let windowScale {
      out.text.write("wscale ")
      out.text.write(windowScale)
      out.text.write(" ")
    }
    if let segmentSize {
      out.text.write("mss ")
      out.text.write(segmentSize)
      out.text.write(" ")
    }
    if flags.contains(.congestionNotification) { out.text.write("ecn ") }
  }
}

// MARK: Kernel bytes

extension SynProxy {
  private enum Flag {
    static let segmentSize: UInt8 = 0x01
    static let windowScale: UInt8 = 0x02
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var bits = flags.rawValue
    if windowScale != nil { bits |= Flag.windowScale }
    if segmentSize != nil { bits |= Flag.segmentSize }
    out.write(bits)
    out.write(windowScale ?? 0)
    out.write(segmentSize ?? 0)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let bits = try bytes.uint8("options")
    let scale = try bytes.uint8("wscale")
    let size = try bytes.uint16("mss")
    flags = SynProxyFlags(rawValue: bits & SynProxyFlags.all.rawValue)
    windowScale = bits & Flag.windowScale != 0 ? scale : nil
    segmentSize = bits & Flag.segmentSize != 0 ? size : nil
    guard bits <= 0x1f, windowScale != nil || scale == 0, segmentSize != nil || size == 0 else {
      throw bytes.invalid("options")
    }
  }
}

// MARK: Meaning

extension SynProxy {
  /// It takes the client's SYN and ACK segments and answers them itself, so no rule sees those again.
  public func act(on packet: inout Packet) -> TargetOutcome {
    guard let flags = packet.tcpFlags else { return .depends(on: "the TCP flags") }
    switch flags.intersection([.syn, .ack, .fin, .rst]) {
    case .syn, .ack: return .drop
    default: return .proceed
    }
  }
}
