/// Numbers in the bytes of a packet.
extension [UInt8] {
  /// A number in network order; nil where the bytes end before.
  package func bigUInt16(at offset: Int) -> UInt16? {
    guard offset >= 0, offset + 2 <= count else { return nil }
    return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  /// See ``bigUInt16(at:)``.
  package func bigUInt32(at offset: Int) -> UInt32? {
    guard let high = bigUInt16(at: offset), let low = bigUInt16(at: offset + 2) else { return nil }
    return UInt32(high) << 16 | UInt32(low)
  }
}
