/// To whom the link layer sent the packet (`struct xt_pkttype_info`, linux/netfilter/xt_pkttype.h).
public struct PktType: Match {
  /// Raw values are `PACKET_*` (linux/if_packet.h).
  public enum Kind: UInt32, Hashable, Sendable, CaseIterable {
    /// To this machine.
    case unicast = 0
    case broadcast = 1
    case multicast = 2
    /// To another machine.
    case otherHost = 3

    fileprivate var name: StaticString {
      switch self {
      case .unicast: "unicast"
      case .broadcast: "broadcast"
      case .multicast: "multicast"
      case .otherHost: "otherhost"
      }
    }
  }

  public var kind: Negatable<Kind>

  public init(_ kind: Negatable<Kind>) { self.kind = kind }
}

// MARK: Syntax

extension PktType {
  public static let definition = ExtensionDefinition(
    "pkttype", summary: "to whom the link layer sent the packet",
    options: [
      OptionSpec("--pkt-type", .choice(words), negatable: true, required: true, "to this machine, to all, to a group")
    ])

  /// The names in the order of the raw values, then other names of the first ones.
  private static let words: [StaticString] = [
    "unicast", "broadcast", "multicast", "otherhost", "host", "bcast", "mcast",
  ]

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let place = try options.choice("--pkt-type"),
      let kind = Kind(rawValue: UInt32(place % Kind.allCases.count))
    else { throw options.error("--pkt-type", "needs --pkt-type TYPE") }
    self.kind = Negatable(kind, inverted: options.isInverted("--pkt-type"))
  }

  public func print(to out: inout RuleWriter) {
    out.option("--pkt-type", inverted: kind.isInverted)
    out.word(kind.value.name)
  }

  public func list(to out: inout RuleWriter) {
    out.word(kind.isInverted ? "PKTTYPE !=" : "PKTTYPE =")
    out.word(kind.value.name)
  }
}

// MARK: Kernel bytes

extension PktType {
  public func encode(to out: inout ByteWriter, family: Family) {
    out.write(kind.value.rawValue)
    out.write(UInt32(kind.isInverted ? 1 : 0))
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let kind = Kind(rawValue: try bytes.uint32("pkttype")) else { throw bytes.invalid("pkttype") }
    let inverted = try bytes.uint32("invert")
    guard inverted <= 1 else { throw bytes.invalid("invert") }
    self.kind = Negatable(kind, inverted: inverted == 1)
  }
}

// MARK: Meaning

extension PktType {
  public func matches(_ packet: Packet) -> Answer { .about(packet.kind, "whom the frame was for", kind) { $0 == $1 } }
}
