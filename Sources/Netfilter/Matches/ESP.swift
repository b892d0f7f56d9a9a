/// The header of an encrypted IPsec packet (`struct xt_esp`, linux/netfilter/xt_esp.h; RFC 4303).
public struct ESP: Match {
  /// The Security Parameters Index; nil for any.
  public var index: Negatable<Bounds<UInt32>>?

  public init(_ index: Negatable<Bounds<UInt32>>? = nil) { self.index = index }
}

// MARK: Syntax

extension ESP {
  public static let definition = ExtensionDefinition(
    "esp", summary: "IPsec encapsulation", protocols: [.esp],
    options: [OptionSpec("--espspi", .anyNumberRange, negatable: true, "Security Parameters Index")])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    index = try options.bounds("--espspi").flatMap { $0.isAlwaysTrue ? nil : $0 }
  }

  public func print(to out: inout RuleWriter) { out.bounds("--espspi", index) }

  public func list(to out: inout RuleWriter) {
    out.word("esp")
    guard let index, !index.isAlwaysTrue else { return }
    out.text.write(" ")
    out.listBounds("spi", index)
  }
}

// MARK: Kernel bytes

extension ESP {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(index?.value ?? .anyNumber)
    out.write(flag: index?.isInverted == true)
    out.zeros(3)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let bounds = try bytes.bounds("spis")
    index = bounds.condition(inverted: try bytes.flag("invflags"))
    try bytes.zeros("padding", 3)
  }
}

// MARK: Meaning

extension ESP {
  public func matches(_ packet: Packet) -> Answer {
    let unknown = Answer.about(nil, "the packet's bytes", bounds: index)
    switch packet.readTransportHeader(atLeast: Self.headerSize, else: unknown) {
    case .answer(let answer): return answer
    case .bytes(let header): return .about(header.bigUInt32(at: 0), "the packet's bytes", bounds: index)
    }
  }

  /// Index and sequence number.
  private static let headerSize = 8
}
