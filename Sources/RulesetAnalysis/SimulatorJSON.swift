internal import Netfilter

/// Reads JSON (RFC 8259) from bytes, one value after the other, as its caller asks for them.
///
/// Words point into the bytes; only a string with escapes is copied, to a place that lives as long as the reader.
struct JSONReader: ~Copyable {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var offset = 0
  private var copies: [UnsafeMutableBufferPointer<UInt8>] = []

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  deinit { for copy in copies { copy.deallocate() } }

  /// Whether nothing but blanks is left.
  var isAtEnd: Bool { mutating get { peek() == nil } }

  // MARK: Objects and arrays

  mutating func beginObject() throws(SyntaxError) {
    guard skip("{") else { throw unexpected("an object: {…}") }
  }

  /// The name of an object's next member, whose value is then to be read; nil behind the last one.
  mutating func nextName(isFirst: Bool) throws(SyntaxError) -> Token? {
    if skip("}") { return nil }
    guard isFirst || skip(",") else { throw unexpected("',' or '}'") }
    guard peek() == UInt8(ascii: "\"") else { throw unexpected("the name of a member in quotes") }
    let name = try string()
    guard skip(":") else { throw unexpected("':'") }
    return name
  }

  /// Whether an array begins here; it is then open.
  mutating func beginArray() -> Bool { skip("[") }

  /// Whether an array goes on with a value.
  mutating func hasNextElement(isFirst: Bool) throws(SyntaxError) -> Bool {
    if skip("]") { return false }
    guard isFirst || skip(",") else { throw unexpected("',' or ']'") }
    return true
  }

  // MARK: Words

  /// A string without its quotes, or a number, `true` or `false` as it stands; nil for `null`.
  mutating func word() throws(SyntaxError) -> Token? {
    switch peek() ?? 0 {
    case UInt8(ascii: "\""): return try string()
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: "a")...UInt8(ascii: "z"): return try literal()
    default: throw unexpected("a string, a number, true, false or null")
    }
  }

  private mutating func literal() throws(SyntaxError) -> Token? {
    let word = token(offset..<end { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") })
    guard word == "true" || word == "false" || word == "null" else {
      throw SyntaxError(at: word, "'\(word.string)' is no JSON value", hint: "put text in quotes")
    }
    offset += word.count
    return word == "null" ? nil : word
  }

  /// A whole number: of the others nothing here can be made.
  private mutating func number() throws(SyntaxError) -> Token {
    let word = token(
      offset..<end {
        switch $0 {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
          UInt8(ascii: "e"), UInt8(ascii: "E"):
          true
        default: false
        }
      })
    let isWhole = word.bytes.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    guard isWhole, word.count == 1 || word.bytes[0] != UInt8(ascii: "0") else {
      throw SyntaxError(at: word, "'\(word.string)' is not a whole number of 0 or more")
    }
    offset += word.count
    return word
  }

  private mutating func string() throws(SyntaxError) -> Token {
    let start = offset + 1
    var place = start
    while place < bytes.count {
      switch bytes[place] {
      case UInt8(ascii: "\""):
        offset = place + 1
        return token(start..<place)
      case UInt8(ascii: "\\"): return try stringWithEscapes(start)
      case 0..<0x20: throw SyntaxError(column: place + 1, "a control character inside a string")
      default: place += 1
      }
    }
    throw SyntaxError(column: start, length: place - start + 1, "the string does not end")
  }

  private mutating func stringWithEscapes(_ start: Int) throws(SyntaxError) -> Token {
    var text: [UInt8] = []
    var place = start
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      switch byte {
      case UInt8(ascii: "\""):
        offset = place
        let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, text.count))
        _ = copy.initialize(from: text)
        copies.append(copy)
        return Token(UnsafeBufferPointer(rebasing: copy[..<text.count]), column: start + 1)
      case UInt8(ascii: "\\"): try escape(&place, &text)
      case 0..<0x20: throw SyntaxError(column: place, "a control character inside a string")
      default: text.append(byte)
      }
    }
    throw SyntaxError(column: start, length: place - start + 1, "the string does not end")
  }

  /// What stands behind a backslash.
  private func escape(_ place: inout Int, _ text: inout [UInt8]) throws(SyntaxError) {
    let wrong = SyntaxError(column: place, length: 2, "no escape of JSON")
    guard place < bytes.count else { throw wrong }
    let byte = bytes[place]
    place += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "u"):
      guard var scalar = hexadecimal(&place) else { throw wrong }
      if scalar & 0xfc00 == 0xd800 {  // the first half of a pair
        guard place + 1 < bytes.count, bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u") else {
          throw wrong
        }
        place += 2
        guard let second = hexadecimal(&place), second & 0xfc00 == 0xdc00 else { throw wrong }
        scalar = 0x10000 + (scalar & 0x3ff) << 10 + second & 0x3ff
      }
      guard let character = Unicode.Scalar(scalar) else { throw wrong }
      text += Array(String(Character(character)).utf8)
    default: throw wrong
    }
  }

  private func hexadecimal(_ place: inout Int) -> UInt32? {
    guard place + 4 <= bytes.count else { return nil }
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = hexDigit(bytes[place]) else { return nil }
      value = value << 4 | UInt32(digit)
      place += 1
    }
    return value
  }

  // MARK: Bytes

  /// The next byte that is no blank.
  private mutating func peek() -> UInt8? {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x09, 0x0a, 0x0d: offset += 1
      default: return bytes[offset]
      }
    }
    return nil
  }

  @inline(__always)
  private mutating func skip(_ byte: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: byte) else { return false }
    offset += 1
    return true
  }

  private func end(while isPart: (UInt8) -> Bool) -> Int {
    var place = offset
    while place < bytes.count, isPart(bytes[place]) { place += 1 }
    return place
  }

  private func token(_ range: Range<Int>) -> Token {
    Token(UnsafeBufferPointer(rebasing: bytes[range]), column: range.lowerBound + 1)
  }

  /// The error for what stands here instead.
  mutating func unexpected(_ wanted: String) -> SyntaxError {
    guard let byte = peek() else {
      return SyntaxError(column: bytes.count + 1, "expected \(wanted), but the line ends")
    }
    let found = byte > 0x20 && byte < 0x7f ? "'\(Character(Unicode.Scalar(byte)))'" : "something else"
    return SyntaxError(column: offset + 1, "expected \(wanted), found \(found)")
  }
}
