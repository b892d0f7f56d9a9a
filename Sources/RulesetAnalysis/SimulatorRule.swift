import Netfilter

/// A rule as the walk looks at it: an object, as are chain and index, so that a look at one copies nothing.
final class SimulatorRule: Sendable {
  let head: RuleHead
  let matches: [any Match]
  let action: Action

  enum Action: Sendable {
    case proceed
    case accept
    case drop
    case queue
    case `return`
    case jump(Int)
    case goto(Int)
    case target(any Target)
  }

  enum Answer {
    case matches
    case differs
    /// No condition fails, and one at least cannot be answered.
    case undecided
    /// The same, and if it held the kernel would drop the packet at the next.
    case undecidedOrDrops
    /// The packet is dropped on the spot (`hotdrop`).
    case drops
  }

  /// - Parameter chainIndex: where a chain of the table stands.
  init(_ rule: Rule, family: Family, chainIndex: (ChainName) -> Int?) {
    head = RuleHead(rule, family: family)
    matches = rule.matches
    action =
      switch rule.target {
      case .none: .proceed
      case .verdict(.accept): .accept
      case .verdict(.drop): .drop
      case .verdict(.queue): .queue
      case .verdict(.return): .return
      // A table without problems has the chains it names.
      case .jump(let chain): .jump(chainIndex(chain)!)
      case .goto(let chain): .goto(chainIndex(chain)!)
      case .extension(let target): .target(target)
      }
  }

  func answer(_ packet: Packet) -> Answer {
    switch head.answer(packet) {
    case .yes: break
    case .no: return .differs
    case .drops: return .drops
    }
    var answer = Answer.matches
    for match in matches {
      switch match.matches(packet) {
      case .yes: break
      case .no: return .differs
      case .depends(let on):
        if isBroken(on) { return answer == .matches ? .drops : .undecidedOrDrops }
        answer = .undecided
      }
    }
    return answer
  }

  private static let broken: StaticString =
    if case .depends(let on) = Netfilter.Answer.broken { on } else { "" }

  /// Whether the match cannot look into the packet (``Netfilter/Answer/broken``).
  private func isBroken(_ on: StaticString) -> Bool { on.utf8Start == Self.broken.utf8Start }
}

/// The conditions that stand in a rule's head, as the kernel compares them (`ip_packet_match`,
/// net/ipv4/netfilter/ip_tables.c; `ip6_packet_match`, net/ipv6/netfilter/ip6_tables.c).
struct RuleHead: Sendable {
  private let source: (bits: UInt128, mask: UInt128)
  private let destination: (bits: UInt128, mask: UInt128)
  private let inInterface: (bits: UInt128, mask: UInt128)
  private let outInterface: (bits: UInt128, mask: UInt128)
  private let proto: ProtocolTest
  private let fragment: FragmentTest
  private let invertsSource: Bool
  private let invertsDestination: Bool
  private let invertsIn: Bool
  private let invertsOut: Bool

  enum Answer {
    case yes
    case no
    case drops
  }

  private enum ProtocolTest {
    case any
    case isNumber(UInt8)
    case isNot(UInt8)
    /// IPv6 asks for a protocol and then takes every one, but has to find it; inverted, the number 0 fails.
    case anyFound(butZero: Bool)
  }

  private enum FragmentTest {
    case any
    case later
    case notLater
    /// The inverting flag without the one that it inverts.
    case never
  }

  init(_ rule: Rule, family: Family) {
    source = (rule.source?.value.address.bits ?? 0, rule.source?.value.mask ?? 0)
    destination = (rule.destination?.value.address.bits ?? 0, rule.destination?.value.mask ?? 0)
    let (first, second) = (rule.inInterface?.value, rule.outInterface?.value)
    inInterface = (first?.name ?? 0, first?.mask ?? 0)
    outInterface = (second?.name ?? 0, second?.mask ?? 0)
    invertsSource = rule.source?.isInverted ?? false
    invertsDestination = rule.destination?.isInverted ?? false
    invertsIn = rule.inInterface?.isInverted ?? false
    invertsOut = rule.outInterface?.isInverted ?? false
    proto = Self.protocolTest(rule, family)
    fragment =
      if let fragment = rule.fragment {
        fragment.isInverted ? .notLater : .later
      } else {
        family == .ipv4 && rule.residue.invertsAbsentFragment ? .never : .any
      }
  }

  private static func protocolTest(_ rule: Rule, _ family: Family) -> ProtocolTest {
    guard let proto = rule.proto else { return .any }
    let number = proto.value.rawValue
    if family == .ipv6 {
      if rule.residue.protocolFlagDiffers { return .any }
      if number == 0 { return .anyFound(butZero: proto.isInverted) }
    } else if number == 0 {
      return .any
    }
    return proto.isInverted ? .isNot(number) : .isNumber(number)
  }

  func answer(_ packet: Packet) -> Answer {
    guard (packet.source.bits & source.mask == source.bits) != invertsSource,
      (packet.destination.bits & destination.mask == destination.bits) != invertsDestination,
      ((packet.inInterface.bits ^ inInterface.bits) & inInterface.mask == 0) != invertsIn,
      ((packet.outInterface.bits ^ outInterface.bits) & outInterface.mask == 0) != invertsOut
    else { return .no }
    if case .any = proto {} else if packet.hidesProtocol { return .drops }
    let number = packet.proto.rawValue
    let isMeant =
      switch proto {
      case .any: true
      case .isNumber(let wanted): number == wanted
      case .isNot(let other): number != other
      case .anyFound(let butZero): !(butZero && number == 0)
      }
    guard isMeant else { return .no }
    switch fragment {
    case .any: return .yes
    case .later: return packet.isLaterFragment ? .yes : .no
    case .notLater: return packet.isLaterFragment ? .no : .yes
    case .never: return .no
    }
  }
}

extension Packet {
  /// A later IPv6 fragment that goes on inside another extension header: which protocol it is of cannot be found
  /// (`ipv6_find_hdr`, net/ipv6/exthdrs_core.c), and the kernel drops it at the first rule that asks.
  var hidesProtocol: Bool {
    guard isLaterFragment, family == .ipv6 else { return false }
    return switch proto.rawValue {
    case 0, 43, 44, 51, 60: true  // hop-by-hop, routing, fragment, authentication, destination options
    default: false
    }
  }
}
