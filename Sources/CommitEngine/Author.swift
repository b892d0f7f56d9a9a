internal import Glibc
internal import Netfilter

/// Who made a commit.
public struct Author: Hashable, Sendable {
  /// The user that the process acts as.
  public let user: UInt32
  /// The user that logged in in the first place (/proc/self/loginuid, see pam_loginuid(8)); nil where nobody did.
  public let login: UInt32?
  /// The name of who called sudo(8) (`SUDO_USER`); it is what the environment says.
  public let sudo: String?

  public init(user: UInt32, login: UInt32? = nil, sudo: String? = nil) {
    self.user = user
    self.login = login
    self.sudo = sudo
  }

  /// Of this process.
  public static var current: Author {
    Author(user: geteuid(), login: loginUser, sudo: getenv("SUDO_USER").map { String(cString: $0) })
  }

  private static var loginUser: UInt32? {
    let file = open("/proc/self/loginuid", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    let text = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { buffer in
      let count = read(file, buffer.baseAddress!, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)).prefix { $0 > 0x20 }, as: UTF8.self)
    }
    return UInt32(text).flatMap { $0 == .max ? nil : $0 }
  }
}
