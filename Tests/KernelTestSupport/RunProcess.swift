import Glibc

/// Runs a program to its end and returns what it printed. Input and output go through files without a name, so that no
/// pipe can fill up.
/// - Parameters:
///   - argv: the program, looked for in PATH when it has no slash, and its arguments.
///   - environment: set besides this process's own; nil removes.
///   - timeout: in seconds; after it the program and its children are killed.
/// - Throws: ``ProcessFailure`` when it cannot be started or takes too long. A status other than 0 is no failure.
@discardableResult
public func runProcess(
  _ argv: [String], input: [UInt8] = [], environment: [String: String?] = [:], timeout: Double = 60
) throws -> ProcessResult {
  let files = try (0..<3).map { _ in try NamelessFile() }
  try files[0].fill(input)
  let child = try spawn(argv, files.map(\.descriptor), mergedEnvironment(environment))
  let status = try wait(for: child, of: argv, timeout: timeout)
  return ProcessResult(status: status, output: try files[1].contents(), errors: try files[2].contents())
}

/// The same with text as input.
@discardableResult
public func runProcess(
  _ argv: [String], input: String, environment: [String: String?] = [:], timeout: Double = 60
) throws -> ProcessResult {
  try runProcess(argv, input: Array(input.utf8), environment: environment, timeout: timeout)
}

private func mergedEnvironment(_ changes: [String: String?]) -> [String] {
  var values: [String: String] = [:]
  var next = environ
  while let entry = next.pointee {
    let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
    next += 1
  }
  values["LC_ALL"] = "C"
  for (name, value) in changes { values[name] = value }
  return values.map { "\($0.key)=\($0.value)" }
}

private func spawn(_ argv: [String], _ descriptors: [Int32], _ environment: [String]) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  var attributes = posix_spawnattr_t()
  posix_spawn_file_actions_init(&actions)
  posix_spawnattr_init(&attributes)
  defer {
    posix_spawn_file_actions_destroy(&actions)
    posix_spawnattr_destroy(&attributes)
  }
  for (number, descriptor) in descriptors.enumerated() {
    posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
  }
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
  var arguments = argv.map { strdup($0) } + [nil]
  var variables = environment.map { strdup($0) } + [nil]
  defer {
    for pointer in arguments + variables { free(pointer) }
  }
  var child: pid_t = 0
  let code = posix_spawnp(&child, argv[0], &actions, &attributes, &arguments, &variables)
  guard code == 0 else { throw ProcessFailure("cannot run \(argv[0]): \(String(cString: strerror(code)))") }
  return child
}

private func wait(for child: pid_t, of argv: [String], timeout: Double) throws -> Int32 {
  let deadline = ContinuousClock.now + .seconds(timeout)
  var status: Int32 = 0
  while true {
    let ended = waitpid(child, &status, WNOHANG)
    if ended == child { break }
    if ended < 0, errno != EINTR { throw ProcessFailure("waiting for \(argv[0]) failed") }
    guard ContinuousClock.now < deadline else {
      kill(-child, SIGKILL)
      while waitpid(child, &status, 0) < 0, errno == EINTR {}
      throw ProcessFailure("\(argv.joined(separator: " ")) took longer than \(timeout) s")
    }
    usleep(500)
  }
  let signal = status & 0x7f
  return signal == 0 ? status >> 8 & 0xff : 128 + signal
}

/// A file that is gone when closed.
private final class NamelessFile {
  let descriptor: Int32

  init() throws {
    let path = "/tmp/fbt-io-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw ProcessFailure("cannot make a temporary file") }
    unlink(path)
  }

  deinit { close(descriptor) }

  func fill(_ bytes: [UInt8]) throws {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      guard count > 0 else { throw ProcessFailure("cannot write a temporary file") }
      done += count
    }
    lseek(descriptor, 0, SEEK_SET)
  }

  func contents() throws -> [UInt8] {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    var bytes = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress! + done, size - done, done) }
      guard count > 0 else { throw ProcessFailure("cannot read a temporary file") }
      done += count
    }
    return bytes
  }
}
