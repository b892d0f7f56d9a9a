/// The header of a compressed IP packet (`struct xt_ipcomp`, linux/netfilter/xt_ipcomp.h; RFC 3173).
public struct IPComp: Match {
  /// The Compression Parameter Index. Not giving it means 0, as iptables has it.
  public var index: Negatable<Bounds<UInt32>>
  /// Kernels do not look at it.
  public var comparesReserved: Bool

  public init(_ index: Negatable<Bounds<UInt32>>, comparesReserved: Bool = false) {
    self.index = index
    self.comparesReserved = comparesReserved
  }
}

// MARK: Syntax

extension IPComp {
  public static let definition = ExtensionDefinition(
    "ipcomp", summary: "IP payload compression", protocols: [.ipcomp],
    options: [
      OptionSpec("--ipcompspi", .anyNumberRange, negatable: true, "Compression Parameter Index; 0 if not given"),
      OptionSpec("--compres", .none, "the reserved field, which kernels do not look at"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    index = try options.bounds("--ipcompspi") ?? Negatable(Bounds(0))
    comparesReserved = options.has("--compres")
  }

  /// Every index is printed too: where iptables-save leaves it out, the rule is read again as one for the index 0.
  public func print(to out: inout RuleWriter) {
    out.option("--ipcompspi", inverted: index.isInverted)
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(index.value)
    if comparesReserved { out.option("--compres") }
  }

  public func list(to out: inout RuleWriter) {
    out.word("comp ")
    out.listBounds("spi", index)
    if comparesReserved { out.word("reserved") }
  }
}

// MARK: Kernel bytes

extension IPComp {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(index.value)
    out.write(flag: index.isInverted)
    out.write(flag: comparesReserved)
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let bounds = try bytes.bounds("spis")
    index = Negatable(bounds, inverted: try bytes.flag("invflags"))
    comparesReserved = try bytes.flag("hdrres")
    try bytes.zeros("padding", 2)
  }
}

// MARK: Meaning

extension IPComp {
  /// The index has 16 bits in the packet.
  public func matches(_ packet: Packet) -> Answer {
    let unknown = Answer.about(nil, "the packet's bytes", bounds: index)
    switch packet.readTransportHeader(atLeast: Self.headerSize, else: unknown) {
    case .answer(let answer): return answer
    case .bytes(let header):
      return .about(header.bigUInt16(at: 2).map { UInt32($0) }, "the packet's bytes", bounds: index)
    }
  }

  private static let headerSize = 4
}
