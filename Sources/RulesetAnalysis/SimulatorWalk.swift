import Netfilter

/// One packet on its way through the chains of a table.
struct SimulatorWalk: ~Copyable {
  private let chains: [SimulatorChain]
  private var packet: Packet
  /// Counts the changes of what indexes look at.
  private var generation = 0
  /// Where the chains that were jumped from go on.
  private var stack: [RuleCursor] = []
  /// The kernel has room for so many jumps: a chain each, and one more (`stacksize`, translate_table).
  private let stackSize: Int

  init(_ chains: [SimulatorChain], _ packet: Packet) {
    self.chains = chains
    self.packet = packet
    stackSize = chains.count { $0.policy == nil } + 1
  }

  mutating func run(from start: Int, into decision: inout Decision) {
    var cursor = RuleCursor(chain: start)
    while true {
      guard let index = cursor.next(chains[cursor.chain], packet, generation) else {
        guard let caller = stack.popLast() else { return decision.endAtPolicy(start, chains) }
        cursor = caller
        continue
      }
      let place = RulePlace(chain: cursor.chain, rule: index)
      switch chains[cursor.chain].rules[index].answer(packet) {
      case .differs: continue
      case .drops: return decision.decide(.drop, by: .header)
      case .undecided:
        guard passOver(place, &decision) else { return decision.decide(.unknown, by: nil) }
        continue
      case .undecidedOrDrops:
        _ = passOver(place, &decision)
        return decision.decide(.unknown, by: nil)
      case .matches: decision.trace.append(place)
      }
      switch chains[cursor.chain].rules[index].action {
      case .proceed: break
      case .accept: return decision.decide(.accept, by: .rule(place))
      case .drop: return decision.decide(.drop, by: .rule(place))
      case .queue:
        decision.depends.append(
          Dependency(place: place, name: "QUEUE", on: "what the queue's program decides", match: nil))
        return decision.decide(.unknown, by: nil)
      case .return:
        guard let caller = stack.popLast() else { return decision.endAtPolicy(start, chains) }
        cursor = caller
      case .jump(let chain):
        guard stack.count < stackSize else { return decision.decide(.drop, by: .rule(place)) }
        stack.append(cursor)
        cursor = RuleCursor(chain: chain)
      case .goto(let chain): cursor = RuleCursor(chain: chain)
      case .target(let target):
        guard let verdict = act(target, place, &decision) else { continue }
        return decision.decide(verdict, by: verdict == .unknown ? nil : .rule(place))
      }
    }
  }

  /// Lets a target act; nil where the walk goes on.
  private mutating func act(_ target: any Target, _ place: RulePlace, _ decision: inout Decision) -> Decision.Verdict? {
    let before = packet.indexed
    switch target.act(on: &packet) {
    case .proceed:
      if packet.indexed != before { generation += 1 }
      return nil
    case .accept: return .accept
    case .drop: return .drop
    case .reject: return .reject
    case .depends(let on):
      decision.depends.append(Dependency(place: place, name: target.name, on: on, match: nil))
      return .unknown
    }
  }

  /// Notes a rule that cannot be decided.
  /// - Returns: false where it could end the walk, divert it, or change what cannot be left unknown.
  private mutating func passOver(_ place: RulePlace, _ decision: inout Decision) -> Bool {
    let rule = chains[place.chain].rules[place.rule]
    for (index, match) in rule.matches.enumerated() {
      guard case .depends(let on) = match.matches(packet) else { continue }
      decision.depends.append(Dependency(place: place, name: match.name, on: on, match: index))
    }
    switch rule.action {
    case .proceed: return true
    case .target(let target):
      var changed = packet
      guard case .proceed = target.act(on: &changed) else { return false }
      guard packet != changed else { return true }
      generation += 1
      return packet.forget(whatDiffersFrom: changed)
    case .accept, .drop, .queue, .return, .jump, .goto: return false
    }
  }
}

extension Decision {
  fileprivate mutating func endAtPolicy(_ chain: Int, _ chains: [SimulatorChain]) {
    decide(chains[chain].policy == .drop ? .drop : .accept, by: .policy(chain: chain))
  }
}

extension Packet {
  /// The parts that an index looks at and a target may change.
  fileprivate var indexed: Indexed {
    Indexed(
      source: source.bits, destination: destination.bits, proto: proto, sourcePort: sourcePort,
      destinationPort: destinationPort)
  }

  fileprivate struct Indexed: Equatable {
    let source: UInt128
    let destination: UInt128
    let proto: IPProtocol
    let sourcePort: UInt16?
    let destinationPort: UInt16?
  }

  /// Makes unknown what another packet has otherwise.
  /// - Returns: false where that is something that is always known.
  fileprivate mutating func forget(whatDiffersFrom other: Packet) -> Bool {
    var other = other
    func settle<Part: Equatable>(_ mine: inout Part?, _ theirs: inout Part?) {
      if mine != theirs { (mine, theirs) = (nil, nil) }
    }
    settle(&mark, &other.mark)
    settle(&connection.state, &other.connection.state)
    settle(&connection.mark, &other.connection.mark)
    settle(&connection.direction, &other.connection.direction)
    settle(&connection.statuses, &other.connection.statuses)
    settle(&connection.original, &other.connection.original)
    settle(&connection.reply, &other.connection.reply)
    settle(&length, &other.length)
    settle(&hopLimit, &other.hopLimit)
    settle(&trafficClass, &other.trafficClass)
    settle(&sourcePort, &other.sourcePort)
    settle(&destinationPort, &other.destinationPort)
    settle(&tcpFlags, &other.tcpFlags)
    settle(&tcpOptions, &other.tcpOptions)
    settle(&maximumSegmentSize, &other.maximumSegmentSize)
    settle(&icmpType, &other.icmpType)
    settle(&icmpCode, &other.icmpCode)
    settle(&sourceMAC, &other.sourceMAC)
    settle(&kind, &other.kind)
    settle(&bytes, &other.bytes)
    return self == other
  }
}
