/// The address family that a table filters: the kernel keeps IPv4 and IPv6 rules in separate tables.
///
/// Raw values are the kernel's `NFPROTO_*` numbers (`linux/netfilter.h`).
public enum Family: UInt8, Hashable, Sendable, CaseIterable, Comparable {
  case ipv4 = 2
  case ipv6 = 10

  public static func < (a: Family, b: Family) -> Bool { a.rawValue < b.rawValue }

  /// Bits in an address of this family: 32 or 128.
  public var addressBits: Int { self == .ipv4 ? 32 : 128 }

  /// Bytes in an address of this family: 4 or 16.
  public var addressBytes: Int { self == .ipv4 ? 4 : 16 }
}

extension Family: CustomStringConvertible {
  /// `IPv4` or `IPv6`.
  public var description: String { self == .ipv4 ? "IPv4" : "IPv6" }

  /// The name of the tool that edits this family: `iptables` or `ip6tables`.
  public var toolName: String { self == .ipv4 ? "iptables" : "ip6tables" }
}
