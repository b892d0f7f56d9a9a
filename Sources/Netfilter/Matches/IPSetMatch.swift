/// Whether a set holds a part of the packet (ipset(8); `struct xt_set_info_match_v4`, from older programs
/// `struct xt_set_info_match_v3` and `struct xt_set_info_match_v1`, linux/netfilter/xt_set.h).
public struct IPSetMatch: Match {
  public var set: Negatable<IPSetReference>
  /// Whether members that are marked as exceptions (`nomatch`) count as in the set.
  public var returnsExceptions: Bool
  /// Whether the packet is counted at the member.
  public var updatesCounters: Bool
  /// Whether it is counted at the members of sets within a set.
  public var updatesMemberCounters: Bool
  /// What the member has counted.
  public var packets: IPSetCounterCondition?
  public var bytes: IPSetCounterCondition?
  /// The revision that the kernel holds; a rule keeps the one it came with.
  private var kernelRevision: UInt8

  public init(
    _ set: Negatable<IPSetReference>, returnsExceptions: Bool = false, updatesCounters: Bool = true,
    updatesMemberCounters: Bool = true, packets: IPSetCounterCondition? = nil, bytes: IPSetCounterCondition? = nil
  ) {
    self.set = set
    self.returnsExceptions = returnsExceptions
    self.updatesCounters = updatesCounters
    self.updatesMemberCounters = updatesMemberCounters
    self.packets = packets
    self.bytes = bytes
    kernelRevision = 4
  }
}

/// A condition on what a member of a set has counted.
public enum IPSetCounterCondition: Hashable, Sendable {
  case equal(UInt64)
  case unequal(UInt64)
  case less(UInt64)
  case greater(UInt64)
}

extension IPSetMatch: IPSetUser {
  package var sets: [IPSetReference] { [set.value] }

  package func renumberingSets(_ index: (UInt16) -> UInt16?) -> IPSetMatch {
    var result = self
    result.set = Negatable(set.value.renumbered(index), inverted: set.isInverted)
    return result
  }
}

// MARK: Syntax

extension IPSetMatch {
  private static let count: OptionSpec.Value = .number(0...UInt64.max)
  private static let packetOptions: [StaticString] = ["--packets-eq", "--packets-lt", "--packets-gt"]
  private static let byteOptions: [StaticString] = ["--bytes-eq", "--bytes-lt", "--bytes-gt"]

  public static let definition = ExtensionDefinition(
    "set", summary: "whether a set holds it", revisions: [1, 2, 3, 4],
    options: [
      OptionSpec(
        "--match-set", aliases: ["--set"], .setReference, negatable: true, required: true, words: 2,
        "a set, and what is looked for in it"),
      OptionSpec("--return-nomatch", .none, "exceptions in the set count as members"),
      OptionSpec("--update-counters", negatable: true, "count the packet at the member, which is so without it"),
      OptionSpec("--update-subcounters", negatable: true, "count it in sets within the set, which is so without it"),
      OptionSpec(
        "--packets-eq", count, negatable: true, excludes: packetOptions, "packets that the member has counted"),
      OptionSpec("--packets-lt", count, excludes: packetOptions, "fewer packets"),
      OptionSpec("--packets-gt", count, excludes: packetOptions, "more packets"),
      OptionSpec("--bytes-eq", count, negatable: true, excludes: byteOptions, "bytes that the member has counted"),
      OptionSpec("--bytes-lt", count, excludes: byteOptions, "fewer bytes"),
      OptionSpec("--bytes-gt", count, excludes: byteOptions, "more bytes"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let set = try options.setReference("--match-set") else {
      throw options.error("--match-set", "a set is missing")
    }
    self.init(
      Negatable(set, inverted: options.isInverted("--match-set")),
      returnsExceptions: options.has("--return-nomatch"),
      updatesCounters: !options.isInverted("--update-counters"),
      updatesMemberCounters: !options.isInverted("--update-subcounters"),
      packets: try Self.condition("--packets-eq", "--packets-lt", "--packets-gt", options),
      bytes: try Self.condition("--bytes-eq", "--bytes-lt", "--bytes-gt", options))
  }

  private static func condition(
    _ equal: StaticString, _ less: StaticString, _ greater: StaticString, _ options: OptionValues
  ) throws(SyntaxError) -> IPSetCounterCondition? {
    if let value = try options.number(equal) { return options.isInverted(equal) ? .unequal(value) : .equal(value) }
    if let value = try options.number(less) { return .less(value) }
    return try options.number(greater).map { .greater($0) }
  }

  public func print(to out: inout RuleWriter) { write(to: &out, dashes: true) }

  public func list(to out: inout RuleWriter) { write(to: &out, dashes: false) }

  private func write(to out: inout RuleWriter, dashes: Bool) {
    if set.isInverted { out.word("!") }
    out.setReference("--match-set", set.value, dashes: dashes)
    if returnsExceptions { out.option("--return-nomatch", dashes: dashes) }
    if !updatesCounters {
      out.word("!")
      out.option("--update-counters", dashes: dashes)
    }
    if !updatesMemberCounters {
      out.word("!")
      out.option("--update-subcounters", dashes: dashes)
    }
    Self.write(packets, "--packets-eq", "--packets-lt", "--packets-gt", to: &out, dashes: dashes)
    Self.write(bytes, "--bytes-eq", "--bytes-lt", "--bytes-gt", to: &out, dashes: dashes)
  }

  private static func write(
    _ condition: IPSetCounterCondition?, _ equal: StaticString, _ less: StaticString, _ greater: StaticString,
    to out: inout RuleWriter, dashes: Bool
  ) {
    guard let condition else { return }
    switch condition {
    case .equal: out.option(equal, dashes: dashes)
    case .unequal:
      out.word("!")
      out.option(equal, dashes: dashes)
    case .less: out.option(less, dashes: dashes)
    case .greater: out.option(greater, dashes: dashes)
    }
    out.number(condition.value)
  }
}

extension IPSetCounterCondition {
  fileprivate var value: UInt64 {
    switch self {
    case .equal(let value), .unequal(let value), .less(let value), .greater(let value): value
    }
  }
}

// MARK: Kernel bytes

extension IPSetMatch {
  private enum Flag {
    static let inverted: UInt8 = 0x01  // IPSET_INV_MATCH
    static let returnsExceptions: UInt8 = 0x80  // IPSET_RETURN_NOMATCH, of revisions 1 and 2
  }

  /// Flags of revisions 3 and 4, `IPSET_FLAG_*`.
  private enum Command {
    static let skipsCounters: UInt32 = 1 << 3
    static let skipsMemberCounters: UInt32 = 1 << 4
    static let returnsExceptions: UInt32 = 1 << 7
    static let known = skipsCounters | skipsMemberCounters | returnsExceptions
  }

  public func revision(for family: Family) -> UInt8 { kernelRevision }

  public func encode(to out: inout ByteWriter, family: Family) {
    var flags = set.isInverted ? Flag.inverted : 0
    guard kernelRevision >= 3 else {
      if returnsExceptions { flags |= Flag.returnsExceptions }
      return out.write(set.value, flags: flags)
    }
    out.write(set.value, flags: flags)
    out.zeros(4)
    for condition in [packets, bytes] {
      if kernelRevision == 4 { out.write(condition?.value ?? 0) }
      out.write(condition?.number ?? 0)
      out.zeros(7)
      if kernelRevision == 3 { out.write(condition?.value ?? 0) }
    }
    var commands: UInt32 = 0
    if !updatesCounters { commands |= Command.skipsCounters }
    if !updatesMemberCounters { commands |= Command.skipsMemberCounters }
    if returnsExceptions { commands |= Command.returnsExceptions }
    out.write(commands)
    out.zeros(4)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let isOld = revision < 3
    let (reference, flags) = try bytes.setReference(
      "match_set", others: isOld ? Flag.inverted | Flag.returnsExceptions : Flag.inverted)
    guard let reference else { throw bytes.invalid("match_set") }
    let set = Negatable(reference, inverted: flags & Flag.inverted != 0)
    guard !isOld else {
      self.init(set, returnsExceptions: flags & Flag.returnsExceptions != 0)
      kernelRevision = revision
      return
    }
    try bytes.zeros("match_set", 4)
    let packets = try Self.condition(&bytes, "packets", revision)
    let counted = try Self.condition(&bytes, "bytes", revision)
    let commands = try bytes.uint32("flags")
    guard commands & ~Command.known == 0 else { throw bytes.invalid("flags") }
    try bytes.zeros("flags", 4)
    self.init(
      set, returnsExceptions: commands & Command.returnsExceptions != 0,
      updatesCounters: commands & Command.skipsCounters == 0,
      updatesMemberCounters: commands & Command.skipsMemberCounters == 0, packets: packets, bytes: counted)
    kernelRevision = revision
  }

  private static func condition(_ bytes: inout ByteReader, _ field: StaticString, _ revision: UInt8)
    throws(WireError) -> IPSetCounterCondition?
  {
    var value: UInt64 = 0
    if revision == 4 { value = try bytes.uint64(field) }
    let number = try bytes.uint8(field)
    try bytes.zeros(field, 7)
    if revision == 3 { value = try bytes.uint64(field) }
    switch number {
    case 0:
      guard value == 0 else { throw bytes.invalid(field) }
      return nil
    case 1: return .equal(value)
    case 2: return .unequal(value)
    case 3: return .less(value)
    case 4: return .greater(value)
    default: throw bytes.invalid(field)
    }
  }
}

extension IPSetCounterCondition {
  /// `IPSET_COUNTER_*`
  fileprivate var number: UInt8 {
    switch self {
    case .equal: 1
    case .unequal: 2
    case .less: 3
    case .greater: 4
    }
  }
}

// MARK: Meaning

extension IPSetMatch {
  public func matches(_ packet: Packet) -> Answer { .depends(on: "the members of a set") }
}
