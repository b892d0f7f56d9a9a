/// The options that one extension was given in one rule, checked against their declarations.
///
/// The typed readers (`number`, `portRange` …) return nil when the option was not given and throw, with the place
/// of the word, when its value cannot be.
public final class OptionValues {
  struct Use {
    /// The option's place among the extension's options, and its name.
    let spec: Int
    let name: StaticString
    let isInverted: Bool
    /// The option word itself.
    let word: Token
    let value: Token?
    /// The second word, for an option that takes two.
    var secondValue: Token?
  }

  public let family: Family
  package let names: Names
  /// By which the kernel is to get the rule.
  package let interface: KernelInterface
  /// The protocol the rule names with `-p`.
  package internal(set) var proto: Negatable<IPProtocol>?
  private(set) var definition: ExtensionDefinition
  private(set) var uses: [Use] = []

  init(family: Family, names: Names, interface: KernelInterface, definition: ExtensionDefinition) {
    self.family = family
    self.names = names
    self.interface = interface
    self.definition = definition
  }

  func reset(for definition: ExtensionDefinition) {
    self.definition = definition
    uses.removeAll(keepingCapacity: true)
  }

  func add(_ use: Use) throws(SyntaxError) {
    let spec = definition.options[use.spec]
    if use.isInverted, !spec.isNegatable {
      throw SyntaxError(at: use.word, "'!' cannot stand before \(spec.name)")
    }
    if !spec.isRepeatable, uses.contains(where: { $0.spec == use.spec }) {
      throw SyntaxError(at: use.word, "\(spec.name) is given twice", hint: "one rule takes it once")
    }
    for other in uses where other.spec != use.spec {
      let name = other.name
      let conflict =
        spec.excludes.contains { same($0, name) }
        || definition.options[other.spec].excludes.contains { same($0, spec.name) }
      if conflict {
        throw SyntaxError(at: use.word, "\(spec.name) cannot stand beside \(name)")
      }
    }
    uses.append(use)
  }

  func checkRequired() throws(SyntaxError) {
    for index in definition.options.indices where definition.options[index].isRequired {
      guard !uses.contains(where: { $0.spec == index }) else { continue }
      let spec = definition.options[index]
      throw SyntaxError(
        "\(definition.name) needs \(spec.name)" + (spec.takesValue ? " \(spec.value.placeholder)" : ""))
    }
  }
}

private func same(_ a: StaticString, _ b: StaticString) -> Bool {
  guard a.utf8CodeUnitCount == b.utf8CodeUnitCount else { return false }
  return a.utf8Start == b.utf8Start
    || UnsafeBufferPointer(start: a.utf8Start, count: a.utf8CodeUnitCount)
      .elementsEqual(UnsafeBufferPointer(start: b.utf8Start, count: b.utf8CodeUnitCount))
}

// MARK: What was given

extension OptionValues {
  package var isEmpty: Bool { uses.isEmpty }

  private func use(_ name: StaticString) -> Use? {
    for index in 0..<uses.count where same(uses[index].name, name) { return uses[index] }
    return nil
  }

  /// Whether the option was given at all.
  package func has(_ name: StaticString) -> Bool { use(name) != nil }

  /// Whether the option was given after `!`.
  package func isInverted(_ name: StaticString) -> Bool { use(name)?.isInverted ?? false }

  /// The word after the option, as it stood.
  package func token(_ name: StaticString) -> Token? { use(name)?.value }

  /// Whether one option stands before the other, both being given.
  package func stands(_ name: StaticString, before other: StaticString) -> Bool {
    guard let place = uses.firstIndex(where: { same($0.name, name) }) else { return false }
    return uses[place...].contains { same($0.name, other) }
  }

  /// The two words after an option that takes two.
  package func words(_ name: StaticString) -> [Token]? {
    guard let use = use(name), let first = use.value, let second = use.secondValue else { return nil }
    return [first, second]
  }

  /// Every use of a repeatable option, in order.
  package func tokens(_ name: StaticString) -> [(value: Token, isInverted: Bool)] {
    uses.compactMap { use in
      guard same(use.name, name), let value = use.value else { return nil }
      return (value, use.isInverted)
    }
  }

  /// Every use of every option, in order.
  package var inOrder: [(name: StaticString, word: Token, value: Token?, isInverted: Bool)] {
    uses.map { ($0.name, $0.word, $0.value, $0.isInverted) }
  }

  /// An error about an option that was given, or about the whole extension where it was not.
  package func error(_ name: StaticString, _ message: String, hint: String? = nil) -> SyntaxError {
    guard let use = use(name) else { return SyntaxError("\(definition.name): \(message)", hint: hint) }
    return SyntaxError(at: use.value ?? use.word, "\(name): \(message)", hint: hint)
  }

  /// Tells the reader of a word that is accepted, because iptables does, but hardly meant.
  package func warn(_ token: Token, _ message: String, hint: String? = nil) {
    names.warned?(SyntaxError(at: token, message, hint: hint))
  }

  private func spec(_ name: StaticString) -> OptionSpec {
    guard let spec = definition.options.first(where: { same($0.name, name) }) else {
      preconditionFailure("\(definition.name) does not declare \(name)")
    }
    return spec
  }
}

// MARK: Typed values

extension OptionValues {
  package func string(_ name: StaticString) throws(SyntaxError) -> String? {
    guard let token = token(name) else { return nil }
    if case .string(let limit) = spec(name).value, token.count > limit {
      throw error(name, "the text has \(token.count) bytes, at most \(limit) fit")
    }
    return token.string
  }

  /// A whole number in the declared range.
  package func number(_ name: StaticString) throws(SyntaxError) -> UInt64? {
    guard let token = token(name) else { return nil }
    guard case .number(let range) = spec(name).value else {
      preconditionFailure("\(name) is not declared as a number")
    }
    return try number(token, in: range, of: name)
  }

  package func number(_ token: Token, in range: ClosedRange<UInt64>, of name: StaticString)
    throws(SyntaxError) -> UInt64
  {
    guard let value = token.number, range.contains(value) else {
      throw SyntaxError(
        at: token,
        "\(name): '\(token.string)' is not a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// `N` or `N:M`, either end of which may be left out.
  package func numberRange(_ name: StaticString) throws(SyntaxError) -> ClosedRange<UInt64>? {
    guard let bounds = try numberBounds(name) else { return nil }
    guard bounds.first <= bounds.last else {
      throw error(
        name, "the range '\(bounds.first):\(bounds.last)' runs backwards",
        hint: "write \(name) \(bounds.last):\(bounds.first)")
    }
    return bounds.first...bounds.last
  }

  /// The same, for options that take a range which runs backwards.
  package func numberBounds(_ name: StaticString) throws(SyntaxError) -> Bounds<UInt64>? {
    guard let token = token(name) else { return nil }
    guard case .numberRange(let limits) = spec(name).value else {
      preconditionFailure("\(name) is not declared as a range of numbers")
    }
    let parts = token.split(at: UInt8(ascii: ":"))
    let low =
      parts.before.count == 0 && parts.after != nil
      ? limits.lowerBound : try number(parts.before, in: limits, of: name)
    guard let after = parts.after else { return Bounds(low) }
    return Bounds(low, after.count == 0 ? limits.upperBound : try number(after, in: limits, of: name))
  }

  /// A 32-bit value and its mask, all ones where none is given.
  package func mark(_ name: StaticString) throws(SyntaxError) -> (value: UInt32, mask: UInt32)? {
    guard let token = token(name) else { return nil }
    let parts = token.split(at: UInt8(ascii: "/"))
    let limit: ClosedRange<UInt64> = 0...UInt64(UInt32.max)
    let value = try number(parts.before, in: limit, of: name)
    guard let mask = parts.after else { return (UInt32(value), .max) }
    return (UInt32(value), UInt32(try number(mask, in: limit, of: name)))
  }

  package func port(_ name: StaticString, _ proto: IPProtocol?) throws(SyntaxError) -> UInt16? {
    guard let token = token(name) else { return nil }
    return try names.port(token, proto, option: name, decimal: true)
  }

  package func portRange(_ name: StaticString, _ proto: IPProtocol?) throws(SyntaxError) -> PortRange? {
    guard let token = token(name) else { return nil }
    return try names.portRange(token, proto, option: name)
  }

  /// See ``Names/portBounds(_:_:option:)``.
  package func portBounds(_ name: StaticString, _ proto: IPProtocol?) throws(SyntaxError) -> Bounds<UInt16>? {
    guard let token = token(name) else { return nil }
    return try names.portBounds(token, proto, option: name, decimal: true)
  }

  /// One of the declared words, by its place among them.
  package func choice(_ name: StaticString) throws(SyntaxError) -> Int? {
    guard let token = token(name) else { return nil }
    guard case .choice(let words) = spec(name).value else {
      preconditionFailure("\(name) is not declared as a choice")
    }
    return try choice(token, among: words, of: name)
  }

  /// - Parameter exactly: upper and lower case differ.
  package func choice(_ token: Token, among words: [StaticString], of name: StaticString, exactly: Bool = false)
    throws(SyntaxError) -> Int
  {
    if let index = words.firstIndex(where: { exactly ? token == $0 : token.equalsIgnoringCase($0) }) { return index }
    throw SyntaxError(
      at: token, "\(name): '\(token.string)' is not one of its values",
      hint: suggestion(for: token.string, among: words.map { "\($0)" }))
  }

  /// The declared words that stand in the list, by their places.
  /// - Parameters:
  ///   - abbreviated: a beginning stands for the first word that has it.
  ///   - exactly: upper and lower case differ.
  package func list(_ name: StaticString, abbreviated: Bool = false, exactly: Bool = false) throws(SyntaxError)
    -> [Int]?
  {
    guard let token = token(name) else { return nil }
    guard case .list(let words) = spec(name).value else {
      preconditionFailure("\(name) is not declared as a list")
    }
    var places: [Int] = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      guard part.count > 0 else {
        throw SyntaxError(
          at: part, "\(name): a word is missing between the commas", hint: "write the list without blanks")
      }
      if abbreviated, let place = words.firstIndex(where: { part.begins($0) }) {
        places.append(place)
      } else {
        places.append(try choice(part, among: words, of: name, exactly: exactly))
      }
    }
    return places
  }

  /// An address or network of the rule's family; one only, so a host name must have one address.
  package func address(_ name: StaticString) throws(SyntaxError) -> AddressMask? {
    guard let token = token(name) else { return nil }
    let found = try names.addresses(token, family)
    guard found.count == 1, let only = found.first else {
      throw error(name, "'\(token.string)' stands for \(found.count) addresses, only one fits here")
    }
    return only
  }

  /// `first-last`, or one address twice.
  package func addressRange(_ name: StaticString) throws(SyntaxError) -> ClosedRange<IPAddress>? {
    guard let token = token(name) else { return nil }
    let parts = token.split(at: UInt8(ascii: "-"))
    let first = try numericAddress(parts.before, of: name)
    guard let after = parts.after else { return first...first }
    let last = try numericAddress(after, of: name)
    guard first <= last else {
      throw error(name, "the range '\(token.string)' runs backwards", hint: "write \(name) \(last)-\(first)")
    }
    return first...last
  }

  /// `first-last` or one address, for options that take a range which runs backwards. IPv4 addresses may leave out
  /// their last numbers.
  package func addressBounds(_ name: StaticString) throws(SyntaxError) -> Bounds<IPAddress>? {
    guard let token = token(name) else { return nil }
    func address(_ part: Token) throws(SyntaxError) -> IPAddress {
      guard let address = names.numericAddress(part, family) else {
        throw SyntaxError(
          at: part, "\(name): '\(part.string)' is not an \(family) address",
          hint: "write \(name) FIRST-LAST with two addresses; networks and host names do not go here")
      }
      return address
    }
    let parts = token.split(at: UInt8(ascii: "-"))
    let first = try address(parts.before)
    guard let last = parts.after else { return Bounds(first) }
    return Bounds(first, try address(last))
  }

  /// One address, or a host name that has one.
  package func host(_ token: Token, of name: StaticString) throws(SyntaxError) -> IPAddress {
    if let address = IPAddress(family: family, token: token) { return address }
    let found = Set(try names.resolve(token, family))
    guard found.count == 1, let only = found.first else {
      throw SyntaxError(at: token, "\(name): '\(token.string)' stands for \(found.count) addresses, only one fits here")
    }
    return only
  }

  /// A host, or `HOST/LENGTH` with a length or a mask without holes; the host's bits behind the length stay.
  package func hostAndLength(_ name: StaticString) throws(SyntaxError) -> (address: IPAddress, length: Int)? {
    guard let token = token(name) else { return nil }
    let parts = token.split(at: UInt8(ascii: "/"))
    let address = try host(parts.before, of: name)
    guard let after = parts.after else { return (address, family.addressBits) }
    return (address, try prefixLength(after, of: name))
  }

  /// One host, with a mask that is a prefix or none at all.
  package func maskedAddress(_ token: Token, of name: StaticString) throws(SyntaxError) -> ConntrackAddress {
    let parts = token.split(at: UInt8(ascii: "/"))
    let address = try host(parts.before, of: name)
    guard let maskToken = parts.after else { return ConntrackAddress(address) }
    let length = try prefixLength(maskToken, of: name)
    guard let result = ConntrackAddress(address, prefixLength: length) else {
      preconditionFailure("a mask of the family has no more bits than its addresses")
    }
    return result
  }

  /// The length of a mask: a number of bits, or the mask itself. One with holes is taken for none, with a warning.
  package func prefixLength(_ token: Token, of name: StaticString) throws(SyntaxError) -> Int {
    let mask = try names.addressMask(token, family)
    guard let length = AddressMask(address: .any(family), mask: mask).prefixLength else {
      warn(
        token, "\(name): the mask '\(token.string)' has holes; it is taken for no mask, as iptables does",
        hint: "write a prefix length")
      return family.addressBits
    }
    return length
  }

  /// An interface by name, or all whose names begin alike (`eth+`).
  package func interface(_ name: StaticString) throws(SyntaxError) -> InterfacePattern? {
    guard let token = token(name) else { return nil }
    let isPlain = token.bytes.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "'") }
    guard isPlain, let pattern = InterfacePattern(bytes: token.bytes) else {
      throw error(
        name, "no interface can have the name '\(token.string)'", hint: "a name has 1 to 15 bytes and no blanks")
    }
    return pattern
  }

  package func macAddress(_ name: StaticString) throws(SyntaxError) -> MACAddress? {
    guard let token = token(name) else { return nil }
    guard let address = MACAddress(token: token) else {
      throw error(
        name, "'\(token.string)' is not a MAC address",
        hint: "write six hexadecimal numbers, for example 00:16:3e:0a:1b:2c")
    }
    return address
  }

  package func numericAddress(_ token: Token, of name: StaticString) throws(SyntaxError) -> IPAddress {
    guard let address = IPAddress(family: family, token: token) else {
      throw SyntaxError(at: token, "\(name): '\(token.string)' is not an \(family) address")
    }
    return address
  }
}
