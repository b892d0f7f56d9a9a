internal import Glibc

/// Users by name (getpwuid(3)).
public enum SystemUser {
  /// The name, or the number where the system knows none.
  public static func name(_ user: UInt32) -> String {
    getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? String(user)
  }
}
