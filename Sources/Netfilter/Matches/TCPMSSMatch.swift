/// The maximum segment size that a TCP connection begins with, in segments that have SYN
/// (`struct xt_tcpmss_match_info`, linux/netfilter/xt_tcpmss.h).
public struct TCPMSSMatch: Match {
  public var sizes: Negatable<ClosedRange<UInt16>>

  public init(_ sizes: Negatable<ClosedRange<UInt16>>) { self.sizes = sizes }
}

// MARK: Syntax

extension TCPMSSMatch {
  public static let definition = ExtensionDefinition(
    "tcpmss", summary: "maximum segment size of a new connection", protocols: [.tcp],
    options: [
      OptionSpec("--mss", .numberRange(0...65_535), negatable: true, required: true, "bytes in a segment")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let range = try options.numberRange("--mss") else { throw options.error("--mss", "needs --mss N[:N]") }
    sizes = Negatable(
      UInt16(range.lowerBound)...UInt16(range.upperBound), inverted: options.isInverted("--mss"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--mss", inverted: sizes.isInverted)
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(Bounds(sizes.value.lowerBound, sizes.value.upperBound))
  }

  public func list(to out: inout RuleWriter) {
    out.word(sizes.isInverted ? "tcpmss match !" : "tcpmss match ")
    out.text.write(Bounds(sizes.value.lowerBound, sizes.value.upperBound))
  }
}

// MARK: Kernel bytes

extension TCPMSSMatch {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(sizes.value.lowerBound)
    out.write(sizes.value.upperBound)
    out.write(UInt8(sizes.isInverted ? 1 : 0))
    out.zeros(1)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let first = try bytes.uint16("mss_min")
    let last = try bytes.uint16("mss_max")
    guard first <= last else { throw bytes.invalid("mss_max") }
    let inverted = try bytes.uint8("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    try bytes.zeros("padding", 1)
    sizes = Negatable(first...last, inverted: inverted == 1)
  }
}

// MARK: Meaning

extension TCPMSSMatch {
  /// A segment that announces no size has none of those that are asked for. The kernel takes a later fragment for a
  /// segment too, and looks for the option in what is there.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .depends(on: "the packet's bytes") }
    return .about(packet.maximumSegmentSize, "the maximum segment size", sizes) { $0 != 0 && $1.contains($0) }
  }
}
