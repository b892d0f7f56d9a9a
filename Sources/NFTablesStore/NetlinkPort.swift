internal import CNFTables
internal import Glibc

/// The address of a program's netlink socket, by which the kernel knows who owns a table.
package struct NetlinkPort: Hashable, Sendable {
  package let number: UInt32

  package init(_ number: UInt32) { self.number = number }

  /// `process 123 (nft)`, or the port where its process cannot be seen from here.
  package var ownerName: String {
    guard let process = process() else { return "a process that cannot be seen from here (netlink port \(number))" }
    let name = Self.text(of: "/proc/\(process)/comm").split(separator: "\n").first ?? "?"
    return "process \(process) (\(name))"
  }

  /// The process that has the socket open. A program's first socket usually has its number as port, later ones have not.
  private func process() -> pid_t? {
    guard let inode else { return nil }
    let likely = pid_t(bitPattern: number)
    if likely > 0, Self.hasOpen(likely, inode) { return likely }
    guard let directory = opendir("/proc") else { return nil }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      guard let process = pid_t(Self.name(of: entry)), process != likely else { continue }
      if Self.hasOpen(process, inode) { return process }
    }
    return nil
  }

  /// Of the socket, from the list of this network namespace (`sk Eth Pid Groups … Inode`).
  private var inode: Substring? {
    for line in Self.text(of: "/proc/thread-self/net/netlink").split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ")
      if fields.count > 3, fields[1] == "\(NETLINK_NETFILTER)", fields[2] == "\(number)" { return fields.last }
    }
    return nil
  }

  private static func hasOpen(_ process: pid_t, _ inode: Substring) -> Bool {
    let path = "/proc/\(process)/fd"
    guard let directory = opendir(path) else { return false }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let target = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
        let count = readlink("\(path)/\(name(of: entry))", buffer.baseAddress!, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
      }
      if target == "socket:[\(inode)]" { return true }
    }
    return false
  }

  private static func name(of entry: UnsafeMutablePointer<dirent>) -> String {
    withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// A file of /proc; empty where it cannot be read.
  private static func text(of path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes: [UInt8] = []
    withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
      while bytes.count < 4 << 20 {
        let count = read(file, buffer.baseAddress!, buffer.count)
        guard count > 0 else { return }
        bytes += buffer[..<count]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
