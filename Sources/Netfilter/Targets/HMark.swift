/// Sets the packet's mark to a hash of its addresses and ports
/// (`struct xt_hmark_info`, linux/netfilter/xt_HMARK.h).
public struct HMark: Target {
  /// Leading bits of the addresses that count; nil for none.
  public let sourcePrefix: UInt8?
  public let destinationPrefix: UInt8?
  /// Bits of the ports that count.
  public let portMask: HMarkPorts
  /// Bits that are set in the ports before they are hashed.
  public let portBits: HMarkPorts
  /// Bits of the protocol's number that count.
  public let protocolMask: UInt16?
  /// Where the hash begins, so that others cannot foresee it.
  public let seed: UInt32
  /// The hash is the remainder of a division by it.
  public let modulus: UInt32
  /// What is added to the hash.
  public let offset: UInt32?
  /// Whether the connection's original addresses are taken instead of the packet's.
  public let usesConnection: Bool
  /// IPv4 rules of some programs set the twelve bytes behind a source mask, or a destination mask, of 32 bits.
  private var fillsSource = false
  private var fillsDestination = false

  /// nil when the modulus is 0, a prefix is longer than 128 bits, or nothing is hashed.
  public init?(
    sourcePrefix: UInt8? = nil, destinationPrefix: UInt8? = nil, portMask: HMarkPorts = .none,
    portBits: HMarkPorts = .none, protocolMask: UInt16? = nil, seed: UInt32, modulus: UInt32, offset: UInt32? = nil,
    usesConnection: Bool = false
  ) {
    let isHashed =
      sourcePrefix != nil || destinationPrefix != nil || portMask != .none || portBits != .none || protocolMask != nil
    guard modulus > 0, sourcePrefix ?? 0 <= 128, destinationPrefix ?? 0 <= 128, isHashed || usesConnection else {
      return nil
    }
    self.sourcePrefix = sourcePrefix
    self.destinationPrefix = destinationPrefix
    self.portMask = portMask
    self.portBits = portBits
    self.protocolMask = protocolMask
    self.seed = seed
    self.modulus = modulus
    self.offset = offset
    self.usesConnection = usesConnection
  }
}

/// Bits for source and destination port, or for the 32-bit number that ESP and AH have in their place.
public struct HMarkPorts: Hashable, Sendable {
  public let source: UInt16?
  public let destination: UInt16?
  public let securityParameterIndex: UInt32?

  public static let none = HMarkPorts(source: nil, destination: nil)

  public init(source: UInt16?, destination: UInt16?) {
    self.source = source
    self.destination = destination
    securityParameterIndex = nil
  }

  public init(securityParameterIndex: UInt32) {
    source = nil
    destination = nil
    self.securityParameterIndex = securityParameterIndex
  }

  /// In network order, as the kernel has them.
  fileprivate var number: UInt32 { securityParameterIndex ?? UInt32(source ?? 0) << 16 | UInt32(destination ?? 0) }
}

// MARK: Syntax

extension HMark {
  private static let ports: ClosedRange<UInt64> = 0...65535
  private static let any: ClosedRange<UInt64> = 0...UInt64(UInt32.max)

  public static let definition = ExtensionDefinition(
    "HMARK", summary: "set the packet's mark to a hash",
    options: [
      OptionSpec("--hmark-tuple", .list(parts), "what is hashed; ct for the connection's original addresses"),
      OptionSpec("--hmark-src-prefix", .custom("LENGTH"), "leading bits of the source address"),
      OptionSpec("--hmark-dst-prefix", .custom("LENGTH"), "leading bits of the destination address"),
      OptionSpec("--hmark-sport-mask", .number(ports), excludes: ["--hmark-spi-mask"], "bits of the source port"),
      OptionSpec("--hmark-dport-mask", .number(ports), excludes: ["--hmark-spi-mask"], "bits of the destination port"),
      OptionSpec("--hmark-spi-mask", .number(any), "bits of the SPI of ESP and AH"),
      OptionSpec("--hmark-sport", .number(ports), excludes: ["--hmark-spi"], "bits to set in the source port"),
      OptionSpec("--hmark-dport", .number(ports), excludes: ["--hmark-spi"], "bits to set in the destination port"),
      OptionSpec("--hmark-spi", .number(any), "bits to set in the SPI"),
      OptionSpec("--hmark-proto-mask", .number(ports), "bits of the protocol's number"),
      OptionSpec("--hmark-rnd", .number(any), required: true, "where the hash begins"),
      OptionSpec("--hmark-mod", .number(1...any.upperBound), required: true, "marks are smaller than this"),
      OptionSpec("--hmark-offset", .number(any), "what is added to them"),
    ])

  /// A beginning stands for the first that has it.
  private static let parts: [StaticString] = ["ct", "src", "dst", "sport", "dport", "proto", "spi"]
  /// The options whose whole value each part but `ct` stands for.
  private static let partOptions: [StaticString] = [
    "--hmark-src-prefix", "--hmark-dst-prefix", "--hmark-sport-mask", "--hmark-dport-mask", "--hmark-proto-mask",
    "--hmark-spi-mask",
  ]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let tuple = Set(try options.list("--hmark-tuple", abbreviated: true) ?? [])
    func isWhole(_ part: Int) throws(SyntaxError) -> Bool {
      guard tuple.contains(part) else { return false }
      let name = Self.partOptions[part - 1]
      guard !options.has(name) else {
        throw options.error("--hmark-tuple", "\(Self.parts[part]) stands for the whole value of \(name)")
      }
      return true
    }
    let bits = UInt8(options.family.addressBits)
    let source = try isWhole(1) ? bits : try Self.prefix("--hmark-src-prefix", options)
    let destination = try isWhole(2) ? bits : try Self.prefix("--hmark-dst-prefix", options)
    let sourceMask = try isWhole(3) ? 65535 : try options.number("--hmark-sport-mask")
    let destinationMask = try isWhole(4) ? 65535 : try options.number("--hmark-dport-mask")
    let protocolMask = try isWhole(5) ? 65535 : try options.number("--hmark-proto-mask")
    let indexMask = try isWhole(6) ? Self.any.upperBound : try options.number("--hmark-spi-mask")
    guard indexMask == nil || sourceMask == nil && destinationMask == nil else {
      throw options.error("--hmark-tuple", "spi cannot stand beside ports")
    }
    let target = HMark(
      sourcePrefix: source, destinationPrefix: destination,
      portMask: Self.ports(sourceMask, destinationMask, indexMask),
      portBits: Self.ports(
        try options.number("--hmark-sport"), try options.number("--hmark-dport"), try options.number("--hmark-spi")),
      protocolMask: protocolMask.map { UInt16($0) }, seed: UInt32(try options.number("--hmark-rnd") ?? 0),
      modulus: UInt32(try options.number("--hmark-mod") ?? 0),
      offset: try options.number("--hmark-offset").map { UInt32($0) }, usesConnection: tuple.contains(0))
    guard let target else {
      throw SyntaxError("HMARK: nothing is hashed", hint: "write for example --hmark-tuple src,dst")
    }
    self = target
  }

  private static func prefix(_ name: StaticString, _ options: OptionValues) throws(SyntaxError) -> UInt8? {
    guard let token = options.token(name) else { return nil }
    return UInt8(try options.prefixLength(token, of: name))
  }

  private static func ports(_ source: UInt64?, _ destination: UInt64?, _ index: UInt64?) -> HMarkPorts {
    if let index { return HMarkPorts(securityParameterIndex: UInt32(index)) }
    return HMarkPorts(source: source.map { UInt16($0) }, destination: destination.map { UInt16($0) })
  }

  public func print(to out: inout RuleWriter) {
    if let sourcePrefix {
      out.option("--hmark-src-prefix")
      out.number(sourcePrefix)
    }
    if let destinationPrefix {
      out.option("--hmark-dst-prefix")
      out.number(destinationPrefix)
    }
    Self.print("--hmark-sport-mask", portMask.source, width: 4, to: &out)
    Self.print("--hmark-dport-mask", portMask.destination, width: 4, to: &out)
    Self.print("--hmark-spi-mask", portMask.securityParameterIndex, width: 8, to: &out)
    Self.print("--hmark-sport", portBits.source, width: 4, to: &out)
    Self.print("--hmark-dport", portBits.destination, width: 4, to: &out)
    Self.print("--hmark-spi", portBits.securityParameterIndex, width: 8, to: &out)
    Self.print("--hmark-proto-mask", protocolMask, width: 2, to: &out)
    Self.print("--hmark-rnd", seed, width: 8, to: &out)
    out.option("--hmark-mod")
    out.number(modulus)
    if let offset {
      out.option("--hmark-offset")
      out.number(offset)
    }
    if usesConnection {
      out.option("--hmark-tuple")
      out.word("ct")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.word("HMARK mod")
    out.number(modulus)
    if let offset {
      out.word("+")
      out.hex(offset)
    }
    if usesConnection { out.word("ct,") }
    Self.list("src-prefix", sourcePrefix, to: &out)
    Self.list("dst-prefix", destinationPrefix, to: &out)
    Self.list("sport-mask", portMask.source, to: &out)
    Self.list("dport-mask", portMask.destination, to: &out)
    Self.list("spi-mask", portMask.securityParameterIndex, to: &out)
    Self.list("sport", portBits.source, to: &out)
    Self.list("dport", portBits.destination, to: &out)
    Self.list("spi", portBits.securityParameterIndex, to: &out)
    Self.list("proto-mask", protocolMask, to: &out)
    out.word("rnd")
    out.hex(seed)
    out.text.write(" ")
  }

  private static func print(
    _ name: StaticString, _ value: (some FixedWidthInteger & UnsignedInteger)?, width: Int, to out: inout RuleWriter
  ) {
    guard let value else { return }
    out.option(name)
    out.text.write(" 0x")
    out.text.write(hex: value, width: width)
  }

  /// iptables leaves a prefix of 128 bits out and keeps its blank.
  private static func list(_ name: StaticString, _ prefix: UInt8?, to out: inout RuleWriter) {
    guard let prefix else { return }
    out.word(name)
    if prefix < 128 { out.number(prefix) } else { out.text.write(" ") }
  }

  private static func list(_ name: StaticString, _ bits: (some UnsignedInteger)?, to out: inout RuleWriter) {
    guard let bits else { return }
    out.word(name)
    out.hex(UInt32(bits))
  }
}

// MARK: Kernel bytes

extension HMark {
  /// A bit for each `XT_HMARK_*`.
  private enum Flag {
    static let source: UInt32 = 1 << 0
    static let destination: UInt32 = 1 << 1
    static let index: UInt32 = 1 << 2
    static let indexMask: UInt32 = 1 << 3
    static let sourcePort: UInt32 = 1 << 4
    static let destinationPort: UInt32 = 1 << 5
    static let sourcePortMask: UInt32 = 1 << 6
    static let destinationPortMask: UInt32 = 1 << 7
    static let protocolMask: UInt32 = 1 << 8
    static let seed: UInt32 = 1 << 9
    static let modulus: UInt32 = 1 << 10
    static let offset: UInt32 = 1 << 11
    static let connection: UInt32 = 1 << 12
    static let known: UInt32 = (1 << 13) - 1
  }

  private var flags: UInt32 {
    let parts: [(Bool, UInt32)] = [
      (sourcePrefix != nil, Flag.source), (destinationPrefix != nil, Flag.destination),
      (portBits.securityParameterIndex != nil, Flag.index), (portMask.securityParameterIndex != nil, Flag.indexMask),
      (portBits.source != nil, Flag.sourcePort), (portBits.destination != nil, Flag.destinationPort),
      (portMask.source != nil, Flag.sourcePortMask), (portMask.destination != nil, Flag.destinationPortMask),
      (protocolMask != nil, Flag.protocolMask), (offset != nil, Flag.offset), (usesConnection, Flag.connection),
    ]
    return parts.reduce(Flag.seed | Flag.modulus) { $1.0 ? $0 | $1.1 : $0 }
  }

  /// - Precondition: prefixes of an IPv4 rule have at most 32 bits.
  public func encode(to out: inout ByteWriter, family: Family) {
    let longest = max(sourcePrefix ?? 0, destinationPrefix ?? 0)
    precondition(longest <= family.addressBits, "a prefix of \(longest) bits in an \(family) rule")
    Self.write(sourcePrefix, family, isFilled: fillsSource, to: &out)
    Self.write(destinationPrefix, family, isFilled: fillsDestination, to: &out)
    out.write(big: portMask.number)
    out.write(big: portBits.number)
    out.write(flags)
    out.write(protocolMask ?? 0)
    out.zeros(2)
    out.write(seed)
    out.write(modulus)
    out.write(offset ?? 0)
  }

  private static func write(_ prefix: UInt8?, _ family: Family, isFilled: Bool, to out: inout ByteWriter) {
    if isFilled { return out.write(big: UInt128.max) }
    out.write(unionAddress: AddressMask.prefixMask(Int(prefix ?? 0), family), family)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let source = try Self.prefix(&bytes, "src_mask", family)
    let destination = try Self.prefix(&bytes, "dst_mask", family)
    let mask = try bytes.bigUInt32("port_mask")
    let bits = try bytes.bigUInt32("port_set")
    let flags = try bytes.uint32("flags")
    let protocolMask = try bytes.uint16("proto_mask")
    try bytes.zeros("padding", 2)
    func has(_ flag: UInt32) -> Bool { flags & flag != 0 }
    func ports(_ number: UInt32, _ index: UInt32, _ source: UInt32, _ destination: UInt32) -> HMarkPorts {
      if has(index) { return HMarkPorts(securityParameterIndex: number) }
      return HMarkPorts(
        source: has(source) ? UInt16(number >> 16) : nil,
        destination: has(destination) ? UInt16(truncatingIfNeeded: number) : nil)
    }
    let seed = try bytes.uint32("hashrnd")
    let modulus = try bytes.uint32("hmodulus")
    let offset = try bytes.uint32("hoffset")
    let target = HMark(
      sourcePrefix: has(Flag.source) ? source.length : nil,
      destinationPrefix: has(Flag.destination) ? destination.length : nil,
      portMask: ports(mask, Flag.indexMask, Flag.sourcePortMask, Flag.destinationPortMask),
      portBits: ports(bits, Flag.index, Flag.sourcePort, Flag.destinationPort),
      protocolMask: has(Flag.protocolMask) ? protocolMask : nil, seed: seed, modulus: modulus,
      offset: has(Flag.offset) ? offset : nil, usesConnection: has(Flag.connection))
    guard var target, target.flags == flags else { throw bytes.invalid("flags") }
    guard target.portMask.number == mask, target.portBits.number == bits else { throw bytes.invalid("port_mask") }
    guard has(Flag.source) || source.length == 0, has(Flag.destination) || destination.length == 0,
      has(Flag.protocolMask) || protocolMask == 0, has(Flag.offset) || offset == 0
    else { throw bytes.invalid("flags") }
    target.fillsSource = source.isFilled
    target.fillsDestination = destination.isFilled
    self = target
  }

  private static func prefix(_ bytes: inout ByteReader, _ field: StaticString, _ family: Family) throws(WireError) -> (
    length: UInt8, isFilled: Bool
  ) {
    let bits = try bytes.uint128(field)
    let length = UInt8((~bits).leadingZeroBitCount)
    if family == .ipv4, length == 128 { return (32, true) }
    guard length <= family.addressBits, bits == AddressMask.prefixMask(Int(length), .ipv6) else {
      throw bytes.invalid(field)
    }
    return (length, false)
  }
}

// MARK: Meaning

extension HMark {
  public func act(on packet: inout Packet) -> TargetOutcome {
    packet.mark = nil
    return .proceed
  }
}
