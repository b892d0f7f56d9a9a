/// The hop-by-hop options of an IPv6 packet
/// (`struct ip6t_opts`, linux/netfilter_ipv6/ip6t_opts.h; RFC 8200 section 4.3).
public struct HopByHopOptions: Match {
  public var header: IPv6OptionHeader
  public init(_ header: IPv6OptionHeader = .any) { self.header = header }
}

/// The destination options of an IPv6 packet, in the same structure (RFC 8200 section 4.6).
public struct DestinationOptions: Match {
  public var header: IPv6OptionHeader
  public init(_ header: IPv6OptionHeader = .any) { self.header = header }
}

/// What a header of options has to be like.
public struct IPv6OptionHeader: Hashable, Sendable {
  /// In bytes.
  public let length: Negatable<UInt32>?
  /// The options it begins with, in this order; empty for any.
  public let options: [Option]

  /// An option by its type.
  public struct Option: Hashable, Sendable {
    public let type: UInt8
    /// nil for any.
    public let length: UInt8?

    /// nil for a length of 255, which the kernel takes for any, and for a length of the type 0, which has none.
    public init?(_ type: UInt8, length: UInt8? = nil) {
      guard length == nil || type != 0 && length != .max else { return nil }
      self.type = type
      self.length = length
    }
  }

  /// `IP6T_OPTS_OPTSNR`.
  public static let maxOptions = 16

  /// The header is there.
  public static let any = IPv6OptionHeader()

  private init() { (length, options) = (nil, []) }

  /// nil for more than 16 options.
  public init?(length: Negatable<UInt32>? = nil, options: [Option] = []) {
    guard options.count <= Self.maxOptions else { return nil }
    self.length = length
    self.options = options
  }
}

// MARK: Syntax

extension HopByHopOptions {
  public static let definition = ExtensionDefinition(
    "hbh", summary: "IPv6 hop-by-hop options", families: [.ipv6],
    options: [
      OptionSpec("--hbh-len", .anyNumber, negatable: true, "length of the header in bytes"),
      OptionSpec("--hbh-opts", .custom("TYPE[:LENGTH][,TYPE[:LENGTH]]…"), "options that the header begins with"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    header = try IPv6OptionHeader(options, length: "--hbh-len", list: "--hbh-opts")
  }

  public func print(to out: inout RuleWriter) { header.print(to: &out, length: "--hbh-len", list: "--hbh-opts") }

  public func list(to out: inout RuleWriter) { header.list(to: &out, "hbh") }
}

extension DestinationOptions {
  public static let definition = ExtensionDefinition(
    "dst", summary: "IPv6 destination options", families: [.ipv6],
    options: [
      OptionSpec("--dst-len", .anyNumber, negatable: true, "length of the header in bytes"),
      OptionSpec("--dst-opts", .custom("TYPE[:LENGTH][,TYPE[:LENGTH]]…"), "options that the header begins with"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    header = try IPv6OptionHeader(options, length: "--dst-len", list: "--dst-opts")
  }

  public func print(to out: inout RuleWriter) { header.print(to: &out, length: "--dst-len", list: "--dst-opts") }

  public func list(to out: inout RuleWriter) { header.list(to: &out, "dst") }
}

extension IPv6OptionHeader {
  fileprivate init(_ options: OptionValues, length: StaticString, list: StaticString) throws(SyntaxError) {
    self.length = try options.condition(length)
    guard let token = options.token(list) else {
      self.options = []
      return
    }
    var found: [Option] = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      guard found.count < Self.maxOptions else {
        throw SyntaxError(at: part, "\(list): more than \(Self.maxOptions) options")
      }
      found.append(try Self.option(part, options, list, isLastPlace: found.count == Self.maxOptions - 1))
    }
    self.options = found
  }

  private static func option(_ token: Token, _ options: OptionValues, _ list: StaticString, isLastPlace: Bool)
    throws(SyntaxError) -> Option
  {
    let parts = token.split(at: UInt8(ascii: ":"))
    let type = UInt8(try options.number(parts.before, in: 0...255, of: list))
    guard let rest = parts.after else {
      guard let option = Option(type) else { preconditionFailure("an option of any length can always be") }
      return option
    }
    let length = UInt8(try options.number(rest, in: 0...255, of: list))
    guard !isLastPlace else {
      throw SyntaxError(at: rest, "\(list): iptables takes no length of the option number \(maxOptions)")
    }
    guard let option = Option(type, length: length) else {
      throw SyntaxError(
        at: rest,
        type == 0
          ? "\(list): the option 0 is one byte without a length" : "\(list): the kernel takes the length 255 for any",
        hint: "write \(type) alone")
    }
    return option
  }

  fileprivate func print(to out: inout RuleWriter, length name: StaticString, list: StaticString) {
    out.condition(name, length)
    guard !options.isEmpty else { return }
    out.option(list)
    writeOptions(to: &out)
  }

  fileprivate func list(to out: inout RuleWriter, _ name: StaticString) {
    out.word(name)
    if let length {
      out.word(length.isInverted ? "length:!" : "length:")
      out.text.write(length.value)
    }
    guard !options.isEmpty else { return }
    out.word("opts")
    writeOptions(to: &out)
  }

  private func writeOptions(to out: inout RuleWriter) {
    var separator = UInt8(ascii: " ")
    for option in options {
      out.text.write(byte: separator)
      separator = UInt8(ascii: ",")
      out.text.write(option.type)
      guard let length = option.length else { continue }
      out.text.write(byte: UInt8(ascii: ":"))
      out.text.write(length)
    }
  }
}

// MARK: Kernel bytes

extension HopByHopOptions {
  public func encode(to out: inout ByteWriter, family: Family) { header.encode(to: &out) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    header = try IPv6OptionHeader(decoding: &bytes)
  }
}

extension DestinationOptions {
  public func encode(to out: inout ByteWriter, family: Family) { header.encode(to: &out) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    header = try IPv6OptionHeader(decoding: &bytes)
  }
}

extension IPv6OptionHeader {
  private enum Flag {
    static let length: UInt8 = 0x01
    static let options: UInt8 = 0x02
  }

  /// The type in the high byte and the length, or 255 for any, in the low one.
  private static func word(_ option: Option) -> UInt16 { UInt16(option.type) << 8 | UInt16(option.length ?? .max) }

  fileprivate func encode(to out: inout ByteWriter) {
    out.write(length?.value ?? 0)
    out.write((length == nil ? 0 : Flag.length) | (options.isEmpty ? 0 : Flag.options))
    out.write(flag: length?.isInverted == true)
    for option in options { out.write(Self.word(option)) }
    out.zeros(2 * (Self.maxOptions - options.count))
    out.write(UInt8(options.count))
    out.zeros(1)
  }

  fileprivate init(decoding bytes: inout ByteReader) throws(WireError) {
    let length = try bytes.uint32("hdrlen")
    let flags = try bytes.uint8("flags")
    let isInverted = try bytes.flag("invflags")
    var words: [UInt16] = []
    for _ in 0..<Self.maxOptions { words.append(try bytes.uint16("opts")) }
    let count = Int(try bytes.uint8("optsnr"))
    try bytes.zeros("padding", 1)
    guard flags <= 0x03, flags & Flag.length != 0 || length == 0 && !isInverted,
      (flags & Flag.options != 0) == (count > 0)
    else { throw bytes.invalid("flags") }
    guard count <= Self.maxOptions, words[count...].allSatisfy({ $0 == 0 }) else { throw bytes.invalid("optsnr") }
    self.length = flags & Flag.length == 0 ? nil : Negatable(length, inverted: isInverted)
    options = words[..<count].compactMap { word in
      Option(UInt8(word >> 8), length: word & 0xff == 0xff ? nil : UInt8(word & 0xff))
    }
    let isLastOfAnyLength = options.count < Self.maxOptions || options[Self.maxOptions - 1].length == nil
    guard options.count == count, isLastOfAnyLength else { throw bytes.invalid("opts") }
  }
}

// MARK: Meaning

extension HopByHopOptions {
  public func matches(_ packet: Packet) -> Answer { header.matches(packet, .hopByHop) }
}

extension DestinationOptions {
  /// The first header of its kind decides.
  public func matches(_ packet: Packet) -> Answer { header.matches(packet, .destinationOptions) }
}

extension IPv6OptionHeader {
  /// A header that is longer than the packet does not match.
  fileprivate func matches(_ packet: Packet, _ kind: IPv6Extension) -> Answer {
    switch packet.readExtensionHeader(kind, atLeast: 2) {
    case .answer(let answer): return answer
    case .bytes(let bytes):
      let size = kind.length(bytes[1])
      guard size <= bytes.count else { return .no }
      let hasLength = length.map { (Int($0.value) == size) != $0.isInverted } ?? true
      return Answer(hasLength && beginsWithOptions(bytes[2..<size]))
    }
  }

  /// The last of the options may be longer than the header; the type 0 is one byte without a length.
  private func beginsWithOptions(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    for (place, option) in options.enumerated() {
      guard rest.first == option.type else { return false }
      var size = 1
      if option.type != 0 {
        guard rest.count >= 2 else { return false }
        let length = rest[rest.startIndex + 1]
        guard option.length == nil || option.length == length else { return false }
        size = Int(length) + 2
      }
      guard size <= rest.count || place == options.count - 1 else { return false }
      rest = rest.dropFirst(size)
    }
    return true
  }
}
