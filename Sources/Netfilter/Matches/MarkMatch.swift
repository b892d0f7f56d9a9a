/// The packet's mark, under a mask (`struct xt_mark_mtinfo1`, linux/netfilter/xt_mark.h).
public struct MarkMatch: Match {
  public var mark: MarkTest

  public init(_ mark: MarkTest) { self.mark = mark }
}

// MARK: Syntax

extension MarkMatch {
  public static let definition = ExtensionDefinition(
    "mark", summary: "the packet's mark", revisions: [1], options: [MarkTest.option])

  public init(parsing options: OptionValues) throws(SyntaxError) { mark = try MarkTest(options) }

  public func print(to out: inout RuleWriter) { mark.print(to: &out) }

  public func list(to out: inout RuleWriter) {
    out.word("mark match")
    if mark.isInverted { out.text.write(" !") }
    out.mark(mark.value, mask: mark.mask)
  }
}

// MARK: Kernel bytes

extension MarkMatch {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(mark) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    mark = try bytes.markTest()
  }
}

// MARK: Meaning

extension MarkMatch {
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.mark, "the packet's mark", is: mark.value, under: mark.mask, inverted: mark.isInverted)
  }
}
