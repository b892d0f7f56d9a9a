/// Reads a kernel structure field by field, never past its end. Numbers are in host order unless said otherwise.
public struct ByteReader: ~Escapable {
  private let bytes: RawSpan
  public private(set) var offset = 0

  @_lifetime(copy bytes)
  package init(_ bytes: RawSpan) { self.bytes = bytes }

  package var remaining: Int { bytes.byteCount - offset }

  private mutating func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ field: StaticString, as type: T.Type
  ) throws(WireError) -> T {
    let size = MemoryLayout<T>.size
    guard size <= remaining else {
      throw WireError(offset: offset, field: "\(field)", reason: .truncated)
    }
    let value = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self)
    offset += size
    return value
  }

  package mutating func uint8(_ field: StaticString) throws(WireError) -> UInt8 {
    try load(field, as: UInt8.self)
  }

  package mutating func uint16(_ field: StaticString) throws(WireError) -> UInt16 {
    try load(field, as: UInt16.self)
  }

  package mutating func uint32(_ field: StaticString) throws(WireError) -> UInt32 {
    try load(field, as: UInt32.self)
  }

  package mutating func uint64(_ field: StaticString) throws(WireError) -> UInt64 {
    try load(field, as: UInt64.self)
  }

  /// A 16-bit number in network order, as ports are.
  package mutating func bigUInt16(_ field: StaticString) throws(WireError) -> UInt16 {
    UInt16(bigEndian: try uint16(field))
  }

  package mutating func bigUInt32(_ field: StaticString) throws(WireError) -> UInt32 {
    UInt32(bigEndian: try uint32(field))
  }

  /// 16 bytes, the first in the highest bits.
  package mutating func uint128(_ field: StaticString) throws(WireError) -> UInt128 {
    let high = UInt64(bigEndian: try uint64(field))
    let low = UInt64(bigEndian: try uint64(field))
    return UInt128(high) << 64 | UInt128(low)
  }

  /// An address of 4 or 16 bytes in network order.
  package mutating func address(_ field: StaticString, _ family: Family) throws(WireError) -> IPAddress {
    IPAddress(family: family, bits: try addressBits(field, family))
  }

  package mutating func addressBits(_ field: StaticString, _ family: Family) throws(WireError) -> UInt128 {
    switch family {
    case .ipv4: UInt128(try bigUInt32(field))
    case .ipv6: try uint128(field)
    }
  }

  /// An address in a `union nf_inet_addr` of 16 bytes: IPv4 uses the first four, and the others have to be zero.
  package mutating func unionAddress(_ field: StaticString, _ family: Family) throws(WireError) -> IPAddress {
    let bits = try uint128(field)
    guard family == .ipv4 else { return IPAddress(ipv6: bits) }
    guard bits & (.max >> 32) == 0 else { throw invalid(field) }
    return IPAddress(family: .ipv4, bits: bits >> 96)
  }

  /// Text in a field of `size` bytes, ended by a zero unless it fills the field.
  package mutating func text(_ field: StaticString, size: Int) throws(WireError) -> String {
    let raw = try self.raw(field, count: size)
    return String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
  }

  package mutating func raw(_ field: StaticString, count: Int) throws(WireError) -> [UInt8] {
    guard count >= 0, count <= remaining else {
      throw WireError(offset: offset, field: "\(field)", reason: .truncated)
    }
    let slice = bytes.extracting(offset..<offset + count)
    offset += count
    return slice.withUnsafeBytes { Array($0) }
  }

  package mutating func skip(_ field: StaticString, _ count: Int) throws(WireError) {
    guard count >= 0, count <= remaining else {
      throw WireError(offset: offset, field: "\(field)", reason: .truncated)
    }
    offset += count
  }

  /// Bytes that have to be zero.
  package mutating func zeros(_ field: StaticString, _ count: Int) throws(WireError) {
    guard try raw(field, count: count).allSatisfy({ $0 == 0 }) else { throw invalid(field) }
  }

  /// An error about the field that was read last.
  package func invalid(_ field: StaticString) -> WireError {
    WireError(offset: offset, field: "\(field)", reason: .invalid)
  }

  /// Ends the reading: nothing but alignment padding of less than 8 zero bytes may be left.
  package mutating func finish() throws(WireError) {
    guard remaining > 0 else { return }
    let left = remaining
    let rest = try raw("padding", count: left)
    guard left < 8, rest.allSatisfy({ $0 == 0 }) else {
      throw WireError(offset: offset - left, field: "padding", reason: .trailing(bytes: left))
    }
  }
}
