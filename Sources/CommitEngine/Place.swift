internal import Glibc
internal import RuleStore

/// The network namespace that the calling thread is in: what is on file of another one does not speak of its rules.
package struct Place: Hashable, Sendable {
  /// 0 for the namespace of the system's first process, the only one that is the same after the machine has started anew;
  /// else the kernel's number for it.
  package let value: UInt64

  package init(value: UInt64) { self.value = value }

  package static let main = Place(value: 0)

  /// `SO_NETNS_COOKIE` (asm-generic/socket.h, Linux 5.14): never given twice, unlike the number of the namespace's file.
  private static let cookieOption: Int32 = 71

  package static var current: Place {
    var mine = stat()
    var first = stat()
    guard stat("/proc/thread-self/ns/net", &mine) == 0 else { return .main }
    if stat("/proc/1/ns/net", &first) == 0, mine.st_ino == first.st_ino, mine.st_dev == first.st_dev { return .main }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    defer { if descriptor >= 0 { close(descriptor) } }
    var cookie: UInt64 = 0
    var size = socklen_t(MemoryLayout<UInt64>.size)
    guard getsockopt(descriptor, SOL_SOCKET, cookieOption, &cookie, &size) == 0, cookie != 0 else {
      return Place(value: 1 << 63 | UInt64(mine.st_ino))
    }
    return Place(value: cookie)
  }

  /// Whether something noted here in some start of the machine speaks of the present namespace.
  package func isHere(since boot: String) -> Bool {
    let now = Place.current
    return BootID.isPresent(boot) ? self == now : (self == .main) == (now == .main)
  }
}
