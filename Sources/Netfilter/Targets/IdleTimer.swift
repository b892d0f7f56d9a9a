/// Tells listeners in /sys when no packet has come here for a while
/// (`struct idletimer_tg_info_v1`, linux/netfilter/xt_IDLETIMER.h).
public struct IdleTimer: Target {
  /// Seconds without a packet.
  public let timeout: UInt32
  /// The timer's file in /sys/class/xt_idletimer/timers.
  public let label: BareName<27>
  /// Whether the timer wakes a machine that sleeps.
  public let isAlarm: Bool

  public static let timeouts: ClosedRange<UInt32> = 1...2_147_482

  /// nil when the timeout is out of range, or the label cannot be a file there.
  public init?(timeout: UInt32, label: BareName<27>, isAlarm: Bool = false) {
    guard Self.timeouts.contains(timeout), Self.canBeFile(label) else { return nil }
    self.timeout = timeout
    self.label = label
    self.isAlarm = isAlarm
  }

  /// The kernel keeps some names for itself.
  private static func canBeFile(_ label: BareName<27>) -> Bool {
    !["power", "subsystem", "uevent"].contains(label.text) && !label.text.utf8.contains(UInt8(ascii: "/"))
  }
}

// MARK: Syntax

extension IdleTimer {
  public static let definition = ExtensionDefinition(
    "IDLETIMER", summary: "tell when no packet has come for a while", revisions: [0, 1],
    options: [
      OptionSpec(
        "--timeout", .number(UInt64(timeouts.lowerBound)...UInt64(timeouts.upperBound)), required: true,
        "seconds without a packet"),
      OptionSpec("--label", .string(maxBytes: 27), required: true, "the timer's name"),
      OptionSpec("--alarm", .none, "wake a machine that sleeps"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let timeout = try options.number("--timeout"), let label: BareName<27> = try options.bareName("--label"),
      let target = IdleTimer(timeout: UInt32(timeout), label: label, isAlarm: options.has("--alarm"))
    else { throw options.error("--label", "the kernel has no timer of this name", hint: "choose another") }
    self = target
  }

  public func print(to out: inout RuleWriter) {
    out.option("--timeout")
    out.number(timeout)
    out.option("--label")
    out.word(label.text)
    if isAlarm { out.option("--alarm") }
  }

  public func list(to out: inout RuleWriter) {
    out.word("timeout:")
    out.text.write(timeout)
    out.word("label:")
    out.text.write(label.text)
    if isAlarm { out.word("alarm") }
  }
}

// MARK: Kernel bytes

extension IdleTimer {
  /// A pointer of the kernel's at the end, and the gap before it.
  private static let privateSize = 14

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(timeout)
    out.write(label)
    out.write(UInt8(0))
    out.write(UInt8(isAlarm ? 1 : 0))
    out.zeros(Self.privateSize)
  }

  /// Revision 0 wakes no machine.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0, !isAlarm else { return false }
    out.write(timeout)
    out.write(label)
    out.zeros(8)
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let timeout = try bytes.uint32("timeout")
    guard let label: BareName<27> = try bytes.bareName("label") else { throw bytes.invalid("label") }
    if revision > 0 { try bytes.zeros("send_nl_msg", 1) }
    let type = revision > 0 ? try bytes.uint8("timer_type") : 0
    guard type <= 1, let target = IdleTimer(timeout: timeout, label: label, isAlarm: type == 1) else {
      throw bytes.invalid("timer_type")
    }
    try bytes.zeros("timer", revision > 0 ? Self.privateSize : 8)
    self = target
  }
}

// MARK: Meaning

extension IdleTimer {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
