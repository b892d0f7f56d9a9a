/// Sets the largest segment that a TCP connection announces (`struct xt_tcpmss_info`, linux/netfilter/xt_TCPMSS.h).
public struct TCPMSS: Target {
  public let size: SegmentSize

  public enum SegmentSize: Hashable, Sendable {
    case bytes(UInt16)
    /// What fits through the path, less the headers.
    case clampedToPath
  }

  /// nil for 65535, which is how the kernel says the path.
  public init?(_ size: SegmentSize) {
    guard size != .bytes(.max) else { return nil }
    self.size = size
  }

  /// Before it is routed nobody knows a packet's path.
  public var hooks: HookSet { size == .clampedToPath ? [.forward, .output, .postrouting] : .all }

  /// The kernel wants to see that only segments with SYN come here.
  public func objection(to rule: Rule) -> (message: String, hint: String?)? {
    let isForSYN = rule.matches.contains { match in
      guard let flags = (match as? TCP)?.flags else { return false }
      return !flags.isInverted && flags.value.set.contains(.syn)
    }
    return isForSYN
      ? nil
      : ("TCPMSS works on the first segments of connections only", "write -p tcp --syn, or --tcp-flags SYN,RST SYN")
  }
}

// MARK: Syntax

extension TCPMSS {
  public static let definition = ExtensionDefinition(
    "TCPMSS", summary: "set the largest TCP segment", protocols: [.tcp], narrowsHooks: true, checksRule: true,
    options: [
      OptionSpec("--set-mss", .custom("N"), excludes: ["--clamp-mss-to-pmtu"], "the number of bytes"),
      OptionSpec("--clamp-mss-to-pmtu", excludes: ["--set-mss"], "what fits through the path"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if options.has("--clamp-mss-to-pmtu") {
      size = .clampedToPath
    } else if let token = options.token("--set-mss") {
      let largest = UInt64(Self.largest(options.family))
      size = .bytes(UInt16(try options.number(token, in: 0...largest, of: "--set-mss")))
    } else {
      throw SyntaxError("TCPMSS needs --set-mss or --clamp-mss-to-pmtu")
    }
  }

  /// What an IP packet has room for.
  private static func largest(_ family: Family) -> UInt16 { family == .ipv4 ? 65535 - 20 : 65535 - 40 }

  public func print(to out: inout RuleWriter) {
    switch size {
    case .bytes(let count):
      out.option("--set-mss")
      out.number(count)
    case .clampedToPath: out.option("--clamp-mss-to-pmtu")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("TCPMSS")
    switch size {
    case .bytes(let count):
      out.word("set")
      out.number(count)
    case .clampedToPath: out.word("clamp to PMTU")
    }
  }
}

// MARK: Kernel bytes

extension TCPMSS {
  public func encode(to out: inout ByteWriter, family: Family) {
    switch size {
    case .bytes(let count): out.write(count)
    case .clampedToPath: out.write(UInt16.max)
    }
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let value = try bytes.uint16("mss")
    guard value == .max || value <= Self.largest(family) else { throw bytes.invalid("mss") }
    size = value == .max ? .clampedToPath : .bytes(value)
  }
}

// MARK: Meaning

extension TCPMSS {
  /// A size that is announced is made smaller, never greater. Where none is announced, one is added if there is room.
  public func act(on packet: inout Packet) -> TargetOutcome {
    guard !packet.isLaterFragment else { return .proceed }
    switch (packet.maximumSegmentSize, size) {
    case (let announced?, .bytes(let largest)) where announced > 0:
      packet.rewrite(\.maximumSegmentSize, min(announced, largest))
    case (let announced?, .clampedToPath) where announced > 0: packet.rewrite(\.maximumSegmentSize, nil)
    default:
      packet.rewrite(\.maximumSegmentSize, nil)
      packet.rewrite(\.tcpOptions, nil)
      packet.rewrite(\.length, nil)
    }
    return .proceed
  }
}
