/// Ports, flags and options of a TCP segment (`struct xt_tcp`, linux/netfilter/xt_tcpudp.h; RFC 9293).
public struct TCP: Match {
  public var sourcePorts: Negatable<PortRange>?
  public var destinationPorts: Negatable<PortRange>?
  /// Which flags are looked at and which of those are set.
  public var flags: Negatable<TCPFlagTest>?
  /// The number of a TCP option that must be present.
  public var option: Negatable<UInt8>?

  public init(
    sourcePorts: Negatable<PortRange>? = nil, destinationPorts: Negatable<PortRange>? = nil,
    flags: Negatable<TCPFlagTest>? = nil, option: Negatable<UInt8>? = nil
  ) {
    self.sourcePorts = sourcePorts
    self.destinationPorts = destinationPorts
    self.flags = flags
    self.option = option
  }
}

/// `--tcp-flags MASK SET`.
public struct TCPFlagTest: Hashable, Sendable {
  public var mask: TCPFlags
  public var set: TCPFlags

  public init(mask: TCPFlags, set: TCPFlags) {
    self.mask = mask
    self.set = set
  }

  /// `--tcp-flags NONE NONE`, true of every segment.
  static let none = TCPFlagTest(mask: [], set: [])

  /// `--syn`: the first segment of a connection.
  public static let syn = TCPFlagTest(mask: [.fin, .syn, .rst, .ack], set: .syn)
}

/// The flag bits of a TCP header.
public struct TCPFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let fin = TCPFlags(rawValue: 0x01)
  public static let syn = TCPFlags(rawValue: 0x02)
  public static let rst = TCPFlags(rawValue: 0x04)
  public static let psh = TCPFlags(rawValue: 0x08)
  public static let ack = TCPFlags(rawValue: 0x10)
  public static let urg = TCPFlags(rawValue: 0x20)
  public static let all = TCPFlags(rawValue: 0x3f)

  fileprivate static let names: [(name: StaticString, flag: TCPFlags)] = [
    ("FIN", .fin), ("SYN", .syn), ("RST", .rst), ("PSH", .psh), ("ACK", .ack), ("URG", .urg),
    ("ALL", .all), ("NONE", []),
  ]
}

// MARK: Syntax

extension TCP {
  public static let definition = ExtensionDefinition(
    "tcp", summary: "TCP ports, flags and options", protocols: [.tcp],
    options: [
      OptionSpec("--source-port", aliases: ["--sport"], .portRange, negatable: true, "source port or range"),
      OptionSpec("--destination-port", aliases: ["--dport"], .portRange, negatable: true, "destination port or range"),
      OptionSpec(
        "--tcp-flags", .custom("MASK SET"), negatable: true, words: 2, excludes: ["--syn"],
        "of the flags in MASK exactly those in SET are set"),
      OptionSpec("--syn", negatable: true, "a connection's first segment: SYN without RST, ACK and FIN"),
      OptionSpec("--tcp-option", .number(1...255), negatable: true, "TCP option of this number present"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    if let ports = try options.portRange("--source-port", nil) {
      sourcePorts = ports.condition(inverted: options.isInverted("--source-port"))
    }
    if let ports = try options.portRange("--destination-port", nil) {
      destinationPorts = ports.condition(inverted: options.isInverted("--destination-port"))
    }
    if let words = options.words("--tcp-flags") {
      let test = TCPFlagTest(mask: try Self.flags(words[0]), set: try Self.flags(words[1]))
      let isInverted = options.isInverted("--tcp-flags")
      flags = test == .none && !isInverted ? nil : Negatable(test, inverted: isInverted)
    } else if options.has("--syn") {
      flags = Negatable(.syn, inverted: options.isInverted("--syn"))
    }
    if let number = try options.number("--tcp-option") {
      option = Negatable(UInt8(number), inverted: options.isInverted("--tcp-option"))
    }
    if options.interface == .nfTables, option == nil {  // with an option it stays a structure
      sourcePorts = sourcePorts?.saidByNFTables
      destinationPorts = destinationPorts?.saidByNFTables
    }
  }

  private static func flags(_ token: Token) throws(SyntaxError) -> TCPFlags {
    var flags: TCPFlags = []
    try token.forEachPart(separatedBy: UInt8(ascii: ",")) { part throws(SyntaxError) in
      guard let known = TCPFlags.names.first(where: { part.equalsIgnoringCase($0.name) }) else {
        throw SyntaxError(
          at: part, "'\(part.string)' is not a TCP flag",
          hint: "flags: \(TCPFlags.names.map { "\($0.name)" }.joined(separator: ", "))")
      }
      flags.formUnion(known.flag)
    }
    return flags
  }

  public func print(to out: inout RuleWriter) {
    out.ports("--sport", sourcePorts)
    out.ports("--dport", destinationPorts)
    if let option {
      out.option("--tcp-option", inverted: option.isInverted)
      out.number(option.value)
    }
    if let flags, !flags.value.mask.isEmpty || flags.isInverted {
      out.option("--tcp-flags", inverted: flags.isInverted)
      Self.print(flags.value.mask, to: &out)
      Self.print(flags.value.set, to: &out)
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("tcp")
    out.listPorts("spt", sourcePorts.map { Negatable(Bounds(ports: $0.value), inverted: $0.isInverted) }, .tcp)
    out.listPorts("dpt", destinationPorts.map { Negatable(Bounds(ports: $0.value), inverted: $0.isInverted) }, .tcp)
    if let option {
      out.word(option.isInverted ? "option=!" : "option=")
      out.text.write(option.value)
    }
    if let flags, !flags.value.mask.isEmpty || flags.isInverted {
      out.word(flags.isInverted ? "flags:!" : "flags:")
      if out.isNumeric {
        out.text.write("0x")
        out.text.write(upperHex: flags.value.mask.rawValue, width: 2)
        out.text.write("/0x")
        out.text.write(upperHex: flags.value.set.rawValue, width: 2)
      } else {
        Self.write(flags.value.mask, to: &out)
        out.text.write("/")
        Self.write(flags.value.set, to: &out)
      }
    }
  }

  private static func print(_ flags: TCPFlags, to out: inout RuleWriter) {
    out.text.write(" ")
    write(flags, to: &out)
  }

  private static func write(_ flags: TCPFlags, to out: inout RuleWriter) {
    guard !flags.isEmpty else { return out.text.write("NONE") }
    var isFirst = true
    for known in TCPFlags.names.prefix(6) where flags.contains(known.flag) {
      if !isFirst { out.text.write(",") }
      out.text.write(known.name)
      isFirst = false
    }
  }
}

extension RuleWriter {
  /// ` ! --dport 22:25`; nothing for nil.
  package mutating func ports(_ name: StaticString, _ ports: Negatable<PortRange>?) {
    guard let ports else { return }
    option(name, inverted: ports.isInverted)
    text.write(byte: UInt8(ascii: " "))
    text.write(ports.value)
  }

  /// ` dpt:22`, ` dpts:!137:139`; nothing for nil.
  package mutating func listPorts(_ name: StaticString, _ ports: Negatable<Bounds<UInt16>>?, _ proto: IPProtocol) {
    guard let ports else { return }
    word(name)
    text.write(ports.value.first == ports.value.last ? ":" : "s:")
    if ports.isInverted { text.write("!") }
    listPort(ports.value.first, proto)
    guard ports.value.first != ports.value.last else { return }
    text.write(":")
    listPort(ports.value.last, proto)
  }

  /// The service's name unless the listing is numeric, without a blank before it.
  package mutating func listPort(_ port: UInt16, _ proto: IPProtocol?) {
    if !isNumeric, let name = names.reverse.service(port, proto) {
      text.write(name)
    } else {
      text.write(port)
    }
  }
}

// MARK: Kernel bytes

extension TCP {
  private enum Invert {
    static let sourcePorts: UInt8 = 0x01
    static let destinationPorts: UInt8 = 0x02
    static let flags: UInt8 = 0x04
    static let option: UInt8 = 0x08
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(sourcePorts?.value ?? .any)
    out.write(destinationPorts?.value ?? .any)
    out.write(option?.value ?? 0)
    out.write(flags?.value.mask.rawValue ?? 0)
    out.write(flags?.value.set.rawValue ?? 0)
    var inverts: UInt8 = 0
    if sourcePorts?.isInverted == true { inverts |= Invert.sourcePorts }
    if destinationPorts?.isInverted == true { inverts |= Invert.destinationPorts }
    if flags?.isInverted == true { inverts |= Invert.flags }
    if option?.isInverted == true { inverts |= Invert.option }
    out.write(inverts)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let source = try bytes.portRange("spts")
    let destination = try bytes.portRange("dpts")
    let option = try bytes.uint8("option")
    let mask = TCPFlags(rawValue: try bytes.uint8("flg_mask"))
    let set = TCPFlags(rawValue: try bytes.uint8("flg_cmp"))
    let inverts = try bytes.uint8("invflags")
    // Option 0 asks for nothing, `!` or not.
    guard option != 0 || inverts & Invert.option == 0 else { throw bytes.invalid("option") }
    guard inverts <= 0x0f, mask.isSubset(of: .all), set.isSubset(of: .all) else { throw bytes.invalid("invflags") }
    sourcePorts = source.condition(inverted: inverts & Invert.sourcePorts != 0)
    destinationPorts = destination.condition(inverted: inverts & Invert.destinationPorts != 0)
    if option != 0 {
      self.option = Negatable(option, inverted: inverts & Invert.option != 0)
    }
    if !mask.isEmpty || !set.isEmpty || inverts & Invert.flags != 0 {
      flags = Negatable(TCPFlagTest(mask: mask, set: set), inverted: inverts & Invert.flags != 0)
    }
  }
}

extension PortRange {
  /// nil for every port, which is how the kernel says that ports do not matter.
  package func condition(inverted: Bool) -> Negatable<PortRange>? {
    self == .any && !inverted ? nil : Negatable(self, inverted: inverted)
  }
}

extension ByteWriter {
  /// Two ports in host order, as xt_tcpudp compares them.
  package mutating func write(_ ports: PortRange) {
    write(ports.first)
    write(ports.last)
  }
}

extension ByteReader {
  package mutating func portRange(_ field: StaticString) throws(WireError) -> PortRange {
    let first = try uint16(field)
    guard let range = PortRange(first, through: try uint16(field)) else { throw invalid(field) }
    return range
  }
}

// MARK: Meaning

extension TCP {
  /// A later fragment has no ports and no flags, so no rule of this match is for it.
  public func matches(_ packet: Packet) -> Answer {
    guard !packet.isLaterFragment else { return .no }
    return .about(packet.sourcePort, "the source port", sourcePorts) { $1.contains($0) }
      && .about(packet.destinationPort, "the destination port", destinationPorts) { $1.contains($0) }
      && .about(packet.tcpFlags, "the TCP flags", flags) { $0.intersection($1.mask) == $1.set }
      && .about(packet.tcpOptions, "the TCP options", option) { $0.contains($1) }
  }
}
