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
    "state", kernelName: "conntrack", summary: "connection state; conntrack is its newer form",
    revisions: [0, 1, 2, 3],
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

  /// See ``Conntrack/encode(to:family:earlier:)``. The structure that the kernel calls `state` is not written any more.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard revision == 2 || revision == 1 && states.value.rawValue <= UInt8.max else { return false }
    out.zeros(Conntrack.Layout.matchFlags)
    out.write(Conntrack.Flag.states | Conntrack.Flag.stateAlias)
    out.write(states.isInverted ? Conntrack.Flag.states : 0)
    if revision == 1 {
      out.write(UInt8(states.value.rawValue))
      out.zeros(1)
    } else {
      out.write(states.value.rawValue)
      out.zeros(4)
    }
    return true
  }

  /// nil when it holds a bit that is no state. `UNTRACKED` has another bit than in ``Conntrack``.
  private static func states(ofOlderMask mask: UInt32) -> ConnectionStates? {
    let untracked: UInt32 = 0x40
    let plain: ConnectionStates = [.invalid, .new, .related, .established]
    guard mask & ~(untracked | UInt32(plain.rawValue)) == 0 else { return nil }
    let states = ConnectionStates(rawValue: UInt16(mask & ~untracked))
    return mask & untracked != 0 ? states.union(.untracked) : states
  }

  /// Revision 0 is the structure that the kernel calls `state` (`struct xt_state_info`, linux/netfilter/xt_state.h), which
  /// programs before iptables 1.4.18 write. It has no `!`, which turns all its bits over.
  /// - Throws: ``WireError`` unless the alias flag is set and nothing but states is asked for.
  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    if revision == 0 {
      let mask = try bytes.uint32("statemask")
      let isInverted = mask >> 31 == 1
      guard let states = Self.states(ofOlderMask: isInverted ? ~mask : mask),
        let value = State(Negatable(states, inverted: isInverted))
      else { throw bytes.invalid("statemask") }
      self = value
      return
    }
    try bytes.zeros("origsrc_addr", Conntrack.Layout.matchFlags)
    guard try bytes.uint16("match_flags") == Conntrack.Flag.states | Conntrack.Flag.stateAlias else {
      throw bytes.invalid("match_flags")
    }
    let inverts = try bytes.uint16("invert_flags")
    guard inverts & ~Conntrack.Flag.states == 0 else { throw bytes.invalid("invert_flags") }
    let mask = revision == 1 ? UInt16(try bytes.uint8("state_mask")) : try bytes.uint16("state_mask")
    guard let value = State(Negatable(ConnectionStates(rawValue: mask), inverted: inverts != 0)) else {
      throw bytes.invalid("state_mask")
    }
    switch revision {
    case 1: try bytes.zeros("status_mask", 1)
    case 2: try bytes.zeros("status_mask", 4)
    default: try bytes.zeros("status_mask", Conntrack.Layout.size - Conntrack.Layout.statusMask)
    }
    self = value
  }
}

// MARK: Meaning

extension State {
  public func matches(_ packet: Packet) -> Answer { canonical.matches(packet) }
}
