internal import CNFTables
internal import Netfilter

/// The attributes of one nest, taken out one by one. What is left over in the end is something that this version does not
/// know, and is an error, never noise.
struct AttributeReader {
  private let bytes: UnsafeRawBufferPointer
  /// Offset and length of each type's data.
  private var places: InlineArray<32, (UInt32, UInt32)> = .init(repeating: (0, 0))
  private var present: UInt32 = 0

  /// - Parameter bytes: stay valid as long as the reader is used.
  init(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    self.bytes = bytes
    var offset = 0
    while offset < bytes.count {
      guard offset + 4 <= bytes.count else { throw WireError(offset: offset, field: "nla_len", reason: .truncated) }
      let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      let type = Int(
        bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self) & ~UInt16(NLA_F_NESTED | NLA_F_NET_BYTEORDER))
      guard length >= 4, offset + length <= bytes.count else {
        throw WireError(offset: offset, field: "nla_len", reason: .truncated)
      }
      guard type < 32, present & 1 << type == 0 else {
        throw WireError(offset: offset + 2, field: "nla_type", reason: .invalid)
      }
      places[type] = (UInt32(offset + 4), UInt32(length - 4))
      present |= 1 << type
      offset += (length + 3) & ~3
    }
  }

  /// The data of an attribute that need not be there.
  mutating func take<A: RawRepresentable>(_ type: A) -> UnsafeRawBufferPointer? where A.RawValue == UInt32 {
    let bit = UInt32(1) << type.rawValue
    guard present & bit != 0 else { return nil }
    present &= ~bit
    let (offset, length) = places[Int(type.rawValue)]
    return UnsafeRawBufferPointer(rebasing: bytes[Int(offset)..<Int(offset + length)])
  }

  func has<A: RawRepresentable>(_ type: A) -> Bool where A.RawValue == UInt32 { present & 1 << type.rawValue != 0 }

  mutating func require<A: RawRepresentable>(_ type: A) throws(WireError) -> UnsafeRawBufferPointer
  where A.RawValue == UInt32 {
    guard let data = take(type) else { throw WireError(offset: 0, field: "\(type)", reason: .truncated) }
    return data
  }

  /// A number in network order, exactly as long as its type.
  mutating func big<A: RawRepresentable, T: FixedWidthInteger & BitwiseCopyable>(_ type: A, as: T.Type = T.self)
    throws(WireError) -> T
  where A.RawValue == UInt32 {
    let data = try require(type)
    guard data.count == MemoryLayout<T>.size else { throw WireError(offset: 0, field: "\(type)", reason: .invalid) }
    return T(bigEndian: data.loadUnaligned(as: T.self))
  }

  mutating func bigIfPresent<A: RawRepresentable, T: FixedWidthInteger & BitwiseCopyable>(
    _ type: A, as: T.Type = T.self
  ) throws(WireError) -> T?
  where A.RawValue == UInt32 {
    guard present & UInt32(1) << type.rawValue != 0 else { return nil }
    return try big(type, as: T.self)
  }

  mutating func text<A: RawRepresentable>(_ type: A) throws(WireError) -> String where A.RawValue == UInt32 {
    String(decoding: try require(type).prefix { $0 != 0 }, as: UTF8.self)
  }

  mutating func nest<A: RawRepresentable>(_ type: A) throws(WireError) -> AttributeReader
  where A.RawValue == UInt32 {
    try AttributeReader(try require(type))
  }

  /// Bytes inside `NFTA_DATA_VALUE`, as constants of expressions are.
  mutating func constant<A: RawRepresentable>(_ type: A) throws(WireError) -> [UInt8] where A.RawValue == UInt32 {
    var data = try nest(type)
    let value = Array(try data.require(NFTA_DATA_VALUE))
    try data.finish()
    return value
  }

  /// - Throws: ``WireError`` when an attribute was not taken.
  func finish() throws(WireError) {
    guard present == 0 else {
      throw WireError(offset: 0, field: "nla_type", reason: .trailing(bytes: present.nonzeroBitCount))
    }
  }
}

/// Calls `body` with the data of each attribute of a list whose members all have the same type (`NFTA_LIST_ELEM`).
func forEachListElement<E: Error>(
  _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws(E) -> Void
) throws(E) -> Bool {
  var offset = 0
  while offset < bytes.count {
    guard offset + 4 <= bytes.count else { return false }
    let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    guard length >= 4, offset + length <= bytes.count else { return false }
    try body(UnsafeRawBufferPointer(rebasing: bytes[offset + 4..<offset + length]))
    offset += (length + 3) & ~3
  }
  return true
}
