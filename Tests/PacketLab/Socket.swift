import Glibc

/// A socket that does not block, closed with the value.
final class Socket: Sendable {
  let descriptor: Int32
  let family: Int32

  enum Kind {
    case stream
    case datagram
    case raw
  }

  init(_ family: Int32, _ kind: Kind, proto: Int32 = 0) throws {
    let type: Int32 =
      switch kind {
      case .stream: Int32(SOCK_STREAM.rawValue)
      case .datagram: Int32(SOCK_DGRAM.rawValue)
      case .raw: Int32(SOCK_RAW.rawValue)
      }
    descriptor = socket(family, type | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), proto)
    self.family = family
    guard descriptor >= 0 else { throw LabError.system("socket") }
  }

  /// A connection that a listening socket took.
  init(accepted descriptor: Int32, _ family: Int32) {
    self.descriptor = descriptor
    self.family = family
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit { close(descriptor) }

  func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// The port can be used again at once: closing sends a reset and leaves nothing waiting.
  func resetWhenClosed() {
    var value = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
  }

  func bind(_ address: SocketAddress) throws {
    set(SOL_SOCKET, SO_REUSEADDR, 1)
    // A caller may use the port of a service that is answered in the same namespace.
    set(SOL_SOCKET, SO_REUSEPORT, 1)
    guard address.withPointer({ Glibc.bind(descriptor, $0, $1) }) == 0 else { throw LabError.system("bind") }
  }

  /// 0 or `errno`.
  func connect(_ address: SocketAddress) -> Int32 {
    address.withPointer { Glibc.connect(descriptor, $0, $1) } == 0 ? 0 : errno
  }

  /// 0 or `errno`.
  func send(_ bytes: [UInt8]) -> Int32 {
    Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count ? 0 : errno
  }

  /// nil where nothing is to be read.
  func receive() -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 2048)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return count >= 0 ? Array(buffer.prefix(count)) : nil
  }

  /// Waits for events until the deadline; 0 when it has passed.
  func wait(for events: Int32, until deadline: ContinuousClock.Instant) -> Int32 {
    while true {
      let left = deadline - .now
      let milliseconds = Int32(max(0, left / .milliseconds(1)).rounded(.up))
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let count = poll(&entry, 1, milliseconds)
      if count > 0 { return Int32(entry.revents) }
      if count == 0, milliseconds == 0 || ContinuousClock.now >= deadline { return 0 }
      if count < 0, errno != EINTR { return 0 }
    }
  }

  /// SO_ERROR, which it clears.
  func pendingError() -> Int32 {
    var value: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &value, &size)
    return value
  }
}
