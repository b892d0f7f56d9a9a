/// The helper of connection tracking that announced the connection
/// (`struct xt_helper_info`, linux/netfilter/xt_helper.h).
public struct Helper: Match {
  public let helper: Negatable<HelperName>

  public init(_ helper: Negatable<HelperName>) { self.helper = helper }
}

/// The name of a connection tracking helper, such as `ftp` or `ftp-2121`; the empty one stands for any helper.
public struct HelperName: Hashable, Sendable {
  /// The name as it was given, in whatever encoding.
  public let bytes: [UInt8]

  /// Bytes that the kernel keeps, without the zero at their end.
  public static let maxBytes = 29

  /// nil when the text is longer than 29 bytes or holds a control character other than a tab.
  public init?(_ text: String) { self.init(bytes: Array(text.utf8)) }

  /// See ``init(_:)``.
  public init?(bytes: [UInt8]) {
    guard bytes.count <= Self.maxBytes, bytes.allSatisfy(canStandInText) else { return nil }
    self.bytes = bytes
  }
}

// MARK: Syntax

extension Helper {
  public static let definition = ExtensionDefinition(
    "helper", summary: "the connection's tracking helper",
    options: [
      OptionSpec(
        "--helper", .string(maxBytes: HelperName.maxBytes), negatable: true, required: true, "its name, or \"\" for any"
      )
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--helper"), let name = HelperName(bytes: Array(token.bytes)) else {
      throw options.error("--helper", "a name has at most \(HelperName.maxBytes) bytes")
    }
    helper = Negatable(name, inverted: options.isInverted("--helper"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--helper", inverted: helper.isInverted)
    out.quoted(helper.value.bytes)
  }

  public func list(to out: inout RuleWriter) {
    out.word(helper.isInverted ? "helper match ! \"" : "helper match \"")
    out.text.write(helper.value.bytes)
    out.text.write("\"")
  }
}

// MARK: Kernel bytes

extension Helper {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(UInt32(helper.isInverted ? 1 : 0))
    out.write(helper.value.bytes)
    out.zeros(HelperName.maxBytes + 1 - helper.value.bytes.count)
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let inverted = try bytes.uint32("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    let field = try bytes.raw("name", count: HelperName.maxBytes + 1)
    let text = field.prefix { $0 != 0 }
    guard field.dropFirst(text.count).allSatisfy({ $0 == 0 }), let name = HelperName(bytes: Array(text)) else {
      throw bytes.invalid("name")
    }
    try bytes.zeros("padding", 2)
    helper = Negatable(name, inverted: inverted == 1)
  }
}

// MARK: Meaning

extension Helper {
  /// Only a connection that another one announced has the helper of that one.
  public func matches(_ packet: Packet) -> Answer {
    let isAnnounced = packet.connection.statuses?.contains(.expected)
    if packet.connection.isTracked == false || isAnnounced == false { return Answer(helper.isInverted) }
    return .depends(on: "the helper that announced the connection")
  }
}
