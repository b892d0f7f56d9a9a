import Glibc

/// What this build made.
public enum Built {
  /// The `firebreak` beside the test bundle; FIREBREAK_PROGRAM names another.
  public static let firebreak: String = {
    if let named = getenv("FIREBREAK_PROGRAM") { return String(cString: named) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = buffer.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    let own = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    let folders = [own, CommandLine.arguments.first ?? ""].map {
      $0.split(separator: "/", omittingEmptySubsequences: false)
    }
    for folder in folders.map({ $0.dropLast().joined(separator: "/") }) + [packageDirectory + "/.build/debug"] {
      guard access(folder + "/firebreak", X_OK) == 0, let path = realpath(folder + "/firebreak", nil) else { continue }
      defer { free(path) }
      return String(cString: path)
    }
    return "firebreak"
  }()

  /// Where Package.swift is.
  public static let packageDirectory: String = {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/")
  }()
}
