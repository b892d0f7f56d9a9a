/// The message in a Mobile IPv6 packet (`struct ip6t_mh`, linux/netfilter_ipv6/ip6t_mh.h; RFC 6275 section 6.1).
public struct MobilityHeader: Match {
  /// Types of messages; nil for any.
  public let types: Negatable<Types>?

  /// A type, or a range of them.
  public struct Types: Hashable, Sendable {
    public let first: UInt8
    public let last: UInt8

    /// nil when `first` is greater.
    public init?(_ first: UInt8, through last: UInt8) {
      guard first <= last else { return nil }
      (self.first, self.last) = (first, last)
    }

    public init(_ type: UInt8) { (first, last) = (type, type) }

    fileprivate var isEvery: Bool { first == 0 && last == .max }
  }

  public init(_ types: Negatable<Types>? = nil) {
    self.types = types.flatMap { $0.value.isEvery && !$0.isInverted ? nil : $0 }
  }

  fileprivate static let names: [(name: StaticString, type: UInt8)] = [
    ("binding-refresh-request", 0), ("brr", 0), ("home-test-init", 1), ("hoti", 1), ("careof-test-init", 2),
    ("coti", 2), ("home-test", 3), ("hot", 3), ("careof-test", 4), ("cot", 4), ("binding-update", 5), ("bu", 5),
    ("binding-acknowledgement", 6), ("ba", 6), ("binding-error", 7), ("be", 7),
  ]
}

// MARK: Syntax

extension MobilityHeader {
  public static let definition = ExtensionDefinition(
    "mh", summary: "Mobile IPv6 message type", families: [.ipv6], protocols: [.mobilityHeader],
    options: [
      OptionSpec("--mh-type", .custom("TYPE[:TYPE]"), negatable: true, "message type, by number or name, or a range")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--mh-type") else {
      self.init()
      return
    }
    let parts = token.split(at: UInt8(ascii: ":"))
    let hasRange = parts.after != nil
    let first = hasRange && parts.before.count == 0 ? 0 : try Self.type(parts.before)
    var last = first
    if let after = parts.after { last = after.count == 0 ? .max : try Self.type(after) }
    guard let types = Types(first, through: last) else {
      throw options.error(
        "--mh-type", "the range '\(token.string)' runs backwards", hint: "write --mh-type \(last):\(first)")
    }
    self.init(Negatable(types, inverted: options.isInverted("--mh-type")))
  }

  /// A number, a name, or the beginning of one: of the first that has it, unless another is just that.
  private static func type(_ token: Token) throws(SyntaxError) -> UInt8 {
    if token.count > 0 {
      if let exact = names.first(where: { token.equalsIgnoringCase($0.name) }) { return exact.type }
      if let begun = names.first(where: { token.begins($0.name) }) { return begun.type }
      if let number = token.number(in: 0...UInt8.max) { return number }
    }
    throw SyntaxError(
      at: token, "--mh-type: '\(token.string)' is neither a number up to 255 nor a message",
      hint: suggestion(for: token.string, among: names.map { "\($0.name)" }))
  }

  public func print(to out: inout RuleWriter) {
    guard let types else { return }
    out.option("--mh-type", inverted: types.isInverted)
    out.number(types.value.first)
    guard types.value.first != types.value.last else { return }
    out.text.write(byte: UInt8(ascii: ":"))
    out.text.write(types.value.last)
  }

  public func list(to out: inout RuleWriter) {
    out.word("mh")
    guard let types else { return }
    out.text.write(types.isInverted ? " !" : " ")
    Self.writeType(types.value.first, to: &out)
    guard types.value.first != types.value.last else { return }
    out.text.write(":")
    Self.writeType(types.value.last, to: &out)
  }

  private static func writeType(_ type: UInt8, to out: inout RuleWriter) {
    if !out.isNumeric, let known = names.first(where: { $0.type == type }) {
      out.text.write(known.name)
    } else {
      out.text.write(type)
    }
  }
}

// MARK: Kernel bytes

extension MobilityHeader {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(types?.value.first ?? 0)
    out.write(types?.value.last ?? .max)
    out.write(flag: types?.isInverted == true)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let first = try bytes.uint8("types")
    guard let types = Types(first, through: try bytes.uint8("types")) else { throw bytes.invalid("types") }
    self.init(Negatable(types, inverted: try bytes.flag("invflags")))
  }
}

// MARK: Meaning

extension MobilityHeader {
  /// A later fragment has no message, so no rule of this match is for it. One that something follows is none either.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    guard let bytes = packet.bytes else { return types == nil ? .yes : .depends(on: "the packet's bytes") }
    guard case .at(let start) = packet.transportHeader, start + 6 <= bytes.count,
      bytes[start] == IPv6Extension.none.rawValue
    else { return .broken }
    guard let types else { return .yes }
    return Answer((types.value.first...types.value.last).contains(bytes[start + 2]) != types.isInverted)
  }
}
