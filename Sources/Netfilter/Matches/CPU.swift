/// The processor that handles a packet (`struct xt_cpu_info`, linux/netfilter/xt_cpu.h).
public struct CPU: Match {
  public var number: Negatable<UInt32>

  public init(_ number: Negatable<UInt32>) { self.number = number }
}

// MARK: Syntax

extension CPU {
  public static let definition = ExtensionDefinition(
    "cpu", summary: "processor that handles the packet",
    options: [OptionSpec("--cpu", .anyNumber, negatable: true, required: true, "number of the processor, from 0")])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let number = try options.condition("--cpu") else { throw options.error("--cpu", "needs a number") }
    self.number = number
  }

  public func print(to out: inout RuleWriter) { out.condition("--cpu", number) }

  public func list(to out: inout RuleWriter) {
    out.word(number.isInverted ? "cpu !" : "cpu")
    out.number(number.value)
  }
}

// MARK: Kernel bytes

extension CPU {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(number.value)
    out.write(UInt32(number.isInverted ? 1 : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let value = try bytes.uint32("cpu")
    let inverted = try bytes.uint32("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    number = Negatable(value, inverted: inverted == 1)
  }
}

// MARK: Meaning

extension CPU {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "the processor that handles the packet") }
}
