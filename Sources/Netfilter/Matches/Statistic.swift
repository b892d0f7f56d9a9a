/// A share of the packets, by chance or by counting (`struct xt_statistic_info`, linux/netfilter/xt_statistic.h).
public struct Statistic: Match {
  public enum Mode: Hashable, Sendable {
    /// Each packet with this probability.
    case random(Probability)
    /// One packet of so many.
    case nth(Turn)
  }

  /// A probability as the kernel counts it.
  public struct Probability: Hashable, Sendable {
    /// Parts of 2,147,483,648.
    public let parts: UInt32

    fileprivate static let whole: UInt32 = 0x8000_0000

    /// nil for more than the whole.
    public init?(parts: UInt32) {
      guard parts <= Self.whole else { return nil }
      self.parts = parts
    }

    /// nil unless from 0 to 1.
    public init?(_ value: Double) {
      guard value >= 0, value <= 1 else { return nil }
      parts = UInt32((value * Double(Self.whole)).rounded(.toNearestOrAwayFromZero))
    }
  }

  /// One packet of each `every`, the one after `skipping` others.
  public struct Turn: Hashable, Sendable {
    public let every: UInt32
    public let skipping: UInt32

    /// nil unless `skipping` is less than `every`.
    public init?(every: UInt32, skipping: UInt32 = 0) {
      guard skipping < every else { return nil }
      self.every = every
      self.skipping = skipping
    }
  }

  public let mode: Negatable<Mode>

  public init(_ mode: Negatable<Mode>) { self.mode = mode }
}

// MARK: Syntax

extension Statistic {
  public static let definition = ExtensionDefinition(
    "statistic", summary: "a share of the packets",
    options: [
      OptionSpec("--mode", .custom("random|nth"), required: true, "by chance, or one packet of so many"),
      OptionSpec(
        "--probability", .custom("P"), negatable: true, excludes: ["--every", "--packet"],
        "random: probability of a packet, from 0 to 1"),
      OptionSpec(
        "--every", .number(1...UInt64(UInt32.max)), negatable: true, excludes: ["--probability"],
        "nth: one packet of so many"),
      OptionSpec(
        "--packet", .number(0...UInt64(UInt32.max)), excludes: ["--probability"],
        "nth: which of them, from 0 to one less than --every"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    switch options.token("--mode")?.string {
    case "random":
      guard let token = options.token("--probability") else {
        throw options.error("--mode", "random needs --probability P")
      }
      guard let value = Double(token.string), let probability = Probability(value) else {
        throw options.error("--probability", "'\(token.string)' is not a number from 0 to 1")
      }
      mode = Negatable(.random(probability), inverted: options.isInverted("--probability"))
    case "nth":
      guard let every = try options.number("--every"), let packet = try options.number("--packet") else {
        throw options.error("--mode", "nth needs --every N and --packet N", hint: "for example --every 4 --packet 0")
      }
      guard let turn = Turn(every: UInt32(every), skipping: UInt32(packet)) else {
        throw options.error("--packet", "of \(every) packets the last is number \(every - 1)")
      }
      mode = Negatable(.nth(turn), inverted: options.isInverted("--every"))
    case let word:
      throw options.error("--mode", "'\(word ?? "")' is not one of its values", hint: "possible: random, nth")
    }
  }

  public func print(to out: inout RuleWriter) {
    out.option("--mode")
    switch mode.value {
    case .random(let probability):
      out.word("random")
      out.option("--probability", inverted: mode.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(probability)
    case .nth(let turn):
      out.word("nth")
      out.option("--every", inverted: mode.isInverted)
      out.number(turn.every)
      out.option("--packet")
      out.number(turn.skipping)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("statistic mode")
    switch mode.value {
    case .random(let probability):
      out.word("random")
      out.option("probability", inverted: mode.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(probability)
    case .nth(let turn):
      out.word("nth")
      out.option("every", inverted: mode.isInverted)
      out.number(turn.every)
      guard turn.skipping != 0 else { return }
      out.word("packet")
      out.number(turn.skipping)
    }
  }
}

extension TextWriter {
  /// Eleven decimals, rounded as `%.11f` does.
  fileprivate mutating func write(_ probability: Statistic.Probability) {
    let unit: UInt64 = 100_000_000_000
    let whole = UInt128(Statistic.Probability.whole)
    let (quotient, rest) = (UInt128(probability.parts) * UInt128(unit)).quotientAndRemainder(dividingBy: whole)
    let roundsUp = rest * 2 > whole || (rest * 2 == whole && quotient & 1 == 1)
    let decimals = UInt64(quotient) + (roundsUp ? 1 : 0)
    write(decimals / unit)
    write(byte: UInt8(ascii: "."))
    var digit = unit / 10
    while digit > 0 {
      write(decimals / digit % 10)
      digit /= 10
    }
  }
}

// MARK: Kernel bytes

extension Statistic {
  /// `master`, where the kernel keeps its state.
  private static let privateSize = 8

  public func encode(to out: inout ByteWriter, family: Family) {
    let mode: UInt16
    let fields: (every: UInt32, packet: UInt32)
    switch self.mode.value {
    case .random(let probability): (mode, fields) = (0, (probability.parts, 0))
    case .nth(let turn): (mode, fields) = (1, (turn.every - 1, turn.skipping))
    }
    out.write(mode)
    out.write(UInt16(self.mode.isInverted ? 1 : 0))
    out.write(fields.every)
    out.write(fields.packet)
    out.write(fields.every - fields.packet)
    out.zeros(Self.privateSize)
  }

  /// - Throws: ``WireError`` too when counting does not begin where iptables lets it begin.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let mode = try bytes.uint16("mode")
    let flags = try bytes.uint16("flags")
    guard flags <= 1 else { throw bytes.invalid("flags") }
    let every = try bytes.uint32("every")
    let packet = try bytes.uint32("packet")
    guard packet <= every, try bytes.uint32("count") == every - packet else { throw bytes.invalid("count") }
    try bytes.skip("master", Self.privateSize)
    switch mode {
    case 0:
      guard packet == 0, let probability = Probability(parts: every) else { throw bytes.invalid("probability") }
      self.mode = Negatable(.random(probability), inverted: flags == 1)
    case 1:
      guard every < .max, let turn = Turn(every: every + 1, skipping: packet) else { throw bytes.invalid("every") }
      self.mode = Negatable(.nth(turn), inverted: flags == 1)
    default: throw bytes.invalid("mode")
    }
  }
}

// MARK: Meaning

extension Statistic {
  public func matches(_ packet: Packet) -> Answer {
    let answer: Answer
    switch mode.value {
    case .random(let probability) where probability.parts == 0: answer = .no
    case .random(let probability) where probability.parts == Probability.whole: answer = .yes
    case .random: answer = .depends(on: "chance")
    case .nth(let turn) where turn.every == 1: answer = .yes
    case .nth: answer = .depends(on: "how many packets came before")
    }
    return mode.isInverted ? !answer : answer
  }
}
