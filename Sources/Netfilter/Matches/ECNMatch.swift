/// Explicit Congestion Notification in the IP and the TCP header
/// (`struct xt_ecn_info`, linux/netfilter/xt_ecn.h; RFC 3168).
public struct ECNMatch: Match {
  /// The TCP flag ECE: the receiver saw congestion.
  public let tcpEcho: Negatable<Bit>?
  /// The TCP flag CWR: the sender slowed down.
  public let tcpReduced: Negatable<Bit>?
  /// The two bits of the IP header.
  public let codepoint: Negatable<UInt8>?

  /// A flag that is set.
  public enum Bit: Hashable, Sendable {
    case set
  }

  /// nil without any condition, or when the codepoint has more than two bits.
  public init?(
    tcpEcho: Negatable<Bit>? = nil, tcpReduced: Negatable<Bit>? = nil, codepoint: Negatable<UInt8>? = nil
  ) {
    guard tcpEcho != nil || tcpReduced != nil || codepoint != nil, codepoint.map({ $0.value <= 3 }) ?? true else {
      return nil
    }
    self.tcpEcho = tcpEcho
    self.tcpReduced = tcpReduced
    self.codepoint = codepoint
  }
}

// MARK: Syntax

extension ECNMatch {
  public static let definition = ExtensionDefinition(
    "ecn", summary: "Explicit Congestion Notification",
    options: [
      OptionSpec("--ecn-tcp-cwr", negatable: true, "TCP flag CWR is set"),
      OptionSpec("--ecn-tcp-ece", negatable: true, "TCP flag ECE is set"),
      OptionSpec("--ecn-ip-ect", .number(0...3), negatable: true, "codepoint in the IP header"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let flags: [StaticString] = ["--ecn-tcp-ece", "--ecn-tcp-cwr"]
    for name in flags where options.has(name) && options.proto != Negatable(.tcp) {
      throw options.error(name, "needs -p tcp").byKernel
    }
    func flag(_ name: StaticString) -> Negatable<Bit>? {
      options.has(name) ? Negatable(.set, inverted: options.isInverted(name)) : nil
    }
    let codepoint = try options.number("--ecn-ip-ect").map {
      Negatable(UInt8($0), inverted: options.isInverted("--ecn-ip-ect"))
    }
    guard let value = ECNMatch(tcpEcho: flag("--ecn-tcp-ece"), tcpReduced: flag("--ecn-tcp-cwr"), codepoint: codepoint)
    else { throw SyntaxError("ecn needs --ecn-tcp-cwr, --ecn-tcp-ece or --ecn-ip-ect") }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    if let tcpEcho { out.option("--ecn-tcp-ece", inverted: tcpEcho.isInverted) }
    if let tcpReduced { out.option("--ecn-tcp-cwr", inverted: tcpReduced.isInverted) }
    if let codepoint {
      out.option("--ecn-ip-ect", inverted: codepoint.isInverted)
      out.number(codepoint.value)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("ECN match")
    if let tcpEcho { out.word(tcpEcho.isInverted ? "!ECE" : "ECE") }
    if let tcpReduced { out.word(tcpReduced.isInverted ? "!CWR" : "CWR") }
    if let codepoint {
      out.word(codepoint.isInverted ? "!ECT=" : "ECT=")
      out.text.write(codepoint.value)
    }
  }
}

// MARK: Kernel bytes

extension ECNMatch {
  private enum Flag {
    static let codepoint: UInt8 = 0x01
    static let tcpEcho: UInt8 = 0x10
    static let tcpReduced: UInt8 = 0x20
    static let all: UInt8 = 0x31
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    let conditions: [(flag: UInt8, isInverted: Bool?)] = [
      (Flag.codepoint, codepoint?.isInverted), (Flag.tcpEcho, tcpEcho?.isInverted),
      (Flag.tcpReduced, tcpReduced?.isInverted),
    ]
    out.write(conditions.reduce(0 as UInt8) { $1.isInverted == nil ? $0 : $0 | $1.flag })
    out.write(conditions.reduce(0 as UInt8) { $1.isInverted == true ? $0 | $1.flag : $0 })
    out.write(codepoint?.value ?? 0)
    out.zeros(1)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let flags = try bytes.uint8("operation")
    let inverted = try bytes.uint8("invert")
    let codepoint = try bytes.uint8("ip_ect")
    try bytes.zeros("proto", 1)
    guard flags & ~Flag.all == 0, flags & Flag.codepoint != 0 || codepoint == 0 else {
      throw bytes.invalid("operation")
    }
    guard inverted & ~flags == 0 else { throw bytes.invalid("invert") }
    func flag(_ flag: UInt8) -> Negatable<Bit>? {
      flags & flag == 0 ? nil : Negatable(.set, inverted: inverted & flag != 0)
    }
    let value = ECNMatch(
      tcpEcho: flag(Flag.tcpEcho), tcpReduced: flag(Flag.tcpReduced),
      codepoint: flags & Flag.codepoint == 0
        ? nil : Negatable(codepoint, inverted: inverted & Flag.codepoint != 0))
    guard let value else { throw bytes.invalid("ip_ect") }
    self = value
  }
}

// MARK: Meaning

extension ECNMatch {
  /// The flags are looked for in later fragments too, where something else stands in their place.
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.trafficClass, "the traffic class", codepoint) { $0 & 3 == $1 } && flagAnswer(packet)
  }

  private func flagAnswer(_ packet: Packet) -> Answer {
    guard tcpEcho != nil || tcpReduced != nil else { return .yes }
    var flags = packet.isLaterFragment ? nil : packet.tcpFlags?.rawValue
    if flags == nil, let bytes = packet.bytes, let start = Self.start(packet, bytes) {
      guard start + Self.tcpHeaderSize <= bytes.count else { return .no }
      flags = bytes[start + 13]
    }
    return .about(flags, "the TCP flags", tcpEcho) { flags, _ in flags & 0x40 != 0 }
      && .about(flags, "the TCP flags", tcpReduced) { flags, _ in flags & 0x80 != 0 }
  }

  private static func start(_ packet: Packet, _ bytes: [UInt8]) -> Int? {
    if packet.family == .ipv4 { return bytes.first.map { 4 * Int($0 & 0xf) } }
    guard case .at(let start) = packet.transportHeader else { return nil }
    return packet.isLaterFragment ? nil : start
  }

  /// Without options.
  private static let tcpHeaderSize = 20
}
