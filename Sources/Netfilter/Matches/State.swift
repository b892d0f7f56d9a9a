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
  public func matches(_ packet: Packet) -> Answer { packet.connection.isIn(states) }
}

extension ConnectionStatuses {
  /// The source address is translated (`IPS_SRC_NAT`). A rule asks for it as the state `SNAT`.
  public static let sourceNAT = ConnectionStatuses(rawValue: 0x10)
  /// `IPS_DST_NAT`; the state `DNAT`.
  public static let destinationNAT = ConnectionStatuses(rawValue: 0x20)
}

extension ConnectionFacts {
  /// Whether one of the states holds. A packet has one of the five that ``State`` names; `SNAT` and `DNAT` come to it
  /// where it belongs to a connection.
  package func isIn(_ states: Negatable<ConnectionStates>) -> Answer {
    let holds = isInState(states.value) || isTranslated(states.value)
    return states.isInverted ? !holds : holds
  }

  private func isInState(_ states: ConnectionStates) -> Answer {
    let asked = states.intersection(State.known)
    if asked == State.known { return .yes }
    if asked.isEmpty { return .no }
    guard let state else { return .depends(on: "the connection's state") }
    return Answer(!asked.isDisjoint(with: state))
  }

  private func isTranslated(_ states: ConnectionStates) -> Answer {
    if let state, !state.isDisjoint(with: [.invalid, .untracked]) { return .no }
    var asked: ConnectionStatuses = []
    if states.contains(.snat) { asked.insert(.sourceNAT) }
    if states.contains(.dnat) { asked.insert(.destinationNAT) }
    if asked.isEmpty { return .no }
    guard let statuses else { return .depends(on: "the connection's status") }
    return Answer(!asked.isDisjoint(with: statuses))
  }
}
