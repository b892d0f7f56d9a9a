/// One kind of packet that a probe sends and a responder answers.
public enum Service: Hashable, Sendable {
  case tcp(UInt16)
  case udp(UInt16)
  /// An echo request, which the kernel answers by itself.
  case ping
  /// Any other IP protocol by its number.
  case ip(UInt8)

  /// Reads `tcp/22`, `udp/53`, `ping` or `ip/112`.
  public init?(_ text: String) {
    if text == "ping" {
      self = .ping
      return
    }
    let parts = text.split(separator: "/", maxSplits: 1)
    guard parts.count == 2, let number = UInt16(parts[1]) else { return nil }
    switch parts[0] {
    case "tcp": self = .tcp(number)
    case "udp": self = .udp(number)
    case "ip":
      guard let number = UInt8(exactly: number) else { return nil }
      self = .ip(number)
    default: return nil
    }
  }
}

extension Service: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tcp(let port): "tcp/\(port)"
    case .udp(let port): "udp/\(port)"
    case .ping: "ping"
    case .ip(let number): "ip/\(number)"
    }
  }
}

/// What a probe sends, and as whom.
public struct Traffic: Hashable, Sendable {
  public var service: Service
  /// The address that is called.
  public var to: String
  /// The caller's own address; nil leaves the choice to the kernel.
  public var from: String?
  /// The caller's own port; 0 leaves the choice to the kernel.
  public var sourcePort: UInt16

  public init(_ service: Service, to: String, from: String? = nil, sourcePort: UInt16 = 0) {
    self.service = service
    self.to = to
    self.from = from
    self.sourcePort = sourcePort
  }
}
