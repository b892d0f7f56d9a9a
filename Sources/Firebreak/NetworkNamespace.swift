internal import CLinux
internal import Glibc

/// A network namespace by name (as `ip netns` keeps them, in /run/netns) or by path.
public struct NetworkNamespace: Hashable, Sendable {
  public let path: String

  public struct Unavailable: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    /// `errno`.
    public let code: Int32
    public var description: String { "network namespace \(path): \(String(cString: strerror(code)))" }
  }

  public init(_ nameOrPath: String) {
    path = nameOrPath.contains("/") ? nameOrPath : "/run/netns/\(nameOrPath)"
  }

  /// Moves the calling thread into it, for good.
  public func enter() throws(Unavailable) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unavailable(path: path, code: errno) }
    defer { close(descriptor) }
    let code = fb_enter_network_namespace(descriptor)
    guard code == 0 else { throw Unavailable(path: path, code: code) }
  }
}
