internal import Glibc

/// A system call that failed: what was tried, on which file, and why not.
public struct SystemError: Error, Hashable, Sendable {
  public let operation: String
  public let path: String
  /// `errno`.
  public let code: Int32

  /// Runs a call that reports failure with a negative number; errno is read right behind it. Interrupted calls go on.
  @discardableResult
  static func check<T: SignedInteger>(_ operation: String, _ path: String, _ call: () -> T) throws(SystemError) -> T {
    while true {
      let result = call()
      guard result < 0 else { return result }
      let code = errno
      guard code == EINTR else { throw SystemError(operation: operation, path: path, code: code) }
    }
  }
}

extension SystemError: CustomStringConvertible {
  public var description: String { "cannot \(operation) \(path): \(String(cString: strerror(code)))" }
}
