/// Type and code of an ICMPv6 message (`struct ip6t_icmp`, linux/netfilter_ipv6/ip6_tables.h; RFC 4443).
public struct ICMPv6: Match {
  public var message: Negatable<ICMPMessage>

  public init(_ message: Negatable<ICMPMessage>) { self.message = message }
}

// MARK: Syntax

extension ICMPv6 {
  public static let definition = ExtensionDefinition(
    "icmp6", summary: "ICMPv6 message type and code", families: [.ipv6], protocols: [.icmpv6],
    aliases: ["icmpv6", "ipv6-icmp"],
    details: { "Valid ICMPv6 Types:\n" + ICMPMessage.list(names) },
    options: [
      OptionSpec(
        "--icmpv6-type", .custom("TYPE[/CODE[:CODE]]|NAME"), negatable: true, required: true,
        "message type, by number or name, and its codes")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    message = try ICMPMessage.parse(options, "--icmpv6-type", Self.names)
  }

  public func print(to out: inout RuleWriter) {
    out.option("--icmpv6-type", inverted: message.isInverted)
    out.message(message.value)
  }

  public func list(to out: inout RuleWriter) {
    out.word("ipv6-icmp")
    out.listMessage(message, Self.names)
  }

  private static let names: [(name: StaticString, message: ICMPMessage)] = [
    ("destination-unreachable", ICMPMessage(type: 1)),
    ("no-route", ICMPMessage(type: 1, code: 0)),
    ("communication-prohibited", ICMPMessage(type: 1, code: 1)),
    ("beyond-scope", ICMPMessage(type: 1, code: 2)),
    ("address-unreachable", ICMPMessage(type: 1, code: 3)),
    ("port-unreachable", ICMPMessage(type: 1, code: 4)),
    ("failed-policy", ICMPMessage(type: 1, code: 5)),
    ("reject-route", ICMPMessage(type: 1, code: 6)),
    ("packet-too-big", ICMPMessage(type: 2)),
    ("time-exceeded", ICMPMessage(type: 3)),
    ("ttl-exceeded", ICMPMessage(type: 3)),
    ("ttl-zero-during-transit", ICMPMessage(type: 3, code: 0)),
    ("ttl-zero-during-reassembly", ICMPMessage(type: 3, code: 1)),
    ("parameter-problem", ICMPMessage(type: 4)),
    ("bad-header", ICMPMessage(type: 4, code: 0)),
    ("unknown-header-type", ICMPMessage(type: 4, code: 1)),
    ("unknown-option", ICMPMessage(type: 4, code: 2)),
    ("echo-request", ICMPMessage(type: 128)),
    ("ping", ICMPMessage(type: 128)),
    ("echo-reply", ICMPMessage(type: 129)),
    ("pong", ICMPMessage(type: 129)),
    ("router-solicitation", ICMPMessage(type: 133)),
    ("router-advertisement", ICMPMessage(type: 134)),
    ("neighbour-solicitation", ICMPMessage(type: 135)),
    ("neighbor-solicitation", ICMPMessage(type: 135)),
    ("neighbour-advertisement", ICMPMessage(type: 136)),
    ("neighbor-advertisement", ICMPMessage(type: 136)),
    ("redirect", ICMPMessage(type: 137)),
  ]
}

// MARK: Kernel bytes

extension ICMPv6 {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(message) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    message = try bytes.icmpMessage()
  }
}

// MARK: Meaning

extension ICMPv6 {
  /// A later fragment has no message type. No type stands for every message here.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    let answer = message.value.matches(packet)
    return message.isInverted ? !answer : answer
  }
}
