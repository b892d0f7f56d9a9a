/// The cyclic redundancy check of 64 bits that xz uses (ECMA-182, reflected): it notices damage, and is no defence against
/// intent.
package struct CRC64 {
  private var state: UInt64 = .max

  private static let table: [UInt64] = (0..<256).map { byte in
    (0..<8).reduce(UInt64(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xc96c_5795_d787_0f42 }
  }

  package init() {}

  package var value: UInt64 { ~state }

  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var state = state
    Self.table.withUnsafeBufferPointer { table in
      for byte in bytes { state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ state >> 8 }
    }
    self.state = state
  }

  package static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum = CRC64()
    sum.add(bytes)
    return sum.value
  }
}
