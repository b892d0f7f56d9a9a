internal import CNFTables
internal import Netfilter

/// Netlink attributes (`struct nlattr`, linux/netlink.h): length, type, data, padding to 4 bytes. Numbers of nf_tables stand
/// in network order.
extension ByteWriter {
  private static let header = 4

  mutating func put<A: RawRepresentable>(_ type: A, _ bytes: UnsafeRawBufferPointer) where A.RawValue == UInt32 {
    write(UInt16(Self.header + bytes.count))
    write(UInt16(truncatingIfNeeded: type.rawValue))
    write(bytes)
    align(4)
  }

  mutating func put<A: RawRepresentable>(_ type: A, _ bytes: [UInt8]) where A.RawValue == UInt32 {
    bytes.withUnsafeBytes { put(type, $0) }
  }

  mutating func put<A: RawRepresentable, T: FixedWidthInteger & BitwiseCopyable>(_ type: A, big value: T)
  where A.RawValue == UInt32 {
    write(UInt16(Self.header + MemoryLayout<T>.size))
    write(UInt16(truncatingIfNeeded: type.rawValue))
    write(big: value)
    align(4)
  }

  /// Text with the zero that ends it.
  mutating func put<A: RawRepresentable>(_ type: A, text: String) where A.RawValue == UInt32 {
    var text = text
    text.withUTF8 { utf8 in
      write(UInt16(Self.header + utf8.count + 1))
      write(UInt16(truncatingIfNeeded: type.rawValue))
      write(UnsafeRawBufferPointer(utf8))
      write(UInt8(0))
    }
    align(4)
  }

  /// An attribute whose data `body` writes.
  mutating func fill<A: RawRepresentable, E: Error>(_ type: A, _ body: (inout ByteWriter) throws(E) -> Void) throws(E)
  where A.RawValue == UInt32 {
    let start = count
    write(UInt16(0))
    write(UInt16(truncatingIfNeeded: type.rawValue))
    try body(&self)
    patch(UInt16(truncatingIfNeeded: count - start), at: start)
    align(4)
  }

  /// Attributes inside an attribute.
  mutating func nest<A: RawRepresentable, E: Error>(_ type: A, _ body: (inout ByteWriter) throws(E) -> Void) throws(E)
  where A.RawValue == UInt32 {
    let start = count
    write(UInt16(0))
    write(UInt16(truncatingIfNeeded: type.rawValue) | UInt16(NLA_F_NESTED))
    try body(&self)
    patch(UInt16(truncatingIfNeeded: count - start), at: start)
  }
}
