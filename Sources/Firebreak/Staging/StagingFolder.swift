internal import Glibc

/// The files by which the programs of a script find the copy that they act on. In the script's own view of files they lie in
/// a folder of memory; outside it the folder is empty.
enum StagingFolder {
  static let path = "/run/firebreak/staging"
  /// The network namespace of the copy, and the script's own.
  static let copy = path + "/copy"
  static let home = path + "/home"
  /// `PLACE TAB NUMBER TAB KIND TAB REFUSAL`, a line for each program that is stood in for.
  static let tools = path + "/tools"
  /// The programs themselves, by number.
  static let real = path + "/real"
  /// What takes the place of /run/xtables.lock.
  static let lock = path + "/xtables.lock"
  /// `S` while calls act on the copy, `L` when they act on the live rules again; locked shared during each call.
  static let gate = path + "/gate"
  /// Locked as long as there is somebody who will commit the copy.
  static let owner = path + "/owner"
  /// Calls and commands that failed, in their order; see ``ScriptFault``.
  static let faults = path + "/faults"
  /// What bash reads first.
  static let bash = path + "/bash"
  /// Our front end under the names of iptables, where the machine has none.
  static let programs = path + "/bin"

  /// Makes the folder that the memory is put over.
  static func make() throws {
    var part = ""
    for name in path.split(separator: "/") {
      part += "/" + name
      guard mkdir(part, 0o755) != 0 else { continue }
      let code = errno
      if code != EEXIST { throw StagingFailure("cannot make the folder \(part)", code: code) }
    }
  }

  /// A descriptor of a new file.
  static func create(_ path: String, _ text: String = "") throws(StagingFailure) -> Int32 {
    let descriptor = try staged("cannot make \(path)") { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      done += try staged("cannot write \(path)") {
        bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      }
    }
    return descriptor
  }

  /// All of a small file; nil where it cannot be read.
  static func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return read(descriptor)
  }

  /// All of a file from its beginning.
  static func read(_ descriptor: Int32) -> String? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
      if count < 0 { return nil }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer.prefix(count)
    }
  }

  /// Where the file of this process lies.
  static var program: String? { target(of: "/proc/self/exe") }

  static func target(of link: String) -> String? {
    withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer in
      let count = readlink(link, buffer.baseAddress!, buffer.count)
      return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
  }
}
