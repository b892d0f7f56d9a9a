import KernelTestSupport
import Netfilter
import RulesetAnalysis
import Testing

/// Random tables in the kernel, random packets through it, and its counters: the simulator has to name the same rules.
/// FIREBREAK_SIMULATOR_ROUNDS makes more of it.
@Suite(.requires(.root, .legacyTables, .tool("ip"), .tool("sysctl"), .tool("iptables-legacy-restore")))
struct KernelWalkTests {
  @Test(arguments: Family.allCases, [false, true])
  func theKernelFindsTheSameRules(_ family: Family, isTracked: Bool) throws {
    let lab = try RouterLab(isTracked: isTracked)
    var walk = KernelWalk(lab, family, isTracked)
    for seed in 0..<UInt64(8 * Rounds.count) { try walk.round(seed) }
    print("\(family)\(isTracked ? ", tracked" : ""): \(walk.packets) packets, \(walk.undecided) undecided")
    #expect(walk.rulesMatched > 8 * Rounds.count, "the packets are not those that the rules are about")
    #expect(walk.undecided * 2 < walk.packets, "too few answers are answers")
  }
}

/// Rounds of one table and some packets each.
private struct KernelWalk {
  private let lab: RouterLab
  private let family: Family
  private let isTracked: Bool
  private var dice = Dice(0)
  /// Connections that were made use of, in either direction.
  private var connections: Set<Connection> = []
  private var number: UInt64 = .random(in: 0..<1 << 62)

  private(set) var packets = 0
  private(set) var undecided = 0
  private(set) var rulesMatched = 0

  struct Connection: Hashable {
    let proto: UInt8
    let ends: Set<End>
    struct End: Hashable {
      let address: IPAddress
      let port: UInt16
    }
  }

  init(_ lab: RouterLab, _ family: Family, _ isTracked: Bool) {
    self.lab = lab
    self.family = family
    self.isTracked = isTracked
  }

  private static let places: [(TableName, Hook)] = [
    (.filter, .forward), (.filter, .forward), (.filter, .forward), (.filter, .input), (.mangle, .forward),
    (.mangle, .prerouting), (.mangle, .postrouting), (.filter, .output), (.raw, .prerouting),
  ]

  /// What a round is about.
  private struct Round {
    let seed: UInt64
    let made: RandomTable
    let text: String
    let simulator: Simulator
    var counts: RouterLab.Counts
  }

  mutating func round(_ seed: UInt64) throws {
    dice = Dice(seed &+ (isTracked ? 1 << 40 : 0) &+ UInt64(family.rawValue) << 48)
    let (table, hook) = dice.pick(Self.places.filter { !isTracked || ($0.0 != .raw && $0.1 != .output) })
    let made = RandomTable(
      family: family, table: table, hook: hook, isTracked: isTracked, isDeep: seed % 3 == 0,
      isVague: dice.isLucky(oneIn: 4))
    let text = made.text(&dice)
    try lab.load(text, table, family)
    let reading = RulesText.read(text, family: family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)\n\(text)")
    let simulator = try Simulator(try #require(reading.ruleset[table, family]), isIndexed: seed % 2 == 0)
    var round = Round(
      seed: seed, made: made, text: text, simulator: simulator, counts: try lab.counts(table, family))
    for _ in 0..<10 {
      let first = packet(made)
      guard try send(first, from: .left, &round), isTracked else { continue }
      try converse(first.packet, &round)
    }
  }

  // MARK: Packets

  /// A packet from the left that nothing has been said about before.
  private mutating func packet(_ made: RandomTable) -> CraftedPacket {
    var packet = made.packet(&dice)
    for _ in 0..<100 {
      let host = { (dice: inout Dice, side: Int) in IPAddress(made.address(side, dice.below(RouterLab.hosts)))! }
      packet.source = host(&dice, made.hook == .output ? 2 : 1)
      packet.destination =
        made.hook == .input
        ? IPAddress(family == .ipv4 ? "10.1.0.1" : "2001:db8:1::1")! : host(&dice, 2)
      if packet.proto == .tcp || packet.proto == .udp {
        let isStrange = isTracked && dice.isLucky(oneIn: 2)
        packet.sourcePort =
          isStrange ? UInt16.random(in: 2000...65000, using: &dice) : UInt16(dice.pick(made.stock.ports))
        packet.destinationPort = UInt16(dice.pick(made.stock.ports))
      }
      number += 1
      let connection = Connection(packet, number)
      if !isTracked || connections.insert(connection).inserted { break }
      // Without ports there are no more connections than pairs of hosts.
      if packet.sourcePort == nil { packet.proto = .udp }
    }
    // 60 is a header of options in IPv6; only behind one in a later fragment is nothing found.
    packet.isLaterFragment = dice.isLucky(oneIn: 6) && canBeFragment(made)
    if packet.proto.rawValue == 60, !packet.isLaterFragment { packet.proto = IPProtocol(rawValue: 253) }
    if packet.isLaterFragment { packet.forgetTransport() }
    let isFirstFragment = !packet.isLaterFragment && dice.isLucky(oneIn: 10) && canBeFragment(made)
    if packet.proto == .tcp, !packet.isLaterFragment {
      packet.tcpFlags = packet.tcpFlags ?? .syn
      packet.tcpOptions = packet.tcpOptions ?? []
    }
    packet.connection = ConnectionFacts()
    packet.inInterface = .none
    packet.outInterface = .none
    packet.mark = 0
    if isTracked { packet.connection = facts(packet) }
    return CraftedPacket(
      packet, number: number, data: 8 + dice.below(3) * 8, isFirstFragment: isFirstFragment,
      hasOptions: family == .ipv6 && dice.isLucky(oneIn: 5))
  }

  /// Where tracking is at work, and where IPv4 packets come home, fragments are put together before rules see them.
  private func canBeFragment(_ made: RandomTable) -> Bool {
    !isTracked && made.hook != .output && !(family == .ipv4 && made.hook == .input)
  }

  /// What connection tracking makes of the first packet of a connection (nf_conntrack_proto_tcp.c, _icmp.c, _icmpv6.c).
  private func facts(_ packet: Packet) -> ConnectionFacts {
    var facts = ConnectionFacts()
    if packet.source == IPAddress(RouterLab.addresses(.left, RouterLab.untrackedHost)[family == .ipv4 ? 0 : 1]) {
      facts.state = .untracked
      return facts
    }
    switch packet.proto {
    case .tcp: facts.state = packet.tcpFlags == .syn || packet.tcpFlags == .ack ? .new : .invalid
    case .icmp, .icmpv6: facts.state = packet.icmpType == 8 || packet.icmpType == 128 ? .new : .invalid
    default: facts.state = .new
    }
    guard facts.state == .new else { return facts }
    facts.direction = .original
    facts.mark = 0
    return facts
  }

  /// The reply to a packet that has gone through, and the next one after it.
  private mutating func converse(_ first: Packet, _ round: inout Round) throws {
    guard first.connection.state == .new, round.made.hook != .input else { return }
    guard first.proto == .tcp ? first.tcpFlags == .syn : first.proto == .udp || first.icmpType != nil else { return }
    var facts = first.connection
    facts.state = .established
    var reply = first
    (reply.source, reply.destination) = (first.destination, first.source)
    (reply.sourcePort, reply.destinationPort) = (first.destinationPort, first.sourcePort)
    if first.proto == .tcp { reply.tcpFlags = [.syn, .ack] }
    if let type = first.icmpType { reply.icmpType = type == 8 ? 0 : 129 }
    facts.direction = .reply
    reply.connection = facts
    // An echo's identifier is in the packet's number: only ports make a reply one.
    if first.icmpType != nil { return }
    number += 1
    _ = try send(CraftedPacket(reply, number: number, data: 8), from: .right, &round)
    var next = first
    if first.proto == .tcp { next.tcpFlags = .ack }
    facts.direction = .original
    next.connection = facts
    number += 1
    _ = try send(CraftedPacket(next, number: number, data: 16), from: .left, &round)
  }

  // MARK: Comparison

  /// Sends a packet and compares; whether it came through.
  private mutating func send(_ crafted: CraftedPacket, from side: RouterLab.Side, _ round: inout Round) throws -> Bool {
    let (table, hook) = (round.made.table, round.made.hook)
    var packet = crafted.packet.seen(at: hook, from: side)
    // Where no rule looks into bytes, ports are looked up in an index.
    if !round.made.isDeep { packet.bytes = nil }
    let decision = round.simulator.decide(packet, at: hook)
    if hook == .output { try lab.sendFromRouter(crafted) } else { try lab.send(crafted, from: side) }
    let after = try lab.counts(table, family)
    let hasArrived = lab.arrives(crafted, at: hook == .output ? .right : side.other)
    let chains = round.simulator.table.chains
    var grown: [RulePlace: Int] = [:]
    for (index, chain) in chains.enumerated() {
      for rule in chain.rules.indices {
        let name = chain.name.text
        let growth = (after.rules[name]?[rule] ?? -1) - (round.counts.rules[name]?[rule] ?? 0)
        if growth != 0 { grown[RulePlace(chain: index, rule: rule)] = growth }
      }
    }
    let name = hook.chainName.text
    let policy = (after.policies[name] ?? -1) - (round.counts.policies[name] ?? 0)
    round.counts = after
    packets += 1
    rulesMatched += decision.trace.count
    var expected = Dictionary(decision.trace.map { ($0, 1) }, uniquingKeysWith: +)
    func story() -> String {
      func places(_ counts: [RulePlace: Int]) -> [String] {
        counts.map { "\(chains[$0.key.chain].name) \($0.key.rule + 1)\($0.value == 1 ? "" : " ×\($0.value)")" }.sorted()
      }
      return """
        round \(round.seed), \(family) \(table) \(hook): \(packet)
        kernel: \(places(grown)), policy \(policy), \(hasArrived ? "arrived" : "not arrived")
        simulator: \(places(expected)), \(decision)
        \(round.text)
        """
    }
    if decision.verdict == .unknown {
      undecided += 1
      #expect(expected.allSatisfy { (grown[$0.key] ?? 0) >= $0.value }, "\(story())")
      return hasArrived
    }
    // What was passed over may have matched or not.
    for dependency in decision.depends where expected[dependency.place] == nil { grown[dependency.place] = nil }
    for dependency in decision.depends { (expected[dependency.place], grown[dependency.place]) = (nil, nil) }
    #expect(grown == expected, "\(story())")
    let isPolicy = if case .policy = decision.by { true } else { false }
    #expect(policy == (isPolicy ? 1 : 0), "\(story())")
    if hook != .input { #expect(hasArrived == (decision.verdict == .accept), "\(story())") }
    return decision.verdict == .accept
  }
}

extension KernelWalk.Connection {
  init(_ packet: Packet, _ number: UInt64) {
    proto = packet.proto.rawValue
    // Where there are no ports every packet is its own echo, or its addresses are all that is known of it.
    let own = packet.icmpType.map { _ in UInt16(truncatingIfNeeded: number) }
    ends = [
      End(address: packet.source, port: packet.sourcePort ?? own ?? 0),
      End(address: packet.destination, port: packet.destinationPort ?? own ?? 0),
    ]
  }
}

extension Packet {
  fileprivate mutating func forgetTransport() {
    (sourcePort, destinationPort, tcpFlags, tcpOptions) = (nil, nil, nil, nil)
    (icmpType, icmpCode) = (nil, nil)
  }

  /// How rules at a hook see it: a packet that is forwarded has lost one hop.
  fileprivate func seen(at hook: Hook, from side: RouterLab.Side) -> Packet {
    var packet = self
    let (near, far) = side == .left ? ("eth0", "eth1") : ("eth1", "eth0")
    // Behind the routing the kernel still knows by which device a forwarded packet came in.
    if hook != .output { packet.inInterface = InterfaceName(near)! }
    packet.kind = .unicast
    if hook == .forward || hook == .postrouting { packet.outInterface = InterfaceName(far)! }
    if hook == .output { packet.outInterface = InterfaceName("eth1")! }
    if hook == .forward || hook == .postrouting {
      packet.hopLimit = hopLimit.map { $0 - 1 }
      packet.bytes = bytes.map { CraftedPacket.afterOneHop($0, family) }
    }
    packet.sourceMAC = hook == .output ? nil : MACAddress("02:00:00:00:0\(side.rawValue):02")
    return packet
  }
}
