/// Whether the packet belongs to a socket of this machine (`struct xt_socket_mtinfo3`, linux/netfilter/xt_socket.h).
public struct SocketMatch: Match {
  public var options: Options

  /// Raw values are the kernel's flags.
  public struct Options: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Only transparent sockets count.
    public static let transparent = Options(rawValue: 0x1)
    /// Sockets that listen on every address count too.
    public static let noWildcard = Options(rawValue: 0x2)
    /// The packet gets the socket's mark.
    public static let restoreMark = Options(rawValue: 0x4)
    public static let all: Options = [.transparent, .noWildcard, .restoreMark]

    fileprivate static let names: [(name: StaticString, flag: Options)] = [
      ("--transparent", .transparent), ("--nowildcard", .noWildcard), ("--restore-skmark", .restoreMark),
    ]
  }

  public init(_ options: Options = []) { self.options = options }
}

// MARK: Syntax

extension SocketMatch {
  public static let definition = ExtensionDefinition(
    "socket", summary: "the packet belongs to a socket", revisions: [0, 1, 2, 3], hooks: [.prerouting, .input],
    options: [
      OptionSpec("--transparent", .none, "only transparent sockets count"),
      OptionSpec("--nowildcard", .none, "sockets that listen on every address count too"),
      OptionSpec("--restore-skmark", .none, "the packet gets the socket's mark"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.options = Options(Options.names.filter { options.has($0.name) }.map(\.flag))
  }

  public func print(to out: inout RuleWriter) {
    for known in Options.names where options.contains(known.flag) { out.option(known.name) }
  }

  public func list(to out: inout RuleWriter) {
    out.word("socket")
    print(to: &out)
  }
}

// MARK: Kernel bytes

extension SocketMatch {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(options.rawValue) }

  /// What each revision has; revision 0, of IPv4 alone, has no bytes.
  private static func options(of revision: UInt8) -> Options {
    switch revision {
    case 0: []
    case 1: .transparent
    case 2: [.transparent, .noWildcard]
    default: .all
    }
  }

  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard options.isSubset(of: Self.options(of: revision)), revision > 0 || family == .ipv4 else { return false }
    if revision > 0 { out.write(options.rawValue) }
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    options = revision == 0 ? [] : Options(rawValue: try bytes.uint8("flags"))
    guard options.isSubset(of: Self.options(of: revision)) else { throw bytes.invalid("flags") }
  }
}

// MARK: Meaning

extension SocketMatch {
  /// The kernel looks for sockets of TCP and UDP only, for those too that an ICMP error is about.
  public func matches(_ packet: Packet) -> Answer {
    let sockets = Answer.depends(on: "the sockets of this machine")
    switch packet.proto {
    case .tcp, .udp: return sockets
    case .icmp where packet.family == .ipv4:
      guard let type = packet.icmpType else { return sockets }
      return Self.errorTypes.contains(type) ? sockets : .no
    case .icmpv6 where packet.family == .ipv6:
      guard let type = packet.icmpType else { return sockets }
      return type < 128 ? sockets : .no
    default: return .no
    }
  }

  /// Unreachable, source quench, redirect, time exceeded, parameter problem.
  private static let errorTypes: Set<UInt8> = [3, 4, 5, 11, 12]
}
