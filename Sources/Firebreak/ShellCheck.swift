internal import Glibc
internal import RuleStore

/// A command of the user's that says whether a commit is good: status 0.
public struct ShellCheck: Hashable, Sendable {
  public let command: String

  public init(_ command: String) { self.command = command }

  private static let pause: useconds_t = 10_000

  /// Runs it by `/bin/sh -c` with the caller's environment and output.
  /// - Parameter limit: it is killed after this time.
  /// - Returns: why it does not count as good; nil when it does.
  public func complaint(within limit: Duration) -> String? {
    var child: pid_t = 0
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A group of its own, so that all of it can be ended.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var words: [UnsafeMutablePointer<CChar>?] = ["sh", "-c", command].map { (word: String) in strdup(word) } + [nil]
    defer { for word in words { free(word) } }
    let code = posix_spawn(&child, "/bin/sh", nil, &attributes, &words, environ)
    guard code == 0 else { return "'\(command)' cannot be run: \(String(cString: strerror(code)))" }
    let deadline = BootTime.now + limit
    var status: Int32 = 0
    while true {
      let ended = waitpid(child, &status, WNOHANG)
      if ended == child { break }
      if ended < 0, errno != EINTR { return "'\(command)' got lost" }
      guard BootTime.now < deadline else {
        kill(-child, SIGKILL)
        waitpid(child, &status, 0)
        return "'\(command)' did not end within \(limit)"
      }
      usleep(Self.pause)
    }
    let signal = status & 0x7f
    if signal != 0 { return "'\(command)' was ended by signal \(signal)" }
    let exit = status >> 8 & 0xff
    return exit == 0 ? nil : "'\(command)' ended with status \(exit)"
  }
}
