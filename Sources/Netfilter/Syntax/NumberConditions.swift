/// Conditions on 32-bit numbers and ranges of them, which many extensions have: read as iptables reads them, printed as
/// iptables-save prints them.
extension OptionValues {
  /// `N` or `N:M`; nil when the option was not given.
  package func bounds(_ name: StaticString) throws(SyntaxError) -> Negatable<Bounds<UInt32>>? {
    guard let bounds = try numberBounds(name) else { return nil }
    return Negatable(Bounds(UInt32(bounds.first), UInt32(bounds.last)), inverted: isInverted(name))
  }

  /// `N`; nil when the option was not given.
  package func condition(_ name: StaticString) throws(SyntaxError) -> Negatable<UInt32>? {
    guard let number = try number(name) else { return nil }
    return Negatable(UInt32(number), inverted: isInverted(name))
  }

  /// `N`, `N/MASK`, or a name that a file gives to a number.
  package func namedMark(_ name: StaticString, _ file: NumberFile) throws(SyntaxError) -> NumberUnderMask? {
    guard let token = token(name) else { return nil }
    if let number = NumberUnderMask(token) { return number }
    guard let number = names.number(token.string, file) else {
      throw error(name, "'\(token.string)' is neither a number nor a known name", hint: "write VALUE or VALUE/MASK")
    }
    return NumberUnderMask(number)
  }
}

extension OptionSpec.Value {
  /// Any 32-bit number.
  static var anyNumber: OptionSpec.Value { .number(0...UInt64(UInt32.max)) }
  /// A 32-bit number or a range of them.
  static var anyNumberRange: OptionSpec.Value { .numberRange(0...UInt64(UInt32.max)) }
}

/// A number of 32 bits and the bits of it that are compared.
public struct NumberUnderMask: Hashable, Sendable {
  public let value: UInt32
  public let mask: UInt32

  public init(_ value: UInt32, mask: UInt32 = .max) {
    self.value = value
    self.mask = mask
  }

  /// Reads `N` or `N/MASK`; nil when the word is something else.
  init?(_ token: Token) {
    let limit: ClosedRange<UInt32> = 0...UInt32.max
    let parts = token.split(at: UInt8(ascii: "/"))
    guard let value = parts.before.number(in: limit) else { return nil }
    guard let rest = parts.after else {
      self.init(value)
      return
    }
    guard let mask = rest.number(in: limit) else { return nil }
    self.init(value, mask: mask)
  }
}

extension Bounds<UInt32> {
  /// Every number.
  static var anyNumber: Bounds { Bounds(0, .max) }

  /// nil for every number, which is how some structures say that the number does not matter.
  func condition(inverted: Bool) -> Negatable<Bounds<UInt32>>? {
    self == .anyNumber && !inverted ? nil : Negatable(self, inverted: inverted)
  }
}

extension Negatable<Bounds<UInt32>> {
  /// Whether every number fulfils it. iptables-save leaves such a condition out; and also the one that no number
  /// fulfils, which would make a rule for no packet one for every packet, so that one is printed here.
  var isAlwaysTrue: Bool { value == .anyNumber && !isInverted }
}

extension RuleWriter {
  /// ` ! --espspi 1:2`; nothing for nil or a condition that is always true.
  package mutating func bounds(_ name: StaticString, _ condition: Negatable<Bounds<UInt32>>?) {
    guard let condition, !condition.isAlwaysTrue else { return }
    option(name, inverted: condition.isInverted)
    text.write(byte: UInt8(ascii: " "))
    text.write(condition.value)
  }

  /// ` ! --rt-len 4`; nothing for nil.
  package mutating func condition(_ name: StaticString, _ condition: Negatable<UInt32>?) {
    guard let condition else { return }
    option(name, inverted: condition.isInverted)
    number(condition.value)
  }

  /// ` 0x1`, ` 0x1/0xff`, or the number's name where it has one that can be read again.
  package mutating func namedMark(_ number: NumberUnderMask, _ file: NumberFile) {
    if number.mask == .max, let name = names.numberName(number.value, file), Self.isReadable(name) {
      return word(name)
    }
    mark(number.value, mask: number.mask)
  }

  /// The same in a listing, which shows any name unless it is numeric.
  package mutating func listNamedMark(_ number: NumberUnderMask, _ file: NumberFile) {
    if !isNumeric, number.mask == .max, let name = names.numberName(number.value, file) { return word(name) }
    mark(number.value, mask: number.mask)
  }

  private static func isReadable(_ name: String) -> Bool {
    var copy = name
    return isBareWord(name) && copy.withUTF8 { NumberUnderMask(Token($0)) == nil }
  }
}

/// Whether iptables-save prints the text so that it is read again as one word.
func isBareWord(_ text: String) -> Bool {
  text.utf8.allSatisfy { byte in
    byte > 0x20 && byte != 0x7f && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\")
  } && text != "!"
}

extension RuleWriter {
  /// `spi:!1`, `spis:1:2`, without a blank before it; nothing for nil or a condition that is always true.
  mutating func listBounds(_ name: StaticString, _ condition: Negatable<Bounds<UInt32>>?) {
    guard let condition, !condition.isAlwaysTrue else { return }
    text.write(name)
    text.write(condition.value.first == condition.value.last ? ":" : "s:")
    if condition.isInverted { text.write("!") }
    text.write(condition.value)
  }
}

extension Answer {
  /// The condition on a number, which is decided without it where every number fulfils it or none does.
  static func about(_ number: UInt32?, _ name: StaticString, bounds: Negatable<Bounds<UInt32>>?) -> Answer {
    guard number == nil, let bounds else { return .about(number, name, bounds) { $1.contains($0) } }
    if bounds.value.isEmpty { return Answer(bounds.isInverted) }
    if bounds.value == .anyNumber { return Answer(!bounds.isInverted) }
    return .depends(on: name)
  }
}

extension ByteReader {
  /// Two numbers in host order, the lower and the upper limit.
  mutating func bounds(_ field: StaticString) throws(WireError) -> Bounds<UInt32> {
    let first = try uint32(field)
    return Bounds(first, try uint32(field))
  }

  /// A byte that is 0 or 1.
  mutating func flag(_ field: StaticString) throws(WireError) -> Bool {
    let value = try uint8(field)
    guard value <= 1 else { throw invalid(field) }
    return value == 1
  }
}

extension ByteWriter {
  mutating func write(_ bounds: Bounds<UInt32>) {
    write(bounds.first)
    write(bounds.last)
  }

  mutating func write(flag: Bool) { write(UInt8(flag ? 1 : 0)) }
}
