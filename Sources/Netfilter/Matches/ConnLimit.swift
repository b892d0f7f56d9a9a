/// How many connections one host or network has already (`struct xt_connlimit_info`, linux/netfilter/xt_connlimit.h).
public struct ConnLimit: Match {
  public enum Comparison: Hashable, Sendable {
    /// So many at most.
    case upTo(UInt32)
    /// More than so many.
    case above(UInt32)
  }

  /// By which address of a packet connections are counted together.
  public enum Side: Hashable, Sendable {
    case source
    case destination
  }

  public let connections: Comparison
  public let side: Side
  /// The mask as the kernel keeps it, in 128 bits for IPv4 too, which looks at the first 32. iptables fills the others
  /// with ones where it was given no mask.
  package let unionMask: UInt128

  /// Counts each address by itself.
  public init(_ connections: Comparison, by side: Side = .source) {
    self.connections = connections
    self.side = side
    unionMask = .max
  }

  /// Counts together what has the first `prefixLength` bits in common; nil for more bits than IPv6 has.
  public init?(_ connections: Comparison, by side: Side = .source, prefixLength: Int) {
    guard (0...128).contains(prefixLength) else { return nil }
    self.connections = connections
    self.side = side
    unionMask = AddressMask.prefixMask(prefixLength, .ipv6)
  }

  /// How many bits of addresses are compared.
  public func prefixLength(_ family: Family) -> Int {
    min((~unionMask).leadingZeroBitCount, family.addressBits)
  }
}

// MARK: Syntax

extension ConnLimit {
  public static let definition = ExtensionDefinition(
    "connlimit", summary: "how many connections a host has", revisions: [1],
    options: [
      OptionSpec(
        "--connlimit-upto", .number(limits), negatable: true, excludes: ["--connlimit-above"], "so many at most"),
      OptionSpec(
        "--connlimit-above", .number(limits), negatable: true, excludes: ["--connlimit-upto"], "more than so many"),
      OptionSpec("--connlimit-mask", .custom("BITS"), "networks of this prefix length are counted as one host"),
      OptionSpec(
        "--connlimit-saddr", excludes: ["--connlimit-daddr"], "source addresses are counted, as they are if not said"),
      OptionSpec("--connlimit-daddr", excludes: ["--connlimit-saddr"], "destination addresses are counted"),
    ])

  private static let limits: ClosedRange<UInt64> = 0...UInt64(UInt32.max)

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let count = try options.number("--connlimit-upto") {
      connections = options.isInverted("--connlimit-upto") ? .above(UInt32(count)) : .upTo(UInt32(count))
    } else if let count = try options.number("--connlimit-above") {
      connections = options.isInverted("--connlimit-above") ? .upTo(UInt32(count)) : .above(UInt32(count))
    } else {
      throw SyntaxError("connlimit needs --connlimit-upto N or --connlimit-above N")
    }
    side = options.has("--connlimit-daddr") ? .destination : .source
    if let token = options.token("--connlimit-mask") {
      unionMask = AddressMask.prefixMask(try options.prefixLength(token, of: "--connlimit-mask"), .ipv6)
    } else {
      unionMask = .max
    }
  }

  public func print(to out: inout RuleWriter) {
    switch connections {
    case .upTo(let count):
      out.option("--connlimit-upto")
      out.number(count)
    case .above(let count):
      out.option("--connlimit-above")
      out.number(count)
    }
    out.option("--connlimit-mask")
    out.number(prefixLength(out.family))
    switch side {
    case .source: out.option("--connlimit-saddr")
    case .destination: out.option("--connlimit-daddr")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word(side == .source ? "#conn src/" : "#conn dst/")
    out.text.write(prefixLength(out.family))
    switch connections {
    case .upTo(let count):
      out.word("<=")
      out.number(count)
    case .above(let count):
      out.word(">")
      out.number(count)
    }
  }
}

// MARK: Kernel bytes

extension ConnLimit {
  private enum Flag {
    static let upTo: UInt32 = 0x1
    static let destination: UInt32 = 0x2
  }
  /// `data`, where the kernel counts.
  private static let privateSize = 8

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags: UInt32 = side == .destination ? Flag.destination : 0
    out.write(big: unionMask)
    switch connections {
    case .upTo(let count):
      flags |= Flag.upTo
      out.write(count)
    case .above(let count): out.write(count)
    }
    out.write(flags)
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    unionMask = try bytes.uint128("mask")
    guard unionMask == AddressMask.prefixMask((~unionMask).leadingZeroBitCount, .ipv6),
      unionMask == .max || (~unionMask).leadingZeroBitCount <= family.addressBits
    else { throw bytes.invalid("mask") }
    let count = try bytes.uint32("limit")
    let flags = try bytes.uint32("flags")
    guard flags & ~(Flag.upTo | Flag.destination) == 0 else { throw bytes.invalid("flags") }
    connections = flags & Flag.upTo != 0 ? .upTo(count) : .above(count)
    side = flags & Flag.destination != 0 ? .destination : .source
    try bytes.skip("data", Self.privateSize)
  }
}

// MARK: Meaning

extension ConnLimit {
  /// The packet's own connection is one of those that are counted.
  public func matches(_ packet: Packet) -> Answer {
    switch connections {
    case .upTo(0), .above(.max): .no
    case .above(0), .upTo(.max): .yes
    default: .depends(on: "how many connections the host has")
    }
  }
}
