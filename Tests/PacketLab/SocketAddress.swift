import Glibc

/// An address and port as the socket calls take them.
struct SocketAddress {
  private var storage = sockaddr_storage()
  let family: Int32

  var length: socklen_t {
    socklen_t(family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
  }

  /// - Parameter text: an address in numbers.
  init(_ text: String, port: UInt16) throws {
    family = text.contains(":") ? AF_INET6 : AF_INET
    let isIPv6 = family == AF_INET6
    let good = withUnsafeMutableBytes(of: &storage) { bytes in
      if isIPv6 {
        let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr_in6.self)
        address.pointee.sin6_family = sa_family_t(AF_INET6)
        address.pointee.sin6_port = port.bigEndian
        return inet_pton(AF_INET6, text, &address.pointee.sin6_addr) == 1
      }
      let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr_in.self)
      address.pointee.sin_family = sa_family_t(AF_INET)
      address.pointee.sin_port = port.bigEndian
      return inet_pton(AF_INET, text, &address.pointee.sin_addr) == 1
    }
    guard good else { throw LabError("'\(text)' is not an address") }
  }

  /// Every address of a family.
  static func any(_ family: Int32, port: UInt16) throws -> SocketAddress {
    try SocketAddress(family == AF_INET6 ? "::" : "0.0.0.0", port: port)
  }

  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafeBytes(of: storage) { body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), length) }
  }
}
