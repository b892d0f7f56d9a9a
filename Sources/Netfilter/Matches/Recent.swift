/// A list of addresses that were seen, kept by the kernel under a name, which rules fill and ask
/// (`struct xt_recent_mtinfo_v1`, linux/netfilter/xt_recent.h).
public struct Recent: Match {
  /// What is done with the packet's address.
  public enum Operation: Hashable, Sendable {
    /// Put it into the list; matches always.
    case set
    /// Matches when it is in the list and the conditions hold.
    case check(Conditions)
    /// The same, and notes that it was seen now.
    case update(Conditions)
    /// Take it out of the list; matches when it was there.
    case remove
  }

  /// What must hold of an address that is in the list.
  public struct Conditions: Hashable, Sendable {
    /// Seen within so many seconds; nil for any time. At least 1, at most 2,147,483,647.
    public let seconds: UInt32?
    /// Seen so often; nil for once. Kernels before 6.11 take 255 at most.
    public let hitCount: UInt16?
    /// Forget addresses not seen within `seconds`.
    public let forgetsOlder: Bool
    /// The packet's TTL is the one of the packet that was put in.
    public let comparesTTL: Bool

    /// nil when `seconds` or `hitCount` is 0, when `seconds` is too great, or for `forgetsOlder` without `seconds`.
    public init?(
      seconds: UInt32? = nil, hitCount: UInt16? = nil, forgetsOlder: Bool = false, comparesTTL: Bool = false
    ) {
      guard seconds.map({ $0 > 0 && $0 <= Int32.max }) ?? !forgetsOlder, hitCount != 0 else { return nil }
      self.seconds = seconds
      self.hitCount = hitCount
      self.forgetsOlder = forgetsOlder
      self.comparesTTL = comparesTTL
    }

    private init() { (seconds, hitCount, forgetsOlder, comparesTTL) = (nil, nil, false, false) }

    /// It is enough to be in the list.
    public static let none = Conditions()
  }

  /// Which address of the packet is meant.
  public enum Side: UInt8, Hashable, Sendable {
    case source = 0
    case destination = 1
  }

  public let operation: Negatable<Operation>
  public let list: RecentListName
  public let side: Side
  /// The mask as the kernel keeps it, in 128 bits for IPv4 too, which looks at the first 32. iptables fills the others
  /// with ones where it was given no mask.
  package let unionMask: UInt128
  /// Whether the name's field goes on behind the name with what is left of `DEFAULT`, as iptables writes it.
  private let keepsRestOfDefault: Bool

  /// - Parameter mask: bits of addresses that are kept and compared; nil for all.
  public init(
    _ operation: Negatable<Operation>, list: RecentListName = .default, side: Side = .source, mask: IPAddress? = nil
  ) {
    self.operation = operation
    self.list = list
    self.side = side
    unionMask = mask.map { $0.family == .ipv4 ? $0.bits << 96 : $0.bits } ?? .max
    keepsRestOfDefault = true
  }

  /// Bits of addresses that are kept and compared.
  public func mask(_ family: Family) -> IPAddress {
    IPAddress(family: family, bits: family == .ipv4 ? unionMask >> 96 : unionMask)
  }
}

/// The name of a list of seen addresses, a file in /proc/net/xt_recent.
public struct RecentListName: Hashable, Sendable {
  public let text: String

  /// `XT_RECENT_NAME_LEN` less its terminator.
  public static let maxBytes = 199
  /// The list of rules that name none.
  public static let `default` = RecentListName(unchecked: "DEFAULT")

  private init(unchecked text: String) { self.text = text }

  /// nil when the text cannot be a file's name, is longer than 199 bytes, or holds blanks, quotes or control
  /// characters, which iptables-save would print so that nothing can read them.
  public init?(_ text: String) {
    guard text.utf8.count <= Self.maxBytes, Self.isFileName(text) else { return nil }
    self.text = text
  }

  /// Whether the kernel takes the text as the name of a file in /proc, and nothing in it has to be quoted.
  package static func isFileName(_ text: String) -> Bool {
    !text.isEmpty && text != "." && text != ".."
      && text.utf8.allSatisfy { byte in
        byte > 0x20 && byte != 0x7f && byte != UInt8(ascii: "/") && byte != UInt8(ascii: "\"")
      }
  }
}

// MARK: Syntax

extension Recent {
  public static let definition = ExtensionDefinition(
    "recent", summary: "addresses seen lately", revisions: [0, 1],
    options: [
      OptionSpec("--set", negatable: true, excludes: operations, "put the address into the list"),
      OptionSpec("--rcheck", negatable: true, excludes: operations, "the address is in the list"),
      OptionSpec("--update", negatable: true, excludes: operations, "the same, and note that it was seen now"),
      OptionSpec("--remove", negatable: true, excludes: operations, "take the address out of the list"),
      OptionSpec(
        "--seconds", .number(1...UInt64(Int32.max)), excludes: ["--set", "--remove"], "seen within so many seconds"),
      OptionSpec("--reap", excludes: ["--set", "--remove"], "forget addresses not seen within --seconds"),
      OptionSpec("--hitcount", .number(0...65_535), excludes: ["--set", "--remove"], "seen so often"),
      OptionSpec("--rttl", excludes: ["--set", "--remove"], "the packet's TTL is the one first seen"),
      OptionSpec("--name", .string(maxBytes: RecentListName.maxBytes), "name of the list; DEFAULT if not given"),
      OptionSpec("--rsource", excludes: ["--rdest"], "the source address is meant, as it is if not said"),
      OptionSpec("--rdest", excludes: ["--rsource"], "the destination address is meant"),
      OptionSpec("--mask", .custom("MASK"), "bits of the address that count"),
    ])

  private static let operations: [StaticString] = ["--set", "--rcheck", "--update", "--remove"]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    operation = try Self.operation(options)
    list = try Self.list(options)
    side = options.has("--rdest") ? .destination : .source
    if let token = options.token("--mask") {
      guard let mask = IPAddress(family: options.family, token: token) else {
        throw options.error(
          "--mask", "'\(token.string)' is not an \(options.family) mask",
          hint: options.family == .ipv4 ? "for example 255.255.255.0" : "for example ffff:ffff:ffff:ffff::")
      }
      unionMask = options.family == .ipv4 ? mask.bits << 96 : mask.bits
    } else {
      unionMask = .max
    }
    keepsRestOfDefault = true
  }

  private static func operation(_ options: OptionValues) throws(SyntaxError) -> Negatable<Operation> {
    if options.has("--set") { return Negatable(.set, inverted: options.isInverted("--set")) }
    if options.has("--remove") { return Negatable(.remove, inverted: options.isInverted("--remove")) }
    guard options.has("--rcheck") || options.has("--update") else {
      throw SyntaxError("recent needs one of --set, --rcheck, --update, --remove")
    }
    let seconds = try options.number("--seconds").map { UInt32($0) }
    let hitCount = try options.number("--hitcount").map { UInt16($0) }
    let conditions = Conditions(
      seconds: seconds, hitCount: hitCount == 0 ? nil : hitCount, forgetsOlder: options.has("--reap"),
      comparesTTL: options.has("--rttl"))
    guard let conditions else { throw options.error("--reap", "needs --seconds N") }
    return options.has("--rcheck")
      ? Negatable(.check(conditions), inverted: options.isInverted("--rcheck"))
      : Negatable(.update(conditions), inverted: options.isInverted("--update"))
  }

  private static func list(_ options: OptionValues) throws(SyntaxError) -> RecentListName {
    guard let text = try options.string("--name") else { return .default }
    guard let name = RecentListName(text) else {
      throw options.error(
        "--name", "'\(text)' cannot name a list", hint: "a name is a file's name without blanks, quotes and '/'")
    }
    return name
  }

  public func print(to out: inout RuleWriter) {
    let conditions: Conditions
    switch operation.value {
    case .set:
      out.option("--set", inverted: operation.isInverted)
      conditions = .none
    case .check(let given):
      out.option("--rcheck", inverted: operation.isInverted)
      conditions = given
    case .update(let given):
      out.option("--update", inverted: operation.isInverted)
      conditions = given
    case .remove:
      out.option("--remove", inverted: operation.isInverted)
      conditions = .none
    }
    if let seconds = conditions.seconds {
      out.option("--seconds")
      out.number(seconds)
    }
    if conditions.forgetsOlder { out.option("--reap") }
    if let hitCount = conditions.hitCount {
      out.option("--hitcount")
      out.number(hitCount)
    }
    if conditions.comparesTTL { out.option("--rttl") }
    out.option("--name")
    out.word(list.text)
    out.option("--mask")
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(mask(out.family))
    switch side {
    case .source: out.option("--rsource")
    case .destination: out.option("--rdest")
    }
  }

  public func list(to out: inout RuleWriter) {
    out.option("recent:", inverted: operation.isInverted)
    var conditions = Conditions.none
    switch operation.value {
    case .set: out.word("SET")
    case .check(let given):
      out.word("CHECK")
      conditions = given
    case .update(let given):
      out.word("UPDATE")
      conditions = given
    case .remove: out.word("REMOVE")
    }
    if let seconds = conditions.seconds {
      out.word("seconds:")
      out.number(seconds)
    }
    if conditions.forgetsOlder { out.word("reap") }
    if let hitCount = conditions.hitCount {
      out.word("hit_count:")
      out.number(hitCount)
    }
    if conditions.comparesTTL { out.word("TTL-Match") }
    out.word("name:")
    out.word(list.text)
    out.word(side == .source ? "side: source" : "side: dest")
    out.word("mask: ")
    out.text.write(mask(out.family))
  }
}

// MARK: Kernel bytes

extension Recent {
  /// Bits of `check_set`.
  private enum Flag {
    static let check: UInt8 = 0x01
    static let set: UInt8 = 0x02
    static let update: UInt8 = 0x04
    static let remove: UInt8 = 0x08
    static let ttl: UInt8 = 0x10
    static let reap: UInt8 = 0x20
    static let modifiers: UInt8 = 0x30
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    encodeBeforeMask(to: &out)
    out.zeros(1)
    out.write(big: unionMask)
  }

  /// Revision 0 has no mask.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 0, Recent.isWhole(mask(family)) else { return false }
    encodeBeforeMask(to: &out)
    out.zeros(1)
    return true
  }

  private static func isWhole(_ mask: IPAddress) -> Bool {
    mask.family == .ipv4 ? mask.bits == UInt128(UInt32.max) : mask.bits == .max
  }

  private func encodeBeforeMask(to out: inout ByteWriter) {
    var flags: UInt8
    var conditions = Conditions.none
    switch operation.value {
    case .set: flags = Flag.set
    case .remove: flags = Flag.remove
    case .check(let given): (flags, conditions) = (Flag.check, given)
    case .update(let given): (flags, conditions) = (Flag.update, given)
    }
    if conditions.comparesTTL { flags |= Flag.ttl }
    if conditions.forgetsOlder { flags |= Flag.reap }
    out.write(conditions.seconds ?? 0)
    out.write(UInt32(conditions.hitCount ?? 0))
    out.write(flags)
    out.write(UInt8(operation.isInverted ? 1 : 0))
    out.write(list.field(keepsRestOfDefault: keepsRestOfDefault))
    out.write(side.rawValue)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let seconds = try bytes.uint32("seconds")
    guard let hitCount = UInt16(exactly: try bytes.uint32("hit_count")) else { throw bytes.invalid("hit_count") }
    let flags = try bytes.uint8("check_set")
    let inverted = try bytes.uint8("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    (list, keepsRestOfDefault) = try bytes.recentListName()
    guard let side = Side(rawValue: try bytes.uint8("side")) else { throw bytes.invalid("side") }
    self.side = side
    try bytes.zeros("padding", 1)
    unionMask = revision == 0 ? .max : try bytes.uint128("mask")
    let conditions = Conditions(
      seconds: seconds == 0 ? nil : seconds, hitCount: hitCount == 0 ? nil : hitCount,
      forgetsOlder: flags & Flag.reap != 0, comparesTTL: flags & Flag.ttl != 0)
    guard let conditions else { throw bytes.invalid("seconds") }
    let value: Operation
    switch flags & ~Flag.modifiers {
    case Flag.set where conditions == .none: value = .set
    case Flag.remove where conditions == .none: value = .remove
    case Flag.check: value = .check(conditions)
    case Flag.update: value = .update(conditions)
    default: throw bytes.invalid("check_set")
    }
    operation = Negatable(value, inverted: inverted == 1)
  }
}

extension RecentListName {
  /// The 200 bytes of the kernel's field. iptables writes the name over `DEFAULT`, and what a shorter name leaves of it
  /// counts when it compares rules, though not for the kernel.
  fileprivate func field(keepsRestOfDefault: Bool) -> [UInt8] {
    var field = Array(text.utf8) + [0]
    if keepsRestOfDefault { field += Self.default.text.utf8.dropFirst(field.count) }
    return field + Array(repeating: 0, count: Self.maxBytes + 1 - field.count)
  }
}

extension ByteReader {
  fileprivate mutating func recentListName() throws(WireError) -> (RecentListName, keepsRestOfDefault: Bool) {
    let field = try raw("name", count: RecentListName.maxBytes + 1)
    guard let text = String(validating: field.prefix { $0 != 0 }, as: UTF8.self), let name = RecentListName(text) else {
      throw invalid("name")
    }
    if field == name.field(keepsRestOfDefault: true) { return (name, true) }
    guard field == name.field(keepsRestOfDefault: false) else { throw invalid("name") }
    return (name, false)
  }
}

// MARK: Meaning

extension Recent {
  public func matches(_ packet: Packet) -> Answer {
    switch operation.value {
    case .set: Answer(!operation.isInverted)
    case .check, .update, .remove: .depends(on: "the list of addresses seen lately")
    }
  }
}
