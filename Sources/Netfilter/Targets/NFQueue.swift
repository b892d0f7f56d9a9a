/// Hands the packet to a program that decides about it (`struct xt_NFQ_info_v3`, linux/netfilter/xt_NFQUEUE.h).
public struct NFQueue: Target {
  public var queues: Queues
  /// Whether packets go on where no program listens to their queue, which drops them otherwise.
  public var isBypassed: Bool

  public enum Queues: Hashable, Sendable {
    case one(UInt16)
    case several(QueueRange)
  }

  public init(_ queues: Queues = .one(0), isBypassed: Bool = false) {
    self.queues = queues
    self.isBypassed = isBypassed
  }
}

/// Queues among which connections are divided.
public struct QueueRange: Hashable, Sendable {
  public let first: UInt16
  public let last: UInt16
  /// Whether the processor chooses the queue, instead of the connection.
  public let isByProcessor: Bool

  /// nil when `last` is not greater than `first`, and for all 65536, which the kernel cannot count.
  public init?(_ first: UInt16, through last: UInt16, isByProcessor: Bool = false) {
    guard first < last, last - first < .max else { return nil }
    self.first = first
    self.last = last
    self.isByProcessor = isByProcessor
  }
}

// MARK: Syntax

extension NFQueue {
  public static let definition = ExtensionDefinition(
    "NFQUEUE", summary: "let a program decide about the packet", revisions: [0, 1, 2, 3],
    options: [
      OptionSpec("--queue-num", .number(0...65535), excludes: ["--queue-balance"], "the queue; 0 if not given"),
      OptionSpec(
        "--queue-balance", .numberRange(0...65535), excludes: ["--queue-num"],
        "queues among which connections are divided"),
      OptionSpec("--queue-bypass", .none, "let packets go on where no program listens"),
      OptionSpec("--queue-cpu-fanout", .none, "let the processor choose among the queues"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    self.init(isBypassed: options.has("--queue-bypass"))
    let isByProcessor = options.has("--queue-cpu-fanout")
    if let bounds = try options.numberBounds("--queue-balance") {
      let range = QueueRange(UInt16(bounds.first), through: UInt16(bounds.last), isByProcessor: isByProcessor)
      guard let range else {
        throw options.error(
          "--queue-balance", "a range goes from one queue to a greater one and has at most 65535 of them",
          hint: "for example: --queue-balance 0:3"
        ).byKernel
      }
      queues = .several(range)
    } else {
      guard !isByProcessor else { throw options.error("--queue-cpu-fanout", "needs --queue-balance FIRST:LAST") }
      queues = .one(UInt16(try options.number("--queue-num") ?? 0))
    }
  }

  public func print(to out: inout RuleWriter) {
    switch queues {
    case .one(let number):
      out.option("--queue-num")
      out.number(number)
    case .several(let range):
      out.option("--queue-balance")
      out.number(range.first)
      out.text.write(byte: UInt8(ascii: ":"))
      out.text.write(range.last)
    }
    if isBypassed { out.option("--queue-bypass") }
    if case .several(let range) = queues, range.isByProcessor { out.option("--queue-cpu-fanout") }
  }

  public func list(to out: inout RuleWriter) {
    switch queues {
    case .one(let number):
      out.word("NFQUEUE num")
      out.number(number)
    case .several(let range):
      out.word("NFQUEUE balance")
      out.number(range.first)
      out.text.write(byte: UInt8(ascii: ":"))
      out.text.write(range.last)
    }
    if isBypassed { out.word("bypass") }
    if case .several(let range) = queues, range.isByProcessor { out.word("cpu-fanout") }
  }
}

// MARK: Kernel bytes

extension NFQueue {
  private enum Flag {
    static let bypass: UInt16 = 0x1
    static let byProcessor: UInt16 = 0x2
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags: UInt16 = isBypassed ? Flag.bypass : 0
    switch queues {
    case .one(let number):
      out.write(number)
      out.write(UInt16(1))
    case .several(let range):
      out.write(range.first)
      out.write(range.last - range.first + 1)
      if range.isByProcessor { flags |= Flag.byProcessor }
    }
    out.write(flags)
  }

  /// Revision 0 has one queue, revision 1 several, revision 2 the bypass too.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision < 3, !isBypassed || revision == 2 else { return false }
    switch queues {
    case .one(let number):
      out.write(number)
      if revision > 0 { out.write(UInt16(1)) }
    case .several(let range):
      guard revision > 0, !range.isByProcessor else { return false }
      out.write(range.first)
      out.write(range.last - range.first + 1)
    }
    if revision == 2 { out.write(isBypassed ? Flag.bypass : 0) }
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let first = try bytes.uint16("queuenum")
    let count = revision > 0 ? try bytes.uint16("queues_total") : 1
    let flags = revision > 1 ? try bytes.uint16("flags") : 0
    guard flags <= (revision == 3 ? 0x3 : 0x1), count > 0, UInt32(first) + UInt32(count) - 1 <= 65535 else {
      throw bytes.invalid("flags")
    }
    isBypassed = flags & Flag.bypass != 0
    let isByProcessor = flags & Flag.byProcessor != 0
    if let range = QueueRange(first, through: first + (count - 1), isByProcessor: isByProcessor) {
      queues = .several(range)
    } else {
      guard !isByProcessor else { throw bytes.invalid("flags") }
      queues = .one(first)
    }
  }
}

// MARK: Meaning

extension NFQueue {
  public func act(on packet: inout Packet) -> TargetOutcome { .depends(on: "the program that listens to the queue") }
}
