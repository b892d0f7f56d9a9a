internal import Glibc

/// Leaves a file to the kernel to close.
///
/// A netlink socket that is closed after rules were taken out waits until no packet can be at them any more, 8 to 16
/// milliseconds in which nothing is left to be done: the new rules are in force. A file on its way through a unix socket
/// that nobody holds is closed when the kernel collects such sockets, and nobody waits for that (since Linux 6.8; before,
/// the collection happens in the call that closes the last end, and waits as the file would have).
struct LeftFile: ~Copyable {
  private let ends: (Int32, Int32)

  /// `struct cmsghdr` (linux/socket.h) and two descriptors.
  private struct Control {
    var length = MemoryLayout<Control>.size
    var level = SOL_SOCKET
    var type = Int32(SCM_RIGHTS)
    var files: (Int32, Int32)
  }

  private init(_ ends: (Int32, Int32)) { self.ends = ends }

  /// Sends the file on its way; nil, and nothing has happened, where that cannot be.
  static func send(_ file: Int32) -> LeftFile? {
    var ends: (Int32, Int32) = (-1, -1)
    let isPair = withUnsafeMutablePointer(to: &ends) {
      $0.withMemoryRebound(to: Int32.self, capacity: 2) {
        socketpair(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0, $0) == 0
      }
    }
    guard isPair else { return nil }
    let left = LeftFile(ends)
    // The end at which the message waits is in the message: it has no other holder when both ends are closed.
    guard Self.send((file, ends.1), through: ends.0) else { return nil }
    return left
  }

  deinit {
    close(ends.1)
    close(ends.0)
  }

  /// To be called when nobody else holds the file any more, for the kernel then takes it out of the way.
  consuming func collect() {}

  private static func send(_ files: (Int32, Int32), through socket: Int32) -> Bool {
    var control = Control(files: files)
    var byte: UInt8 = 0
    return withUnsafeMutableBytes(of: &control) { control in
      withUnsafeMutableBytes(of: &byte) { byte in
        var part = iovec(iov_base: byte.baseAddress, iov_len: 1)
        return withUnsafeMutablePointer(to: &part) { part in
          var message = msghdr()
          message.msg_iov = part
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = control.count
          return sendmsg(socket, &message, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)) == 1
        }
      }
    }
  }
}
