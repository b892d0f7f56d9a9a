/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable {
  public let family: Family
  /// The address as a number in host order; an IPv4 address takes the low 32 bits.
  public let bits: UInt128

  /// - Precondition: an IPv4 address fits 32 bits.
  package init(family: Family, bits: UInt128) {
    self.family = family
    self.bits = bits
  }

  /// The address `a.b.c.d` given as one number in host order.
  public init(ipv4 bits: UInt32) { self.init(family: .ipv4, bits: UInt128(bits)) }

  /// The 128 bits of an IPv6 address in host order.
  public init(ipv6 bits: UInt128) { self.init(family: .ipv6, bits: bits) }

  /// `0.0.0.0` or `::`.
  public static func any(_ family: Family) -> IPAddress { IPAddress(family: family, bits: 0) }

  /// Reads `192.0.2.1` or `2001:db8::1`; nil when the text is neither.
  public init?(_ text: some StringProtocol) {
    var copy = String(text)
    let parsed = copy.withUTF8 { bytes in
      IPAddress(family: .ipv4, token: Token(bytes)) ?? IPAddress(family: .ipv6, token: Token(bytes))
    }
    guard let parsed else { return nil }
    self = parsed
  }
}

extension IPAddress: Comparable {
  public static func < (a: IPAddress, b: IPAddress) -> Bool {
    a.family != b.family ? a.family < b.family : a.bits < b.bits
  }
}

extension IPAddress: CustomStringConvertible {
  public var description: String {
    var out = TextWriter()
    out.write(self)
    return out.string
  }
}

// MARK: Reading

extension IPAddress {
  /// Reads an address of one family from text: four decimal numbers, or RFC 4291 section 2.2 notation
  /// (with `::` and a trailing dotted quad). nil when the text is not one.
  package init?(family: Family, token: Token) {
    switch family {
    case .ipv4:
      guard let bits = Self.dottedQuad(token.bytes[...]) else { return nil }
      self.init(ipv4: bits)
    case .ipv6:
      guard let bits = Self.hexGroups(token.bytes) else { return nil }
      self.init(ipv6: bits)
    }
  }

  /// nil also where a number begins with 0 and is not the same when read as octal (`010`), as some programs do.
  private static func dottedQuad(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> UInt32? {
    var result: UInt32 = 0
    var octet: UInt32 = 0
    var digits = 0
    var dots = 0
    var beginsWithZero = false
    for byte in text {
      if byte == UInt8(ascii: ".") {
        guard digits > 0, dots < 3 else { return nil }
        result = result << 8 | octet
        octet = 0
        digits = 0
        dots += 1
      } else {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 3 else { return nil }
        if digits == 0 { beginsWithZero = byte == UInt8(ascii: "0") }
        octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
        guard octet <= (beginsWithZero ? 7 : 255) else { return nil }
        digits += 1
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    return result << 8 | octet
  }

  private static func hexGroups(_ text: UnsafeBufferPointer<UInt8>) -> UInt128? {
    var head: UInt128 = 0
    var headGroups = 0
    var tail: UInt128 = 0
    var tailGroups = 0
    var compressed = false
    var index = 0
    let count = text.count
    guard count >= 2 else { return nil }

    func append(_ group: UInt16) {
      if compressed {
        tail = tail << 16 | UInt128(group)
        tailGroups += 1
      } else {
        head = head << 16 | UInt128(group)
        headGroups += 1
      }
    }

    if text[0] == UInt8(ascii: ":") {
      guard text[1] == UInt8(ascii: ":") else { return nil }
      compressed = true
      index = 2
    }
    while index < count {
      let start = index
      var group: UInt32 = 0
      while index < count, let digit = hexDigit(text[index]) {
        group = group << 4 | UInt32(digit)
        index += 1
        guard index - start <= 4 else { return nil }
      }
      if index < count, text[index] == UInt8(ascii: ".") {
        guard let quad = dottedQuad(text[start...]) else { return nil }
        append(UInt16(quad >> 16))
        append(UInt16(quad & 0xffff))
        index = count
        break
      }
      guard index > start else { return nil }
      append(UInt16(group))
      if index == count { break }
      guard text[index] == UInt8(ascii: ":") else { return nil }
      index += 1
      if index < count, text[index] == UInt8(ascii: ":") {
        guard !compressed else { return nil }
        compressed = true
        index += 1
      } else if index == count {
        return nil
      }
    }
    let groups = headGroups + tailGroups
    if compressed {
      guard groups <= 7 else { return nil }
      guard headGroups > 0 else { return tail }
      return head << UInt128(16 * (8 - headGroups)) | tail
    }
    return groups == 8 ? head : nil
  }
}

/// The value of a hexadecimal digit, nil for any other byte.
@inline(__always)
package func hexDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}
