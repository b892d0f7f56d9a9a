/// A name that iptables-save prints without quotes, in a kernel field of `maxBytes` bytes and a terminator.
public struct BareName<let maxBytes: Int>: Hashable, Sendable {
  public let text: String

  /// nil when the text is empty, too long, a single `!`, or holds blanks, double quotes or control characters: nothing
  /// could read it back.
  public init?(_ text: String) {
    let isReadable = text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "\"") }
    guard !text.isEmpty, text.utf8.count <= maxBytes, isReadable, text != "!" else { return nil }
    self.text = text
  }
}

extension BareName: CustomStringConvertible {
  public var description: String { text }
}

extension OptionValues {
  /// A name that is neither cut nor quoted.
  package func bareName<let maxBytes: Int>(
    _ name: StaticString, as type: BareName<maxBytes>.Type = BareName<maxBytes>.self
  ) throws(SyntaxError) -> BareName<maxBytes>? {
    guard let token = token(name) else { return nil }
    if token.count > maxBytes {
      throw error(name, "the name has \(token.count) bytes, the kernel keeps \(maxBytes)")
    }
    guard let value = BareName<maxBytes>(token.string), value.text.utf8.elementsEqual(token.bytes) else {
      throw error(
        name, token.count == 0 ? "the name is empty" : "'\(token.string)' cannot be a name",
        hint: "a name has letters, digits and signs, no blanks and no quotes")
    }
    return value
  }
}

extension ByteWriter {
  /// A name and zeros up to the end of its field; zeros alone where there is none.
  package mutating func write<let maxBytes: Int>(_ name: BareName<maxBytes>?) {
    write(text: name?.text ?? "", size: maxBytes + 1)
  }
}

extension ByteReader {
  /// A name whose field has zeros behind it; nil where the field holds nothing else.
  package mutating func bareName<let maxBytes: Int>(
    _ field: StaticString, as type: BareName<maxBytes>.Type = BareName<maxBytes>.self
  ) throws(WireError) -> BareName<maxBytes>? {
    let bytes = try raw(field, count: maxBytes + 1)
    let text = bytes.prefix { $0 != 0 }
    guard bytes[text.count...].allSatisfy({ $0 == 0 }) else { throw invalid(field) }
    guard !text.isEmpty else { return nil }
    guard let name = BareName<maxBytes>(String(decoding: text, as: UTF8.self)), name.text.utf8.elementsEqual(text)
    else { throw invalid(field) }
    return name
  }
}
