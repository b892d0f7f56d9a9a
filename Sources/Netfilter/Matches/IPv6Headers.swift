/// Which extension headers an IPv6 packet has
/// (`struct ip6t_ipv6header_info`, linux/netfilter_ipv6/ip6t_ipv6header.h; RFC 8200 section 4).
public struct IPv6Headers: Match {
  public let headers: Negatable<IPv6HeaderSet>
  /// The packet may have others too; else it has exactly these.
  public let mayHaveOthers: Bool

  /// nil when no header is named.
  public init?(_ headers: Negatable<IPv6HeaderSet>, mayHaveOthers: Bool = false) {
    guard !headers.value.isEmpty else { return nil }
    self.headers = headers
    self.mayHaveOthers = mayHaveOthers
  }
}

/// Kinds of headers. Raw values are `MASK_*` of the kernel's header.
public struct IPv6HeaderSet: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let hopByHop = IPv6HeaderSet(rawValue: 0x80)
  public static let destinationOptions = IPv6HeaderSet(rawValue: 0x40)
  public static let routing = IPv6HeaderSet(rawValue: 0x20)
  public static let fragment = IPv6HeaderSet(rawValue: 0x10)
  public static let authentication = IPv6HeaderSet(rawValue: 0x08)
  public static let encapsulation = IPv6HeaderSet(rawValue: 0x04)
  /// Nothing follows.
  public static let none = IPv6HeaderSet(rawValue: 0x02)
  /// The header of a transport protocol.
  public static let transport = IPv6HeaderSet(rawValue: 0x01)

  /// Each with its protocol number and the names that iptables knows for it; printed in this order.
  fileprivate static let all: [(flag: IPv6HeaderSet, number: UInt8, names: [StaticString])] = [
    (.hopByHop, 0, ["hop-by-hop", "hop", "0"]), (.destinationOptions, 60, ["dst", "60"]),
    (.routing, 43, ["route", "43"]), (.fragment, 44, ["frag", "44"]), (.authentication, 51, ["auth", "51"]),
    (.encapsulation, 50, ["esp", "50"]), (.none, 59, ["none", "59"]), (.transport, 255, ["protocol", "prot", "255"]),
  ]
}

// MARK: Syntax

extension IPv6Headers {
  public static let definition = ExtensionDefinition(
    "ipv6header", summary: "IPv6 extension headers", families: [.ipv6],
    options: [
      OptionSpec(
        "--header", .custom("HEADER[,HEADER]…"), negatable: true, required: true,
        "hop, dst, route, frag, auth, esp, none, prot, or a name of /etc/protocols"),
      OptionSpec("--soft", .none, "the packet may have other headers too"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--header") else { throw options.error("--header", "needs HEADER") }
    var headers: IPv6HeaderSet = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      if part.count > 0 { headers.formUnion(try Self.header(part, options)) }
    }
    let condition = Negatable(headers, inverted: options.isInverted("--header"))
    guard let value = IPv6Headers(condition, mayHaveOthers: options.has("--soft")) else {
      throw options.error("--header", "no header is named")
    }
    self = value
  }

  private static func header(_ token: Token, _ options: OptionValues) throws(SyntaxError) -> IPv6HeaderSet {
    let known = IPv6HeaderSet.all
    if let header = known.first(where: { $0.names.contains { token == $0 } }) { return header.flag }
    // Names of protocols as they are, capitals included.
    let number =
      IPProtocol.wellKnown.first { token == $0.name }?.number ?? options.names.protocolNumber(token.string)
    if let header = known.first(where: { $0.number == number }) { return header.flag }
    throw SyntaxError(
      at: token, "--header: '\(token.string)' is not an extension header",
      hint: "headers: \(known.map { "\($0.names[0])" }.joined(separator: ", "))")
  }

  public func print(to out: inout RuleWriter) {
    out.option("--header", inverted: headers.isInverted)
    out.text.write(" ")
    writeNames(to: &out)
    if mayHaveOthers { out.option("--soft") }
  }

  public func list(to out: inout RuleWriter) {
    out.word(headers.isInverted ? "ipv6header flags:!" : "ipv6header flags:")
    if out.isNumeric {
      out.text.write("0x")
      out.text.write(upperHex: headers.value.rawValue, width: 2)
    } else {
      writeNames(to: &out)
    }
    if mayHaveOthers { out.word("soft") }
  }

  private func writeNames(to out: inout RuleWriter) {
    var isFirst = true
    for header in IPv6HeaderSet.all where headers.value.contains(header.flag) {
      if !isFirst { out.text.write(",") }
      isFirst = false
      // The protocol 0 has another name in /etc/protocols.
      if header.number != 0, let name = out.names.name(of: IPProtocol(rawValue: header.number)) {
        out.text.write(name)
      } else {
        out.text.write(header.names[0])
      }
    }
  }
}

// MARK: Kernel bytes

extension IPv6Headers {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(headers.value.rawValue)
    out.write(UInt8(headers.isInverted ? 0xff : 0))
    out.write(UInt8(mayHaveOthers ? 0xff : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let flags = IPv6HeaderSet(rawValue: try bytes.uint8("matchflags"))
    let inverted = try bytes.uint8("invflags")
    let mode = try bytes.uint8("modeflag")
    guard inverted == 0 || inverted == 0xff else { throw bytes.invalid("invflags") }
    guard mode == 0 || mode == 0xff,
      let value = IPv6Headers(Negatable(flags, inverted: inverted != 0), mayHaveOthers: mode != 0)
    else { throw bytes.invalid("modeflag") }
    self = value
  }
}

// MARK: Meaning

extension IPv6Headers {
  /// A packet whose headers end early does not match, inverted or not. With others allowed, the inverted condition
  /// means that the packet has none of the headers.
  public func matches(_ packet: Packet) -> Answer {
    guard let bytes = packet.bytes else { return .depends(on: "the packet's bytes") }
    guard let present = IPv6HeaderSet(in: bytes) else { return .no }
    guard mayHaveOthers else { return Answer((present == headers.value) != headers.isInverted) }
    return Answer(headers.isInverted ? present.isDisjoint(with: headers.value) : present.isSuperset(of: headers.value))
  }
}

extension IPv6HeaderSet {
  /// The headers of a packet, up to the first that is no extension header; nil where one ends early. What follows the
  /// header of a fragment is taken for a header in later fragments too, as the kernel does.
  fileprivate init?(in bytes: [UInt8]) {
    guard bytes.count >= IPv6Extension.firstOffset else { return nil }
    self = []
    var kind = bytes[IPv6Extension.firstKindOffset]
    var start = IPv6Extension.firstOffset
    while start <= bytes.count {
      let known = IPv6Extension(rawValue: kind)
      if known == IPv6Extension.none {
        insert(.none)
        return
      }
      guard known != nil || kind == IPProtocol.esp.rawValue else { break }
      guard start + 2 <= bytes.count else { return nil }
      guard let known else {
        insert(.encapsulation)
        return
      }
      insert(known.flag)
      kind = bytes[start]
      start += known.length(bytes[start + 1])
    }
    if kind != IPv6Extension.none.rawValue, kind != IPProtocol.esp.rawValue { insert(.transport) }
  }
}

extension IPv6Extension {
  fileprivate var flag: IPv6HeaderSet {
    switch self {
    case .hopByHop: .hopByHop
    case .routing: .routing
    case .fragment: .fragment
    case .authentication: .authentication
    case .none: .none
    case .destinationOptions: .destinationOptions
    }
  }
}
