/// Fills in the packet's checksum where the sender left that to the network card
/// (`struct xt_CHECKSUM_info`, linux/netfilter/xt_CHECKSUM.h).
public struct Checksum: Target {
  public init() {}
}

// MARK: Syntax

extension Checksum {
  public static let definition = ExtensionDefinition(
    "CHECKSUM", summary: "fill in the packet's checksum", tables: [.mangle],
    options: [OptionSpec("--checksum-fill", required: true, "fill in the checksum")])

  public init(parsing options: OptionValues) throws(SyntaxError) {}

  public func print(to out: inout RuleWriter) { out.option("--checksum-fill") }

  public func list(to out: inout RuleWriter) { out.word("CHECKSUM fill") }
}

// MARK: Kernel bytes

extension Checksum {
  private static let fill: UInt8 = 0x01

  public func encode(to out: inout ByteWriter, family: Family) { out.write(Self.fill) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard try bytes.uint8("operation") == Self.fill else { throw bytes.invalid("operation") }
  }
}

// MARK: Meaning

extension Checksum {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
