/// Keeps the packet out of connection tracking, the older spelling of `CT --notrack`; in the kernel it is that with a
/// flag (`XT_CT_NOTRACK_ALIAS`, linux/netfilter/xt_CT.h).
public struct NoTrack: Target {
  public init() {}
}

extension NoTrack: AlternativeTargetSpelling {
  public var canonical: any Target { CT(isUntracked: true) }
}

// MARK: Syntax

extension NoTrack {
  public static let definition = ExtensionDefinition(
    "NOTRACK", kernelName: "CT", summary: "keep the packet out of connection tracking", revisions: [0, 1, 2],
    tables: [.raw])

  public init(parsing options: OptionValues) throws(SyntaxError) {}

  public func print(to out: inout RuleWriter) {}

  public func list(to out: inout RuleWriter) { out.word("NOTRACK") }
}

// MARK: Kernel bytes

extension NoTrack {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(CT.Flag.untracked | CT.Flag.alias)
    out.zeros(CT.restSize)
  }

  /// Revisions 0 and 1 do not know the spelling, and say `CT --notrack`.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    CT(isUntracked: true).encode(to: &out, family: family, earlier: revision)
  }

  /// Revision 0 is the target that the kernel calls `NOTRACK`, which has no bytes; programs before iptables 1.4.18 write it.
  /// - Throws: ``WireError`` unless both flags and nothing else are set.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    if revision == 0 { return }
    guard revision == 2 else { throw bytes.invalid("flags") }
    guard try bytes.uint16("flags") == CT.Flag.untracked | CT.Flag.alias else { throw bytes.invalid("flags") }
    try bytes.zeros("zone", CT.restSize)
  }
}

// MARK: Meaning

extension NoTrack {
  public func act(on packet: inout Packet) -> TargetOutcome {
    packet.skipTracking()
    return .proceed
  }
}
