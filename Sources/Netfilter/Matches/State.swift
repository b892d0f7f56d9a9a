/// The state of the packet's connection in its older spelling, `-m state`.
///
/// To the kernel it is ``Conntrack`` with nothing but states (`struct xt_conntrack_mtinfo3`,
/// linux/netfilter/xt_conntrack.h); a flag of its own keeps the spelling.
public struct State: Match {
  public let states: Negatable<ConnectionStates>

  /// nil when there is no state, or one that only ``Conntrack`` can name.
  public init?(_ states: Negatable<ConnectionStates>) {
    guard !states.value.isEmpty, states.value.isSubset(of: Self.known) else { return nil }
    self.states = states
  }

  /// States that this spelling has.
  public static let known: ConnectionStates = [.invalid, .new, .related, .established, .untracked]
}

extension State: AlternativeSpelling {
  public var canonical: any Match { Conntrack(states: states) ?? self }
}

// MARK: Syntax

extension State {
  public static let definition = ExtensionDefinition(
    "state", kernelName: "conntrack", summary: "connection state; conntrack is its newer form", revisions: [3],
    options: [
      OptionSpec("--state", .list(words), negatable: true, required: true, "the connection is in one of these states")
    ])

  private static let words: [StaticString] = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED"]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    let places = try options.list("--state", abbreviated: true) ?? []
    states = Negatable(
      ConnectionStates(places.map { ConnectionStates.names[$0].flag }), inverted: options.isInverted("--state"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--state", inverted: states.isInverted)
    out.list(states.value, of: ConnectionStates.names)
  }

  public func list(to out: inout RuleWriter) {
    if states.isInverted { out.text.write(" !") }
    out.word("state")
    out.list(states.value, of: ConnectionStates.names)
  }
}

// MARK: Kernel bytes

extension State {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.zeros(Conntrack.Layout.matchFlags)
    out.write(Conntrack.Flag.states | Conntrack.Flag.stateAlias)
    out.write(states.isInverted ? Conntrack.Flag.states : 0)
    out.write(states.value.rawValue)
    out.zeros(Conntrack.Layout.size - Conntrack.Layout.statusMask)
  }

  /// - Throws: ``WireError`` unless the alias flag is set and nothing but states is asked for.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    try bytes.zeros("origsrc_addr", Conntrack.Layout.matchFlags)
    guard try bytes.uint16("match_flags") == Conntrack.Flag.states | Conntrack.Flag.stateAlias else {
      throw bytes.invalid("match_flags")
    }
    let inverts = try bytes.uint16("invert_flags")
    guard inverts & ~Conntrack.Flag.states == 0 else { throw bytes.invalid("invert_flags") }
    let mask = ConnectionStates(rawValue: try bytes.uint16("state_mask"))
    guard let value = State(Negatable(mask, inverted: inverts != 0)) else { throw bytes.invalid("state_mask") }
    try bytes.zeros("status_mask", Conntrack.Layout.size - Conntrack.Layout.statusMask)
    self = value
  }
}

// MARK: Meaning

extension State {
  public func matches(_ packet: Packet) -> Answer { canonical.matches(packet) }
}
