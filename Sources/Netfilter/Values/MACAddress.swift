/// An Ethernet address of six bytes.
public struct MACAddress: Hashable, Sendable {
  /// The first byte in the highest of the low 48 bits.
  package let bits: UInt64

  package init(bits: UInt64) { self.bits = bits }

  /// Reads `00:16:3e:0a:1b:2c`; leading zeros may be missing. nil when the text is something else.
  public init?(_ text: String) {
    var copy = text
    guard let address = copy.withUTF8({ MACAddress(token: Token($0)) }) else { return nil }
    self = address
  }

  package init?(token: Token) {
    var bits: UInt64 = 0
    var parts = 0
    var fits = true
    token.forEachPart(separatedBy: UInt8(ascii: ":")) { part in
      parts += 1
      guard (1...2).contains(part.count), parts <= 6 else { return fits = false }
      var byte: UInt64 = 0
      for digit in part.bytes {
        guard let value = hexDigit(digit) else { return fits = false }
        byte = byte << 4 | UInt64(value)
      }
      bits = bits << 8 | byte
    }
    guard fits, parts == 6 else { return nil }
    self.bits = bits
  }

  /// Six bytes in their order on the wire.
  package var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * (5 - $0))) } }
}

extension MACAddress: CustomStringConvertible {
  public var description: String {
    var out = TextWriter()
    out.write(self)
    return out.string
  }
}

extension TextWriter {
  /// `00:16:3e:0a:1b:2c`.
  package mutating func write(_ address: MACAddress) {
    for (index, byte) in address.bytes.enumerated() {
      if index > 0 { write(byte: UInt8(ascii: ":")) }
      write(hex: byte, width: 2)
    }
  }
}
