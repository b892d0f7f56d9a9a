internal import CLinux
internal import Glibc

/// A network namespace without interfaces that lives as long as this value and the processes in it.
final class StagingNamespace: Sendable {
  let descriptor: Int32

  init() throws {
    descriptor = try visiting("a network namespace cannot be made here", fb_in_fresh_network_namespace) {
      try staged("a network namespace cannot be kept") { open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) }
    }
  }

  deinit { close(descriptor) }

  /// Runs `body` inside.
  func enter<R>(_ body: () throws -> R) throws -> R {
    try visiting(
      "the staging namespace cannot be entered", { fb_in_network_namespace(self.descriptor, $0, $1) }, body)
  }
}
