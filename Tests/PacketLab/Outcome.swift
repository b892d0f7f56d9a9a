/// What came back.
public enum Outcome: Hashable, Sendable {
  /// An answer to what was sent; for TCP over a connection that carries data both ways.
  case answered
  /// A TCP reset.
  case reset
  /// An ICMP error of this type and code.
  case icmp(type: UInt8, code: UInt8)
  /// An ICMPv6 error of this type and code.
  case icmp6(type: UInt8, code: UInt8)
  /// A connection that opened and then carried nothing.
  case stalled
  /// Nothing.
  case dropped
  /// The sender's own kernel refused with this `errno`.
  case refusedLocally(Int32)

  /// What a rule of OUTPUT that drops looks like to a sender of packets; a TCP caller sees nothing.
  public static let notPermitted = refusedLocally(1)
  public static let networkUnreachable = icmp(type: 3, code: 0)
  public static let hostUnreachable = icmp(type: 3, code: 1)
  public static let protocolUnreachable = icmp(type: 3, code: 2)
  public static let portUnreachable = icmp(type: 3, code: 3)
  public static let hostProhibited = icmp(type: 3, code: 10)
  public static let administrativelyProhibited = icmp(type: 3, code: 13)
  public static let addressUnreachable6 = icmp6(type: 1, code: 3)
  public static let portUnreachable6 = icmp6(type: 1, code: 4)
}

extension Outcome: CustomStringConvertible {
  public var description: String {
    switch self {
    case .answered: "answered"
    case .reset: "refused: TCP reset"
    case .icmp(let type, let code): "refused: ICMP type \(type) code \(code)" + Self.suffix(Self.names[[type, code]])
    case .icmp6(let type, let code):
      "refused: ICMPv6 type \(type) code \(code)" + Self.suffix(Self.names6[[type, code]])
    case .stalled: "opened, then silent"
    case .dropped: "dropped: no answer"
    case .refusedLocally(let code): "refused by the sender's own kernel (errno \(code))"
    }
  }

  private static func suffix(_ name: String?) -> String { name.map { ", \($0)" } ?? "" }

  private static let names: [[UInt8]: String] = [
    [3, 0]: "net unreachable", [3, 1]: "host unreachable", [3, 2]: "protocol unreachable", [3, 3]: "port unreachable",
    [3, 9]: "net prohibited", [3, 10]: "host prohibited", [3, 13]: "administratively prohibited",
  ]
  private static let names6: [[UInt8]: String] = [
    [1, 0]: "no route", [1, 1]: "administratively prohibited", [1, 3]: "address unreachable",
    [1, 4]: "port unreachable", [1, 5]: "policy fail", [1, 6]: "reject route",
  ]
}
