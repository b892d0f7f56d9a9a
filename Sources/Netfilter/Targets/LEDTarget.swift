/// Lights an LED for a while (`struct xt_led_info`, linux/netfilter/xt_LED.h).
public struct LEDTarget: Target {
  public var trigger: LEDTrigger
  public var delay: LEDDelay
  /// Whether an LED that is lit blinks when another packet comes.
  public var alwaysBlinks: Bool

  public init(_ trigger: LEDTrigger, delay: LEDDelay = .milliseconds(0), alwaysBlinks: Bool = false) {
    self.trigger = trigger
    self.delay = delay
    self.alwaysBlinks = alwaysBlinks
  }
}

/// How long an LED stays lit.
public enum LEDDelay: Hashable, Sendable {
  /// At most 4294967294.
  case milliseconds(UInt32)
  case forever

  fileprivate init(number: UInt32) { self = number == .max ? .forever : .milliseconds(number) }

  fileprivate var number: UInt32 {
    switch self {
    case .milliseconds(let number): number
    case .forever: .max
    }
  }
}

/// The trigger's name, which is `netfilter-` and at most 16 bytes of any encoding without zero and line feed.
public struct LEDTrigger: Hashable, Sendable {
  public static let maxBytes = 16
  package let bytes: [UInt8]

  /// nil when the text is too long, or holds a line feed or zero.
  public init?(_ text: String) { self.init(bytes: text.utf8) }

  package init?(bytes: some Collection<UInt8>) {
    guard bytes.count <= Self.maxBytes, bytes.allSatisfy(canStandInText) else {
      return nil
    }
    self.bytes = Array(bytes)
  }
}

extension LEDTrigger: CustomStringConvertible {
  public var description: String { String(decoding: bytes, as: UTF8.self) }
}

// MARK: Syntax

extension LEDTarget {
  public static let definition = ExtensionDefinition(
    "LED", summary: "light an LED",
    options: [
      OptionSpec(
        "--led-trigger-id", .string(maxBytes: LEDTrigger.maxBytes), required: true,
        "the trigger's name after netfilter-"
      ),
      OptionSpec("--led-delay", .custom("MILLISECONDS|inf"), "how long it stays lit"),
      OptionSpec("--led-always-blink", .none, "blink when another packet comes"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--led-trigger-id"), let trigger = LEDTrigger(bytes: token.bytes) else {
      throw options.error("--led-trigger-id", "a name has at most \(LEDTrigger.maxBytes) bytes and no line end")
    }
    self.init(trigger, alwaysBlinks: options.has("--led-always-blink"))
    guard let token = options.token("--led-delay") else { return }
    if token.count >= 3, token.part(0..<3).equalsIgnoringCase("inf") {
      delay = .forever
    } else {
      guard let number: UInt32 = token.number(in: 0...(.max)) else {
        throw options.error(
          "--led-delay", "'\(token.string)' is not a number from 0 to 4294967295", hint: "write inf for ever")
      }
      delay = LEDDelay(number: number)
    }
  }

  /// iptables 1.8.9 prints delays from 2147483648 on, and `inf`, as negative numbers, which it does not read.
  public func print(to out: inout RuleWriter) {
    out.option("--led-trigger-id")
    out.text.write(" \"")
    Self.write(trigger, to: &out)
    switch delay {
    case .milliseconds(0): break
    case .milliseconds(let number):
      out.option("--led-delay")
      out.number(number)
    case .forever:
      out.option("--led-delay")
      out.word("inf")
    }
    if alwaysBlinks { out.option("--led-always-blink") }
  }

  /// iptables shows delays from 2147483648 on as negative numbers.
  public func list(to out: inout RuleWriter) {
    out.word("led-trigger-id:\"")
    Self.write(trigger, to: &out)
    switch delay {
    case .milliseconds(let number):
      out.word("led-delay:")
      out.text.write(Int32(bitPattern: number))
      out.text.write("ms")
    case .forever: out.word("led-delay:inf")
    }
    if alwaysBlinks { out.word("led-always-blink") }
  }

  /// The name and the quote after it.
  private static func write(_ trigger: LEDTrigger, to out: inout RuleWriter) {
    for byte in trigger.bytes {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { out.text.write(byte: UInt8(ascii: "\\")) }
      out.text.write(byte: byte)
    }
    out.text.write(byte: UInt8(ascii: "\""))
  }
}

// MARK: Kernel bytes

extension LEDTarget {
  private static let kernelPrefix = Array("netfilter-".utf8)
  private static let nameSize = 27
  /// A pointer of the kernel's.
  private static let privateSize = 8

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(Self.kernelPrefix)
    out.write(trigger.bytes)
    out.zeros(Self.nameSize - Self.kernelPrefix.count - trigger.bytes.count)
    out.write(UInt8(alwaysBlinks ? 1 : 0))
    out.write(delay.number)
    out.zeros(Self.privateSize)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let field = try bytes.raw("id", count: Self.nameSize)
    let name = field.prefix { $0 != 0 }
    guard name.starts(with: Self.kernelPrefix), field[name.count...].allSatisfy({ $0 == 0 }),
      let trigger = LEDTrigger(bytes: name.dropFirst(Self.kernelPrefix.count))
    else { throw bytes.invalid("id") }
    let blinks = try bytes.uint8("always_blink")
    guard blinks <= 1 else { throw bytes.invalid("always_blink") }
    self.init(trigger, delay: LEDDelay(number: try bytes.uint32("delay")), alwaysBlinks: blinks == 1)
    try bytes.zeros("internal_data", Self.privateSize)
  }
}

// MARK: Meaning

extension LEDTarget {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
