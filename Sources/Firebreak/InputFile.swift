internal import Glibc

/// The bytes of a file, mapped into memory where it is a plain file.
public struct InputFile: ~Copyable {
  private let bytes: UnsafeRawBufferPointer
  private let isMapped: Bool

  /// Why an input cannot be read.
  public struct Unreadable: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    /// `errno`.
    public let code: Int32
    public var description: String { "\(path): \(String(cString: strerror(code)))" }
  }

  /// More than this is not rules text, and is not taken from a pipe either.
  public static let largestInput = 1 << 30

  /// Opens a file for reading; `-` is standard input.
  public init(path: String) throws(Unreadable) {
    let descriptor = path == "-" ? dup(0) : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unreadable(path: path, code: errno) }
    defer { close(descriptor) }
    var info = stat()
    guard fstat(descriptor, &info) == 0 else { throw Unreadable(path: path, code: errno) }
    if info.st_mode & S_IFMT == S_IFDIR { throw Unreadable(path: path, code: EISDIR) }
    let size = Int(info.st_size)
    if info.st_mode & S_IFMT == S_IFREG, size > 0, size <= Self.largestInput,
      let map = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), map != MAP_FAILED
    {
      madvise(map, size, MADV_SEQUENTIAL)
      bytes = UnsafeRawBufferPointer(start: map, count: size)
      isMapped = true
    } else {
      bytes = try Self.readAll(descriptor, path)
      isMapped = false
    }
  }

  private static func readAll(_ descriptor: Int32, _ path: String) throws(Unreadable) -> UnsafeRawBufferPointer {
    var capacity = 64 * 1024
    var buffer = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    var count = 0
    while true {
      if count == capacity {
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity * 2, alignment: 16)
        larger.copyMemory(from: buffer, byteCount: count)
        buffer.deallocate()
        buffer = larger
        capacity *= 2
      }
      let got = read(descriptor, buffer + count, capacity - count)
      if got < 0, errno == EINTR { continue }
      guard got >= 0, count + got <= largestInput else {
        let code = got < 0 ? errno : EFBIG
        buffer.deallocate()
        throw Unreadable(path: path, code: code)
      }
      if got == 0 { return UnsafeRawBufferPointer(start: buffer, count: count) }
      count += got
    }
  }

  deinit {
    if isMapped {
      munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
    } else {
      bytes.deallocate()
    }
  }

  /// Calls `body` with the bytes, which are not to be used after it returns.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try body(bytes) }
}
