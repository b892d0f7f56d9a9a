internal import CLinux
internal import Glibc

/// Runs `body` on a thread of its own that C code has put somewhere else, and waits for it.
/// - Parameter enter: starts the thread; returns 0, or an error number when `body` was not called.
/// - Throws: ``StagingFailure`` with `what` where the thread could not get there, or what `body` throws.
func visiting<R>(
  _ what: StaticString, _ enter: (@convention(c) (UnsafeMutableRawPointer?) -> Void, UnsafeMutableRawPointer) -> Int32,
  _ body: () throws -> R
) throws -> R {
  try withoutActuallyEscaping(body) { body in
    let visit = Visit(body)
    let code = enter(
      { context in Unmanaged<AnyVisit>.fromOpaque(context!).takeUnretainedValue().run() },
      Unmanaged<AnyVisit>.passUnretained(visit).toOpaque())
    guard code == 0, let outcome = visit.outcome else { throw StagingFailure("\(what)", code: code) }
    visit.forget()
    return try outcome.get()
  }
}

private class AnyVisit {
  func run() {}
}

private final class Visit<R>: AnyVisit {
  private var body: (() throws -> R)?
  private(set) var outcome: Result<R, any Error>?

  init(_ body: @escaping () throws -> R) { self.body = body }

  override func run() { outcome = Result { try body!() } }

  func forget() { body = nil }
}

/// Why no copy of the live rules could be set up; nothing was changed.
public struct StagingFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public let what: String
  public let hint: String?
  /// `errno`, 0 where none applies.
  public let code: Int32

  init(_ what: String, code: Int32 = 0, hint: String? = nil) {
    self.what = what
    self.code = code
    self.hint = hint
  }

  public var description: String { code == 0 ? what : "\(what): \(String(cString: strerror(code)))" }
}

/// Calls until it is not interrupted.
/// - Throws: ``StagingFailure`` with `errno` when the result is negative.
@discardableResult
func staged<T: SignedInteger>(_ what: @autoclosure () -> String, _ call: () -> T) throws(StagingFailure) -> T {
  while true {
    let result = call()
    guard result < 0 else { return result }
    let code = errno
    guard code == EINTR else { throw StagingFailure(what(), code: code) }
  }
}
