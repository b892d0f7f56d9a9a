/// Builds text as bytes, without the cost of `String` interpolation on the way.
public struct TextWriter: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init() {}

  public var string: String { String(decoding: bytes, as: UTF8.self) }

  public mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

  public mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  @inline(__always)
  public mutating func write(_ text: StaticString) {
    bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  public mutating func write(_ text: String) { bytes.append(contentsOf: text.utf8) }

  public mutating func write(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

  @inline(__always)
  public mutating func write(byte: UInt8) { bytes.append(byte) }

  /// Decimal digits.
  public mutating func write(_ value: some FixedWidthInteger) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    var rest = UInt64(value.magnitude)
    if rest < 10 {
      bytes.append(UInt8(ascii: "0") + UInt8(rest))
      return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var start = 20
      while rest > 0 {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      }
      bytes.append(contentsOf: digits[start...])
    }
  }

  /// Lower-case hexadecimal digits, at least `width` of them, without `0x`.
  public mutating func write(hex value: some FixedWidthInteger & UnsignedInteger, width: Int = 1) {
    write(hex: value, width: width, ten: UInt8(ascii: "a"))
  }

  /// The same with upper-case digits.
  public mutating func write(upperHex value: some FixedWidthInteger & UnsignedInteger, width: Int = 1) {
    write(hex: value, width: width, ten: UInt8(ascii: "A"))
  }

  private mutating func write(hex value: some FixedWidthInteger & UnsignedInteger, width: Int, ten: UInt8) {
    let value = UInt64(value)
    let needed = max(1, (64 - value.leadingZeroBitCount + 3) / 4)
    for place in (0..<max(needed, width)).reversed() {
      let digit = place >= 16 ? 0 : UInt8(value >> UInt64(place * 4) & 0xf)
      bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : ten + digit - 10)
    }
  }

  /// `192.0.2.1`, or IPv6 text as RFC 5952 and `inet_ntop` write it.
  public mutating func write(_ address: IPAddress) {
    switch address.family {
    case .ipv4: writeDottedQuad(UInt32(truncatingIfNeeded: address.bits))
    case .ipv6: writeIPv6(address.bits)
    }
  }

  /// `address/length`, or `address/mask` when the mask has holes.
  public mutating func write(_ network: AddressMask) {
    write(network.address)
    bytes.append(UInt8(ascii: "/"))
    if let length = network.prefixLength {
      write(length)
    } else {
      write(IPAddress(family: network.address.family, bits: network.mask))
    }
  }

  private mutating func writeDottedQuad(_ bits: UInt32) {
    write(UInt8(truncatingIfNeeded: bits >> 24))
    bytes.append(UInt8(ascii: "."))
    write(UInt8(truncatingIfNeeded: bits >> 16))
    bytes.append(UInt8(ascii: "."))
    write(UInt8(truncatingIfNeeded: bits >> 8))
    bytes.append(UInt8(ascii: "."))
    write(UInt8(truncatingIfNeeded: bits))
  }

  private mutating func writeIPv6(_ bits: UInt128) {
    func group(_ index: Int) -> UInt16 { UInt16(truncatingIfNeeded: bits >> UInt128(16 * (7 - index))) }
    var gapStart = 8
    var gapLength = 1
    var index = 0
    while index < 8 {
      let start = index
      while index < 8, group(index) == 0 { index += 1 }
      if index - start > gapLength {
        gapStart = start
        gapLength = index - start
      }
      index += 1
    }
    if gapStart == 0, gapLength == 6 || (gapLength == 5 && group(5) == 0xffff) {
      write(gapLength == 6 ? "::" : "::ffff:")
      writeDottedQuad(UInt32(truncatingIfNeeded: bits))
      return
    }
    index = 0
    while index < 8 {
      if index == gapStart {
        write("::")
        index += gapLength
        continue
      }
      if index > 0, index != gapStart + gapLength || gapStart == 8 { bytes.append(UInt8(ascii: ":")) }
      write(hex: group(index))
      index += 1
    }
  }
}
