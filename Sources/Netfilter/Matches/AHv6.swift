/// The authentication header of an IPv6 packet, which may stand among other headers
/// (`struct ip6t_ah`, linux/netfilter_ipv6/ip6t_ah.h; RFC 4302).
public struct AHv6: Match {
  /// The Security Parameters Index; nil for any.
  public let index: Negatable<Bounds<UInt32>>?
  /// In bytes. The kernel takes 0 for any, inverted or not.
  public let length: Negatable<UInt32>?
  /// The reserved field is zero.
  public let isReservedZero: Bool

  public init(
    index: Negatable<Bounds<UInt32>>? = nil, length: Negatable<UInt32>? = nil, isReservedZero: Bool = false
  ) {
    self.index = index.flatMap { $0.isAlwaysTrue ? nil : $0 }
    self.length = length == Negatable(0) ? nil : length
    self.isReservedZero = isReservedZero
  }
}

// MARK: Syntax

extension AHv6 {
  public static let definition = ExtensionDefinition(
    "ah", summary: "IPsec authentication header", families: [.ipv6],
    options: [
      OptionSpec("--ahspi", .anyNumberRange, negatable: true, "Security Parameters Index"),
      OptionSpec("--ahlen", .anyNumber, negatable: true, "length of the header in bytes; 0 for any"),
      OptionSpec("--ahres", .none, "the reserved field is zero"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(
      index: try options.bounds("--ahspi"), length: try options.condition("--ahlen"),
      isReservedZero: options.has("--ahres"))
    if length == Negatable(0, inverted: true), let token = options.token("--ahlen") {
      options.warn(token, "the kernel takes the length 0 for any, even after '!'")
    }
  }

  public func print(to out: inout RuleWriter) {
    out.bounds("--ahspi", index)
    out.condition("--ahlen", length)
    if isReservedZero { out.option("--ahres") }
  }

  /// With no blank between index and length, as iptables has them.
  public func list(to out: inout RuleWriter) {
    out.word("ah ")
    out.listBounds("spi", index)
    if let length {
      out.text.write(length.isInverted ? "length:!" : "length:")
      out.text.write(length.value)
    }
    if isReservedZero { out.word("reserved") }
  }
}

// MARK: Kernel bytes

extension AHv6 {
  private enum Invert {
    static let index: UInt8 = 0x01
    static let length: UInt8 = 0x02
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(index?.value ?? .anyNumber)
    out.write(length?.value ?? 0)
    out.write(flag: isReservedZero)
    var inverted: UInt8 = 0
    if index?.isInverted == true { inverted |= Invert.index }
    if length?.isInverted == true { inverted |= Invert.length }
    out.write(inverted)
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let index = try bytes.bounds("spis")
    let length = try bytes.uint32("hdrlen")
    let isReservedZero = try bytes.flag("hdrres")
    let inverted = try bytes.uint8("invflags")
    guard inverted <= 0x03 else { throw bytes.invalid("invflags") }
    try bytes.zeros("padding", 2)
    self.init(
      index: Negatable(index, inverted: inverted & Invert.index != 0),
      length: Negatable(length, inverted: inverted & Invert.length != 0), isReservedZero: isReservedZero)
  }
}

// MARK: Meaning

extension AHv6 {
  public func matches(_ packet: Packet) -> Answer {
    switch packet.readExtensionHeader(.authentication, atLeast: AH.headerSize) {
    case .answer(let answer): return answer
    case .bytes(let header):
      let size = 4 * (UInt32(header[1]) + 2)
      let hasLength = length.map { $0.value == 0 || ($0.value == size) != $0.isInverted } ?? true
      let hasReserved = !isReservedZero || header.bigUInt16(at: 2) == 0
      return .about(header.bigUInt32(at: 4), "the packet's bytes", bounds: index) && Answer(hasLength && hasReserved)
    }
  }
}
