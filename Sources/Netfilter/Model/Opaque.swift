/// A match that this version does not know: its name, revision and bytes as the kernel gave them, put back the same.
public struct OpaqueMatch: Match {
  public let opaque: OpaqueExtension
  public init(_ opaque: OpaqueExtension) { self.opaque = opaque }
}

/// A target that this version does not know; see ``OpaqueMatch``.
public struct OpaqueTarget: Target {
  public let opaque: OpaqueExtension
  public init(_ opaque: OpaqueExtension) { self.opaque = opaque }
}

/// A kernel structure by name, revision and bytes.
public struct OpaqueExtension: Hashable, Sendable {
  /// The name in the kernel, at most 28 bytes.
  public let kernelName: String
  public let revision: UInt8
  /// The structure without its header, alignment padding included.
  public let payload: [UInt8]

  public init(kernelName: String, revision: UInt8, payload: [UInt8]) {
    self.kernelName = kernelName
    self.revision = revision
    self.payload = payload
  }
}

/// The spelling of an opaque extension in text: `-m NAME --opaque REVISION:HEXBYTES`. iptables cannot read it;
/// Firebreak can, so that a saved ruleset loses nothing.
extension OpaqueExtension {
  static let option = OptionSpec(
    "--opaque", .custom("REVISION:HEXBYTES"), required: true,
    "revision and bytes of an extension that Firebreak keeps without understanding it")

  init(name: String, parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--opaque") else {
      throw options.error("--opaque", "needs REVISION:HEXBYTES")
    }
    let parts = token.split(at: UInt8(ascii: ":"))
    guard let hex = parts.after, let revision: UInt8 = parts.before.number(in: 0...255), hex.count % 2 == 0 else {
      throw options.error("--opaque", "'\(token.string)' is not REVISION:HEXBYTES")
    }
    var payload: [UInt8] = []
    for place in stride(from: 0, to: hex.count, by: 2) {
      guard let high = hexDigit(hex.bytes[place]), let low = hexDigit(hex.bytes[place + 1]) else {
        throw options.error("--opaque", "'\(token.string)' holds something else than hexadecimal digits")
      }
      payload.append(high << 4 | low)
    }
    self.init(kernelName: name, revision: revision, payload: payload)
  }

  func print(to out: inout RuleWriter) {
    out.option("--opaque")
    out.number(revision)
    out.text.write(byte: UInt8(ascii: ":"))
    for byte in payload { out.text.write(hex: byte, width: 2) }
  }
}

extension OpaqueMatch {
  public static let definition = ExtensionDefinition(
    "opaque", summary: "a match kept as bytes", options: [OpaqueExtension.option])
  public var name: String { opaque.kernelName }
  public var kernelName: String { opaque.kernelName }
  public init(parsing options: OptionValues) throws(SyntaxError) {
    opaque = try OpaqueExtension(name: options.definition.name, parsing: options)
  }
  public func print(to out: inout RuleWriter) { opaque.print(to: &out) }
  /// Without a blank before it and with one behind, as iptables shows what it does not know.
  public func list(to out: inout RuleWriter) {
    out.text.write("UNKNOWN match `")
    out.text.write(opaque.kernelName)
    out.text.write("' ")
  }
  public func revision(for family: Family) -> UInt8 { opaque.revision }
  public func encode(to out: inout ByteWriter, family: Family) { out.write(opaque.payload) }
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    opaque = OpaqueExtension(
      kernelName: "", revision: revision, payload: try bytes.raw("data", count: bytes.remaining))
  }
}

extension OpaqueTarget {
  public static let definition = ExtensionDefinition(
    "OPAQUE", summary: "a target kept as bytes", options: [OpaqueExtension.option])
  public var name: String { opaque.kernelName }
  public var kernelName: String { opaque.kernelName }
  public init(parsing options: OptionValues) throws(SyntaxError) {
    opaque = try OpaqueExtension(name: options.definition.name, parsing: options)
  }
  public func print(to out: inout RuleWriter) { opaque.print(to: &out) }
  /// Without a blank before it and with one behind, as iptables shows what it does not know.
  public func list(to out: inout RuleWriter) {
    guard !opaque.payload.isEmpty else { return }
    out.text.write("[")
    out.text.write(opaque.payload.count)
    out.text.write(" bytes of unknown target data] ")
  }
  public func revision(for family: Family) -> UInt8 { opaque.revision }
  public func encode(to out: inout ByteWriter, family: Family) { out.write(opaque.payload) }
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    opaque = OpaqueExtension(
      kernelName: "", revision: revision, payload: try bytes.raw("data", count: bytes.remaining))
  }
}

// MARK: Meaning

extension OpaqueMatch {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "a match that is not known") }
}

extension OpaqueTarget {
  public func act(on packet: inout Packet) -> TargetOutcome { .depends(on: "a target that is not known") }
}
