/// Changes the bits that tell of congestion (`struct ipt_ECN_info`, linux/netfilter_ipv4/ipt_ECN.h; RFC 3168).
public struct ECNTarget: Target {
  /// What the TCP flag ECE becomes; nil to leave it.
  public let echo: Bool?
  /// What the TCP flag CWR becomes; nil to leave it.
  public let windowReduced: Bool?
  /// What the two bits of the IPv4 header become; nil to leave them.
  public let codepoint: UInt8?

  /// nil when nothing is changed, or the codepoint is greater than 3.
  public init?(echo: Bool? = nil, windowReduced: Bool? = nil, codepoint: UInt8? = nil) {
    guard echo != nil || windowReduced != nil || codepoint != nil, codepoint ?? 0 <= 3 else { return nil }
    self.echo = echo
    self.windowReduced = windowReduced
    self.codepoint = codepoint
  }
}

// MARK: Syntax

extension ECNTarget {
  public static let definition = ExtensionDefinition(
    "ECN", summary: "change the bits that tell of congestion", families: [.ipv4], tables: [.mangle],
    options: [
      OptionSpec("--ecn-tcp-remove", excludes: ["--ecn-tcp-cwr", "--ecn-tcp-ece"], "clear both TCP flags"),
      OptionSpec("--ecn-tcp-cwr", .number(0...1), excludes: ["--ecn-tcp-remove"], "what the TCP flag CWR becomes"),
      OptionSpec("--ecn-tcp-ece", .number(0...1), excludes: ["--ecn-tcp-remove"], "what the TCP flag ECE becomes"),
      OptionSpec("--ecn-ip-ect", .number(0...3), "what the bits of the IPv4 header become"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let removes = options.has("--ecn-tcp-remove")
    let target = ECNTarget(
      echo: removes ? false : try options.number("--ecn-tcp-ece").map { $0 == 1 },
      windowReduced: removes ? false : try options.number("--ecn-tcp-cwr").map { $0 == 1 },
      codepoint: try options.number("--ecn-ip-ect").map { UInt8($0) })
    guard let target else {
      throw SyntaxError("ECN needs one of --ecn-tcp-remove, --ecn-tcp-cwr, --ecn-tcp-ece, --ecn-ip-ect")
    }
    if target.echo != nil || target.windowReduced != nil {
      guard let proto = options.proto, proto == Negatable(.tcp) else {
        throw SyntaxError("ECN: only TCP has these flags", hint: "the rule has to say -p tcp")
      }
    }
    self = target
  }

  public func print(to out: inout RuleWriter) {
    guard echo != false || windowReduced != false || codepoint != nil else { return out.option("--ecn-tcp-remove") }
    if let echo {
      out.option("--ecn-tcp-ece")
      out.number(echo ? 1 : 0)
    }
    if let windowReduced {
      out.option("--ecn-tcp-cwr")
      out.number(windowReduced ? 1 : 0)
    }
    if let codepoint {
      out.option("--ecn-ip-ect")
      out.number(codepoint)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("ECN")
    guard echo != false || windowReduced != false || codepoint != nil else { return out.word("TCP remove") }
    if let echo { out.word(echo ? "ECE=1" : "ECE=0") }
    if let windowReduced { out.word(windowReduced ? "CWR=1" : "CWR=0") }
    if let codepoint {
      out.word("ECT codepoint=")
      out.text.write(codepoint)
    }
  }
}

// MARK: Kernel bytes

extension ECNTarget {
  private enum Flag {
    static let codepoint: UInt8 = 0x01
    static let echo: UInt8 = 0x10
    static let windowReduced: UInt8 = 0x20
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags: UInt8 = 0
    if codepoint != nil { flags |= Flag.codepoint }
    if echo != nil { flags |= Flag.echo }
    if windowReduced != nil { flags |= Flag.windowReduced }
    out.write(flags)
    out.write(codepoint ?? 0)
    out.write(UInt8(echo == true ? 1 : 0) | UInt8(windowReduced == true ? 2 : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let flags = try bytes.uint8("operation")
    let codepoint = try bytes.uint8("ip_ect")
    let bits = try bytes.uint8("proto")
    let target = ECNTarget(
      echo: flags & Flag.echo != 0 ? bits & 1 != 0 : nil,
      windowReduced: flags & Flag.windowReduced != 0 ? bits & 2 != 0 : nil,
      codepoint: flags & Flag.codepoint != 0 ? codepoint : nil)
    guard flags & ~(Flag.codepoint | Flag.echo | Flag.windowReduced) == 0, let target else {
      throw bytes.invalid("operation")
    }
    guard target.codepoint != nil || codepoint == 0 else { throw bytes.invalid("ip_ect") }
    let known: UInt8 = (target.echo != nil ? 1 : 0) | (target.windowReduced != nil ? 2 : 0)
    guard bits & ~known == 0 else { throw bytes.invalid("proto") }
    self = target
  }
}

// MARK: Meaning

extension ECNTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    if let codepoint { packet.rewrite(\.trafficClass, packet.trafficClass.map { $0 & ~0x03 | codepoint }) }
    // The flags ECE and CWR are not among those that rules see.
    if echo != nil || windowReduced != nil, packet.proto == .tcp { packet.bytes = nil }
    return .proceed
  }
}
