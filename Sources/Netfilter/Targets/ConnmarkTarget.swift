/// Changes the connection's mark, or copies it to or from the packet
/// (`struct xt_connmark_tginfo2`, linux/netfilter/xt_connmark.h).
public struct ConnmarkTarget: Target {
  public var operation: Operation
  /// Moves the bits of the result; nil for not at all.
  public var shift: MarkShift?
  /// The packet's mask in a change of the connection's mark, which nothing looks at.
  private var unusedMask = UInt32.max

  public enum Operation: Hashable, Sendable {
    /// Clears the bits of `mask` in the connection's mark and flips those of `value`.
    case set(value: UInt32, mask: UInt32)
    /// Copies the packet's mark to the connection's, each under its mask.
    case save(packetMask: UInt32, connectionMask: UInt32)
    /// Copies the connection's mark to the packet's.
    case restore(packetMask: UInt32, connectionMask: UInt32)
  }

  public init(_ operation: Operation, shift: MarkShift? = nil) {
    self.operation = operation
    self.shift = shift
  }
}

/// Where the bits of a mark move.
public struct MarkShift: Hashable, Sendable {
  public let bits: UInt8
  public let isRight: Bool

  /// nil unless the mark is moved by 1 to 31 bits.
  public init?(_ bits: UInt8, right isRight: Bool = false) {
    guard (1...31).contains(bits) else { return nil }
    self.bits = bits
    self.isRight = isRight
  }
}

// MARK: Syntax

extension ConnmarkTarget {
  private static let any: ClosedRange<UInt64> = 0...UInt64(UInt32.max)
  private static let sets: [StaticString] = ["--set-xmark", "--set-mark", "--and-mark", "--or-mark", "--xor-mark"]
  private static let operations = sets + ["--save-mark", "--restore-mark"]

  public static let definition = ExtensionDefinition(
    "CONNMARK", summary: "set the connection's mark", revisions: [1, 2],
    options: [
      OptionSpec("--set-xmark", .mark, excludes: operations, "clear the bits of MASK and flip those of VALUE"),
      OptionSpec("--set-mark", .mark, excludes: operations, "clear the bits of MASK and set those of VALUE"),
      OptionSpec("--and-mark", .number(any), excludes: operations, "keep only these bits"),
      OptionSpec("--or-mark", .number(any), excludes: operations, "set these bits"),
      OptionSpec("--xor-mark", .number(any), excludes: operations, "flip these bits"),
      OptionSpec("--save-mark", excludes: operations, "copy the packet's mark to the connection"),
      OptionSpec("--restore-mark", excludes: operations, "copy the connection's mark to the packet"),
      OptionSpec(
        "--left-shift-mark", .number(0...31), excludes: ["--right-shift-mark"], "then move its bits to the left"),
      OptionSpec(
        "--right-shift-mark", .number(0...31), excludes: ["--left-shift-mark"], "then move its bits to the right"),
      OptionSpec("--ctmask", .number(any), excludes: ["--mask"], "bits of the connection's mark"),
      OptionSpec("--nfmask", .number(any), excludes: ["--mask"] + sets, "bits of the packet's mark"),
      OptionSpec("--mask", .number(any), excludes: ["--ctmask", "--nfmask"], "bits of both marks"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let both = try options.number("--mask")
    let packetMask = UInt32(try options.number("--nfmask") ?? both ?? Self.any.upperBound)
    let connectionMask = UInt32(try options.number("--ctmask") ?? both ?? Self.any.upperBound)
    if options.has("--save-mark") {
      self.init(.save(packetMask: packetMask, connectionMask: connectionMask))
    } else if options.has("--restore-mark") {
      self.init(.restore(packetMask: packetMask, connectionMask: connectionMask))
    } else if let change = try Self.change(options) {
      let mask = try Self.laterMask(options) ?? change.mask
      self.init(.set(value: change.value, mask: mask))
    } else {
      throw SyntaxError("CONNMARK needs one of \(Self.operations.map { "\($0)" }.joined(separator: ", "))")
    }
    if let bits = try options.number("--left-shift-mark") {
      shift = MarkShift(UInt8(bits))
    } else if let bits = try options.number("--right-shift-mark") {
      shift = MarkShift(UInt8(bits), right: true)
    }
  }

  private static func change(_ options: OptionValues) throws(SyntaxError) -> (value: UInt32, mask: UInt32)? {
    if let mark = try options.mark("--set-xmark") { return mark }
    if let mark = try options.mark("--set-mark") { return (mark.value, mark.value | mark.mask) }
    if let bits = try options.number("--and-mark") { return (0, ~UInt32(bits)) }
    if let bits = try options.number("--or-mark") { return (UInt32(bits), UInt32(bits)) }
    if let bits = try options.number("--xor-mark") { return (UInt32(bits), 0) }
    return nil
  }

  /// A mask that is named after the change replaces the change's own; one before it would be lost.
  private static func laterMask(_ options: OptionValues) throws(SyntaxError) -> UInt32? {
    for name in ["--ctmask", "--mask"] as [StaticString] {
      guard let mask = try options.number(name) else { continue }
      guard let last = options.uses.last(where: { $0.value != nil && !isShift($0.name) }), "\(last.name)" == "\(name)"
      else {
        throw options.error(name, "the option after it replaces this mask", hint: "write --set-xmark VALUE/MASK")
      }
      return UInt32(mask)
    }
    return nil
  }

  private static func isShift(_ name: StaticString) -> Bool { "\(name)".hasSuffix("-shift-mark") }

  public func print(to out: inout RuleWriter) {
    switch operation {
    case .set(let value, let mask):
      out.option("--set-xmark")
      out.hex(value)
      out.text.write("/0x")
      out.text.write(hex: mask)
    case .save(let packetMask, let connectionMask):
      out.option("--save-mark")
      Self.print(packetMask, connectionMask, to: &out)
    case .restore(let packetMask, let connectionMask):
      out.option("--restore-mark")
      Self.print(packetMask, connectionMask, to: &out)
    }
    guard let shift else { return }
    out.option(shift.isRight ? "--right-shift-mark" : "--left-shift-mark")
    out.number(shift.bits)
  }

  public func list(to out: inout RuleWriter) {
    out.word("CONNMARK")
    switch operation {
    case .set(let value, let mask): out.listMarkChange(value, mask)
    case .save(let packetMask, let connectionMask):
      out.word("save")
      Self.list((packetMask, "nfmask"), (connectionMask, "ctmask"), to: &out)
    case .restore(let packetMask, let connectionMask):
      out.word("restore")
      Self.list((connectionMask, "ctmask"), (packetMask, "nfmask"), to: &out)
    }
    guard let shift else { return }
    out.word(shift.isRight ? "right-shift-mark" : "left-shift-mark")
    out.number(shift.bits)
  }

  private static func print(_ packetMask: UInt32, _ connectionMask: UInt32, to out: inout RuleWriter) {
    out.option("--nfmask")
    out.hex(packetMask)
    out.option("--ctmask")
    out.hex(connectionMask)
  }

  /// Masks of all bits go without saying; iptables puts `~` before the second though it is not inverted.
  private static func list(
    _ first: (mask: UInt32, name: StaticString), _ second: (mask: UInt32, name: StaticString),
    to out: inout RuleWriter
  ) {
    if first.mask == .max, second.mask == .max { return }
    guard first.mask != second.mask else {
      out.word("mask")
      return out.hex(first.mask)
    }
    out.word(first.name)
    out.hex(first.mask)
    out.word(second.name)
    out.text.write(" ~0x")
    out.text.write(hex: second.mask)
  }
}

// MARK: Kernel bytes

extension ConnmarkTarget {
  private enum Mode {
    static let set: UInt8 = 0
    static let save: UInt8 = 1
    static let restore: UInt8 = 2
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    let mode = encodeMarks(to: &out)
    out.write(UInt8(shift?.isRight == true ? 1 : 0))
    out.write(shift?.bits ?? 0)
    out.write(mode)
    out.zeros(1)
  }

  /// Revision 1 does not move bits.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 1, shift == nil else { return false }
    out.write(encodeMarks(to: &out))
    out.zeros(3)
    return true
  }

  /// Writes the three numbers and returns the mode.
  private func encodeMarks(to out: inout ByteWriter) -> UInt8 {
    let mode: UInt8
    switch operation {
    case .set(let value, let mask):
      mode = Mode.set
      out.write(value)
      out.write(mask)
      out.write(unusedMask)
    case .save(let packetMask, let connectionMask):
      mode = Mode.save
      Self.encode(packetMask, connectionMask, to: &out)
    case .restore(let packetMask, let connectionMask):
      mode = Mode.restore
      Self.encode(packetMask, connectionMask, to: &out)
    }
    return mode
  }

  private static func encode(_ packetMask: UInt32, _ connectionMask: UInt32, to out: inout ByteWriter) {
    out.write(UInt32(0))
    out.write(connectionMask)
    out.write(packetMask)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let value = try bytes.uint32("ctmark")
    let connectionMask = try bytes.uint32("ctmask")
    let packetMask = try bytes.uint32("nfmask")
    let direction = revision == 1 ? 0 : try bytes.uint8("shift_dir")
    let bits = revision == 1 ? 0 : try bytes.uint8("shift_bits")
    let mode = try bytes.uint8("mode")
    try bytes.zeros("padding", revision == 1 ? 3 : 1)
    shift = MarkShift(bits, right: direction == 1)
    guard direction <= 1, shift != nil || bits == 0 && direction == 0 else { throw bytes.invalid("shift_bits") }
    switch mode {
    case Mode.set:
      unusedMask = packetMask
      operation = .set(value: value, mask: connectionMask)
    case Mode.save, Mode.restore:
      guard value == 0 else { throw bytes.invalid("ctmark") }
      operation =
        mode == Mode.save
        ? .save(packetMask: packetMask, connectionMask: connectionMask)
        : .restore(packetMask: packetMask, connectionMask: connectionMask)
    default: throw bytes.invalid("mode")
    }
  }
}

// MARK: Meaning

extension ConnmarkTarget {
  /// Without a connection nothing happens.
  public func act(on packet: inout Packet) -> TargetOutcome {
    guard packet.connection.state != .untracked, packet.connection.state != .invalid else { return .proceed }
    switch operation {
    case .set(let value, let mask):
      packet.connection.mark = packet.connection.mark.map { shifted(($0 & ~mask) ^ value) }
    case .save(let packetMask, let connectionMask):
      guard let old = packet.connection.mark, let mark = packet.mark else {
        packet.connection.mark = nil
        break
      }
      packet.connection.mark = (old & ~connectionMask) ^ shifted(mark & packetMask)
    case .restore(let packetMask, let connectionMask):
      guard let old = packet.mark, let mark = packet.connection.mark else {
        packet.mark = nil
        break
      }
      packet.mark = (old & ~packetMask) ^ shifted(mark & connectionMask)
    }
    return .proceed
  }

  private func shifted(_ mark: UInt32) -> UInt32 {
    guard let shift else { return mark }
    return shift.isRight ? mark >> UInt32(shift.bits) : mark << UInt32(shift.bits)
  }
}
