/// Ports of a bridge that the packet came in by or leaves by
/// (`struct xt_physdev_info`, linux/netfilter/xt_physdev.h).
public struct PhysDev: Match {
  public let inPort: Negatable<InterfacePattern>?
  public let outPort: Negatable<InterfacePattern>?
  /// Whether it must have come in by a bridge, or must not have; nil where it does not matter.
  public let comesFromBridge: Bool?
  public let goesToBridge: Bool?
  /// Whether it must be bridged, not routed.
  public let isBridged: Bool?

  /// nil when nothing is asked for.
  public init?(
    inPort: Negatable<InterfacePattern>? = nil, outPort: Negatable<InterfacePattern>? = nil,
    comesFromBridge: Bool? = nil, goesToBridge: Bool? = nil, isBridged: Bool? = nil
  ) {
    guard inPort != nil || outPort != nil || comesFromBridge != nil || goesToBridge != nil || isBridged != nil else {
      return nil
    }
    self.inPort = inPort
    self.outPort = outPort
    self.comesFromBridge = comesFromBridge
    self.goesToBridge = goesToBridge
    self.isBridged = isBridged
  }
}

// MARK: Syntax

extension PhysDev {
  public static let definition = ExtensionDefinition(
    "physdev", summary: "ports of a bridge", narrowsHooks: true,
    options: [
      OptionSpec("--physdev-in", .custom("PORT[+]"), negatable: true, "the bridge's port it came in by"),
      OptionSpec("--physdev-out", .custom("PORT[+]"), negatable: true, "the bridge's port it leaves by"),
      OptionSpec("--physdev-is-in", .none, negatable: true, "it came in by a bridge"),
      OptionSpec("--physdev-is-out", .none, negatable: true, "it leaves by a bridge"),
      OptionSpec("--physdev-is-bridged", .none, negatable: true, "it is bridged, not routed"),
    ])

  /// Packets of this machine have no port to leave by yet, unless they are bridged.
  public var hooks: HookSet {
    let needsPort = outPort != nil || goesToBridge != nil
    return needsPort && isBridged != true ? HookSet.all.subtracting(.output) : .all
  }

  public init(parsing options: OptionValues) throws(SyntaxError) {
    func port(_ name: StaticString) throws(SyntaxError) -> Negatable<InterfacePattern>? {
      try options.interface(name).map { Negatable($0, inverted: options.isInverted(name)) }
    }
    func flag(_ name: StaticString) -> Bool? { options.has(name) ? !options.isInverted(name) : nil }
    let value = PhysDev(
      inPort: try port("--physdev-in"), outPort: try port("--physdev-out"), comesFromBridge: flag("--physdev-is-in"),
      goesToBridge: flag("--physdev-is-out"), isBridged: flag("--physdev-is-bridged"))
    guard let value else {
      throw SyntaxError("physdev needs at least one option", hint: "for example: --physdev-is-bridged")
    }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    func port(_ name: StaticString, _ port: Negatable<InterfacePattern>?) {
      guard let port else { return }
      out.option(name, inverted: port.isInverted)
      out.text.write(byte: UInt8(ascii: " "))
      out.text.write(port.value.nameBytes)
    }
    if let comesFromBridge { out.option("--physdev-is-in", inverted: !comesFromBridge) }
    port("--physdev-in", inPort)
    if let goesToBridge { out.option("--physdev-is-out", inverted: !goesToBridge) }
    port("--physdev-out", outPort)
    if let isBridged { out.option("--physdev-is-bridged", inverted: !isBridged) }
  }

  public func list(to out: inout RuleWriter) {
    out.word("PHYSDEV match")
    print(to: &out)
  }
}

// MARK: Kernel bytes

extension PhysDev {
  private enum Flag {
    static let inPort: UInt8 = 0x01
    static let outPort: UInt8 = 0x02
    static let isBridged: UInt8 = 0x04
    static let comesFromBridge: UInt8 = 0x08
    static let goesToBridge: UInt8 = 0x10
    static let known: UInt8 = 0x1f
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var match: UInt8 = 0
    var invert: UInt8 = 0
    func note(_ flag: UInt8, _ isInverted: Bool?) {
      guard let isInverted else { return }
      match |= flag
      if isInverted { invert |= flag }
    }
    note(Flag.inPort, inPort?.isInverted)
    note(Flag.outPort, outPort?.isInverted)
    note(Flag.isBridged, isBridged.map { !$0 })
    note(Flag.comesFromBridge, comesFromBridge.map { !$0 })
    note(Flag.goesToBridge, goesToBridge.map { !$0 })
    for port in [inPort, outPort] {
      out.write(big: port?.value.name ?? 0)
      out.write(big: port?.value.mask ?? 0)
    }
    out.write(invert)
    out.write(match)
  }

  /// - Throws: ``WireError`` too for a mask that no name has.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let inPort = InterfacePattern(name: try bytes.uint128("physindev"), mask: try bytes.uint128("in_mask"))
    let outPort = InterfacePattern(name: try bytes.uint128("physoutdev"), mask: try bytes.uint128("out_mask"))
    let invert = try bytes.uint8("invert")
    let match = try bytes.uint8("bitmask")
    guard match & ~Flag.known == 0, invert & ~match == 0 else { throw bytes.invalid("bitmask") }

    func port(_ flag: UInt8, _ pattern: InterfacePattern) throws(WireError) -> Negatable<InterfacePattern>? {
      let isAsked = match & flag != 0
      let isKnown =
        isAsked
        ? pattern.isPrintable && InterfacePattern(pattern.description) == pattern
        : pattern.name == 0 && pattern.mask == 0
      guard isKnown else { throw WireError(offset: 0, field: "mask", reason: .invalid) }
      return isAsked ? Negatable(pattern, inverted: invert & flag != 0) : nil
    }
    func state(_ flag: UInt8) -> Bool? { match & flag != 0 ? invert & flag == 0 : nil }
    let value = PhysDev(
      inPort: try port(Flag.inPort, inPort), outPort: try port(Flag.outPort, outPort),
      comesFromBridge: state(Flag.comesFromBridge), goesToBridge: state(Flag.goesToBridge),
      isBridged: state(Flag.isBridged))
    guard let value else { throw bytes.invalid("bitmask") }
    self = value
  }
}

// MARK: Meaning

extension PhysDev {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "the ports of the bridge") }
}
