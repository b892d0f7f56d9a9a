internal import Glibc

/// The bytes of a file, as they were when it was opened: whoever writes to it later changes nothing here.
public struct InputFile: Sendable {
  public let bytes: [UInt8]

  /// Why an input cannot be read.
  public struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    /// `errno`.
    public let code: Int32
    public var description: String { "\(path): \(String(cString: strerror(code)))" }
  }

  /// More than this is not rules text, and is not taken from a pipe either.
  public static let largestInput = 1 << 30
  /// What is read at once where a size is not told.
  private static let piece = 64 << 10

  /// Reads a file; `-` is standard input.
  public init(path: String) throws(Unreadable) {
    let descriptor = path == "-" ? dup(0) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unreadable(path: path, code: errno) }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw Unreadable(path: path, code: errno) }
    if info.st_mode & S_IFMT == S_IFDIR { throw Unreadable(path: path, code: EISDIR) }
    let size = info.st_mode & S_IFMT == S_IFREG ? Int(info.st_size) : 0
    guard size <= Self.largestInput else { throw Unreadable(path: path, code: EFBIG) }
    bytes = try Self.readAll(descriptor, path, expecting: size)
  }

  private static func readAll(_ descriptor: Int32, _ path: String, expecting size: Int) throws(Unreadable) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      // One more than is expected, for the end to be seen.
      let room = bytes.isEmpty ? size + 1 : max(piece, bytes.count)
      var code: Int32 = 0
      let part = [UInt8](unsafeUninitializedCapacity: max(room, piece)) { buffer, count in
        while count < buffer.count {
          let got = read(descriptor, buffer.baseAddress! + count, buffer.count - count)
          if got < 0, errno == EINTR { continue }
          if got < 0 { code = errno }
          guard got > 0 else { return }
          count += got
        }
      }
      guard code == 0 else { throw Unreadable(path: path, code: code) }
      let isLast = part.count < max(room, piece)
      if bytes.isEmpty { bytes = part } else { bytes += part }
      guard bytes.count <= largestInput else { throw Unreadable(path: path, code: EFBIG) }
      if isLast { return bytes }
    }
  }

  /// Calls `body` with the bytes, which are not to be used after it returns.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try bytes.withUnsafeBytes(body)
  }
}
