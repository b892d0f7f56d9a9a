internal import Glibc

/// The directory where Firebreak keeps what has to outlive it: root's own, closed to all others.
public struct StateDirectory: Hashable, Sendable {
  public let path: String

  /// `/var/lib/firebreak`
  public static let standardPath = "/var/lib/firebreak"

  /// A directory that others could write to, or that is not a directory.
  public struct Unsafe: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "the state directory \(path) cannot be trusted: \(reason)" }
  }

  /// Opens the directory, making it with mode 0700 where it is not there.
  /// - Throws: ``SystemError``, or ``Unsafe`` when somebody else owns it or may write to it.
  public init(_ path: String = standardPath) throws {
    self.path = path
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      let code = errno
      throw SystemError(operation: "make the state directory", path: path, code: code)
    }
    var info = stat()
    try SystemError.check("examine", path) { lstat(path, &info) }
    guard info.st_mode & S_IFMT == S_IFDIR else { throw Unsafe(path: path, reason: "it is not a directory") }
    guard info.st_uid == geteuid() else { throw Unsafe(path: path, reason: "it belongs to user \(info.st_uid)") }
    guard info.st_mode & 0o022 == 0 else {
      throw Unsafe(path: path, reason: "others may write to it (mode \(String(info.st_mode & 0o777, radix: 8)))")
    }
  }

  /// The path for a process with another working directory.
  public var absolutePath: String {
    get throws(SystemError) {
      guard let resolved = realpath(path, nil) else {
        throw SystemError(operation: "find", path: path, code: errno)
      }
      defer { free(resolved) }
      return String(cString: resolved)
    }
  }

  /// Whether there is anything at the path; asking makes nothing.
  public static func exists(_ path: String = standardPath) -> Bool { access(path, F_OK) == 0 }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// The file whose lock keeps two Firebreaks apart. A state directory of its own has a lock of its own, so that
  /// namespaces with separate states do not wait for each other.
  var lockPath: String { path == Self.standardPath ? "/run/firebreak.lock" : file("lock") }

  // MARK: Files

  /// The bytes of a file, nil where there is none.
  /// - Parameter limit: read no more than its beginning.
  func read(_ name: String, limit: Int = .max) throws(SystemError) -> [UInt8]? {
    let path = file(name)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      let code = errno
      if code == ENOENT { return nil }
      throw SystemError(operation: "open", path: path, code: code)
    }
    defer { close(descriptor) }
    var info = stat()
    try SystemError.check("examine", path) { fstat(descriptor, &info) }
    let size = min(Int(info.st_size), limit)
    var bytes = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let count = try SystemError.check("read", path) {
        bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + done, size - done) }
      }
      guard count > 0 else { break }
      done += count
    }
    return Array(bytes.prefix(done))
  }

  /// Writes a file of mode 0600. It is there whole or not at all.
  /// - Parameter isDurable: it shall be there after a loss of power, too; the new name only after ``sync(_:)``.
  func write(to name: String, isDurable: Bool = false, _ body: (inout FileSink) -> Void) throws(SystemError) {
    let unfinished = name + ".new"
    try writeInPlace(to: unfinished, isDurable, body)
    try rename(unfinished, to: name)
  }

  private func writeInPlace(to name: String, _ isDurable: Bool, _ body: (inout FileSink) -> Void) throws(SystemError) {
    let path = file(name)
    let descriptor = try SystemError.check("write", path) {
      open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    defer { close(descriptor) }
    var sink = FileSink(descriptor, path)
    body(&sink)
    try sink.finish()
    if isDurable { try SystemError.check("write", path) { fsync(descriptor) } }
  }

  static func write(_ bytes: UnsafeRawBufferPointer, _ descriptor: Int32, _ path: String) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      done += try SystemError.check("write", path) {
        Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      }
    }
  }

  /// Puts bytes in place of a file's first ones, in one step and without needing room on the disk.
  func overwrite(_ bytes: [UInt8], atStartOf name: String) throws(SystemError) {
    let path = file(name)
    let descriptor = try SystemError.check("write", path) { open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW) }
    defer { close(descriptor) }
    try SystemError.check("write", path) { bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) } }
  }

  /// Adds a line at the end of a file of mode 0600.
  func append(_ line: String, to name: String) throws {
    let path = file(name)
    let descriptor = try SystemError.check("write", path) {
      open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }
    defer { close(descriptor) }
    let bytes = Array((line + "\n").utf8)
    try bytes.withUnsafeBytes { try Self.write($0, descriptor, path) }
  }

  /// Gives a file another name, in place of one that has it.
  func rename(_ old: String, to new: String) throws(SystemError) {
    try SystemError.check("rename", file(old)) { Glibc.rename(file(old), file(new)) }
  }

  /// Removes a file; one that is not there is no error.
  func remove(_ name: String) throws(SystemError) {
    guard unlink(file(name)) != 0 else { return }
    let code = errno
    if code != ENOENT { throw SystemError(operation: "remove", path: file(name), code: code) }
  }

  // MARK: Folders

  /// Makes the names in a folder safe from a loss of power.
  func sync(_ folder: String = ".") throws(SystemError) {
    let path = file(folder)
    let descriptor = try SystemError.check("open", path) { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(descriptor) }
    try SystemError.check("write", path) { fsync(descriptor) }
  }

  /// Makes a folder of mode 0700 where there is none.
  /// - Returns: whether it made one.
  func makeFolder(_ name: String) throws(SystemError) -> Bool {
    guard mkdir(file(name), 0o700) != 0 else { return true }
    let code = errno
    guard code == EEXIST else { throw SystemError(operation: "make", path: file(name), code: code) }
    return false
  }

  /// The names in a folder, in no order; none where there is no such folder.
  func names(in folder: String) throws(SystemError) -> [String] {
    let path = file(folder)
    guard let stream = opendir(path) else {
      let code = errno
      if code == ENOENT { return [] }
      throw SystemError(operation: "open", path: path, code: code)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { start in
        start.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
