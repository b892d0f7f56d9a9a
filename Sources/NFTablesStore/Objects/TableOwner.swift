internal import Glibc
package import RuleStore

/// Who keeps a table for itself: the kernel names a netlink port, which is most often the number of a process but need
/// not be.
package struct TableOwner: Hashable, Sendable, CustomStringConvertible {
  package let port: UInt32
  /// Its number and name, where it could be found.
  package let process: RunningProcess?

  /// Looks the process up, in the present network namespace.
  package init(port: UInt32) {
    self.port = port
    process = Self.socket(of: port).flatMap(RunningProcess.holding)
  }

  package var description: String {
    process.map { "process \($0.id) (\($0.name))" } ?? "the program with netlink port \(port)"
  }

  /// `NETLINK_NETFILTER`
  private static let netfilter = 12

  /// The inode of the socket with a port (proc(5), /proc/net/netlink).
  private static func socket(of port: UInt32) -> UInt64? {
    for line in text(of: "/proc/thread-self/net/netlink").split(separator: "\n").dropFirst() {
      let words = line.split(separator: " ")
      guard words.count >= 10, Int(words[1]) == netfilter, UInt32(words[2]) == port else { continue }
      return UInt64(words[9])
    }
    return nil
  }

  private static func text(of path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 64 << 10)
    while bytes.count < 16 << 20 {
      let count = piece.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += piece[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
