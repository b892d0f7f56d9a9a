internal import Glibc
internal import Netfilter

/// Where records and generations are written, piece by piece, so that large rulesets need not be copied for it.
protocol RecordSink: ~Copyable {
  mutating func put(_ bytes: UnsafeRawBufferPointer)
  /// Of what was put since ``startChecksum()``.
  var checksum: RunningChecksum { get set }
}

extension RecordSink where Self: ~Copyable {
  mutating func startChecksum() { checksum = RunningChecksum() }

  mutating func writeChecksum() { write(checksum.value) }

  mutating func write(_ bytes: UnsafeRawBufferPointer) {
    checksum.add(bytes)
    put(bytes)
  }

  /// In host order.
  mutating func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    withUnsafeBytes(of: value) { write($0) }
  }

  mutating func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }
}

/// Collects everything in memory.
struct MemorySink: RecordSink, ~Copyable {
  var checksum = RunningChecksum()
  private var out = ByteWriter()

  mutating func put(_ bytes: UnsafeRawBufferPointer) { out.write(bytes) }

  var bytes: [UInt8] { out.bytes }
}

/// Writes into an open file: small pieces together, large ones as they are.
struct FileSink: RecordSink, ~Copyable {
  var checksum = RunningChecksum()
  private let descriptor: Int32
  private let path: String
  private var pending = ByteWriter(capacity: 64 << 10)
  private var failure: SystemError?

  private static let large = 16 << 10
  private static let most = 48 << 10

  init(_ descriptor: Int32, _ path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  mutating func put(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count < Self.large else {
      flush()
      return write(out: bytes)
    }
    pending.write(bytes)
    if pending.count > Self.most { flush() }
  }

  private mutating func flush() {
    write(out: pending.written)
    pending.truncate(to: 0)
  }

  private mutating func write(out bytes: UnsafeRawBufferPointer) {
    guard failure == nil, !bytes.isEmpty else { return }
    do throws(SystemError) { try StateDirectory.write(bytes, descriptor, path) } catch { failure = error }
  }

  /// - Throws: the first error of all that was put.
  mutating func finish() throws(SystemError) {
    flush()
    if let failure { throw failure }
  }
}

/// ``Checksum`` of bytes that come in pieces.
struct RunningChecksum {
  private var sum = Checksum()
  private var rest: UInt64 = 0
  private var restCount = 0
  private var count = 0

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    count += bytes.count
    var offset = 0
    while restCount > 0, offset < bytes.count {
      rest |= UInt64(bytes[offset]) << UInt64(restCount * 8)
      restCount += 1
      offset += 1
      if restCount == 8 { take() }
    }
    while offset + 8 <= bytes.count {
      sum.add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    while offset < bytes.count {
      rest |= UInt64(bytes[offset]) << UInt64(restCount * 8)
      restCount += 1
      offset += 1
    }
  }

  private mutating func take() {
    sum.add(rest)
    (rest, restCount) = (0, 0)
  }

  var value: UInt64 {
    var sum = sum
    sum.add(rest)
    sum.add(UInt64(count))
    return sum.value
  }

  static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum = RunningChecksum()
    sum.add(bytes)
    return sum.value
  }
}
