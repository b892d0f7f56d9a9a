/// Writes the parts of a rule as iptables-save prints them, or as `iptables -L` shows them.
public struct RuleWriter: Sendable {
  package var text = TextWriter()
  public let family: Family
  package let names: Names
  /// Whether a listing shows numbers where there are names (`-n`). Saved rules do not ask.
  package var isNumeric = true
  /// The protocol that the rule is for, which a listing needs to name ports of ``Multiport``.
  package var proto: IPProtocol?

  package init(family: Family, names: Names) {
    self.family = family
    self.names = names
  }

  /// A blank and a word.
  @inline(__always)
  package mutating func word(_ word: StaticString) {
    text.write(byte: UInt8(ascii: " "))
    text.write(word)
  }

  package mutating func word(_ word: String) {
    text.write(byte: UInt8(ascii: " "))
    text.write(word)
  }

  /// A word without its first bytes: an option as listings have it, without dashes.
  package mutating func word(_ word: StaticString, dropping count: Int) {
    text.write(byte: UInt8(ascii: " "))
    text.write(UnsafeBufferPointer(start: word.utf8Start + count, count: word.utf8CodeUnitCount - count))
  }

  package mutating func number(_ value: some FixedWidthInteger) {
    text.write(byte: UInt8(ascii: " "))
    text.write(value)
  }

  /// ` 0x1f`.
  package mutating func hex(_ value: UInt32) {
    text.write(" 0x")
    text.write(hex: value)
  }

  /// The words of `names` whose flag is in `set`, with commas between.
  package mutating func list<Flags: OptionSet>(
    _ set: Flags, of names: [(name: StaticString, flag: Flags)], after lead: StaticString = " ",
    separator: StaticString = ","
  ) where Flags.Element == Flags {
    var before = lead
    for known in names where set.contains(known.flag) {
      text.write(before)
      text.write(known.name)
      before = separator
    }
  }

  /// An option word, after ` !` where it is inverted.
  @inline(__always)
  package mutating func option(_ name: StaticString, inverted: Bool = false) {
    if inverted { text.write(" !") }
    word(name)
  }

  /// An option word, in listings without its dashes.
  package mutating func option(_ name: StaticString, dashes: Bool) {
    guard !dashes else { return word(name) }
    text.write(byte: UInt8(ascii: " "))
    text.write(UnsafeBufferPointer(start: name.utf8Start + 2, count: name.utf8CodeUnitCount - 2))
  }

  /// A word as it is, where iptables-save does not quote; one that could then not be read again is quoted.
  package mutating func bare(_ value: String) {
    let isPlain = value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    if isPlain { word(value) } else { quoted(value) }
  }

  /// Text as iptables-save quotes it: bare where every byte is a letter, a digit, `-` or `_`, otherwise between double
  /// quotes with `"`, `\` and `'` escaped by a backslash.
  package mutating func quoted(_ value: String) { quoted(value.utf8) }

  /// The same for text in any encoding.
  package mutating func quoted(_ bytes: some Collection<UInt8>) {
    text.write(byte: UInt8(ascii: " "))
    let isPlain = !bytes.isEmpty && bytes.allSatisfy(Self.isPlain)
    guard !isPlain else {
      text.write(bytes)
      return
    }
    text.write(byte: UInt8(ascii: "\""))
    for byte in bytes {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "'") {
        text.write(byte: UInt8(ascii: "\\"))
      }
      text.write(byte: byte)
    }
    text.write(byte: UInt8(ascii: "\""))
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}
