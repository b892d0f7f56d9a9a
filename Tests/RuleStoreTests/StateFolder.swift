import CommitEngine
import Glibc
import KernelTestSupport

/// A state directory of a test's own, which goes away with it.
final class StateFolder {
  let path: String
  let state: StateDirectory

  init() throws {
    var template = Array("/tmp/fbt-state-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ProcessFailure("cannot make a temporary directory") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    state = try StateDirectory(path)
  }

  deinit { _ = try? runProcess(["rm", "-rf", "--", path]) }

  func has(_ name: String) -> Bool { access("\(path)/\(name)", F_OK) == 0 }

  func write(_ bytes: [UInt8], _ name: String) throws {
    guard let file = fopen("\(path)/\(name)", "w") else { throw ProcessFailure("cannot write \(name)") }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw ProcessFailure("cannot write \(name)") }
  }

  /// Flips a bit near the end of a file.
  func damage(_ name: String) throws {
    var bytes = try readFile("\(path)/\(name)")
    bytes[bytes.count - 20] ^= 1
    try write(bytes, name)
  }
}
