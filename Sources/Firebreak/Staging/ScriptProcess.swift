internal import CLinux
internal import Glibc
internal import RuleStore

/// A script that runs, with everything that it started and that stayed in its group.
struct ScriptProcess {
  let process: pid_t
  private let name: String

  /// Signals that are passed on to the script, and the one that tells of its end. They wait in line for this process.
  private static let signals = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD]
  private static let tick = timespec(tv_sec: 0, tv_nsec: 100_000_000)
  private static let grace = Duration.seconds(2)

  // MARK: Starting

  /// Starts it from the calling thread, whose view of files it gets.
  /// - Parameters:
  ///   - words: the path of the script, as the caller gave it, and its arguments, byte for byte.
  ///   - environment: `NAME=VALUE`, byte for byte.
  ///   - quiet: its results go where its errors go.
  init(_ words: [[CChar]], environment: [[CChar]], quiet: Bool, mask: sigset_t) throws {
    name = words[0].withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let path = try Self.path(of: name)
    var child: pid_t = 0
    var code = Self.start(&child, path, words, environment, quiet, mask)
    if code == ENOEXEC {
      let shell = access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh"
      let file = Array(path.utf8CString)
      code = Self.start(
        &child, shell, [Array(shell.utf8CString), file] + words.dropFirst(), environment, quiet, mask)
    }
    guard code == 0 else { throw ScriptRun.Unusable(name: name, reason: String(cString: strerror(code)), hint: nil) }
    process = child
  }

  /// As a shell finds it, but the present folder first, as `bash NAME` does.
  private static func path(of name: String) throws -> String {
    let missing = ScriptRun.Unusable(name: name, reason: "there is no such file", hint: nil)
    if !name.utf8.contains(UInt8(ascii: "/")) {
      if isFile(name) { return try usable("./" + name) }
      let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
      for folder in folders.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
        return "\(folder)/\(name)"
      }
      throw missing
    }
    guard isFile(name) else { throw missing }
    return try usable(name)
  }

  private static func isFile(_ path: String) -> Bool {
    var info = stat()
    return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFREG
  }

  private static func usable(_ path: String) throws -> String {
    guard access(path, X_OK) != 0 else { return path }
    throw ScriptRun.Unusable(
      name: path, reason: "it may not be executed", hint: "chmod +x it, or name its interpreter: bash \(path)")
  }

  private static func start(
    _ child: inout pid_t, _ path: String, _ words: [[CChar]], _ environment: [[CChar]], _ quiet: Bool, _ mask: sigset_t
  ) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    if quiet { posix_spawn_file_actions_adddup2(&actions, 2, 1) }
    var mask = mask
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    posix_spawnattr_setsigmask(&attributes, &mask)
    return withPointers(words) { words in
      withPointers(environment) { environment in posix_spawn(&child, path, &actions, &attributes, words, environment) }
    }
  }

  private static func withPointers<R>(
    _ texts: [[CChar]], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers = texts.map { text in text.withUnsafeBufferPointer { strdup($0.baseAddress!) } }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers)
  }

  // MARK: Signals and the terminal

  /// Makes the signals wait.
  /// - Returns: the mask that was there before.
  static func holdSignals() -> sigset_t {
    var held = sigset_t()
    var before = sigset_t()
    sigemptyset(&held)
    for signal in signals + [SIGTTOU] { sigaddset(&held, signal) }
    pthread_sigmask(SIG_BLOCK, &held, &before)
    return before
  }

  static func releaseSignals(_ mask: sigset_t) {
    var mask = mask
    pthread_sigmask(SIG_SETMASK, &mask, nil)
  }

  /// Lets the script read from the terminal, where this process could.
  func takeTerminal() {
    guard isatty(0) == 1, tcgetpgrp(0) == getpgrp() else { return }
    tcsetpgrp(0, process)
    kill(-process, SIGCONT)
  }

  func giveTerminalBack() {
    if isatty(0) == 1, tcgetpgrp(0) == process { tcsetpgrp(0, getpgrp()) }
  }

  // MARK: Waiting

  /// Waits until the script and everything in its group has ended.
  /// - Parameter onTick: called now and then with the time that it has run.
  func wait(within limit: Duration, _ onTick: (Duration) -> Void) -> ScriptRun.Ending {
    let begin = BootTime.now
    var ending: ScriptRun.Ending?
    var passedOn: Int32?
    while true {
      switch reap() {
      case .ended(let status):
        ending = status & 0x7f == 0 ? .exit(status >> 8 & 0xff) : .signal(status & 0x7f)
        continue
      case .nobody:
        if let passedOn { return .interrupted(by: passedOn) }
        return ending ?? .exit(0)
      case .running: break
      }
      let time = BootTime.now - begin
      guard time < limit else {
        end()
        return ending.map { .leftBehind($0) } ?? .timeout
      }
      onTick(time)
      if let signal = nextSignal() {
        passedOn = signal
        kill(-process, signal)
        kill(-process, SIGCONT)
      }
    }
  }

  private enum Found {
    case ended(Int32)
    case running
    case nobody
  }

  /// Ends of members of the group; those without a parent are this process's.
  private func reap() -> Found {
    var main: Int32?
    for _ in 0..<4096 {
      var status: Int32 = 0
      let ended = waitpid(-process, &status, WNOHANG)
      if ended == process { main = status }
      if ended < 0, errno == EINTR { continue }
      if ended < 0 { return main.map { .ended($0) } ?? .nobody }
      if ended == 0 { break }
    }
    return main.map { .ended($0) } ?? .running
  }

  private func nextSignal() -> Int32? {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in Self.signals { sigaddset(&set, signal) }
    var tick = Self.tick
    let signal = sigtimedwait(&set, nil, &tick)
    return signal > 0 && signal != SIGCHLD ? signal : nil
  }

  /// Ends the group, first kindly, and then everything that the script has started.
  private func end() {
    kill(-process, SIGTERM)
    kill(-process, SIGCONT)
    let deadline = BootTime.now + Self.grace
    while BootTime.now < deadline {
      if case .nobody = reap() { break }
      usleep(10_000)
    }
    kill(-process, SIGKILL)
    for _ in 0..<500 {
      let left = Self.children
      if left.isEmpty { return }
      for child in left { kill(child, SIGKILL) }
      for child in left {
        var status: Int32 = 0
        waitpid(child, &status, WNOHANG)
      }
      usleep(10_000)
    }
  }

  /// Of this process: all of them are the script's, which it inherited.
  private static var children: [pid_t] {
    var result: [pid_t] = []
    guard let folder = opendir("/proc/self/task") else { return [] }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { start in
        start.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let list = name.hasPrefix(".") ? nil : StagingFolder.read("/proc/self/task/\(name)/children")
      result += (list ?? "").split(separator: " ").compactMap { pid_t($0) }
    }
    return result
  }
}
