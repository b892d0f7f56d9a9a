internal import Glibc

/// What tells one start of the machine from another.
package enum BootID {
  /// The kernel's random number for this start (random(4), /proc/sys/kernel/random/boot_id); empty where it has none.
  package static let current = read()

  /// Whether something noted in some start of the machine is of the present one. Where the kernel does not tell it is: what
  /// is left undone then would stay so.
  package static func isPresent(_ boot: String) -> Bool { boot == current || current.isEmpty || boot.isEmpty }

  private static func read() -> String {
    let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      var count = 0
      repeat { count = Glibc.read(file, buffer.baseAddress!, buffer.count) } while count < 0 && errno == EINTR
      return String(decoding: buffer.prefix(max(0, count)).prefix { $0 > 0x20 }, as: UTF8.self)
    }
  }
}
