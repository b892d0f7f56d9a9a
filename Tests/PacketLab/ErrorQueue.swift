import Glibc

/// ip(7) IP_RECVERR and ipv6(7) IPV6_RECVERR: the ICMP errors that came back for what a socket has sent.
extension Socket {
  /// IP_RECVERR and IPV6_RECVERR, which Swift does not see.
  private var option: (level: Int32, name: Int32) { family == AF_INET6 ? (41, 25) : (0, 11) }
  /// MSG_ERRQUEUE
  private static let errorQueue: Int32 = 0x2000

  func collectErrors() { set(option.level, option.name, 1) }

  /// The next ICMP error, nil when there is none.
  func nextError() -> Outcome? {
    var payload = [UInt8](repeating: 0, count: 512)
    var control = [UInt64](repeating: 0, count: 64)
    let size = control.count * 8
    let length: Int = payload.withUnsafeMutableBytes { payload in
      control.withUnsafeMutableBytes { control in
        var piece = iovec(iov_base: payload.baseAddress, iov_len: payload.count)
        return withUnsafeMutablePointer(to: &piece) { piece in
          var message = msghdr()
          message.msg_iov = piece
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = size
          return recvmsg(descriptor, &message, Self.errorQueue) < 0 ? -1 : Int(message.msg_controllen)
        }
      }
    }
    guard length > 0 else { return nil }
    return control.withUnsafeBytes { outcome(in: UnsafeRawBufferPointer(rebasing: $0.prefix(length))) }
  }

  /// Looks for `struct sock_extended_err` (linux/errqueue.h) among control messages: errno, origin, type, code.
  private func outcome(in control: UnsafeRawBufferPointer) -> Outcome? {
    let header = MemoryLayout<cmsghdr>.size
    var place = 0
    while place + header + 8 <= control.count {
      let message = control.loadUnaligned(fromByteOffset: place, as: cmsghdr.self)
      if message.cmsg_level == option.level, message.cmsg_type == option.name {
        let error = place + header
        switch control[error + 4] {
        case 2: return .icmp(type: control[error + 5], code: control[error + 6])
        case 3: return .icmp6(type: control[error + 5], code: control[error + 6])
        default: return .refusedLocally(control.loadUnaligned(fromByteOffset: error, as: Int32.self))
        }
      }
      place += max(header, (Int(message.cmsg_len) + 7) & ~7)
    }
    return nil
  }
}
