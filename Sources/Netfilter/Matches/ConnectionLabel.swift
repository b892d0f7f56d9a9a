/// A label of the tracked connection, which the rule can also give to it
/// (`struct xt_connlabel_mtinfo`, linux/netfilter/xt_connlabel.h). Labels have names in /etc/xtables/connlabel.conf.
public struct ConnectionLabel: Match {
  public let label: Negatable<UInt16>
  /// Gives the label to the connection before it is looked at.
  public let setsLabel: Bool

  /// `XT_CONNLABEL_MAXBIT`.
  public static let maxLabel: UInt16 = 127

  /// nil when the label is greater than 127.
  public init?(_ label: Negatable<UInt16>, setsLabel: Bool = false) {
    guard label.value <= Self.maxLabel else { return nil }
    self.label = label
    self.setsLabel = setsLabel
  }
}

// MARK: Syntax

extension ConnectionLabel {
  public static let definition = ExtensionDefinition(
    "connlabel", summary: "label of the connection",
    options: [
      OptionSpec("--label", .custom("N|NAME"), negatable: true, required: true, "the connection has this label"),
      OptionSpec("--set", .none, "give the label to the connection"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--label") else { throw options.error("--label", "needs N or NAME") }
    guard let number = token.number ?? options.names.number(token.string, .connectionLabels).map({ UInt64($0) }) else {
      throw options.error(
        "--label", "'\(token.string)' is neither a number nor a name of /etc/xtables/connlabel.conf")
    }
    guard let bit = UInt16(exactly: number),
      let value = ConnectionLabel(
        Negatable(bit, inverted: options.isInverted("--label")), setsLabel: options.has("--set"))
    else {
      throw options.error("--label", "the label \(number) is greater than the kernel's last, \(Self.maxLabel)").byKernel
    }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    out.option("--label", inverted: label.isInverted)
    out.text.write(" \"")
    if let name = out.names.numberName(UInt32(label.value), .connectionLabels), Self.isReadable(name) {
      out.text.write(name)
    } else {
      out.text.write(label.value)
    }
    out.text.write(byte: UInt8(ascii: "\""))
    if setsLabel { out.option("--set") }
  }

  public func list(to out: inout RuleWriter) {
    out.word("connlabel")
    if label.isInverted { out.word("!") }
    if !out.isNumeric, let name = out.names.numberName(UInt32(label.value), .connectionLabels) {
      out.text.write(" '")
      out.text.write(name)
      out.text.write("'")
    } else {
      out.number(label.value)
    }
    if setsLabel { out.word("set") }
  }

  /// Whether the name between quotes is read as itself and not as a number.
  private static func isReadable(_ name: String) -> Bool {
    var copy = name
    return copy.withUTF8 { bytes in
      Token(bytes).number == nil && bytes.allSatisfy { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
    }
  }
}

// MARK: Kernel bytes

extension ConnectionLabel {
  private enum Flag {
    static let invert: UInt16 = 0x1
    static let set: UInt16 = 0x2
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(label.value)
    out.write((label.isInverted ? Flag.invert : 0) | (setsLabel ? Flag.set : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let bit = try bytes.uint16("bit")
    let flags = try bytes.uint16("options")
    guard flags <= 0x3 else { throw bytes.invalid("options") }
    let label = Negatable(bit, inverted: flags & Flag.invert != 0)
    guard let value = ConnectionLabel(label, setsLabel: flags & Flag.set != 0) else { throw bytes.invalid("bit") }
    self = value
  }
}

// MARK: Meaning

extension ConnectionLabel {
  /// A packet without a connection has no labels.
  public func matches(_ packet: Packet) -> Answer {
    packet.connection.isTracked == false ? Answer(label.isInverted) : .depends(on: "the connection's labels")
  }
}
