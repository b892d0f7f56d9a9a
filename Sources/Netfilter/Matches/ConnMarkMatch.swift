/// The mark of the packet's connection, under a mask (`struct xt_connmark_mtinfo1`, linux/netfilter/xt_connmark.h).
public struct ConnMarkMatch: Match {
  public var mark: MarkTest

  public init(_ mark: MarkTest) { self.mark = mark }
}

// MARK: Syntax

extension ConnMarkMatch {
  public static let definition = ExtensionDefinition(
    "connmark", summary: "the connection's mark", revisions: [1], options: [MarkTest.option])

  public init(parsing options: OptionValues) throws(SyntaxError) { mark = try MarkTest(options) }

  public func print(to out: inout RuleWriter) { mark.print(to: &out) }

  /// With two blanks before the number, as iptables has them.
  public func list(to out: inout RuleWriter) {
    out.word("connmark match ")
    if mark.isInverted { out.text.write("!") }
    out.mark(mark.value, mask: mark.mask)
  }
}

// MARK: Kernel bytes

extension ConnMarkMatch {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(mark) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    mark = try bytes.markTest()
  }
}

// MARK: Meaning

extension ConnMarkMatch {
  /// A packet without a connection does not match, inverted or not.
  public func matches(_ packet: Packet) -> Answer {
    guard packet.connection.isTracked != false else { return .no }
    let (canBeEqual, canDiffer) = (mark.value & ~mark.mask == 0, mark.mask != 0 || mark.value != 0)
    guard mark.isInverted ? canDiffer : canBeEqual else { return .no }
    guard let found = packet.connection.mark else {
      let isCertain = packet.connection.isTracked == true && !(canBeEqual && canDiffer)
      return isCertain ? .yes : .depends(on: "the connection's mark")
    }
    return Answer((found & mark.mask == mark.value) != mark.isInverted)
  }
}
