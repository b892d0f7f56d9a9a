internal import Glibc
internal import RuleStore

/// A connection that has to come about for a commit to be good.
public struct ConnectionProbe: Hashable, Sendable {
  public let host: String
  public let port: UInt16
  /// How long it may take.
  public static let limit = Duration.seconds(5)

  /// - Parameter text: `tcp:HOST:PORT`, an IPv6 address in `[]`; nil for anything else.
  public init?(_ text: String) {
    guard text.hasPrefix("tcp:") else { return nil }
    let rest = text.dropFirst(4)
    guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]), port > 0 else {
      return nil
    }
    var host = rest[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty else { return nil }
    self.host = String(host)
    self.port = port
  }

  /// Opens a connection from the calling thread's network namespace and closes it.
  /// - Returns: why that failed; nil when it did not.
  public func complaint() -> String? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else { return "tcp \(host) port \(port): \(String(cString: gai_strerror(code)))" }
    defer { freeaddrinfo(list) }
    var last: Int32 = 0
    var next = list
    while let address = next?.pointee {
      last = connect(address)
      if last == 0 { return nil }
      next = address.ai_next
    }
    return "tcp \(host) port \(port) does not answer: \(String(cString: strerror(last)))"
  }

  private func connect(_ address: addrinfo) -> Int32 {
    let descriptor = socket(
      address.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    guard Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) != 0 else { return 0 }
    guard errno == EINPROGRESS else { return errno }
    let deadline = BootTime.now + Self.limit
    while BootTime.now < deadline {
      var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard Glibc.poll(&poll, 1, 100) > 0 else { continue }
      var code: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
      return code
    }
    return ETIMEDOUT
  }
}
