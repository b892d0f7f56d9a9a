internal import CNFTables
package import Netfilter

/// The attributes of one object as they came from the kernel (`struct nlattr`, linux/netlink.h), in their order. Those
/// that nobody here knows are among them, so that the object can be put back whole.
package struct Attributes: Hashable, Sendable {
  package private(set) var bytes: [UInt8]

  /// Takes over a list of attributes.
  /// - Throws: ``WireError`` where their lengths do not fit together.
  package init(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    try AttributeWalk.check(bytes)
    self.bytes = Array(bytes)
  }

  /// - Parameter dropped: types to leave out: what only the kernel can say, and refuses to be told.
  init(_ bytes: UnsafeRawBufferPointer, without dropped: Swift.Set<UInt16>) throws(WireError) {
    try AttributeWalk.check(bytes)
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    for attribute in AttributeWalk(bytes) where !dropped.contains(attribute.type) {
      kept.append(contentsOf: attribute.whole)
      kept.append(contentsOf: repeatElement(0, count: (4 - attribute.whole.count % 4) % 4))
    }
    self.bytes = kept
  }

  /// All but those of one type.
  func without<A: RawRepresentable>(_ type: A) -> Attributes where A.RawValue == UInt32 {
    let kept = bytes.withUnsafeBytes { try? Attributes($0, without: [UInt16(truncatingIfNeeded: type.rawValue)]) }
    return kept ?? self
  }

  /// With another number of 32 bits where there is one already.
  func replacing<A: RawRepresentable>(_ type: A, by number: UInt32) -> Attributes where A.RawValue == UInt32 {
    var result = self
    bytes.withUnsafeBytes { all in
      for attribute in AttributeWalk(all)
      where attribute.type == UInt16(truncatingIfNeeded: type.rawValue) && attribute.data.count == 4 {
        let start = attribute.data.baseAddress! - all.baseAddress!
        withUnsafeBytes(of: number.bigEndian) { result.bytes.replaceSubrange(start..<start + 4, with: $0) }
      }
    }
    return result
  }

  /// Makes some of the bytes zero.
  mutating func zero(_ range: Range<Int>) {
    for place in range { bytes[place] = 0 }
  }

  /// The data of the first attribute of a type.
  subscript<A: RawRepresentable>(type: A) -> [UInt8]? where A.RawValue == UInt32 {
    bytes.withUnsafeBytes { all in
      AttributeWalk(all).first { $0.type == UInt16(truncatingIfNeeded: type.rawValue) }.map { Array($0.data) }
    }
  }

  /// A number in network order; nil where it is not there or has another length.
  func number<A: RawRepresentable, T: FixedWidthInteger & BitwiseCopyable>(_ type: A, as: T.Type = T.self) -> T?
  where A.RawValue == UInt32 {
    guard let data = self[type], data.count == MemoryLayout<T>.size else { return nil }
    return T(bigEndian: data.withUnsafeBytes { $0.loadUnaligned(as: T.self) })
  }

  /// The attributes inside one; nil where it is not there or holds something else.
  func nest<A: RawRepresentable>(_ type: A) -> Attributes? where A.RawValue == UInt32 {
    guard let data = self[type] else { return nil }
    return try? data.withUnsafeBytes { bytes throws(WireError) in try Attributes(bytes) }
  }

  /// The bytes of a text up to the zero that ends it.
  func name<A: RawRepresentable>(_ type: A) -> ObjectName? where A.RawValue == UInt32 {
    self[type].map { ObjectName(bytes: Array($0.prefix { $0 != 0 })) }
  }

  /// The data of every attribute of a list, whatever their type.
  var list: [[UInt8]] { bytes.withUnsafeBytes { AttributeWalk($0).map { Array($0.data) } } }
}

/// The name of something in nf_tables: any bytes but zero.
package struct ObjectName: Hashable, Sendable, CustomStringConvertible {
  package let bytes: [UInt8]
  package init(bytes: [UInt8]) { self.bytes = bytes }
  package init(_ text: String) { bytes = Array(text.utf8) }
  package var description: String { String(decoding: bytes, as: UTF8.self) }
  /// With the zero that ends it.
  var terminated: [UInt8] { bytes + [0] }
}

/// The attributes of a nest one behind the other; ends early where one does not fit.
struct AttributeWalk: Sequence, IteratorProtocol {
  struct Attribute {
    /// Without the flags that may stand beside it.
    let type: UInt16
    /// With its head, without the padding behind it.
    let whole: UnsafeRawBufferPointer
    var data: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: whole[4...]) }
  }

  private let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func next() -> Attribute? {
    guard offset + 4 <= bytes.count else { return nil }
    let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    guard length >= 4, offset + length <= bytes.count else { return nil }
    let type = bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)
    defer { offset = Swift.min(bytes.count, offset + (length + 3) & ~3) }
    return Attribute(
      type: type & ~UInt16(NLA_F_NESTED | NLA_F_NET_BYTEORDER),
      whole: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length]))
  }

  /// - Throws: ``WireError`` where bytes are left over.
  static func check(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
    var walk = AttributeWalk(bytes)
    while walk.next() != nil {}
    guard walk.offset == bytes.count else { throw WireError(offset: walk.offset, field: "nla_len", reason: .truncated) }
  }
}
