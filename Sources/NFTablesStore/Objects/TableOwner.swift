internal import Glibc

/// Who keeps a table for itself: the kernel names a netlink port, which is most often the number of a process but need
/// not be.
package struct TableOwner: Hashable, Sendable, CustomStringConvertible {
  package let port: UInt32
  /// Its number and name, where it could be found.
  package let process: Process?

  package struct Process: Hashable, Sendable {
    package let id: Int32
    package let name: String
  }

  /// Looks the process up, in the present network namespace.
  package init(port: UInt32) {
    self.port = port
    process = Self.socket(of: port).flatMap(Self.holder)
  }

  package var description: String {
    process.map { "process \($0.id) (\($0.name))" } ?? "the program with netlink port \(port)"
  }

  /// `NETLINK_NETFILTER`
  private static let netfilter = 12
  /// No more processes and descriptors than so many are looked at.
  private static let limit = 1_000_000

  /// The inode of the socket with a port (proc(5), /proc/net/netlink).
  private static func socket(of port: UInt32) -> String? {
    for line in text(of: "/proc/thread-self/net/netlink").split(separator: "\n").dropFirst() {
      let words = line.split(separator: " ")
      guard words.count >= 10, Int(words[1]) == netfilter, UInt32(words[2]) == port else { continue }
      return String(words[9])
    }
    return nil
  }

  /// The first process that has a socket open.
  private static func holder(of inode: String) -> Process? {
    var looked = 0
    for process in names(in: "/proc") {
      guard let id = Int32(process) else { continue }
      for descriptor in names(in: "/proc/\(process)/fd") {
        looked += 1
        guard looked < limit else { return nil }
        guard link("/proc/\(process)/fd/\(descriptor)") == "socket:[\(inode)]" else { continue }
        return Process(id: id, name: String(text(of: "/proc/\(process)/comm").prefix { $0 != "\n" }))
      }
    }
    return nil
  }

  private static func names(in path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var result: [String] = []
    while let entry = readdir(directory), result.count < limit {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { start in
        start.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { result.append(name) }
    }
    return result
  }

  private static func link(_ path: String) -> String? {
    withUnsafeTemporaryAllocation(byteCount: 128, alignment: 1) { buffer in
      let count = readlink(path, buffer.baseAddress!, buffer.count)
      return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
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
