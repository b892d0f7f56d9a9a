internal import Glibc
internal import RuleStore

/// Keeps two Firebreaks with the same state apart, for as long as it lives.
final class EngineLock {
  private let descriptor: Int32

  /// The state is in use by another Firebreak.
  struct Busy: Error {
    let path: String
  }

  init(_ path: String, waiting limit: Duration) throws {
    descriptor = try SystemError.check("open the lock file", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
    let deadline = BootTime.now + limit
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      guard code == EWOULDBLOCK else {
        close(descriptor)
        throw SystemError(operation: "lock", path: path, code: code)
      }
      guard BootTime.now < deadline else {
        close(descriptor)
        throw Busy(path: path)
      }
      usleep(10_000)
    }
  }

  deinit {
    // A child that this process is just starting has the file open too; closing alone would leave it locked.
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }
}
