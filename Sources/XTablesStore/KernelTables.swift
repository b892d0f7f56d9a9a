internal import Glibc
internal import Netfilter

/// The tables that exist in the calling thread's network namespace. Asking does not make any.
enum KernelTables {
  /// Whether the kernel has them at all, loaded or built in.
  static var isAvailable: Bool { access("/proc/thread-self/net/ip_tables_names", F_OK) == 0 }

  /// In the kernel's order, the one made last first (/proc/net/ip_tables_names, /proc/net/ip6_tables_names). Empty when
  /// the kernel has no such tables at all.
  static func existing(_ family: Family) -> [TableName] {
    let path = family == .ipv4 ? "/proc/thread-self/net/ip_tables_names" : "/proc/thread-self/net/ip6_tables_names"
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    return withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
      let count = Glibc.read(file, buffer.baseAddress, buffer.count)
      guard count > 0 else { return [] }
      let text = String(decoding: buffer[..<count], as: UTF8.self)
      return text.split(separator: "\n").compactMap { TableName(rawValue: String($0)) }
    }
  }
}
