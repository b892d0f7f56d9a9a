/// The groups of the interfaces that a packet comes in by and leaves by
/// (`struct xt_devgroup_info`, linux/netfilter/xt_devgroup.h). Groups have names in /etc/iproute2/group.
public struct DeviceGroup: Match {
  public let incoming: Negatable<NumberUnderMask>?
  public let outgoing: Negatable<NumberUnderMask>?

  /// nil when neither is given.
  public init?(incoming: Negatable<NumberUnderMask>? = nil, outgoing: Negatable<NumberUnderMask>? = nil) {
    guard incoming != nil || outgoing != nil else { return nil }
    self.incoming = incoming
    self.outgoing = outgoing
  }

  /// A packet has no outgoing interface before it is routed, and no incoming one after.
  public var hooks: HookSet {
    var hooks = HookSet.all
    if incoming != nil { hooks.formIntersection([.prerouting, .input, .forward]) }
    if outgoing != nil { hooks.formIntersection([.forward, .output, .postrouting]) }
    return hooks
  }
}

// MARK: Syntax

extension DeviceGroup {
  public static let definition = ExtensionDefinition(
    "devgroup", summary: "groups of interfaces", narrowsHooks: true,
    options: [
      OptionSpec("--src-group", .custom("GROUP[/MASK]"), negatable: true, "group of the interface it comes in by"),
      OptionSpec("--dst-group", .custom("GROUP[/MASK]"), negatable: true, "group of the interface it leaves by"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    func group(_ name: StaticString) throws(SyntaxError) -> Negatable<NumberUnderMask>? {
      guard let group = try options.namedMark(name, .deviceGroups) else { return nil }
      return Negatable(group, inverted: options.isInverted(name))
    }
    guard let value = DeviceGroup(incoming: try group("--src-group"), outgoing: try group("--dst-group")) else {
      throw SyntaxError("devgroup needs --src-group or --dst-group")
    }
    self = value
  }

  public func print(to out: inout RuleWriter) {
    if let incoming {
      out.option("--src-group", inverted: incoming.isInverted)
      out.namedMark(incoming.value, .deviceGroups)
    }
    if let outgoing {
      out.option("--dst-group", inverted: outgoing.isInverted)
      out.namedMark(outgoing.value, .deviceGroups)
    }
  }

  public func list(to out: inout RuleWriter) {
    for (name, group) in [("src-group" as StaticString, incoming), ("dst-group", outgoing)] {
      guard let group else { continue }
      out.option(name, inverted: group.isInverted)
      let hasAllBits = group.value.mask == .max
      if !out.isNumeric, hasAllBits, let word = out.names.numberName(group.value.value, .deviceGroups) {
        out.word(word)
      } else {
        out.hex(group.value.value)
        guard !hasAllBits else { continue }
        out.text.write("/0x")
        out.text.write(hex: group.value.mask)
      }
    }
  }
}

// MARK: Kernel bytes

extension DeviceGroup {
  private enum Flag {
    static let incoming: UInt32 = 0x1
    static let invertIncoming: UInt32 = 0x2
    static let outgoing: UInt32 = 0x4
    static let invertOutgoing: UInt32 = 0x8
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags: UInt32 = 0
    if let incoming { flags |= Flag.incoming | (incoming.isInverted ? Flag.invertIncoming : 0) }
    if let outgoing { flags |= Flag.outgoing | (outgoing.isInverted ? Flag.invertOutgoing : 0) }
    out.write(flags)
    for group in [incoming, outgoing] {
      out.write(group?.value.value ?? 0)
      out.write(group?.value.mask ?? 0)
    }
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let flags = try bytes.uint32("flags")
    guard flags <= 0xf else { throw bytes.invalid("flags") }
    func group(_ given: UInt32, _ inverted: UInt32) throws(WireError) -> Negatable<NumberUnderMask>? {
      let value = try bytes.uint32("group")
      let group = NumberUnderMask(value, mask: try bytes.uint32("mask"))
      if flags & given != 0 { return Negatable(group, inverted: flags & inverted != 0) }
      guard group == NumberUnderMask(0, mask: 0), flags & inverted == 0 else { throw bytes.invalid("flags") }
      return nil
    }
    let incoming = try group(Flag.incoming, Flag.invertIncoming)
    guard let value = DeviceGroup(incoming: incoming, outgoing: try group(Flag.outgoing, Flag.invertOutgoing)) else {
      throw bytes.invalid("flags")
    }
    self = value
  }
}

// MARK: Meaning

extension DeviceGroup {
  public func matches(_ packet: Packet) -> Answer {
    Self.answer(incoming, "the group of the incoming interface")
      && Self.answer(outgoing, "the group of the outgoing interface")
  }

  /// Under an empty mask every group is the one that is meant, whatever its number.
  private static func answer(_ group: Negatable<NumberUnderMask>?, _ name: StaticString) -> Answer {
    guard let group else { return .yes }
    return group.value.mask == 0 ? Answer(!group.isInverted) : .depends(on: name)
  }
}
