/// A pattern of bytes somewhere in the packet (`struct xt_string_info`, linux/netfilter/xt_string.h).
public struct StringMatch: Match {
  public let pattern: Negatable<SearchPattern>
  public let algorithm: Algorithm
  /// First and last byte of the packet where the pattern may begin.
  public let offsets: ClosedRange<UInt16>
  public let ignoresCase: Bool

  /// How the kernel searches. Raw values are its names (linux/textsearch.h).
  public enum Algorithm: String, Hashable, Sendable, CaseIterable {
    case boyerMoore = "bm"
    case knuthMorrisPratt = "kmp"
    /// The pattern is a list of `struct ts_fsm_token` (linux/textsearch_fsm.h).
    case finiteStateMachine = "fsm"
  }

  /// Bytes in a `struct ts_fsm_token`.
  private static let tokenSize = 8

  /// nil when the pattern of a finite state machine is not a list of tokens.
  public init?(
    _ pattern: Negatable<SearchPattern>, algorithm: Algorithm, offsets: ClosedRange<UInt16> = 0...UInt16.max,
    ignoresCase: Bool = false
  ) {
    guard algorithm != .finiteStateMachine || pattern.value.bytes.count % Self.tokenSize == 0 else { return nil }
    self.pattern = pattern
    self.algorithm = algorithm
    self.offsets = offsets
    self.ignoresCase = ignoresCase
  }
}

/// What ``StringMatch`` looks for: 1 to 128 bytes.
public struct SearchPattern: Hashable, Sendable {
  public let bytes: [UInt8]

  /// `XT_STRING_MAX_PATTERN_SIZE`.
  public static let maxBytes = 128

  /// nil when there are no bytes or more than 128.
  public init?(bytes: [UInt8]) {
    guard !bytes.isEmpty, bytes.count <= Self.maxBytes else { return nil }
    self.bytes = bytes
  }

  /// See ``init(bytes:)``.
  public init?(_ text: String) { self.init(bytes: Array(text.utf8)) }

  /// Whether `--string` can say it: printable ASCII whose last byte does not escape the quote after it.
  fileprivate var isText: Bool { bytes.allSatisfy { (0x20...0x7e).contains($0) } && bytes.last != UInt8(ascii: "\\") }
}

// MARK: Syntax

extension StringMatch {
  public static let definition = ExtensionDefinition(
    "string", summary: "bytes in the packet", revisions: [1],
    options: [
      OptionSpec("--from", .number(0...65_535), "first byte where the pattern may begin; 0 if not given"),
      OptionSpec("--to", .number(0...65_535), "last byte where the pattern may begin; 65535 if not given"),
      OptionSpec("--algo", .custom("bm|kmp"), required: true, "how to search: bm or kmp"),
      OptionSpec(
        "--string", .string(maxBytes: SearchPattern.maxBytes), negatable: true, excludes: ["--hex-string"],
        "text to look for"),
      OptionSpec(
        "--hex-string", .custom("TEXT"), negatable: true, excludes: ["--string"],
        "the same with hexadecimal numbers between bars, GET|0d 0a|"),
      OptionSpec("--icase", .none, "ignore case"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard options.has("--string") || options.has("--hex-string") else {
      throw SyntaxError("string needs --string TEXT or --hex-string TEXT")
    }
    let name: StaticString = options.has("--string") ? "--string" : "--hex-string"
    let bytes = try Self.bytes(options, name)
    guard !bytes.isEmpty else { throw options.error(name, "there is nothing to look for") }
    guard let pattern = SearchPattern(bytes: bytes) else {
      throw options.error(name, "the pattern has more bytes than the \(SearchPattern.maxBytes) that the kernel keeps")
    }
    guard let word = options.token("--algo"), let algorithm = Algorithm(rawValue: word.string) else {
      throw options.error(
        "--algo", "the kernel does not know '\(options.token("--algo")?.string ?? "")'", hint: "possible: bm, kmp")
    }
    let first = UInt16(try options.number("--from") ?? 0)
    let last = UInt16(try options.number("--to") ?? 65_535)
    guard first <= last else {
      throw options.error(options.has("--to") ? "--to" : "--from", "nothing begins between byte \(first) and \(last)")
    }
    let value = StringMatch(
      Negatable(pattern, inverted: options.isInverted(name)), algorithm: algorithm, offsets: first...last,
      ignoresCase: options.has("--icase"))
    guard let value else {
      throw options.error("--algo", "'fsm' takes a pattern of 8-byte tokens", hint: "write --algo bm")
    }
    self = value
  }

  private static func bytes(_ options: OptionValues, _ name: StaticString) throws(SyntaxError) -> [UInt8] {
    guard let token = options.token(name) else { return [] }
    guard options.has("--hex-string") else { return Array(token.bytes) }
    var reader = HexStringReader(token: token)
    let bytes = try reader.read()
    if let place = reader.oddPlace {
      options.warn(
        token.part(place..<place + 1), "--hex-string: what follows a closing bar stands for itself, as in iptables",
        hint: "write one block of numbers: |0d 0a 20|")
    }
    return bytes
  }

  public func print(to out: inout RuleWriter) {
    out.option(pattern.value.isText ? "--string" : "--hex-string", inverted: pattern.isInverted)
    writePattern(to: &out)
    out.option("--algo")
    out.word(algorithm.rawValue)
    if offsets.lowerBound != 0 {
      out.option("--from")
      out.number(offsets.lowerBound)
    }
    if offsets.upperBound != .max {
      out.option("--to")
      out.number(offsets.upperBound)
    }
    if ignoresCase { out.option("--icase") }
  }

  public func list(to out: inout RuleWriter) {
    out.word(pattern.isInverted ? "STRING match !" : "STRING match ")
    writePattern(to: &out)
    out.word("ALGO name")
    out.word(algorithm.rawValue)
    if offsets.lowerBound != 0 {
      out.word("FROM")
      out.number(offsets.lowerBound)
    }
    if offsets.upperBound != .max {
      out.word("TO")
      out.number(offsets.upperBound)
    }
    if ignoresCase { out.word("ICASE") }
  }

  private func writePattern(to out: inout RuleWriter) {
    if pattern.value.isText {
      out.text.write(" \"")
      for byte in pattern.value.bytes {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { out.text.write(byte: UInt8(ascii: "\\")) }
        out.text.write(byte: byte)
      }
      out.text.write("\"")
    } else {
      out.text.write(" \"|")
      for byte in pattern.value.bytes { out.text.write(hex: byte, width: 2) }
      out.text.write("|\"")
    }
  }
}

/// Reads `--hex-string`: text, `\` before a byte that stands for itself, and pairs of hexadecimal digits between bars
/// with single blanks between the pairs.
private struct HexStringReader {
  let token: Token
  private var place = 0
  private var bytes: [UInt8] = []
  /// A bar or backslash right behind a closing bar, which iptables takes as it is.
  private(set) var oddPlace: Int?

  init(token: Token) { self.token = token }

  private var next: UInt8? { place < token.count ? token.bytes[place] : nil }

  private func error(_ message: String, hint: String? = nil) -> SyntaxError {
    let at = Swift.min(place, token.count - 1)
    return SyntaxError(
      at: token.count == 0 ? token : token.part(at..<at + 1), "--hex-string: \(message)", hint: hint)
  }

  mutating func read() throws(SyntaxError) -> [UInt8] {
    while let byte = next {
      place += 1
      switch byte {
      case UInt8(ascii: "|"): try readBlock()
      case UInt8(ascii: "\\"):
        guard let literal = next else { throw error("a backslash stands at the end", hint: "write \\\\ for one") }
        try append(literal)
        place += 1
      default: try append(byte)
      }
    }
    return bytes
  }

  private mutating func append(_ byte: UInt8) throws(SyntaxError) {
    guard bytes.count < SearchPattern.maxBytes else {
      throw error("the pattern has more bytes than the \(SearchPattern.maxBytes) that the kernel keeps")
    }
    bytes.append(byte)
  }

  /// From behind the opening bar to behind the closing one, which a blank at the very end stands for too.
  private mutating func readBlock() throws(SyntaxError) {
    while next == UInt8(ascii: " ") { place += 1 }
    guard next != nil else { return }
    repeat {
      guard let high = next.flatMap(hexDigit), place + 1 < token.count, let low = hexDigit(token.bytes[place + 1])
      else { throw error("two hexadecimal digits are missing here", hint: "for example |0d 0a|") }
      try append(high << 4 | low)
      place += 2
      guard place < token.count else { throw error("the bar that closes the block is missing") }
      if next == UInt8(ascii: " ") {
        place += 1
        guard next != nil else { return }
      }
    } while next != UInt8(ascii: "|")
    place += 1
    guard let byte = next, byte == UInt8(ascii: "|") || byte == UInt8(ascii: "\\") else { return }
    oddPlace = oddPlace ?? place
    try append(byte)
    place += 1
  }
}

// MARK: Kernel bytes

extension StringMatch {
  private enum Flag {
    static let inverted: UInt8 = 0x01
    static let ignoresCase: UInt8 = 0x02
  }
  private static let algorithmSize = 16
  /// `config`, where the kernel keeps its state, and the padding before it.
  private static let privateSize = 10

  public func encode(to out: inout ByteWriter, family: Family) {
    let bytes = pattern.value.bytes
    out.write(offsets.lowerBound)
    out.write(offsets.upperBound)
    out.write(text: algorithm.rawValue, size: Self.algorithmSize)
    out.write(bytes)
    out.zeros(SearchPattern.maxBytes - bytes.count)
    out.write(UInt8(bytes.count))
    out.write((pattern.isInverted ? Flag.inverted : 0) | (ignoresCase ? Flag.ignoresCase : 0))
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let first = try bytes.uint16("from_offset")
    let last = try bytes.uint16("to_offset")
    guard first <= last else { throw bytes.invalid("to_offset") }
    let name = try bytes.raw("algo", count: Self.algorithmSize)
    guard let algorithm = Algorithm.allCases.first(where: { Array($0.rawValue.utf8) == name.filter { $0 != 0 } }),
      name.starts(with: algorithm.rawValue.utf8)
    else { throw bytes.invalid("algo") }
    let field = try bytes.raw("pattern", count: SearchPattern.maxBytes)
    let count = Int(try bytes.uint8("patlen"))
    guard let pattern = SearchPattern(bytes: Array(field.prefix(count))), pattern.bytes.count == count,
      field.dropFirst(count).allSatisfy({ $0 == 0 })
    else { throw bytes.invalid("patlen") }
    let flags = try bytes.uint8("flags")
    guard flags & ~(Flag.inverted | Flag.ignoresCase) == 0 else { throw bytes.invalid("flags") }
    try bytes.skip("config", Self.privateSize)
    let value = StringMatch(
      Negatable(pattern, inverted: flags & Flag.inverted != 0), algorithm: algorithm, offsets: first...last,
      ignoresCase: flags & Flag.ignoresCase != 0)
    guard let value else { throw bytes.invalid("pattern") }
    self = value
  }
}

// MARK: Meaning

extension StringMatch {
  /// As the kernel answers for a packet that lies in one piece. From Linux 6.7 on, the pattern has to end before the
  /// last offset; before, it had to begin there.
  public func matches(_ packet: Packet) -> Answer {
    guard algorithm != .finiteStateMachine else { return .depends(on: "the search of a finite state machine") }
    guard offsets.count > pattern.value.bytes.count else { return Answer(pattern.isInverted) }
    guard let bytes = packet.bytes else { return .depends(on: "the packet's bytes") }
    let text = bytes.prefix(Int(offsets.upperBound)).dropFirst(Int(offsets.lowerBound))
    return Answer(isFound(in: text) != pattern.isInverted)
  }

  private func isFound(in text: ArraySlice<UInt8>) -> Bool {
    func folded(_ byte: UInt8) -> UInt8 { ignoresCase ? Self.upperCased(byte) : byte }
    let wanted = pattern.value.bytes.map(folded)
    let text = text.map(folded)
    guard text.count >= wanted.count else { return false }
    return (0...text.count - wanted.count).contains { text[$0..<$0 + wanted.count].elementsEqual(wanted) }
  }

  /// As the kernel folds letters, those of ISO 8859-1 too (lib/ctype.c).
  private static func upperCased(_ byte: UInt8) -> UInt8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), 0xdf...0xf6, 0xf8...0xff: byte - 0x20
    default: byte
    }
  }
}
