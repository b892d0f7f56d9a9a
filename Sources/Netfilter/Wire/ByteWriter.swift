/// Writes a kernel structure field by field. Numbers go out in host order unless said otherwise.
public struct ByteWriter: Sendable {
  public private(set) var bytes: [UInt8]

  package init() { bytes = [] }

  /// Goes on at the end of bytes that are already there.
  package init(continuing bytes: consuming [UInt8]) { self.bytes = bytes }

  package var count: Int { bytes.count }

  @inline(__always)
  package mutating func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
  }

  /// Network order.
  @inline(__always)
  package mutating func write<T: FixedWidthInteger & BitwiseCopyable>(big value: T) {
    write(value.bigEndian)
  }

  package mutating func write(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

  package mutating func zeros(_ count: Int) {
    bytes.append(contentsOf: repeatElement(0, count: count))
  }

  /// An address of 4 or 16 bytes in network order.
  package mutating func write(address bits: UInt128, _ family: Family) {
    switch family {
    case .ipv4: write(big: UInt32(truncatingIfNeeded: bits))
    case .ipv6: write(big: bits)
    }
  }

  /// An address in a `union nf_inet_addr`, always 16 bytes.
  package mutating func write(unionAddress bits: UInt128, _ family: Family) {
    write(address: bits, family)
    if family == .ipv4 { zeros(12) }
  }

  /// Text in a field of `size` bytes, zero-padded and cut to leave a final zero.
  package mutating func write(text: String, size: Int) {
    let end = bytes.count + size
    bytes.append(contentsOf: text.utf8.prefix(size - 1))
    zeros(end - bytes.count)
  }

  /// Zeros up to the next multiple of `alignment`, counted from `start`.
  package mutating func align(_ alignment: Int, from start: Int = 0) {
    let over = (bytes.count - start) % alignment
    if over > 0 { zeros(alignment - over) }
  }

  /// Overwrites a number written before; lengths and offsets are known only at the end.
  package mutating func patch<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int) {
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: offset, as: T.self) }
  }
}
