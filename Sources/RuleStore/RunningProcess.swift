internal import Glibc

/// A process of this machine, as /proc shows it (proc(5)).
package struct RunningProcess: Hashable, Sendable {
  package let id: Int32
  /// At most 15 bytes of the program's name.
  package let name: String

  /// The first process that holds a socket.
  /// - Parameter inode: of the socket, as /proc/net and sock_diag(7) give it.
  /// - Returns: nil where none is found, or may be looked at.
  package static func holding(socket inode: UInt64) -> RunningProcess? {
    var result: RunningProcess?
    forEach { process in
      guard process.sockets.contains(inode) else { return true }
      result = process
      return false
    }
    return result
  }

  /// The inodes of all sockets that processes of these names hold.
  package static func sockets(ofProcessesNamed names: Set<String>) -> Set<UInt64> {
    var result: Set<UInt64> = []
    forEach { process in
      if names.contains(process.name) { result.formUnion(process.sockets) }
      return true
    }
    return result
  }

  /// Calls `body` with one process after the other until it returns false.
  private static func forEach(_ body: (RunningProcess) -> Bool) {
    Folder.forEachName(in: "/proc") { name in
      guard let id = Int32(name) else { return true }
      return body(RunningProcess(id: id, name: command(of: id)))
    }
  }

  private var sockets: [UInt64] {
    var inodes: [UInt64] = []
    Folder.forEachName(in: "/proc/\(id)/fd") { name in
      if let inode = Self.socket("/proc/\(id)/fd/\(name)") { inodes.append(inode) }
      return true
    }
    return inodes
  }

  /// The inode in a link to `socket:[inode]`.
  private static func socket(_ link: String) -> UInt64? {
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      let count = readlink(link, buffer.baseAddress!, buffer.count)
      let target = buffer.prefix(max(0, count))
      guard target.starts(with: "socket:[".utf8), target.last == UInt8(ascii: "]") else { return nil }
      return UInt64(String(decoding: target.dropFirst(8).dropLast(), as: UTF8.self))
    }
  }

  private static func command(of id: Int32) -> String {
    let file = open("/proc/\(id)/comm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
      let count = read(file, buffer.baseAddress!, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
  }
}

private enum Folder {
  /// Calls `body` with the names in a folder until it returns false; never where the folder cannot be read.
  static func forEachName(in path: String, _ body: (String) -> Bool) {
    guard let stream = opendir(path) else { return }
    defer { closedir(stream) }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { start in
        start.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard body(name) else { return }
    }
  }
}
