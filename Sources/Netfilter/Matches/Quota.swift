/// Matches until so many bytes have passed (`struct xt_quota_info`, linux/netfilter/xt_quota.h). The kernel counts for
/// the rule by itself; what has passed is lost when the rule is made anew.
public struct Quota: Match {
  /// Bytes; inverted, it matches when they have passed.
  public var bytes: Negatable<UInt64>

  public init(_ bytes: Negatable<UInt64>) { self.bytes = bytes }
}

// MARK: Syntax

extension Quota {
  public static let definition = ExtensionDefinition(
    "quota", summary: "so many bytes in all",
    options: [
      OptionSpec("--quota", .number(0...UInt64.max), negatable: true, required: true, "bytes that match")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let count = try options.number("--quota") else { throw options.error("--quota", "needs --quota N") }
    bytes = Negatable(count, inverted: options.isInverted("--quota"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--quota", inverted: bytes.isInverted)
    out.number(bytes.value)
  }

  /// Inverted or not, as iptables has it.
  public func list(to out: inout RuleWriter) {
    out.word("quota:")
    out.number(bytes.value)
    out.word("bytes")
  }
}

// MARK: Kernel bytes

extension Quota {
  /// `master`, where the kernel counts.
  private static let privateSize = 8

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(UInt32(bytes.isInverted ? 1 : 0))
    out.zeros(4)
    out.write(bytes.value)
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let flags = try bytes.uint32("flags")
    guard flags <= 1 else { throw bytes.invalid("flags") }
    try bytes.zeros("pad", 4)
    self.bytes = Negatable(try bytes.uint64("quota"), inverted: flags == 1)
    try bytes.skip("master", Self.privateSize)
  }
}

// MARK: Meaning

extension Quota {
  /// Every packet has bytes, so that none is left of a quota that is smaller than it.
  public func matches(_ packet: Packet) -> Answer {
    let isTooLong = packet.length.map { UInt64($0) > bytes.value } ?? (bytes.value == 0)
    return isTooLong ? Answer(bytes.isInverted) : .depends(on: "how many bytes came before")
  }
}
