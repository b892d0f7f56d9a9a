import CLinux
import Glibc

/// A network namespace of a test's own, with its loopback device up, and a directory of its own; both are removed with
/// the value, or when the process ends in any way. Programs and code in it take a lock of their own, so that tests do not wait for each other.
public final class TestNamespace: Sendable {
  /// `fbt-` and random digits, as `ip netns` knows it.
  public let name: String
  /// A directory that only this test uses.
  public let directory: String

  /// Where a `firebreak` in this namespace keeps its state.
  public var stateDirectory: String { directory + "/state" }
  /// What takes the place of /run/xtables.lock.
  public var lockPath: String { directory + "/xtables.lock" }

  public init() throws {
    name = Sweeper.prefix + String(UInt64.random(in: 1 << 36..<1 << 40), radix: 16)
    var template = Array("/tmp/\(name)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ProcessFailure("cannot make a temporary directory") }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let made = try runProcess(["ip", "netns", "add", name])
    guard made.status == 0 else {
      rmdir(directory)
      throw ProcessFailure("ip netns add: \(made.stderr)")
    }
    try run(["ip", "link", "set", "lo", "up"])
  }

  deinit {
    _ = try? runProcess(["ip", "netns", "delete", name])
    _ = try? runProcess(["rm", "-rf", "--", directory])
  }

  /// Runs a program inside; see ``runProcess(_:input:environment:timeout:)``.
  @discardableResult
  public func run(
    _ argv: [String], input: String = "", environment: [String: String?] = [:], timeout: Double = 60
  ) throws -> ProcessResult {
    var environment = environment
    if environment["XTABLES_LOCKFILE"] == nil { environment["XTABLES_LOCKFILE"] = lockPath }
    return try runProcess(
      ["ip", "netns", "exec", name] + argv, input: input, environment: environment, timeout: timeout)
  }

  /// The same, and a status other than 0 is thrown.
  @discardableResult
  public func require(
    _ argv: [String], input: String = "", environment: [String: String?] = [:], timeout: Double = 60
  ) throws -> ProcessResult {
    let result = try run(argv, input: input, environment: environment, timeout: timeout)
    guard result.status == 0 else { throw ProcessFailure("\(argv.joined(separator: " ")): \(result)") }
    return result
  }

  /// Runs the `firebreak` that was just built, inside, with a state directory of this namespace, and with the backend
  /// `legacy` unless another is named.
  @discardableResult
  public func firebreak(
    _ arguments: [String], input: String = "", environment: [String: String?] = [:], timeout: Double = 60
  ) throws -> ProcessResult {
    var arguments = arguments
    if !arguments.contains("--state-dir") { arguments += ["--state-dir", stateDirectory] }
    if !arguments.contains("--backend") { arguments += ["--backend", "legacy"] }
    return try run([Built.firebreak] + arguments, input: input, environment: environment, timeout: timeout)
  }

  /// Runs `body` on a thread of its own inside, and waits for it.
  public func enter<R>(_ body: () throws -> R) throws -> R {
    let descriptor = open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ProcessFailure("cannot open namespace \(name)") }
    defer { close(descriptor) }
    return try withoutActuallyEscaping(body) { body in
      let visit = Visit(body)
      let code = fb_in_network_namespace(
        descriptor, { context in Unmanaged<AnyVisit>.fromOpaque(context!).takeUnretainedValue().run() },
        Unmanaged<AnyVisit>.passUnretained(visit).toOpaque())
      guard code == 0 else { throw ProcessFailure("cannot enter namespace \(name): error \(code)") }
      return try visit.outcome()
    }
  }

  /// Writes a file into the test's directory and returns its path.
  public func file(_ name: String, _ text: String) throws -> String { try file(name, Array(text.utf8)) }

  public func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = "\(directory)/\(name)"
    guard let stream = fopen(path, "we") else { throw ProcessFailure("cannot write \(path)") }
    let count = fwrite(bytes, 1, bytes.count, stream)
    guard fclose(stream) == 0, count == bytes.count else { throw ProcessFailure("cannot write \(path)") }
    return path
  }
}

private class AnyVisit {
  func run() {}
}

private final class Visit<R>: AnyVisit {
  private var body: (() throws -> R)?
  private var result: Result<R, any Error>?
  init(_ body: @escaping () throws -> R) { self.body = body }

  override func run() {
    result = Result { try body!() }
    body = nil
  }

  func outcome() throws -> R {
    guard let result else { throw ProcessFailure("the thread did not run") }
    return try result.get()
  }
}
