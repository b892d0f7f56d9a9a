/// Takes options out of the TCP header
/// (`struct xt_tcpoptstrip_target_info`, linux/netfilter/xt_TCPOPTSTRIP.h).
public struct TCPOptionStrip: Target {
  /// A bit for each option; the first is number 0.
  private let bits: (low: UInt128, high: UInt128)

  /// The numbers of the options that are taken out.
  public var options: [UInt8] { (2...255).filter { contains($0) } }

  private func contains(_ option: UInt8) -> Bool {
    let word = option < 128 ? bits.low : bits.high
    return word >> UInt128(option & 127) & 1 == 1
  }

  /// nil when 0 or 1 is among the numbers, which are no options but fill the header.
  public init?(_ options: some Sequence<UInt8>) {
    var bits: (low: UInt128, high: UInt128) = (0, 0)
    for option in options {
      if option < 128 { bits.low |= 1 << UInt128(option) } else { bits.high |= 1 << UInt128(option - 128) }
    }
    self.init(bits: bits)
  }

  private init?(bits: (low: UInt128, high: UInt128)) {
    guard bits.low & 0b11 == 0 else { return nil }
    self.bits = bits
  }

  public static func == (a: Self, b: Self) -> Bool { a.bits == b.bits }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(bits.low)
    hasher.combine(bits.high)
  }
}

// MARK: Syntax

extension TCPOptionStrip {
  public static let definition = ExtensionDefinition(
    "TCPOPTSTRIP", summary: "take options out of the TCP header", protocols: [.tcp], tables: [.mangle],
    options: [OptionSpec("--strip-options", .custom("OPTION[,OPTION]…"), "numbers from 2 to 255, or names such as mss")]
  )

  private static let names: [(name: StaticString, number: UInt8)] = [
    ("wscale", 3), ("mss", 2), ("sack-permitted", 4), ("sack", 5), ("timestamp", 8), ("md5", 19),
  ]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    var numbers: Set<UInt8> = []
    try options.token("--strip-options")?.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      guard let number = Self.names.first(where: { part == $0.name })?.number ?? part.number(in: 2...255) else {
        throw SyntaxError(
          at: part, "--strip-options: '\(part.string)' is not a TCP option",
          hint: "a number from 2 to 255, or one of \(Self.names.map { "\($0.name)" }.joined(separator: ", "))")
      }
      guard numbers.insert(number).inserted else {
        throw SyntaxError(at: part, "--strip-options: option \(number) is named twice")
      }
    }
    guard let target = TCPOptionStrip(numbers) else { throw options.error("--strip-options", "names no option") }
    self = target
  }

  public func print(to out: inout RuleWriter) {
    let options = options
    guard !options.isEmpty else { return }
    out.option("--strip-options")
    var separator = UInt8(ascii: " ")
    for option in options {
      out.text.write(byte: separator)
      out.text.write(option)
      separator = UInt8(ascii: ",")
    }
  }

  public func list(to out: inout RuleWriter) {
    let options = options
    guard !options.isEmpty else { return }
    out.word("TCPOPTSTRIP options")
    var separator = UInt8(ascii: " ")
    for option in options {
      out.text.write(byte: separator)
      if !out.isNumeric, let known = Self.names.first(where: { $0.number == option }) {
        out.text.write(known.name)
      } else {
        out.text.write(option)
      }
      separator = UInt8(ascii: ",")
    }
  }
}

// MARK: Kernel bytes

extension TCPOptionStrip {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(bits.low)
    out.write(bits.high)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    var words: [UInt128] = []
    for _ in 0..<8 { words.append(UInt128(try bytes.uint32("strip_bmap"))) }
    func half(_ start: Int) -> UInt128 {
      (0..<4).reduce(0) { $0 | words[start + $1] << UInt128(32 * $1) }
    }
    guard let target = TCPOptionStrip(bits: (half(0), half(4))) else { throw bytes.invalid("strip_bmap") }
    self = target
  }
}

// MARK: Meaning

extension TCPOptionStrip {
  private static let filler: UInt8 = 1
  private static let segmentSize: UInt8 = 2

  /// Filler stands where the options were.
  public func act(on packet: inout Packet) -> TargetOutcome {
    guard !packet.isLaterFragment else { return .proceed }
    guard let present = packet.tcpOptions else {
      packet.bytes = nil
      if contains(Self.segmentSize) { packet.rewrite(\.maximumSegmentSize, 0) }
      return .proceed
    }
    let stripped = present.filter { contains($0) }
    guard !stripped.isEmpty else { return .proceed }
    packet.rewrite(\.tcpOptions, present.subtracting(stripped).union([Self.filler]))
    if stripped.contains(Self.segmentSize) { packet.rewrite(\.maximumSegmentSize, 0) }
    return .proceed
  }
}
