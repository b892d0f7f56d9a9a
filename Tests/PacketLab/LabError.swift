import Glibc

/// The laboratory itself does not work.
public struct LabError: Error, CustomStringConvertible {
  public let description: String
  init(_ what: String) { description = what }

  /// `errno` told in words.
  static func system(_ what: String, _ code: Int32 = errno) -> LabError {
    LabError("\(what): \(String(cString: strerror(code)))")
  }
}
