/// Type and code of an ICMP message (`struct ipt_icmp`, linux/netfilter_ipv4/ip_tables.h; RFC 792).
public struct ICMP: Match {
  public var message: Negatable<ICMPMessage>

  public init(_ message: Negatable<ICMPMessage>) { self.message = message }

  /// The type that stands for every message, whatever its code.
  public static let anyType: UInt8 = 255
}

/// A message type of ICMP or ICMPv6 and the codes it may have.
public struct ICMPMessage: Hashable, Sendable {
  public var type: UInt8
  public var codes: ClosedRange<UInt8>

  public init(type: UInt8, codes: ClosedRange<UInt8> = 0...255) {
    self.type = type
    self.codes = codes
  }

  public init(type: UInt8, code: UInt8) { self.init(type: type, codes: code...code) }
}

// MARK: Syntax

extension ICMP {
  public static let definition = ExtensionDefinition(
    "icmp", summary: "ICMP message type and code", families: [.ipv4], protocols: [.icmp],
    details: { "Valid ICMP Types:\n" + ICMPMessage.list(names) },
    options: [
      OptionSpec(
        "--icmp-type", .custom("TYPE[/CODE[:CODE]]|NAME"), negatable: true, required: true,
        "message type, by number or name, and its codes")
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    message = try ICMPMessage.parse(options, "--icmp-type", Self.names)
  }

  public func print(to out: inout RuleWriter) {
    out.option("--icmp-type", inverted: message.isInverted)
    if message.value.type == Self.anyType {
      out.word("any")
    } else {
      out.message(message.value)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("icmp")
    out.listMessage(message, Self.names)
  }

  private static let names: [(name: StaticString, message: ICMPMessage)] = [
    ("any", ICMPMessage(type: anyType)),
    ("echo-reply", ICMPMessage(type: 0)),
    ("pong", ICMPMessage(type: 0)),
    ("destination-unreachable", ICMPMessage(type: 3)),
    ("network-unreachable", ICMPMessage(type: 3, code: 0)),
    ("host-unreachable", ICMPMessage(type: 3, code: 1)),
    ("protocol-unreachable", ICMPMessage(type: 3, code: 2)),
    ("port-unreachable", ICMPMessage(type: 3, code: 3)),
    ("fragmentation-needed", ICMPMessage(type: 3, code: 4)),
    ("source-route-failed", ICMPMessage(type: 3, code: 5)),
    ("network-unknown", ICMPMessage(type: 3, code: 6)),
    ("host-unknown", ICMPMessage(type: 3, code: 7)),
    ("network-prohibited", ICMPMessage(type: 3, code: 9)),
    ("host-prohibited", ICMPMessage(type: 3, code: 10)),
    ("TOS-network-unreachable", ICMPMessage(type: 3, code: 11)),
    ("TOS-host-unreachable", ICMPMessage(type: 3, code: 12)),
    ("communication-prohibited", ICMPMessage(type: 3, code: 13)),
    ("host-precedence-violation", ICMPMessage(type: 3, code: 14)),
    ("precedence-cutoff", ICMPMessage(type: 3, code: 15)),
    ("source-quench", ICMPMessage(type: 4)),
    ("redirect", ICMPMessage(type: 5)),
    ("network-redirect", ICMPMessage(type: 5, code: 0)),
    ("host-redirect", ICMPMessage(type: 5, code: 1)),
    ("TOS-network-redirect", ICMPMessage(type: 5, code: 2)),
    ("TOS-host-redirect", ICMPMessage(type: 5, code: 3)),
    ("echo-request", ICMPMessage(type: 8)),
    ("ping", ICMPMessage(type: 8)),
    ("router-advertisement", ICMPMessage(type: 9)),
    ("router-solicitation", ICMPMessage(type: 10)),
    ("time-exceeded", ICMPMessage(type: 11)),
    ("ttl-exceeded", ICMPMessage(type: 11)),
    ("ttl-zero-during-transit", ICMPMessage(type: 11, code: 0)),
    ("ttl-zero-during-reassembly", ICMPMessage(type: 11, code: 1)),
    ("parameter-problem", ICMPMessage(type: 12)),
    ("ip-header-bad", ICMPMessage(type: 12, code: 0)),
    ("required-option-missing", ICMPMessage(type: 12, code: 1)),
    ("timestamp-request", ICMPMessage(type: 13)),
    ("timestamp-reply", ICMPMessage(type: 14)),
    ("address-mask-request", ICMPMessage(type: 17)),
    ("address-mask-reply", ICMPMessage(type: 18)),
  ]
}

extension ICMPMessage {
  /// A name or the beginning that one name only has; or `TYPE`, `TYPE/CODE`, `TYPE/CODE:CODE`.
  static func parse(
    _ options: OptionValues, _ option: StaticString, _ names: [(name: StaticString, message: ICMPMessage)]
  ) throws(SyntaxError) -> Negatable<ICMPMessage> {
    guard let token = options.token(option) else { throw options.error(option, "needs \(option)") }
    let named = names.filter { token.begins($0.name) }
    let message: ICMPMessage
    if named.count > 1 {
      throw options.error(
        option, "'\(token.string)' is the beginning of several names",
        hint: "one of: \(named.map { "\($0.name)" }.joined(separator: ", "))")
    } else if let only = named.first {
      message = only.message
    } else {
      message = try number(token, options, option, names.map { "\($0.name)" })
    }
    return Negatable(message, inverted: options.isInverted(option))
  }

  private static func number(
    _ token: Token, _ options: OptionValues, _ option: StaticString, _ names: [String]
  ) throws(SyntaxError) -> ICMPMessage {
    let parts = token.split(at: UInt8(ascii: "/"))
    guard let type: UInt8 = parts.before.number(in: 0...255) else {
      let isRange = parts.before.firstIndex(of: UInt8(ascii: ":")) != nil
      throw SyntaxError(
        at: parts.before, "\(option): '\(parts.before.string)' is not a message type",
        hint: isRange
          ? "one rule takes one type; a range of codes is written TYPE/CODE:CODE"
          : suggestion(for: token.string, among: names) ?? "a type is a number from 0 to 255 or a name")
    }
    guard let codes = parts.after else { return ICMPMessage(type: type) }
    let limits = codes.split(at: UInt8(ascii: ":"))
    guard let first: UInt8 = limits.before.number(in: 0...255) else {
      throw SyntaxError(
        at: codes, "\(option): '\(codes.string)' is not a code", hint: "a code is a number from 0 to 255")
    }
    guard let after = limits.after else { return ICMPMessage(type: type, code: first) }
    guard let last: UInt8 = after.number(in: 0...255), first <= last else {
      throw SyntaxError(
        at: codes, "\(option): '\(codes.string)' is not a range of codes",
        hint: "write two numbers from 0 to 255, the smaller first")
    }
    return ICMPMessage(type: type, codes: first...last)
  }
}

extension RuleWriter {
  /// ` 3`, or ` 3/1`. Of a range of codes iptables-save prints the first alone.
  mutating func message(_ message: ICMPMessage) {
    number(message.type)
    guard message.codes != 0...255 else { return }
    text.write(byte: UInt8(ascii: "/"))
    text.write(message.codes.lowerBound)
  }

  /// ` !port-unreachable`; where it is numeric, ` !type 3 code 3`, or `type 3 code 3` without the blank, as iptables
  /// has it, when it is not inverted.
  mutating func listMessage(
    _ message: Negatable<ICMPMessage>, _ names: [(name: StaticString, message: ICMPMessage)]
  ) {
    if !isNumeric, let known = names.first(where: { $0.message == message.value }) {
      word(message.isInverted ? "!" : "")
      return text.write(known.name)
    }
    if message.isInverted { word("!") }
    text.write("type ")
    text.write(message.value.type)
    let codes = message.value.codes
    guard codes != 0...255 else { return }
    text.write(codes.count == 1 ? " code " : " codes ")
    text.write(codes.lowerBound)
    guard codes.count > 1 else { return }
    text.write("-")
    text.write(codes.upperBound)
  }
}

extension ICMPMessage {
  /// The names of message types, codes set off below their type, other names of the same in parentheses.
  package static func list(_ names: [(name: StaticString, message: ICMPMessage)]) -> String {
    var text = ""
    for (place, known) in names.enumerated() {
      let before = place > 0 ? names[place - 1].message : nil
      if known.message == before {
        text += " (\(known.name))"
      } else {
        text += (place > 0 ? "\n" : "") + (known.message.type == before?.type ? "   " : "") + "\(known.name)"
      }
    }
    return text
  }
}

// MARK: Kernel bytes

extension ICMP {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(message) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    message = try bytes.icmpMessage()
  }
}

extension ByteWriter {
  mutating func write(_ message: Negatable<ICMPMessage>) {
    write(message.value.type)
    write(message.value.codes.lowerBound)
    write(message.value.codes.upperBound)
    write(UInt8(message.isInverted ? 1 : 0))  // IPT_ICMP_INV
  }
}

extension ByteReader {
  mutating func icmpMessage() throws(WireError) -> Negatable<ICMPMessage> {
    let type = try uint8("type")
    let (first, last) = (try uint8("code"), try uint8("code"))
    guard first <= last else { throw invalid("code") }
    let inverts = try uint8("invflags")
    guard inverts <= 1 else { throw invalid("invflags") }
    return Negatable(ICMPMessage(type: type, codes: first...last), inverted: inverts == 1)
  }
}

// MARK: Meaning

extension ICMP {
  /// A later fragment has no message type, so no rule of this match is for it.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    let answer = message.value.type == Self.anyType ? .yes : message.value.matches(packet)
    return message.isInverted ? !answer : answer
  }
}

extension ICMPMessage {
  func matches(_ packet: Packet) -> Answer {
    let isOfType = packet.icmpType.map { Answer($0 == type) } ?? .depends(on: "the ICMP type")
    guard codes != 0...255 else { return isOfType }
    return isOfType && (packet.icmpCode.map { Answer(codes.contains($0)) } ?? .depends(on: "the ICMP code"))
  }
}
