/// The fragment header of an IPv6 packet (`struct ip6t_frag`, linux/netfilter_ipv6/ip6t_frag.h; RFC 8200 section 4.5).
public struct IPv6Fragment: Match {
  public var identifications: Negatable<Bounds<UInt32>>?
  /// Kernels do not look at it.
  public var length: Negatable<UInt32>?
  /// The reserved fields are zero.
  public var isReservedZero: Bool
  /// It is the first one.
  public var isFirst: Bool
  public var position: Position?

  public enum Position: Hashable, Sendable {
    /// More fragments follow.
    case moreFollow
    case last
  }

  public init(
    identifications: Negatable<Bounds<UInt32>>? = nil, length: Negatable<UInt32>? = nil, isReservedZero: Bool = false,
    isFirst: Bool = false, position: Position? = nil
  ) {
    self.identifications = identifications
    self.length = length
    self.isReservedZero = isReservedZero
    self.isFirst = isFirst
    self.position = position
  }
}

// MARK: Syntax

extension IPv6Fragment {
  public static let definition = ExtensionDefinition(
    "frag", summary: "IPv6 fragment header", families: [.ipv6],
    options: [
      OptionSpec("--fragid", .anyNumberRange, negatable: true, "identification of the packet"),
      OptionSpec("--fraglen", .anyNumber, negatable: true, "length of the header, which kernels do not look at"),
      OptionSpec("--fragres", .none, "the reserved fields are zero"),
      OptionSpec("--fragfirst", .none, "the first fragment"),
      OptionSpec("--fragmore", excludes: ["--fraglast"], "more fragments follow"),
      OptionSpec("--fraglast", excludes: ["--fragmore"], "the last fragment"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    identifications = try options.bounds("--fragid")
    length = try options.condition("--fraglen")
    isReservedZero = options.has("--fragres")
    isFirst = options.has("--fragfirst")
    position = options.has("--fragmore") ? .moreFollow : options.has("--fraglast") ? .last : nil
  }

  public func print(to out: inout RuleWriter) {
    out.bounds("--fragid", identifications)
    out.condition("--fraglen", length)
    if isReservedZero { out.option("--fragres") }
    if isFirst { out.option("--fragfirst") }
    switch position {
    case nil: break
    case .moreFollow: out.option("--fragmore")
    case .last: out.option("--fraglast")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("frag ")
    out.listBounds("id", identifications)
    if let length {
      out.word(length.isInverted ? "length:!" : "length:")
      out.text.write(length.value)
    }
    if isReservedZero { out.word("reserved") }
    if isFirst { out.word("first") }
    switch position {
    case nil: break
    case .moreFollow: out.word("more")
    case .last: out.word("last")
    }
  }
}

// MARK: Kernel bytes

extension IPv6Fragment {
  private enum Flag {
    static let identifications: UInt8 = 0x01
    static let length: UInt8 = 0x02
    static let reserved: UInt8 = 0x04
    static let first: UInt8 = 0x08
    static let moreFollow: UInt8 = 0x10
    static let last: UInt8 = 0x20
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(identifications?.value ?? .anyNumber)
    out.write(length?.value ?? 0)
    var flags: UInt8 = 0
    if identifications != nil { flags |= Flag.identifications }
    if length != nil { flags |= Flag.length }
    if isReservedZero { flags |= Flag.reserved }
    if isFirst { flags |= Flag.first }
    switch position {
    case nil: break
    case .moreFollow: flags |= Flag.moreFollow
    case .last: flags |= Flag.last
    }
    out.write(flags)
    var inverted: UInt8 = 0
    if identifications?.isInverted == true { inverted |= Flag.identifications }
    if length?.isInverted == true { inverted |= Flag.length }
    out.write(inverted)
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let identifications = try bytes.bounds("ids")
    let length = try bytes.uint32("hdrlen")
    let flags = try bytes.uint8("flags")
    let inverted = try bytes.uint8("invflags")
    try bytes.zeros("padding", 2)
    guard flags <= 0x3f, flags & Flag.moreFollow == 0 || flags & Flag.last == 0,
      flags & Flag.identifications != 0 || identifications == .anyNumber, flags & Flag.length != 0 || length == 0
    else { throw bytes.invalid("flags") }
    guard inverted <= 0x03, inverted & ~flags == 0 else { throw bytes.invalid("invflags") }
    self.identifications =
      flags & Flag.identifications == 0
      ? nil : Negatable(identifications, inverted: inverted & Flag.identifications != 0)
    self.length = flags & Flag.length == 0 ? nil : Negatable(length, inverted: inverted & Flag.length != 0)
    isReservedZero = flags & Flag.reserved != 0
    isFirst = flags & Flag.first != 0
    position = flags & Flag.moreFollow != 0 ? .moreFollow : flags & Flag.last != 0 ? .last : nil
  }
}

// MARK: Meaning

extension IPv6Fragment {
  public func matches(_ packet: Packet) -> Answer {
    if isFirst, packet.isLaterFragment { return .no }
    switch packet.readExtensionHeader(.fragment, atLeast: Self.headerSize) {
    case .answer(let answer): return answer
    case .bytes(let header):
      let place = header.bigUInt16(at: 2) ?? 0
      let hasReserved = !isReservedZero || (header[1] == 0 && place & 0x6 == 0)
      let hasPlace = !isFirst || place & 0xfff8 == 0
      let hasPosition = position.map { ($0 == .moreFollow) == (place & 1 == 1) } ?? true
      return .about(header.bigUInt32(at: 4), "the packet's bytes", bounds: identifications)
        && Answer(hasReserved && hasPlace && hasPosition)
    }
  }

  private static let headerSize = 8
}
