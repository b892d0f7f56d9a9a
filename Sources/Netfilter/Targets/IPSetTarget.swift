/// Puts parts of the packet into a set or takes them out, or takes its mark and the like from one (ipset(8);
/// `struct xt_set_info_target_v3`, from older programs `struct xt_set_info_target_v2` and
/// `struct xt_set_info_target_v1`, linux/netfilter/xt_set.h).
public struct IPSetTarget: Target {
  public let addition: Addition?
  /// What is taken out of which set.
  public let removal: IPSetReference?
  public let mapping: Mapping?
  /// The revision that the kernel holds; a rule keeps the one it came with.
  private let kernelRevision: UInt8

  public struct Addition: Hashable, Sendable {
    public var set: IPSetReference
    /// Whether a member that is there already gets its timeout anew.
    public var renews: Bool
    /// Seconds until the member goes away; nil for the set's own. 4294967295 says nil and cannot be.
    public var timeout: UInt32?

    public init(_ set: IPSetReference, renews: Bool = false, timeout: UInt32? = nil) {
      self.set = set
      self.renews = renews
      self.timeout = timeout
    }
  }

  /// What the packet gets from the member that is found.
  public struct Mapping: Hashable, Sendable {
    public var set: IPSetReference
    public var parts: MappedParts

    public init(_ set: IPSetReference, _ parts: MappedParts) {
      self.set = set
      self.parts = parts
    }
  }

  /// Raw values are `IPSET_FLAG_MAP_SKB*`.
  public struct MappedParts: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let mark = MappedParts(rawValue: 1 << 8)
    public static let priority = MappedParts(rawValue: 1 << 9)
    public static let queue = MappedParts(rawValue: 1 << 10)
    fileprivate static let all: MappedParts = [.mark, .priority, .queue]
  }

  /// nil when no set is named, nothing is mapped from one that is, or a timeout cannot be.
  public init?(addition: Addition? = nil, removal: IPSetReference? = nil, mapping: Mapping? = nil) {
    self.init(addition, removal, mapping, revision: 3)
  }

  private init?(_ addition: Addition?, _ removal: IPSetReference?, _ mapping: Mapping?, revision: UInt8) {
    guard addition != nil || removal != nil || mapping != nil, addition?.timeout != .max,
      mapping.map({ !$0.parts.isEmpty && $0.parts.isSubset(of: .all) }) ?? true
    else { return nil }
    self.addition = addition
    self.removal = removal
    self.mapping = mapping
    kernelRevision = revision
  }

  /// The kernel takes marks and the like from sets in one table only.
  public var tables: Set<TableName>? { mapping == nil ? nil : [.mangle] }
}

extension IPSetTarget: IPSetUser {
  package var sets: [IPSetReference] { [addition?.set, removal, mapping?.set].compactMap { $0 } }

  package func renumberingSets(_ index: (UInt16) -> UInt16?) -> IPSetTarget {
    var (addition, mapping) = (addition, mapping)
    if let set = addition?.set { addition?.set = set.renumbered(index) }
    if let set = mapping?.set { mapping?.set = set.renumbered(index) }
    return IPSetTarget(addition, removal?.renumbered(index), mapping, revision: kernelRevision) ?? self
  }
}

// MARK: Syntax

extension IPSetTarget {
  public static let definition = ExtensionDefinition(
    "SET", summary: "add to a set, or take out of one", revisions: [1, 2, 3], narrowsHooks: true,
    options: [
      OptionSpec("--add-set", .setReference, words: 2, "a set, and what is added to it"),
      OptionSpec("--exist", .none, "give a member that is there already its timeout anew"),
      OptionSpec("--timeout", .number(0...UInt64(UInt32.max - 1)), "seconds until the member goes away"),
      OptionSpec("--del-set", .setReference, words: 2, "a set, and what is taken out of it"),
      OptionSpec("--map-set", .setReference, words: 2, "a set, and what is looked for in it"),
      OptionSpec("--map-mark", .none, "take the packet's mark from the member"),
      OptionSpec("--map-prio", .none, "take the packet's priority from the member"),
      OptionSpec("--map-queue", .none, "take the packet's transmit queue from the member"),
    ])

  private static let parts: [(option: StaticString, part: MappedParts)] = [
    ("--map-mark", .mark), ("--map-prio", .priority), ("--map-queue", .queue),
  ]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let added = try options.setReference("--add-set")
    let mapped = try options.setReference("--map-set")
    for name in ["--exist", "--timeout"] as [StaticString] where options.has(name) && added == nil {
      throw options.error(name, "stands beside --add-set only")
    }
    let parts = Self.parts.filter { options.has($0.option) }
    if let first = parts.first, mapped == nil { throw options.error(first.option, "stands beside --map-set only") }
    guard mapped == nil || !parts.isEmpty else {
      throw options.error("--map-set", "needs --map-mark, --map-prio or --map-queue")
    }
    let timeout = try options.number("--timeout").map { UInt32($0) }
    let target = IPSetTarget(
      addition: added.map { Addition($0, renews: options.has("--exist"), timeout: timeout) },
      removal: try options.setReference("--del-set"),
      mapping: mapped.map { Mapping($0, MappedParts(parts.map(\.part))) })
    guard let target else { throw SyntaxError("SET needs one of --add-set, --del-set, --map-set") }
    self = target
  }

  public func print(to out: inout RuleWriter) { write(to: &out, dashes: true) }

  public func list(to out: inout RuleWriter) { write(to: &out, dashes: false) }

  private func write(to out: inout RuleWriter, dashes: Bool) {
    if let addition {
      out.setReference("--add-set", addition.set, dashes: dashes)
      if addition.renews { out.option("--exist", dashes: dashes) }
      if let timeout = addition.timeout {
        out.option("--timeout", dashes: dashes)
        out.number(timeout)
      }
    }
    if let removal { out.setReference("--del-set", removal, dashes: dashes) }
    guard let mapping else { return }
    out.setReference("--map-set", mapping.set, dashes: dashes)
    for known in Self.parts where mapping.parts.contains(known.part) { out.option(known.option, dashes: dashes) }
  }
}

// MARK: Kernel bytes

extension IPSetTarget {
  private static let renews: UInt32 = 0x01  // IPSET_FLAG_EXIST

  public func revision(for family: Family) -> UInt8 { kernelRevision }

  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(addition?.set)
    out.write(removal)
    guard kernelRevision >= 2 else { return }
    if kernelRevision == 3 { out.write(mapping?.set) }
    out.write((addition?.renews == true ? Self.renews : 0) | (mapping?.parts.rawValue ?? 0))
    out.write(addition?.timeout ?? .max)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let added = try bytes.setReference("add_set").reference
    let removed = try bytes.setReference("del_set").reference
    let mapped = revision == 3 ? try bytes.setReference("map_set").reference : nil
    let flags = revision >= 2 ? try bytes.uint32("flags") : 0
    let timeout = revision >= 2 ? try bytes.uint32("timeout") : .max
    let parts = MappedParts(rawValue: flags & ~Self.renews)
    guard mapped != nil || parts.isEmpty, added != nil || flags & Self.renews == 0 && timeout == .max else {
      throw bytes.invalid("flags")
    }
    let target = IPSetTarget(
      added.map { Addition($0, renews: flags & Self.renews != 0, timeout: timeout == .max ? nil : timeout) }, removed,
      mapped.map { Mapping($0, parts) }, revision: revision)
    guard let target else { throw bytes.invalid("flags") }
    self = target
  }
}

// MARK: Meaning

extension IPSetTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    if mapping?.parts.contains(.mark) == true { packet.mark = nil }
    return .proceed
  }
}
