/// Any 32 bits of a packet, found by calculation and compared with ranges
/// (`struct xt_u32`, linux/netfilter/xt_u32.h, where the calculation is described).
public struct U32: Match {
  /// All of them have to hold.
  public let tests: [Test]
  public let isInverted: Bool

  /// Tests in one rule, numbers in one location, and values in one test.
  public static let maxParts = 10

  /// nil for no tests or more than ten.
  public init?(_ tests: [Test], inverted: Bool = false) {
    guard (1...Self.maxParts).contains(tests.count) else { return nil }
    self.tests = tests
    isInverted = inverted
  }

  /// `LOCATION=VALUES`.
  public struct Test: Hashable, Sendable {
    /// Where in the packet the 32 bits begin.
    public let offset: UInt32
    /// What is done with them.
    public let steps: [Step]
    /// What they may be then. Limits that run backwards hold nothing.
    public let values: [Bounds<UInt32>]

    /// nil for no values, more than ten of them, or more than nine steps.
    public init?(at offset: UInt32, _ steps: [Step] = [], in values: [Bounds<UInt32>]) {
      guard (1...U32.maxParts).contains(values.count), steps.count < U32.maxParts else { return nil }
      self.offset = offset
      self.steps = steps
      self.values = values
    }
  }

  /// An operator and its number.
  public struct Step: Hashable, Sendable {
    public var operation: Operation
    public var number: UInt32

    public init(_ operation: Operation, _ number: UInt32) {
      self.operation = operation
      self.number = number
    }
  }

  /// Raw values are `XT_U32_*`.
  public enum Operation: UInt8, Hashable, Sendable, CaseIterable {
    case and = 0
    case shiftLeft = 1
    case shiftRight = 2
    /// Goes on by the value so far and takes the 32 bits at the number from there.
    case at = 3

    fileprivate var sign: StaticString {
      switch self {
      case .and: "&"
      case .shiftLeft: "<<"
      case .shiftRight: ">>"
      case .at: "@"
      }
    }
  }
}

// MARK: Syntax

extension U32 {
  public static let definition = ExtensionDefinition(
    "u32", summary: "any 32 bits of the packet",
    options: [
      OptionSpec(
        "--u32", .custom("LOCATION=VALUES[&&LOCATION=VALUES]…"), negatable: true, required: true,
        "LOCATION is N or LOCATION&N, <<N, >>N or @N; VALUES are N or N:N between commas")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--u32") else { throw options.error("--u32", "needs a test") }
    var scanner = Scanner(token)
    var tests: [Test] = []
    repeat {
      tests.append(try scanner.test())
      guard tests.count <= Self.maxParts else { throw scanner.error("more than \(Self.maxParts) tests") }
    } while try scanner.isAnotherTest()
    guard let value = U32(tests, inverted: options.isInverted("--u32")) else {
      throw options.error("--u32", "needs 1 to \(Self.maxParts) tests")
    }
    self = value
  }

  /// Reads the tests from left to right; blanks may stand between numbers and signs.
  private struct Scanner {
    let token: Token
    var place = 0

    init(_ token: Token) { self.token = token }

    func error(_ message: String, hint: String? = nil) -> SyntaxError {
      SyntaxError(at: token.part(place..<token.count), "--u32: \(message)", hint: hint)
    }

    var next: UInt8? { place < token.count ? token.bytes[place] : nil }

    mutating func skipBlanks() {
      while let byte = next, byte == 0x20 || (0x09...0x0d).contains(byte) { place += 1 }
    }

    mutating func take(_ sign: StaticString) -> Bool {
      guard token.part(place..<token.count).hasPrefix(sign) else { return false }
      place += sign.utf8CodeUnitCount
      return true
    }

    mutating func number() throws(SyntaxError) -> UInt32 {
      skipBlanks()
      let start = place
      while let byte = next, isAlphanumeric(byte) { place += 1 }
      let word = token.part(start..<place)
      guard let number = word.number(in: 0...UInt32.max) else {
        place = start
        throw error(
          word.count == 0 ? "a number is missing" : "'\(word.string)' is not a number of 32 bits",
          hint: "for example: 6&0xff=17")
      }
      skipBlanks()
      return number
    }

    mutating func test() throws(SyntaxError) -> Test {
      let offset = try number()
      var steps: [Step] = []
      while !take("=") {
        guard next != nil else { throw error("the test has no value", hint: "write LOCATION=VALUE") }
        guard let operation = Operation.allCases.first(where: { take($0.sign) }) else {
          throw error("an operator or '=' is missing", hint: "operators are &, <<, >> and @")
        }
        steps.append(Step(operation, try number()))
        guard steps.count < U32.maxParts else { throw error("more than \(U32.maxParts) numbers in a location") }
      }
      var values: [Bounds<UInt32>] = []
      repeat {
        let first = try number()
        values.append(take(":") ? Bounds(first, try number()) : Bounds(first))
        guard values.count <= U32.maxParts else { throw error("more than \(U32.maxParts) values in a test") }
      } while take(",")
      guard let test = Test(at: offset, steps, in: values) else { throw error("the test has too many parts") }
      return test
    }

    mutating func isAnotherTest() throws(SyntaxError) -> Bool {
      if next == nil { return false }
      guard take("&&") else { throw error("',' or '&&' is missing") }
      return true
    }

    private func isAlphanumeric(_ byte: UInt8) -> Bool {
      switch asciiLowercased(byte) {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
      default: false
      }
    }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--u32", inverted: isInverted)
    writeTests(to: &out)
  }

  public func list(to out: inout RuleWriter) {
    out.word(isInverted ? "u32 !" : "u32")
    writeTests(to: &out)
  }

  private func writeTests(to out: inout RuleWriter) {
    out.text.write(" \"")
    for (index, test) in tests.enumerated() {
      if index > 0 { out.text.write("&&") }
      out.text.write(number: test.offset)
      for step in test.steps {
        out.text.write(step.operation.sign)
        out.text.write(number: step.number)
      }
      var separator = UInt8(ascii: "=")
      for value in test.values {
        out.text.write(byte: separator)
        separator = UInt8(ascii: ",")
        out.text.write(number: value.first)
        guard value.last != value.first else { continue }
        out.text.write(byte: UInt8(ascii: ":"))
        out.text.write(number: value.last)
      }
    }
    out.text.write(byte: UInt8(ascii: "\""))
  }
}

extension TextWriter {
  fileprivate mutating func write(number: UInt32) {
    write("0x")
    write(hex: number)
  }
}

// MARK: Kernel bytes

extension U32 {
  /// Places for tests, numbers and values in the kernel's structures.
  private static let placeCount = maxParts + 1
  private static let testSize = 2 * 8 * placeCount + 4

  public func encode(to out: inout ByteWriter, family: Family) {
    for test in tests {
      out.write(test.offset)
      out.zeros(4)
      for step in test.steps {
        out.write(step.number)
        out.write(step.operation.rawValue)
        out.zeros(3)
      }
      out.zeros(8 * (Self.placeCount - 1 - test.steps.count))
      for value in test.values { out.write(value) }
      out.zeros(8 * (Self.placeCount - test.values.count))
      out.write(UInt8(1 + test.steps.count))
      out.write(UInt8(test.values.count))
      out.zeros(2)
    }
    out.zeros(Self.testSize * (Self.placeCount - tests.count))
    out.write(UInt8(tests.count))
    out.write(flag: isInverted)
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    var tests: [Test?] = []
    for _ in 0..<Self.placeCount { tests.append(try Self.test(&bytes)) }
    let count = Int(try bytes.uint8("ntests"))
    let isInverted = try bytes.flag("invert")
    try bytes.zeros("padding", 2)
    let used = tests.prefix(count).compactMap(\.self)
    guard used.count == count, tests.dropFirst(count).allSatisfy({ $0 == nil }),
      let value = U32(used, inverted: isInverted)
    else { throw bytes.invalid("ntests") }
    self = value
  }

  /// nil for a place that is not used, all of which is zero.
  private static func test(_ bytes: inout ByteReader) throws(WireError) -> Test? {
    var numbers: [(number: UInt32, operation: UInt8)] = []
    for _ in 0..<placeCount {
      numbers.append((try bytes.uint32("number"), try bytes.uint8("nextop")))
      try bytes.zeros("padding", 3)
    }
    var values: [Bounds<UInt32>] = []
    for _ in 0..<placeCount { values.append(try bytes.bounds("value")) }
    let numberCount = Int(try bytes.uint8("nnums"))
    let valueCount = Int(try bytes.uint8("nvalues"))
    try bytes.zeros("padding", 2)
    guard numberCount <= maxParts, numbers[numberCount...].allSatisfy({ $0 == (0, 0) }) else {
      throw bytes.invalid("nnums")
    }
    guard valueCount <= maxParts, values[valueCount...].allSatisfy({ $0 == Bounds(0) }) else {
      throw bytes.invalid("nvalues")
    }
    if numberCount == 0, valueCount == 0 { return nil }
    var steps: [Step] = []
    for (number, operation) in numbers[..<numberCount].dropFirst() {
      guard let operation = Operation(rawValue: operation) else { throw bytes.invalid("nextop") }
      steps.append(Step(operation, number))
    }
    guard let offset = numbers[..<numberCount].first, offset.operation == 0,
      let test = Test(at: offset.number, steps, in: Array(values[..<valueCount]))
    else { throw bytes.invalid("nnums") }
    return test
  }
}

// MARK: Meaning

extension U32 {
  /// Where 32 bits lie outside the packet the tests have failed, so an inverted rule matches.
  public func matches(_ packet: Packet) -> Answer {
    guard let bytes = packet.bytes else { return .depends(on: "the packet's bytes") }
    return Answer(tests.allSatisfy { $0.holds(for: bytes) } != isInverted)
  }
}

extension U32.Test {
  fileprivate func holds(for bytes: [UInt8]) -> Bool {
    var base: UInt64 = 0
    guard var value = Self.word(bytes, at: UInt64(offset)) else { return false }
    for step in steps {
      switch step.operation {
      case .and: value &= step.number
      // By the lower five bits, as processors do; newer kernels refuse rules with greater numbers.
      case .shiftLeft: value = value &<< step.number
      case .shiftRight: value = value &>> step.number
      case .at:
        base += UInt64(value)
        guard let next = Self.word(bytes, at: base + UInt64(step.number)) else { return false }
        value = next
      }
    }
    return values.contains { $0.contains(value) }
  }

  private static func word(_ bytes: [UInt8], at place: UInt64) -> UInt32? {
    guard bytes.count >= 4, place <= UInt64(bytes.count - 4) else { return nil }
    return bytes[Int(place)..<Int(place) + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
