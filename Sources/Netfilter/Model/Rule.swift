/// One rule: conditions that all have to hold, and what happens then.
public struct Rule: Sendable {
  /// Source network; nil for any.
  public var source: Negatable<AddressMask>?
  public var destination: Negatable<AddressMask>?
  /// The interface the packet came in by; nil for any.
  public var inInterface: Negatable<InterfacePattern>?
  public var outInterface: Negatable<InterfacePattern>?
  /// IP protocol; nil for any.
  public var proto: Negatable<IPProtocol>?
  /// Second and later fragments (IPv4 `-f`): true for those, inverted for all others; nil for any.
  public var fragment: Negatable<FragmentKind>?
  /// Tested in order after the conditions above.
  public var matches: [any Match]
  public var target: RuleTarget
  public var counters: Counters
  /// What the kernel keeps in the rule's head and no option can say; zero for a rule from text.
  package var residue = HeaderResidue()

  public init(
    source: Negatable<AddressMask>? = nil, destination: Negatable<AddressMask>? = nil,
    inInterface: Negatable<InterfacePattern>? = nil, outInterface: Negatable<InterfacePattern>? = nil,
    proto: Negatable<IPProtocol>? = nil, fragment: Negatable<FragmentKind>? = nil,
    matches: [any Match] = [], target: RuleTarget = .none, counters: Counters = .zero
  ) {
    self.source = source
    self.destination = destination
    self.inInterface = inInterface
    self.outInterface = outInterface
    self.proto = proto
    self.fragment = fragment
    self.matches = matches
    self.target = target
    self.counters = counters
  }
}

/// The one kind of fragment that a rule's head can ask for.
public enum FragmentKind: Hashable, Sendable {
  case secondOrLater
}

/// What happens to a packet that a rule matches.
public enum RuleTarget: Sendable {
  /// Nothing but counting.
  case none
  case verdict(Verdict)
  /// Into a user chain; RETURN and the end of that chain come back behind this rule.
  case jump(ChainName)
  /// Into a user chain; RETURN goes to where this chain was called from.
  case goto(ChainName)
  case `extension`(any Target)

  public static let accept = RuleTarget.verdict(.accept)
  public static let drop = RuleTarget.verdict(.drop)
  public static let `return` = RuleTarget.verdict(.return)

  /// The name of the extension that it is, if any: `DNAT`, `MARK`.
  package var extensionName: String? {
    guard case .extension(let target) = self else { return nil }
    return target.name
  }

  /// The chain it leads to, if any.
  public var chain: ChainName? {
    switch self {
    case .jump(let name), .goto(let name): name
    case .none, .verdict, .extension: nil
    }
  }
}

/// Bits of the kernel's rule head outside what iptables can write.
package struct HeaderResidue: Hashable, Sendable {
  package var flags: UInt8 = 0
  package var invertFlags: UInt8 = 0
  package var trafficClass: UInt8 = 0
  /// The head names protocol 0 although its flag says that a protocol is given, or the reverse (IPv6).
  package var protocolFlagDiffers = false
  /// Bits of the addresses that their masks leave out, and of a protocol number above 255: no packet has them.
  package var sourceBits: UInt128 = 0
  package var destinationBits: UInt128 = 0
  package var protocolBits: UInt8 = 0
  package init() {}

  /// The flag that inverts a condition on fragments stands without that condition: IPv4 finds no packet for it.
  package var invertsAbsentFragment: Bool { invertFlags & RuleCodec.Invert.fragment != 0 }
}

// MARK: Equality

extension Rule: Hashable {
  public static func == (a: Rule, b: Rule) -> Bool { a.sameEffect(as: b) && a.counters == b.counters }

  /// Equal but for counters.
  public func sameEffect(as b: Rule) -> Bool {
    source == b.source && destination == b.destination && inInterface == b.inInterface
      && outInterface == b.outInterface && proto == b.proto && fragment == b.fragment
      && residue == b.residue && target == b.target
      && matches.count == b.matches.count
      && zip(matches, b.matches).allSatisfy { isEqual($0, $1) }
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(source)
    hasher.combine(destination)
    hasher.combine(proto)
    for match in matches { hasher.combine(AnyHashable(match)) }
    hasher.combine(target)
  }
}

extension RuleTarget: Hashable {
  public static func == (a: RuleTarget, b: RuleTarget) -> Bool {
    switch (a, b) {
    case (.none, .none): true
    case (.verdict(let a), .verdict(let b)): a == b
    case (.jump(let a), .jump(let b)), (.goto(let a), .goto(let b)): a == b
    case (.extension(let a), .extension(let b)): isEqual(a, b)
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .none: hasher.combine(0)
    case .verdict(let verdict): hasher.combine(verdict)
    case .jump(let name), .goto(let name): hasher.combine(name)
    case .extension(let target): hasher.combine(AnyHashable(target))
    }
  }
}

/// Whether two extensions are of one type and equal: the one place where existentials are opened for it.
private func isEqual(_ a: any Extension, _ b: any Extension) -> Bool {
  func compare<T: Extension>(_ a: T) -> Bool { (b as? T) == a }
  return compare(a)
}
