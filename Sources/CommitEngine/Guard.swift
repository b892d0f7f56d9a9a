internal import CLinux
internal import Glibc
internal import Netfilter
public import RuleStore

/// The process that takes a commit back when nobody declares it good in time. It lives in a session of its own, deaf to
/// hang-ups and requests to end, and holds everything that it needs in memory.
enum GuardProcess {
  /// Where a guard says which commit it watches, and whose lock it holds as long as it does.
  static let file = "guard"
  private static let startLimit = Duration.seconds(10)

  /// Starts the guard of a commit, and waits until it watches.
  /// - Throws: ``CommitEngine/Failure/noGuard(_:)``
  static func start(_ command: RecoveryCommand, _ nonce: UInt64, _ state: StateDirectory) throws(CommitEngine.Failure) {
    let words = command.arguments + ["--nonce", String(nonce, radix: 16), "--parent", String(getpid())]
    var life: Int32 = -1
    let code = launch(command.program, words, nonce, &life)
    guard code == 0 else { throw .noGuard(String(cString: strerror(code))) }
    defer { if life >= 0 { close(life) } }
    let deadline = BootTime.now + startLimit
    while !isWatching(nonce, state) {
      guard !hasEnded(life) else { throw .noGuard("it ended at once") }
      guard BootTime.now < deadline else { throw .noGuard("it did not answer within \(startLimit)") }
      usleep(1_000)
    }
  }

  /// - Parameter life: what the guard has the other end of; -1 where that is not known.
  private static func hasEnded(_ life: Int32) -> Bool {
    var poll = pollfd(fd: life, events: Int16(POLLIN), revents: 0)
    return life >= 0 && Glibc.poll(&poll, 1, 0) > 0
  }

  /// Under systemd the guard is a unit of its own, because the end of a session may take all its processes with it;
  /// else a process without a terminal.
  private static func launch(_ program: String, _ words: [String], _ nonce: UInt64, _ life: inout Int32) -> Int32 {
    if access("/run/systemd/system", F_OK) == 0 {
      let unit = "firebreak-guard-" + String(nonce, radix: 16)
      let namespace = "/proc/\(getpid())/task/\(fb_thread_number())/ns/net"
      var systemd = [
        "systemd-run", "--quiet", "--collect", "--unit", unit, "--description",
        "takes an unconfirmed firewall commit back",
      ]
      if let lock = getenv("XTABLES_LOCKFILE") { systemd += ["--setenv", "XTABLES_LOCKFILE=\(String(cString: lock))"] }
      systemd += ["--", program]
      if run("systemd-run", systemd + words.dropFirst() + ["--netns", namespace]) == 0 { return 0 }
    }
    return withArguments(words) { fb_start_detached(program, $0, &life) }
  }

  private static func run(_ program: String, _ words: [String]) -> Int32 {
    withArguments(words) { fb_run_quietly(program, $0) }
  }

  private static func withArguments(_ words: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32)
    -> Int32
  {
    var arguments = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    return body(arguments)
  }

  /// Whether a guard holds its file, and for this commit.
  static func isWatching(_ nonce: UInt64, _ state: StateDirectory) -> Bool {
    let descriptor = open(state.file(file), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var written: UInt64 = 0
    guard pread(descriptor, &written, 8, 0) == 8, written == nonce else { return false }
    guard flock(descriptor, LOCK_SH | LOCK_NB) != 0 else {
      flock(descriptor, LOCK_UN)
      return false
    }
    return errno == EWOULDBLOCK
  }
}

extension CommitEngine {
  /// What a guard did.
  public enum Watched: Hashable, Sendable {
    /// The commit was declared good, or taken back by somebody else.
    case finished
    /// It took the commit back.
    case takenBack([TableID])
  }

  private static let tick: Int32 = 250
  private static let attempts = 60

  /// Watches over a commit until it is finished, and takes it back when its time is over or who made it dies too early.
  /// - Parameters:
  ///   - nonce: of the commit.
  ///   - parent: the process that makes it.
  /// - Throws: what taking it back threw the last time, after many attempts.
  public func standGuard(nonce: UInt64, parent: Int32) throws -> Watched {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGTSTP] {
      Glibc.signal(signal, SIG_IGN)
    }
    guard let journal = try journal(), journal.head.nonce == nonce else { return .finished }
    let file = try WatchedJournal(state, journal.head)
    let maker = fb_open_process(parent)
    let seat = try GuardSeat(state, nonce)
    defer { withExtendedLifetime(seat) {} }
    while true {
      let isParentGone = wait(maker)
      let head = file.head
      guard head.phase != .finished else { return .finished }
      if head.deadline <= .now || (isParentGone && head.phase.needsItsMaker) {
        if let done = try takeBackAtLast(journal, file) { return done }
      }
    }
  }

  /// Waits a moment, or until the process ends.
  private func wait(_ process: Int32) -> Bool {
    var isGone = process < 0
    if !isGone {
      var poll = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
      isGone = Glibc.poll(&poll, 1, Self.tick) > 0
    }
    if isGone { usleep(UInt32(Self.tick) * 1_000) }
    return isGone
  }

  /// Whatever stands in the way: another program that holds a lock, a directory that is gone.
  /// - Returns: nil when the commit turned out to have time left.
  private func takeBackAtLast(_ journal: Journal, _ file: WatchedJournal) throws -> Watched? {
    var options = RuleStore.CommitOptions()
    options.lockWait = .seconds(10)
    for attempt in 1... {
      do {
        let lock = try? lockState(options)
        defer { withExtendedLifetime(lock) {} }
        let head = file.head
        guard head.phase != .finished, (try? isPublished(head.nonce)) != true else { return .finished }
        if head.phase == .awaiting, head.deadline > .now { return nil }
        let plan = try takeBack(journal.record, in: head.phase, options)
        audit.note(.notConfirmed(plan.tables))
        return .takenBack(plan.tables)
      } catch {
        guard attempt < Self.attempts else { throw error }
        sleep(1)
      }
    }
    preconditionFailure("the last attempt returns or throws")
  }
}

/// The journal that a guard watches: the file itself, whatever becomes of its name.
private final class WatchedJournal {
  private let descriptor: Int32
  private var last: Journal.Head

  init(_ state: StateDirectory, _ head: Journal.Head) throws(SystemError) {
    last = head
    let path = state.file(CommitEngine.pending)
    descriptor = try SystemError.check("open", path) { open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) }
  }

  deinit { close(descriptor) }

  /// As it is now; as it was last where it cannot be read.
  var head: Journal.Head {
    var bytes = [UInt8](repeating: 0, count: Journal.headSize)
    if bytes.withUnsafeMutableBytes({ pread(descriptor, $0.baseAddress, $0.count, 0) }) == bytes.count,
      let head = try? Journal.head(of: bytes)
    {
      last = head
    }
    return last
  }
}

/// A guard's place: the file that says that it watches.
private final class GuardSeat {
  private let descriptor: Int32

  init(_ state: StateDirectory, _ nonce: UInt64) throws {
    let path = state.file(GuardProcess.file)
    descriptor = try SystemError.check("open", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600) }
    // The guard of an earlier attempt of the same commit leaves in a moment.
    var isMine = false
    for _ in 0..<500 where !isMine {
      isMine = flock(descriptor, LOCK_EX | LOCK_NB) == 0
      if !isMine { usleep(10_000) }
    }
    guard isMine else { throw SystemError(operation: "lock", path: path, code: EWOULDBLOCK) }
    var nonce = nonce
    try SystemError.check("write", path) { pwrite(descriptor, &nonce, 8, 0) }
  }

  deinit { close(descriptor) }
}
