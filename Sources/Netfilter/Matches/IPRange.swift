/// Addresses between two limits (`struct xt_iprange_mtinfo`, linux/netfilter/xt_iprange.h).
public struct IPRange: Match {
  public let source: Negatable<Bounds<IPAddress>>?
  public let destination: Negatable<Bounds<IPAddress>>?

  /// nil when neither is given.
  public init?(source: Negatable<Bounds<IPAddress>>? = nil, destination: Negatable<Bounds<IPAddress>>? = nil) {
    guard source != nil || destination != nil else { return nil }
    self.source = source
    self.destination = destination
  }
}

// MARK: Syntax

extension IPRange {
  public static let definition = ExtensionDefinition(
    "iprange", summary: "addresses from one to another", revisions: [1],
    options: [
      OptionSpec("--src-range", .addressRange, negatable: true, "source address lies in this range"),
      OptionSpec("--dst-range", .addressRange, negatable: true, "destination address lies in this range"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    source = try options.addressBounds("--src-range").map {
      Negatable($0, inverted: options.isInverted("--src-range"))
    }
    destination = try options.addressBounds("--dst-range").map {
      Negatable($0, inverted: options.isInverted("--dst-range"))
    }
    guard source != nil || destination != nil else { throw SyntaxError("iprange needs --src-range or --dst-range") }
  }

  public func print(to out: inout RuleWriter) {
    Self.print("--src-range", source, to: &out)
    Self.print("--dst-range", destination, to: &out)
  }

  public func list(to out: inout RuleWriter) {
    Self.list("source IP range", source, to: &out)
    Self.list("destination IP range", destination, to: &out)
  }

  private static func print(_ name: StaticString, _ range: Negatable<Bounds<IPAddress>>?, to out: inout RuleWriter) {
    guard let range else { return }
    out.option(name, inverted: range.isInverted)
    write(range.value, to: &out)
  }

  private static func list(_ name: StaticString, _ range: Negatable<Bounds<IPAddress>>?, to out: inout RuleWriter) {
    guard let range else { return }
    out.word(name)
    if range.isInverted { out.word("!") }
    write(range.value, to: &out)
  }

  private static func write(_ range: Bounds<IPAddress>, to out: inout RuleWriter) {
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(range.first)
    out.text.write(byte: UInt8(ascii: "-"))
    out.text.write(range.last)
  }
}

// MARK: Kernel bytes

extension IPRange {
  private enum Flag {
    static let source: UInt8 = 0x01
    static let destination: UInt8 = 0x02
    static let invertSource: UInt8 = 0x10
    static let invertDestination: UInt8 = 0x20
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    for range in [source, destination] {
      out.write(unionAddress: range?.value.first.bits ?? 0, family)
      out.write(unionAddress: range?.value.last.bits ?? 0, family)
    }
    var flags: UInt8 = 0
    if let source { flags |= source.isInverted ? Flag.source | Flag.invertSource : Flag.source }
    if let destination {
      flags |= destination.isInverted ? Flag.destination | Flag.invertDestination : Flag.destination
    }
    out.write(flags)
    out.zeros(3)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let source = Bounds(
      try bytes.unionAddress("src_min", family), try bytes.unionAddress("src_max", family))
    let destination = Bounds(
      try bytes.unionAddress("dst_min", family), try bytes.unionAddress("dst_max", family))
    let flags = try bytes.uint8("flags")
    try bytes.zeros("padding", 3)
    func condition(_ range: Bounds<IPAddress>, _ flag: UInt8, _ inverted: UInt8) throws(WireError)
      -> Negatable<Bounds<IPAddress>>?
    {
      if flags & flag != 0 { return Negatable(range, inverted: flags & inverted != 0) }
      guard range == Bounds(.any(family)), flags & inverted == 0 else {
        throw WireError(offset: 64, field: "flags", reason: .invalid)
      }
      return nil
    }
    guard flags & ~0x33 == 0 else { throw bytes.invalid("flags") }
    let value = IPRange(
      source: try condition(source, Flag.source, Flag.invertSource),
      destination: try condition(destination, Flag.destination, Flag.invertDestination))
    guard let value else { throw bytes.invalid("flags") }
    self = value
  }
}

// MARK: Meaning

extension IPRange {
  public func matches(_ packet: Packet) -> Answer {
    .about(packet.source, "the source address", source) { $1.contains($0) }
      && .about(packet.destination, "the destination address", destination) { $1.contains($0) }
  }
}
