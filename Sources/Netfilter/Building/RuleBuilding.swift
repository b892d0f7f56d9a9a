/// Rules as a program writes them: what happens, and then to which packets.
///
///     Rule.accept.entering("eth0").tcp(to: 22).from("192.0.2.0/24").state([.new, .established])
extension Rule {
  public static let accept = Rule(target: .accept)
  public static let drop = Rule(target: .drop)
  /// Back to the calling chain.
  public static let returning = Rule(target: .return)
  /// Nothing but counting.
  public static let count = Rule()

  public static func jump(to chain: ChainName) -> Rule { Rule(target: .jump(chain)) }
  public static func goto(_ chain: ChainName) -> Rule { Rule(target: .goto(chain)) }

  /// Refuses the packet and tells its sender.
  public static func reject(with reply: RejectReply) -> Rule { Rule(target: .extension(Reject(reply))) }

  /// Writes a line to the kernel's log, and goes on.
  /// - Precondition: the prefix fits ``LogPrefix``.
  public static func log(_ prefix: String? = nil, level: LogLevel = .warning) -> Rule {
    let field = prefix.map { text in
      guard let prefix = LogPrefix(text) else { preconditionFailure("'\(text)' does not fit a log prefix") }
      return prefix
    }
    return Rule(target: .extension(Log(level: level, prefix: field)))
  }

  /// Any other action.
  public static func target(_ target: some Target) -> Rule { Rule(target: .extension(target)) }

  // MARK: Conditions

  public func from(_ network: AddressMask) -> Rule { from(Negatable(network)) }
  public func from(_ network: Negatable<AddressMask>) -> Rule { changed { $0.source = network } }
  public func to(_ network: AddressMask) -> Rule { to(Negatable(network)) }
  public func to(_ network: Negatable<AddressMask>) -> Rule { changed { $0.destination = network } }

  /// The interface the packet came in by.
  public func entering(_ interface: InterfacePattern) -> Rule { entering(Negatable(interface)) }
  public func entering(_ interface: Negatable<InterfacePattern>) -> Rule { changed { $0.inInterface = interface } }
  /// The interface the packet goes out by.
  public func leaving(_ interface: InterfacePattern) -> Rule { leaving(Negatable(interface)) }
  public func leaving(_ interface: Negatable<InterfacePattern>) -> Rule { changed { $0.outInterface = interface } }

  public func proto(_ proto: IPProtocol) -> Rule { self.proto(Negatable(proto)) }
  public func proto(_ proto: Negatable<IPProtocol>) -> Rule { changed { $0.proto = proto } }

  /// TCP, to and from these ports where they are given.
  public func tcp(to destination: PortRange? = nil, from source: PortRange? = nil) -> Rule {
    let rule = proto(.tcp)
    guard destination != nil || source != nil else { return rule }
    return rule.matching(
      TCP(sourcePorts: source.map { Negatable($0) }, destinationPorts: destination.map { Negatable($0) }))
  }

  /// UDP, to and from these ports where they are given.
  public func udp(to destination: PortRange? = nil, from source: PortRange? = nil) -> Rule {
    let rule = proto(.udp)
    guard destination != nil || source != nil else { return rule }
    func ports(_ range: PortRange?) -> Negatable<Bounds<UInt16>>? { range.map { Negatable(Bounds($0.first, $0.last)) } }
    return rule.matching(UDP(sourcePorts: ports(source), destinationPorts: ports(destination)))
  }

  /// Up to 15 ports, a range counting as two; needs ``tcp(to:from:)``, ``udp(to:from:)`` or another protocol with ports.
  public func ports(_ side: Multiport.Side = .destination, _ ports: PortList) -> Rule {
    guard let match = Multiport(side, ports.ports) else { preconditionFailure("multiport takes 1 to 15 ports") }
    return matching(match)
  }

  /// The connection is in one of these states.
  public func state(_ states: ConnectionStates) -> Rule {
    guard let match = Conntrack(states: Negatable(states)) else { preconditionFailure("no state given") }
    return matching(match)
  }

  /// One more condition.
  public func matching(_ match: some Match) -> Rule { changed { $0.matches.append(match) } }

  private func changed(_ change: (inout Rule) -> Void) -> Rule {
    var rule = self
    change(&rule)
    return rule
  }

  /// Whether its addresses and extensions are of this family.
  public func fits(_ family: Family) -> Bool {
    for network in [source, destination] where network != nil && network?.value.address.family != family {
      return false
    }
    if case .extension(let target) = target, !type(of: target).definition.families.contains(family) { return false }
    return matches.allSatisfy { type(of: $0).definition.families.contains(family) }
  }
}

/// Ports in a list: `[22, 80, 443]`, with ranges as ``PortRange``.
public struct PortList: ExpressibleByArrayLiteral, Sendable {
  let ports: [PortRange]
  public init(arrayLiteral ports: PortRange...) { self.ports = ports }
  public init(_ ports: [PortRange]) { self.ports = ports }
}

extension InterfacePattern: ExpressibleByStringLiteral {
  /// - Precondition: the literal has 1 to 15 bytes.
  public init(stringLiteral literal: String) {
    guard let pattern = InterfacePattern(literal) else { preconditionFailure("'\(literal)' cannot name an interface") }
    self = pattern
  }
}

extension AddressMask: ExpressibleByStringLiteral {
  /// - Precondition: the literal is an address or a network.
  public init(stringLiteral literal: String) {
    guard let network = AddressMask(literal) else { preconditionFailure("'\(literal)' is not an address or network") }
    self = network
  }
}
