/// Logs each rule that the packet meets from here on; the kernel has no structure for it.
public struct Trace: Target {
  public init() {}
}

// MARK: Syntax

extension Trace {
  public static let definition = ExtensionDefinition(
    "TRACE", summary: "log each rule that the packet meets", tables: [.raw], isExpressionOfNFTables: true)

  public init(parsing options: OptionValues) throws(SyntaxError) {}

  public func print(to out: inout RuleWriter) {}

  /// Nothing, as in iptables.
  public func list(to out: inout RuleWriter) {}
}

// MARK: Kernel bytes

extension Trace {
  public func encode(to out: inout ByteWriter, family: Family) {}

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {}
}

// MARK: Meaning

extension Trace {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
