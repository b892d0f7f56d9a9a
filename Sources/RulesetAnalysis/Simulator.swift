public import Netfilter

/// Says what one table does with packets: the kernel's walk over the rules (`ipt_do_table`,
/// net/ipv4/netfilter/ip_tables.c; `ip6t_do_table`, net/ipv6/netfilter/ip6_tables.c).
///
/// Nothing is guessed. A rule of which one condition fails does not match, whatever else is unknown about it. A rule that
/// cannot be decided ends the walk with ``Decision/Verdict/unknown`` unless it can do no more than take note of the
/// packet; what it would change about the packet is unknown afterwards.
///
/// A simulator is best used by one thread: two of the same table, one a thread, do not wait for each other.
public struct Simulator: Sendable {
  public let table: Table
  let chains: [SimulatorChain]
  /// The place of the chain at each hook.
  private let starts: [Int?]

  /// - Parameters:
  ///   - isIndexed: prepare for many packets, which then look at few of the rules. The answers are the same.
  /// - Throws: the first of ``Table/problems(for:registry:)``: no interface of the kernel would take the table.
  public init(_ table: Table, isIndexed: Bool = true) throws(TableProblem) {
    if let problem = table.problems(for: .nfTables).first { throw problem }
    self.table = table
    starts = Hook.allCases.map { hook in table.chains.firstIndex { $0.hook == hook } }
    chains = table.chains.map { chain in
      SimulatorChain(chain, isIndexed: isIndexed) { table.index(of: $0) }
    }
  }

  /// What the table does with a packet at a hook.
  /// - Precondition: the table has a chain at the hook, and the packet is of its family.
  public func decide(_ packet: Packet, at hook: Hook) -> Decision {
    var decision = Decision()
    decide(packet, at: hook, into: &decision)
    return decision
  }

  /// The same, into a value that may have been used before and keeps its room.
  public func decide(_ packet: Packet, at hook: Hook, into decision: inout Decision) {
    precondition(packet.family == table.family, "an \(packet.family) packet in an \(table.family) table")
    guard let start = starts[Int(hook.rawValue)] else {
      preconditionFailure("table \(table.name) has no chain at \(hook)")
    }
    decision.clear()
    guard !table.isPassedBy(packet) else { return decision.decide(.accept, by: .connection) }
    var packet = packet
    packet.hook = hook
    var walk = SimulatorWalk(chains, packet)
    walk.run(from: start, into: &decision)
  }

  public func rule(at place: RulePlace) -> Rule { table.chains[place.chain].rules[place.rule] }

  /// Where a rule was written, nil where that is not known.
  public func position(of place: RulePlace) -> SourcePosition? {
    table.chains[place.chain].rules.position(of: place.rule)
  }

  /// The properties that are not said of a packet and of which each lets a dependency be decided, or decides a part of it.
  public func fields(wantedBy dependency: Dependency, of packet: Packet) -> [PacketField] {
    let rule = chains[dependency.place.chain].rules[dependency.place.rule]
    func answer(_ packet: Packet) -> String {
      if let match = dependency.match { return "\(rule.matches[match].matches(packet))" }
      guard case .target(let target) = rule.action else { return "" }
      var packet = packet
      return "\(target.act(on: &packet))"
    }
    let now = answer(packet)
    return PacketField.allCases.filter { field in
      field.samples(for: packet).contains { answer($0) != now }
    }
  }
}

extension Table {
  /// Whether the table lets a packet of a known connection pass without a look at its rules: `nat` is asked about the
  /// first packet only, and about no ICMP error, whose connection is another (`nf_nat_inet_fn`, `nf_nat_ipv4_fn`,
  /// net/netfilter/nf_nat_core.c and nf_nat_proto.c).
  fileprivate func isPassedBy(_ packet: Packet) -> Bool {
    guard name == .nat, let state = packet.connection.state else { return false }
    if state.contains(.new) { return false }
    guard state.contains(.related) else { return true }
    return packet.proto == (family == .ipv4 ? .icmp : .icmpv6)
  }
}

/// A chain whose rules are ready for the walk.
final class SimulatorChain: Sendable {
  let rules: [SimulatorRule]
  let policy: Policy?
  /// Which rules a packet may match; empty where all have to be asked.
  let blocks: [RuleIndex]

  /// Looking up a packet in an index costs as much as asking so many rules.
  private static let fewRules = 16

  init(_ chain: Chain, isIndexed: Bool, chainIndex: (ChainName) -> Int?) {
    var rules: [SimulatorRule] = []
    rules.reserveCapacity(chain.rules.count)
    var builder = isIndexed && chain.rules.count > Self.fewRules ? RuleIndexBuilder(chain.family) : nil
    for rule in chain.rules {
      rules.append(SimulatorRule(rule, family: chain.family, chainIndex: chainIndex))
      builder?.append(rule)
    }
    self.rules = rules
    policy = chain.policy
    blocks = builder?.blocks() ?? []
  }
}
