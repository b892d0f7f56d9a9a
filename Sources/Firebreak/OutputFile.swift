internal import Glibc

/// A file that is written whole or not at all.
public enum OutputFile {
  /// Why a file cannot be written.
  public struct Unwritable: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    /// `errno`.
    public let code: Int32
    public var description: String { "cannot write \(path): \(String(cString: strerror(code)))" }
  }

  /// Writes a file in place of one that has its name, safe from a loss of power when it returns. What is not
  /// a plain file, such as a device or pipe, is written to as it is.
  /// - Throws: ``Unwritable``; the file is then as it was.
  public static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o600) throws(Unwritable) {
    var info = stat()
    if stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFREG {
      return try fill(path, O_WRONLY, bytes, isSynced: false, name: path)
    }
    let slash = path.lastIndex(of: "/")
    let directory = slash.map { String(path[...$0]) } ?? "."
    let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
    let unfinished = (slash == nil ? "" : directory) + ".\(name).\(getpid()).new"
    unlink(unfinished)
    do throws(Unwritable) {
      try fill(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, bytes, isSynced: true, name: path, mode: mode)
      if rename(unfinished, path) != 0 { throw Unwritable(path: path, code: errno) }
    } catch {
      unlink(unfinished)
      throw error
    }
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unwritable(path: path, code: errno) }
    defer { close(descriptor) }
    if fsync(descriptor) != 0 { throw Unwritable(path: path, code: errno) }
  }

  private static func fill(
    _ path: String, _ flags: Int32, _ bytes: [UInt8], isSynced: Bool, name: String, mode: mode_t? = nil
  ) throws(Unwritable) {
    let descriptor = open(path, flags | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Unwritable(path: name, code: errno) }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Unwritable(path: name, code: count == 0 ? ENOSPC : errno) }
      done += count
    }
    // Whatever the umask is.
    if let mode, fchmod(descriptor, mode) != 0 { throw Unwritable(path: name, code: errno) }
    if isSynced, fsync(descriptor) != 0 { throw Unwritable(path: name, code: errno) }
  }
}
