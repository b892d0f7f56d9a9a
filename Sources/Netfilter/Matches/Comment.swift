/// A note about the rule; every packet meets it (`struct xt_comment_info`, linux/netfilter/xt_comment.h).
public struct Comment: Match {
  /// The text as it was given, in whatever encoding.
  public let bytes: [UInt8]

  /// Bytes that the kernel keeps, without the zero at their end.
  public static let maxBytes = 255

  /// nil when the text is longer than 255 bytes or holds a control character other than a tab.
  public init?(_ text: String) { self.init(bytes: Array(text.utf8)) }

  /// See ``init(_:)``.
  public init?(bytes: [UInt8]) {
    guard bytes.count <= Self.maxBytes, bytes.allSatisfy(canStandInText) else { return nil }
    self.bytes = bytes
  }

  /// The text; bytes that are not UTF-8 are replaced.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

// MARK: Syntax

extension Comment {
  public static let definition = ExtensionDefinition(
    "comment", summary: "a note about the rule",
    options: [
      OptionSpec("--comment", .string(maxBytes: maxBytes), required: true, "the text, at most 255 bytes")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--comment") else { throw options.error("--comment", "needs --comment TEXT") }
    var bytes = Array(token.bytes)
    if bytes.count == Self.maxBytes + 1 {  // iptables takes one byte more than the kernel's field keeps
      bytes.removeLast()
      options.warn(token, "--comment: the text has \(token.count) bytes; the last one is cut off")
    }
    guard let value = Comment(bytes: bytes) else {
      let tooLong = token.count > Self.maxBytes
      throw options.error(
        "--comment",
        tooLong
          ? "the text has \(token.count) bytes, the kernel keeps \(Self.maxBytes)"
          : "the text holds a zero byte")
    }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    out.option("--comment")
    out.quoted(bytes)
  }

  public func list(to out: inout RuleWriter) {
    out.text.write(" /* ")
    out.text.write(bytes)
    out.text.write(" */")
  }
}

// MARK: Kernel bytes

extension Comment {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(bytes)
    out.zeros(Self.maxBytes + 1 - bytes.count)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let field = try bytes.raw("comment", count: Self.maxBytes + 1)
    let text = field.prefix { $0 != 0 }
    guard field.dropFirst(text.count).allSatisfy({ $0 == 0 }), let value = Comment(bytes: Array(text)) else {
      throw bytes.invalid("comment")
    }
    self = value
  }
}

// MARK: Meaning

extension Comment {
  public func matches(_ packet: Packet) -> Answer { .yes }
}
