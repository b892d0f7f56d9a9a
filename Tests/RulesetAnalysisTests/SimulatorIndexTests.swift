import Netfilter
import RulesetAnalysis
import Testing

/// An index may leave out only rules that do not match: with it, without it and rule by rule the answers are the same.
@Suite struct SimulatorIndexTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let family: Family
    let seed: UInt64
    let rules: ClosedRange<Int>
    let chains: ClosedRange<Int>
    let packets: Int

    var testDescription: String { "\(family), seed \(seed), \(rules) rules" }
  }

  static let cases: [Case] = {
    var cases: [Case] = []
    for family in Family.allCases {
      for seed in 0..<UInt64(12 * Rounds.count) {
        cases.append(Case(family: family, seed: seed, rules: 4...14, chains: 0...4, packets: 60))
      }
      for seed in 1000..<UInt64(1000 + 2 * Rounds.count) {
        cases.append(Case(family: family, seed: seed, rules: 100...700, chains: 1...3, packets: 40))
      }
      cases.append(Case(family: family, seed: 2000, rules: 5000...5000, chains: 0...0, packets: 15))
    }
    return cases
  }()

  @Test(arguments: cases) func theAnswersAreThoseOfThePlainWalk(_ test: Case) throws {
    var dice = Dice(test.seed &+ UInt64(test.family.rawValue) << 32)
    let isMangle = test.seed % 2 == 0
    let made = RandomTable(
      family: test.family, table: isMangle ? .mangle : .filter, hook: dice.pick([.input, .forward]), rules: test.rules,
      chains: test.chains, isTracked: true, isVague: test.seed % 3 == 0,
      stock: test.rules.lowerBound > 50 ? .large : .small)
    let reading = RulesText.read(made.text(&dice), family: test.family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    let table = try #require(reading.ruleset[made.table, test.family])
    let indexed = try Simulator(table)
    let simple = try Simulator(table, isIndexed: false)
    let plain = PlainWalk(table)
    var longest = 0
    for _ in 0..<test.packets {
      let packet = made.packet(&dice)
      let expected = plain.decide(packet, at: made.hook)
      for simulator in [indexed, simple] {
        let decision = simulator.decide(packet, at: made.hook)
        #expect(
          decision.verdict == expected.verdict && decision.by == expected.by && decision.trace == expected.trace,
          "\(packet): \(decision) instead of \(expected)")
      }
      longest = max(longest, expected.trace.count)
    }
    // A small table may do without: its first rule may be one that cannot be decided.
    #expect(longest > 0 || test.rules.upperBound < 100, "the packets are not those that the rules are about")
  }
}

extension RandomTable {
  /// A packet of the values that rules name; now and then something is not said of it.
  func packet(_ dice: inout Dice) -> Packet {
    func host(_ side: Int) -> IPAddress {
      IPAddress(address(dice.isLucky(oneIn: 12) ? 3 - side : side, dice.below(stock.hosts)))!
    }
    let protocols: [IPProtocol] = [
      .tcp, .tcp, .udp, family == .ipv4 ? .icmp : .icmpv6, IPProtocol(rawValue: 253), IPProtocol(rawValue: 60),
    ]
    var packet = Packet(source: host(1), destination: host(2), proto: dice.pick(protocols))
    packet.inInterface = InterfaceName(dice.pick("eth0", "eth1", "lo", "eth", ""))!
    if hook == .forward { packet.outInterface = InterfaceName(dice.pick("eth0", "eth1"))! }
    packet.isLaterFragment = dice.isLucky(oneIn: 12)
    if packet.proto == .tcp || packet.proto == .udp {
      if !dice.isLucky(oneIn: 40) { packet.sourcePort = UInt16(dice.pick(stock.ports)) }
      if !dice.isLucky(oneIn: 40) { packet.destinationPort = UInt16(dice.pick(stock.ports) + dice.below(2)) }
    }
    if packet.proto == .tcp, !dice.isLucky(oneIn: 20) {
      packet.tcpFlags = dice.pick([.syn, .ack, [.syn, .ack], .rst, [.fin, .ack], []])
      packet.tcpOptions = dice.pick([[], [2], [2, 4]])
    }
    if packet.proto == .icmp || packet.proto == .icmpv6 {
      packet.icmpType = dice.pick(family == .ipv4 ? [8, 0, 3] : [128, 129, 1])
      packet.icmpCode = UInt8(dice.below(4))
    }
    if !dice.isLucky(oneIn: 8) {
      packet.connection.state = dice.pick([.new, .established, .related, .invalid, .untracked])
      packet.connection.direction = dice.pick([.original, .reply])
      packet.connection.mark = 0
    }
    packet.length = dice.pick([40, 48, 60, 600])
    packet.hopLimit = dice.pick([64, 63, 9])
    packet.trafficClass = dice.pick([0, 0x10, 0x2a])
    if !dice.isLucky(oneIn: 8) { packet.mark = dice.pick([0, 0, 1, 0x12]) }
    packet.kind = .unicast
    return packet
  }
}
