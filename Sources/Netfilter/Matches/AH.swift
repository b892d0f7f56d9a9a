/// The authentication header of an IPv4 packet (`struct ipt_ah`, linux/netfilter_ipv4/ipt_ah.h; RFC 4302).
public struct AH: Match {
  /// The Security Parameters Index; nil for any.
  public var index: Negatable<Bounds<UInt32>>?

  public init(_ index: Negatable<Bounds<UInt32>>? = nil) { self.index = index }
}

// MARK: Syntax

extension AH {
  public static let definition = ExtensionDefinition(
    "ah", summary: "IPsec authentication header", families: [.ipv4], protocols: [.ah],
    options: [OptionSpec("--ahspi", .anyNumberRange, negatable: true, "Security Parameters Index")])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    index = try options.bounds("--ahspi").flatMap { $0.isAlwaysTrue ? nil : $0 }
  }

  public func print(to out: inout RuleWriter) { out.bounds("--ahspi", index) }

  public func list(to out: inout RuleWriter) {
    out.word("ah ")
    out.listBounds("spi", index)
  }
}

// MARK: Kernel bytes

extension AH {
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

extension AH {
  public func matches(_ packet: Packet) -> Answer {
    let unknown = Answer.about(nil, "the packet's bytes", bounds: index)
    switch packet.readTransportHeader(atLeast: Self.headerSize, else: unknown) {
    case .answer(let answer): return answer
    case .bytes(let header): return .about(header.bigUInt32(at: 4), "the packet's bytes", bounds: index)
    }
  }

  /// Without the authentication data.
  static let headerSize = 12
}
