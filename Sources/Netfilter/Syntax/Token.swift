/// One word of the text being read, without its quotes and escapes, and the place it stands at.
///
/// A token borrows the reader's bytes: it is valid inside the `read` call that made it and is never kept.
package struct Token {
  package let bytes: UnsafeBufferPointer<UInt8>
  /// Column of the first byte, from 1; 0 when the token does not come from a line of text.
  package let column: Int
  /// True when any part of it was quoted, so that `"!"` is a word and not a negation.
  package let isQuoted: Bool

  @inline(__always)
  package init(_ bytes: UnsafeBufferPointer<UInt8>, column: Int = 0, isQuoted: Bool = false) {
    self.bytes = bytes
    self.column = column
    self.isQuoted = isQuoted
  }

  package var count: Int { bytes.count }

  /// The word as text; invalid UTF-8 is repaired, which only messages see.
  package var string: String { String(decoding: bytes, as: UTF8.self) }

  @inline(__always)
  package static func == (a: Token, b: StaticString) -> Bool {
    guard a.bytes.count == b.utf8CodeUnitCount else { return false }
    var index = 0
    while index < a.bytes.count {
      if a.bytes[index] != b.utf8Start[index] { return false }
      index += 1
    }
    return true
  }

  @inline(__always)
  package static func != (a: Token, b: StaticString) -> Bool { !(a == b) }

  /// Comparing with a text that is not a literal; a literal is a `StaticString`, which costs less.
  package func holds(_ text: String) -> Bool { text.utf8.elementsEqual(bytes) }

  package func equalsIgnoringCase(_ other: StaticString) -> Bool {
    guard bytes.count == other.utf8CodeUnitCount else { return false }
    return bytes.indices.allSatisfy {
      asciiLowercased(bytes[$0]) == asciiLowercased(other.utf8Start[$0])
    }
  }

  /// Whether `word` begins with this token, in any case.
  package func begins(_ word: StaticString) -> Bool {
    guard bytes.count <= word.utf8CodeUnitCount else { return false }
    return bytes.indices.allSatisfy { asciiLowercased(bytes[$0]) == asciiLowercased(word.utf8Start[$0]) }
  }

  package func hasPrefix(_ prefix: StaticString) -> Bool {
    guard bytes.count >= prefix.utf8CodeUnitCount else { return false }
    return (0..<prefix.utf8CodeUnitCount).allSatisfy { bytes[$0] == prefix.utf8Start[$0] }
  }

  /// The bytes in `range`, with their own column.
  package func part(_ range: Range<Int>) -> Token {
    Token(
      UnsafeBufferPointer(rebasing: bytes[range]), column: column == 0 ? 0 : column + range.lowerBound,
      isQuoted: isQuoted)
  }

  package func firstIndex(of byte: UInt8) -> Int? { bytes.firstIndex(of: byte) }

  /// What stands before and after the first `separator`; `after` is nil when there is none.
  package func split(at separator: UInt8) -> (before: Token, after: Token?) {
    guard let index = firstIndex(of: separator) else { return (self, nil) }
    return (part(0..<index), part(index + 1..<count))
  }

  /// Calls `body` with each piece between separators, empty ones included.
  package func forEachPart<E: Error>(
    separatedBy separator: UInt8, _ body: (Token) throws(E) -> Void
  ) throws(E) {
    var start = 0
    for index in 0..<count where bytes[index] == separator {
      try body(part(start..<index))
      start = index + 1
    }
    try body(part(start..<count))
  }
}

/// Whether rules text may hold a byte: control characters other than tabs are refused there.
package func canStandInText(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7f || byte == UInt8(ascii: "\t") }

package func asciiLowercased(_ byte: UInt8) -> UInt8 {
  byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}

extension Token {
  /// Reads a whole number the way `strtoul(…, 0)` does: decimal, `0x` hexadecimal or `0` octal, behind blanks and `+`. nil
  /// when any byte is left over, or the number does not fit 64 bits.
  package var number: UInt64? {
    var digits = unsignedDigits
    var radix: UInt64 = 10
    let start = digits.startIndex
    if digits.count > 2, digits[start] == UInt8(ascii: "0"), asciiLowercased(digits[start + 1]) == UInt8(ascii: "x") {
      radix = 16
      digits = digits.dropFirst(2)
    } else if digits.count > 1, digits[start] == UInt8(ascii: "0") {
      radix = 8
      digits = digits.dropFirst()
    }
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard let digit = hexDigit(byte), UInt64(digit) < radix else { return nil }
      let (scaled, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
      guard !overflow, !carry else { return nil }
      value = sum
    }
    return value
  }

  /// Reads a number in decimal digits, whatever zeros it begins with.
  package var decimal: UInt64? {
    let digits = unsignedDigits
    guard !digits.isEmpty, digits.count <= 19 else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
    }
    return value
  }

  /// What follows the blanks and the sign that strtoul passes over.
  private var unsignedDigits: Slice<UnsafeBufferPointer<UInt8>> {
    var digits = bytes[...]
    while let first = digits.first, first <= UInt8(ascii: "+") {
      guard first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") || first == UInt8(ascii: "+") else { break }
      digits = digits.dropFirst()
      if first == UInt8(ascii: "+") { break }
    }
    return digits
  }

  /// A number within `range`, nil when it is none.
  package func number<T: FixedWidthInteger>(in range: ClosedRange<T>) -> T? {
    guard let value = number, let fitting = T(exactly: value), range.contains(fitting) else { return nil }
    return fitting
  }
}
