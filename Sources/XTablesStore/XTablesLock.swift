internal import Glibc
internal import RuleStore
internal import Synchronization

/// The lock that every iptables program takes: `flock` on /run/xtables.lock, or on the file that `XTABLES_LOCKFILE` names
/// (iptables(8), `-w`).
final class XTablesLock: WriteLock {
  private let descriptor: Mutex<Int32?>

  /// How long to sleep between two tries.
  private static let pause: useconds_t = 10_000

  /// Waits for the lock for at most `limit`.
  /// - Throws: ``BackendError`` of kind `busy` when the time is over, `system` when the file cannot be opened.
  init(path: String, waiting limit: Duration) throws(BackendError) {
    let file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      let code = errno
      throw BackendError(.system, "cannot open the lock file \(path): \(describe(code))", code: code)
    }
    let deadline = BootTime.now + limit
    while flock(file, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      guard code == EWOULDBLOCK, BootTime.now < deadline else {
        close(file)
        guard code == EWOULDBLOCK else {
          throw BackendError(.system, "cannot lock \(path): \(describe(code))", code: code)
        }
        throw BackendError(
          .busy, "another program holds \(path) and did not release it within \(limit)",
          hint: "wait longer with -w SECONDS", code: code)
      }
      usleep(Self.pause)
    }
    descriptor = Mutex(file)
  }

  deinit { release() }

  func release() {
    descriptor.withLock { file in
      if let open = file {
        // A child that this process is just starting has the file open too; closing alone would leave it locked.
        flock(open, LOCK_UN)
        close(open)
      }
      file = nil
    }
  }
}

func describe(_ code: Int32) -> String { String(cString: strerror(code)) }
