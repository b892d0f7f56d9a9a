internal import Glibc

/// Why a hook was not installed or removed. Unless it says otherwise nothing was changed.
package enum HookFailure: Error, Hashable, Sendable {
  /// These files are there and not Firebreak's.
  case foreign([String])
  /// The folder leads out of the root through a symbolic link.
  case outside(String, root: String)
  /// The root is not there, or no folder.
  case noRoot(String, code: Int32)
  /// A path that cannot be written into the file that calls it.
  case unwritable(String, reason: String)
  /// A system call failed; what came before it is done.
  case system(operation: String, path: String, code: Int32)
}

extension HookFailure: CustomStringConvertible {
  package var description: String {
    switch self {
    case .foreign(let paths): "not Firebreak's, and left as it is: \(paths.joined(separator: ", "))"
    case .outside(let path, let root): "\(path) leads out of \(root); nothing is written there"
    case .noRoot(let path, let code): "\(path): \(String(cString: strerror(code)))"
    case .unwritable(let path, let reason): "the path \(path) cannot be used: \(reason)"
    case .system(let operation, let path, let code): "cannot \(operation) \(path): \(String(cString: strerror(code)))"
    }
  }
}
