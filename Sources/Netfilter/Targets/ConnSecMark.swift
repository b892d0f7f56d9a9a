/// Copies the security mark between packet and connection
/// (`struct xt_connsecmark_target_info`, linux/netfilter/xt_CONNSECMARK.h).
public struct ConnSecMark: Target {
  public var operation: Operation

  /// Raw values are `CONNSECMARK_*`.
  public enum Operation: UInt8, Hashable, Sendable {
    /// From the packet to a connection that has none.
    case save = 1
    /// From the connection to a packet that has none.
    case restore = 2
  }

  public init(_ operation: Operation) { self.operation = operation }
}

// MARK: Syntax

extension ConnSecMark {
  public static let definition = ExtensionDefinition(
    "CONNSECMARK", summary: "copy the security mark between packet and connection", tables: [.mangle, .security],
    options: [
      OptionSpec("--save", excludes: ["--restore"], "from the packet to the connection"),
      OptionSpec("--restore", excludes: ["--save"], "from the connection to the packet"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard options.has("--save") || options.has("--restore") else {
      throw SyntaxError("CONNSECMARK needs --save or --restore")
    }
    operation = options.has("--save") ? .save : .restore
  }

  public func print(to out: inout RuleWriter) {
    switch operation {
    case .save: out.option("--save")
    case .restore: out.option("--restore")
    }
  }

  public func list(to out: inout RuleWriter) {
    switch operation {
    case .save: out.word("CONNSECMARK save")
    case .restore: out.word("CONNSECMARK restore")
    }
  }
}

// MARK: Kernel bytes

extension ConnSecMark {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(operation.rawValue) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let operation = Operation(rawValue: try bytes.uint8("mode")) else { throw bytes.invalid("mode") }
    self.operation = operation
  }
}

// MARK: Meaning

extension ConnSecMark {
  public func act(on packet: inout Packet) -> TargetOutcome { .proceed }
}
