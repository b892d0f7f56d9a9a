/// A checksum that notices damage, 64 bytes at a time. It is no defence against intent.
///
/// Each lane is turned and added to, and the lanes are added up as they go: what changes in a word changes its lane, and what
/// comes in another order or twice changes the sum of the lanes.
enum FileSum {
  static func of(_ bytes: UnsafeRawBufferPointer, after earlier: UInt64 = 0) -> UInt64 {
    var lanes = SIMD8<UInt64>(repeating: 0x243f_6a88_85a3_08d3)
    var sums = SIMD8<UInt64>(repeating: 0)
    var offset = 0
    while offset + 64 <= bytes.count {
      lanes = lanes &<< 7 | lanes &>> 57
      lanes = lanes &+ bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
      sums = sums &+ lanes
      offset += 64
    }
    var sum = UInt64(bytes.count)
    mix(&sum, earlier)
    for lane in 0..<8 {
      mix(&sum, lanes[lane])
      mix(&sum, sums[lane])
    }
    while offset < bytes.count {
      mix(&sum, UInt64(bytes[offset]))
      offset += 1
    }
    return sum
  }

  private static func mix(_ sum: inout UInt64, _ word: UInt64) {
    sum = (sum ^ word) &* 0x9e37_79b9_7f4a_7c15
    sum ^= sum >> 32
  }
}
