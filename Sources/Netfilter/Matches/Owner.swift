/// Who sent the packet from this machine (`struct xt_owner_match_info`, linux/netfilter/xt_owner.h).
public struct Owner: Match {
  public let users: Negatable<Identifiers>?
  public let groups: Negatable<Identifiers>?
  /// Whether the groups that the user has besides the first count too.
  public let includesSupplementaryGroups: Bool
  /// Whether a socket must be there or must not; nil where it does not matter.
  public let hasSocket: Bool?

  /// Numbers of users or of groups, from the first to the last.
  public struct Identifiers: Hashable, Sendable {
    public let first: UInt32
    public let last: UInt32

    /// The greatest number that stands for somebody.
    public static let max = UInt32.max - 1

    /// nil when they run backwards, or end above 4,294,967,294.
    public init?(_ first: UInt32, through last: UInt32) {
      guard first <= last, last <= Self.max else { return nil }
      (self.first, self.last) = (first, last)
    }

    /// One number; nil for 4,294,967,295.
    public init?(_ only: UInt32) { self.init(only, through: only) }
  }

  /// nil when nothing is asked for, or supplementary groups without groups.
  public init?(
    users: Negatable<Identifiers>? = nil, groups: Negatable<Identifiers>? = nil,
    includesSupplementaryGroups: Bool = false, hasSocket: Bool? = nil
  ) {
    guard users != nil || groups != nil || hasSocket != nil, groups != nil || !includesSupplementaryGroups else {
      return nil
    }
    self.users = users
    self.groups = groups
    self.includesSupplementaryGroups = includesSupplementaryGroups
    self.hasSocket = hasSocket
  }
}

// MARK: Syntax

extension Owner {
  public static let definition = ExtensionDefinition(
    "owner", summary: "who sent the packet", revisions: [1], hooks: [.output, .postrouting],
    options: [
      OptionSpec("--uid-owner", .custom("USER|N[-N]"), negatable: true, "user, by name, number or range"),
      OptionSpec("--gid-owner", .custom("GROUP|N[-N]"), negatable: true, "group, by name, number or range"),
      OptionSpec("--socket-exists", negatable: true, "the packet belongs to a socket"),
      OptionSpec("--suppl-groups", .none, "the user's other groups count for --gid-owner too"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let users = try Self.identifiers(options, "--uid-owner", options.names.user)
    let groups = try Self.identifiers(options, "--gid-owner", options.names.group)
    var isGroupGiven = false
    for use in options.inOrder {
      if use.value != nil, "\(use.name)" == "--gid-owner" { isGroupGiven = true }
      guard "\(use.name)" == "--suppl-groups", !isGroupGiven else { continue }
      throw SyntaxError(at: use.word, "--suppl-groups needs --gid-owner GROUP before it")
    }
    let value = Owner(
      users: users, groups: groups, includesSupplementaryGroups: options.has("--suppl-groups"),
      hasSocket: options.has("--socket-exists") ? !options.isInverted("--socket-exists") : nil)
    guard let value else { throw SyntaxError("owner needs --uid-owner, --gid-owner or --socket-exists") }
    self = value
  }

  /// A name if there is one of that spelling, else `N`, `N-N` or `N:N`.
  private static func identifiers(
    _ options: OptionValues, _ name: StaticString, _ number: (String) -> UInt32?
  ) throws(SyntaxError) -> Negatable<Identifiers>? {
    guard let token = options.token(name) else { return nil }
    let isInverted = options.isInverted(name)
    if let only = number(token.string).flatMap({ Identifiers($0) }) { return Negatable(only, inverted: isInverted) }
    let separator = token.bytes.first { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ":") }
    let parts = token.split(at: separator ?? UInt8(ascii: "-"))
    guard let first: UInt32 = parts.before.number(in: 0...Identifiers.max),
      let last = (parts.after ?? parts.before).number(in: 0...Identifiers.max)
    else {
      throw options.error(
        name, "'\(token.string)' is neither a known name nor a number", hint: "numbers go from 0 to \(Identifiers.max)")
    }
    guard let range = Identifiers(first, through: last) else {
      throw options.error(name, "the range '\(token.string)' runs backwards", hint: "write \(name) \(last)-\(first)")
    }
    return Negatable(range, inverted: isInverted)
  }

  public func print(to out: inout RuleWriter) {
    if let hasSocket { out.option("--socket-exists", inverted: !hasSocket) }
    Self.print("--uid-owner", users, to: &out)
    Self.print("--gid-owner", groups, to: &out)
    if includesSupplementaryGroups { out.option("--suppl-groups") }
  }

  public func list(to out: inout RuleWriter) {
    if let hasSocket { out.option("owner socket exists", inverted: !hasSocket) }
    Self.list("owner UID match", users, out.names.reverse.user, to: &out)
    Self.list("owner GID match", groups, out.names.reverse.group, to: &out)
    if includesSupplementaryGroups { out.word("incl. suppl. groups") }
  }

  private static func list(
    _ label: StaticString, _ range: Negatable<Identifiers>?, _ name: (UInt32) -> String?, to out: inout RuleWriter
  ) {
    guard let range, range.value.first == range.value.last, !out.isNumeric, let name = name(range.value.first) else {
      return print(label, range, to: &out)
    }
    out.option(label, inverted: range.isInverted)
    out.word(name)
  }

  private static func print(_ name: StaticString, _ range: Negatable<Identifiers>?, to out: inout RuleWriter) {
    guard let range else { return }
    out.option(name, inverted: range.isInverted)
    out.number(range.value.first)
    guard range.value.last != range.value.first else { return }
    out.text.write(byte: UInt8(ascii: "-"))
    out.text.write(range.value.last)
  }
}

// MARK: Kernel bytes

extension Owner {
  private enum Flag {
    static let user: UInt8 = 0x01
    static let group: UInt8 = 0x02
    static let socket: UInt8 = 0x04
    static let supplementaryGroups: UInt8 = 0x08
  }

  public func encode(to out: inout ByteWriter, family: Family) {
    var match: UInt8 = 0
    var invert: UInt8 = 0
    func note(_ flag: UInt8, _ isInverted: Bool?) {
      guard let isInverted else { return }
      match |= flag
      if isInverted { invert |= flag }
    }
    note(Flag.user, users?.isInverted)
    note(Flag.group, groups?.isInverted)
    note(Flag.socket, hasSocket.map { !$0 })
    note(Flag.supplementaryGroups, includesSupplementaryGroups ? false : nil)
    for range in [users, groups] {
      out.write(range?.value.first ?? 0)
      out.write(range?.value.last ?? 0)
    }
    out.write(match)
    out.write(invert)
    out.zeros(2)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let users = (first: try bytes.uint32("uid_min"), last: try bytes.uint32("uid_max"))
    let groups = (first: try bytes.uint32("gid_min"), last: try bytes.uint32("gid_max"))
    let match = try bytes.uint8("match")
    let invert = try bytes.uint8("invert")
    let known = Flag.user | Flag.group | Flag.socket | Flag.supplementaryGroups
    guard match & ~known == 0, invert & ~match == 0, invert & Flag.supplementaryGroups == 0 else {
      throw bytes.invalid("match")
    }
    try bytes.zeros("padding", 2)

    func range(_ flag: UInt8, _ ends: (first: UInt32, last: UInt32)) throws(WireError) -> Negatable<Identifiers>? {
      let isAsked = match & flag != 0
      guard let range = Identifiers(ends.first, through: ends.last), isAsked || ends == (0, 0) else {
        throw WireError(offset: 0, field: "match", reason: .invalid)
      }
      return isAsked ? Negatable(range, inverted: invert & flag != 0) : nil
    }
    let value = Owner(
      users: try range(Flag.user, users), groups: try range(Flag.group, groups),
      includesSupplementaryGroups: match & Flag.supplementaryGroups != 0,
      hasSocket: match & Flag.socket != 0 ? invert & Flag.socket == 0 : nil)
    guard let value else { throw bytes.invalid("match") }
    self = value
  }
}

// MARK: Meaning

extension Owner {
  /// Without a socket a packet meets no condition that is not inverted, and to count the user's other groups cannot be
  /// inverted.
  public func matches(_ packet: Packet) -> Answer {
    let needsSocket = users?.isInverted == false || groups?.isInverted == false || includesSupplementaryGroups
    return hasSocket == false && needsSocket ? .no : .depends(on: "the socket that the packet comes from")
  }
}
