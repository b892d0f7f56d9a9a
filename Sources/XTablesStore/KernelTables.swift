internal import Glibc
internal import Netfilter
internal import RuleStore

/// The tables that exist in the calling thread's network namespace. Asking does not make any.
enum KernelTables {
  /// Whether the kernel has them at all, loaded or built in.
  static var isAvailable: Bool { access("/proc/thread-self/net/ip_tables_names", F_OK) == 0 }

  /// In the kernel's order, the one made last first (/proc/net/ip_tables_names, /proc/net/ip6_tables_names). Empty when
  /// the kernel has no such tables at all.
  /// - Throws: ``BackendError`` when the list cannot be read: without it nothing can be said of any table.
  static func existing(_ family: Family) throws(BackendError) -> [TableName] {
    let path = family == .ipv4 ? "/proc/thread-self/net/ip_tables_names" : "/proc/thread-self/net/ip6_tables_names"
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      if errno == ENOENT { return [] }
      throw problem(errno, family)
    }
    defer { close(file) }
    var text: [UInt8] = []
    var count = 0
    repeat {
      let part = [UInt8](unsafeUninitializedCapacity: 512) { buffer, filled in
        repeat { count = Glibc.read(file, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
        filled = max(0, count)
      }
      guard count >= 0 else { throw problem(errno, family) }
      text += part
    } while count > 0
    return text.split(separator: UInt8(ascii: "\n")).compactMap {
      TableName(rawValue: String(decoding: $0, as: UTF8.self))
    }
  }

  private static func problem(_ code: Int32, _ family: Family) -> BackendError {
    BackendError(
      code == EACCES || code == EPERM ? .notPermitted : .system,
      "the kernel does not tell which \(family) tables it has: \(String(cString: strerror(code)))", code: code)
  }
}
