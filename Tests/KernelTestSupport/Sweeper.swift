import Glibc

/// Removes what a test process leaves when it is killed or crashes: a shell waits beside it for its end.
enum Sweeper {
  /// The beginning of every name that this process gives.
  static let prefix: String = {
    let prefix = "fbt-\(String(getpid(), radix: 36))-"
    start(prefix)
    return prefix
  }()

  private static func start(_ prefix: String) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let script = """
      trap '' HUP INT TERM; read -r nothing
      for space in /run/netns/\(prefix)*; do [ -e "$space" ] && ip netns delete "${space##*/}"; done
      rm -rf -- /tmp/\(prefix)*
      """
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    for output: Int32 in [1, 2] { posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    let words: [String] = ["sh", "-c", script]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var child: pid_t = 0
    _ = posix_spawnp(&child, "sh", &actions, &attributes, &arguments, environ)
    for argument in arguments { free(argument) }
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
    close(ends[0])  // the other end stays open as long as this process lives
  }
}
