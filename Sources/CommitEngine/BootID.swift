internal import Glibc

/// What tells one start of the machine from another.
package enum BootID {
  /// The kernel's random number for this start (random(4), /proc/sys/kernel/random/boot_id); empty where it has none.
  @TaskLocal package static var current: String = read

  private static let read: String = {
    let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      let count = Glibc.read(file, buffer.baseAddress!, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)).prefix { $0 > 0x20 }, as: UTF8.self)
    }
  }()
}
