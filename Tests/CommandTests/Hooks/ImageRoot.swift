import Glibc
import KernelTestSupport

/// A folder that is `/` of a system which hooks are installed in, gone with the value.
final class ImageRoot: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/fbt-root-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ProcessFailure("cannot make a temporary directory") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = try? runProcess(["rm", "-rf", "--", path]) }

  func hook(_ arguments: String...) throws -> ProcessResult {
    try runProcess([Built.firebreak, "hook", arguments[0], "--root", path] + arguments.dropFirst())
  }

  func text(_ file: String) throws -> String { String(decoding: try readFile(path + file), as: UTF8.self) }

  func has(_ file: String) -> Bool {
    var info = stat()
    return lstat(path + file, &info) == 0
  }

  func mode(_ file: String) -> UInt32 {
    var info = stat()
    return lstat(path + file, &info) == 0 ? info.st_mode & 0o7777 : 0
  }

  func put(_ text: String, at file: String) throws {
    let folder = file.split(separator: "/").dropLast().joined(separator: "/")
    try runProcess(["mkdir", "-p", "\(path)/\(folder)"])
    guard let stream = fopen(path + file, "w") else { throw ProcessFailure("cannot write \(file)") }
    fputs(text, stream)
    fclose(stream)
  }

  /// Every file and link in it, with modes and targets.
  var listing: String {
    get throws {
      try runProcess(["sh", "-c", "cd \"$1\" && find . ! -type d -printf '%P %m %l\\n' | sort", "sh", path]).stdout
    }
  }
}
