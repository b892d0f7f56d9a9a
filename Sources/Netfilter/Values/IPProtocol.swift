/// An IP protocol number (the Protocol field of IPv4, the last Next Header of IPv6).
public struct IPProtocol: Hashable, Sendable, RawRepresentable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let icmp = IPProtocol(rawValue: 1)
  public static let tcp = IPProtocol(rawValue: 6)
  public static let udp = IPProtocol(rawValue: 17)
  public static let dccp = IPProtocol(rawValue: 33)
  public static let esp = IPProtocol(rawValue: 50)
  public static let ah = IPProtocol(rawValue: 51)
  public static let icmpv6 = IPProtocol(rawValue: 58)
  public static let ipcomp = IPProtocol(rawValue: 108)
  public static let sctp = IPProtocol(rawValue: 132)
  public static let mobilityHeader = IPProtocol(rawValue: 135)
  public static let udplite = IPProtocol(rawValue: 136)
}

extension IPProtocol {
  /// The protocols that iptables names without asking /etc/protocols, in its order: where a number has two names,
  /// the first is printed.
  package static let wellKnown: [(name: StaticString, number: UInt8)] = [
    ("tcp", 6), ("sctp", 132), ("udp", 17), ("udplite", 136), ("icmp", 1), ("ipv6-icmp", 58), ("icmpv6", 58),
    ("esp", 50), ("ah", 51), ("mobility-header", 135), ("ipv6-mh", 135), ("mh", 135), ("all", 0),
  ]
}
