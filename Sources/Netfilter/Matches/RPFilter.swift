/// Whether an answer to the packet would leave by the interface it came in by
/// (`struct xt_rpfilter_info`, linux/netfilter/xt_rpfilter.h).
public struct RPFilter: Match {
  public var options: Options

  /// Raw values are the kernel's flags.
  public struct Options: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// An answer may leave by any interface.
    public static let loose = Options(rawValue: 0x1)
    /// The packet's mark counts for the route.
    public static let validMark = Options(rawValue: 0x2)
    /// Source addresses of this machine are good.
    public static let acceptLocal = Options(rawValue: 0x4)
    /// Matches packets that fail.
    public static let invert = Options(rawValue: 0x8)
    public static let all: Options = [.loose, .validMark, .acceptLocal, .invert]

    fileprivate static let names: [(name: StaticString, flag: Options)] = [
      ("--loose", .loose), ("--validmark", .validMark), ("--accept-local", .acceptLocal), ("--invert", .invert),
    ]
  }

  public init(_ options: Options = []) { self.options = options }
}

// MARK: Syntax

extension RPFilter {
  public static let definition = ExtensionDefinition(
    "rpfilter", summary: "the way back leads where the packet came from", tables: [.mangle, .raw],
    hooks: [.prerouting],
    options: [
      OptionSpec("--loose", .none, "the way back may lead to any interface"),
      OptionSpec("--validmark", .none, "the packet's mark counts for the route"),
      OptionSpec("--accept-local", .none, "source addresses of this machine are good"),
      OptionSpec("--invert", .none, "match packets that fail"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.options = Options(Options.names.filter { options.has($0.name) }.map(\.flag))
  }

  public func print(to out: inout RuleWriter) {
    for known in Options.names where options.contains(known.flag) { out.option(known.name) }
  }

  public func list(to out: inout RuleWriter) {
    out.word("rpfilter")
    for known in Options.names where options.contains(known.flag) { out.word(known.name, dropping: 2) }
  }
}

// MARK: Kernel bytes

extension RPFilter {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(options.rawValue) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    options = Options(rawValue: try bytes.uint8("flags"))
    guard options.isSubset(of: .all) else { throw bytes.invalid("flags") }
  }
}

// MARK: Meaning

extension RPFilter {
  /// Packets by the loopback interface pass, and those from nowhere that no route can lead back to.
  public func matches(_ packet: Packet) -> Answer {
    let isExempt = packet.inInterface == InterfaceName("lo") || Self.comesFromNowhere(packet)
    return isExempt ? Answer(!options.contains(.invert)) : .depends(on: "the routing table")
  }

  /// IPv4 has such packets only to all and to groups of the same network, 224.0.0.0/24.
  private static func comesFromNowhere(_ packet: Packet) -> Bool {
    guard packet.source.bits == 0 else { return false }
    guard packet.family == .ipv4 else { return true }
    return packet.destination.bits == 0xffff_ffff || packet.destination.bits >> 8 == 0xe0_0000
  }
}
