import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Random tables three times in one kernel - compiled, linear in nf_tables, in ip_tables - and random packets through all
/// three: every rule has to count the same in each, and the packet's fate has to be the same.
/// FIREBREAK_SIMULATOR_ROUNDS makes more of it.
@Suite(.requires(.root, .legacyTables, .nfTables, .tool("ip"), .tool("sysctl"), .tool("iptables-legacy-restore")))
struct CompiledWalkTests {
  @Test(arguments: Family.allCases, [false, true])
  func threeFormsCountTheSame(_ family: Family, isTracked: Bool) throws {
    var walk = try ThreeWays(family, isTracked)
    for seed in 0..<UInt64(6 * Rounds.count) { try walk.round(seed) }
    print(
      """
      \(family)\(isTracked ? ", tracked" : ""): \(walk.rulesets) rulesets, \(walk.packets) packets, \
      \(walk.lookedUp) rules looked up, \(walk.linear) linear, \(walk.matches) matches, \(walk.edits) edits, \
      \(walk.ranged) elements with ranges in \(walk.rangedRulesets) rulesets, \(walk.rangedMatches) counted packets
      """)
    #expect(walk.rangedRulesets * 4 > walk.rulesets && walk.rangedMatches > 0)
    #expect(walk.lookedUp * 4 > walk.linear, "too few rules are compiled")
    #expect(walk.matches > walk.packets / 4, "the packets are not those that the rules are about")
  }
}

/// The same rules at three stations; each packet goes to every one.
private struct ThreeWays {
  let family: Family
  let isTracked: Bool
  private let stations: [Station]
  private var dice = Dice(0)
  private var number: UInt64 = .random(in: 0..<1 << 62)

  private(set) var rulesets = 0
  private(set) var packets = 0
  private(set) var lookedUp = 0
  private(set) var linear = 0
  private(set) var matches = 0
  private(set) var edits = 0
  private(set) var ranged = 0
  private(set) var rangedRulesets = 0
  private(set) var rangedMatches = 0

  init(_ family: Family, _ isTracked: Bool) throws {
    self.family = family
    self.isTracked = isTracked
    stations = try Station.Form.allCases.map { try Station($0, isTracked: isTracked) }
  }

  private static let places: [(TableName, Hook)] = [
    (.filter, .forward), (.filter, .forward), (.filter, .forward), (.filter, .input), (.filter, .output),
    (.mangle, .forward), (.mangle, .prerouting), (.raw, .prerouting),
  ]

  mutating func round(_ seed: UInt64) throws {
    dice = Dice(seed &+ (isTracked ? 1 << 40 : 0) &+ UInt64(family.rawValue) << 48 &+ 1 << 50)
    let (table, hook) = dice.pick(
      Self.places.filter { $0.0 != .raw || family == .ipv4 }.filter { !isTracked || ($0.0 != .raw && $0.1 != .output) })
    var made = RandomTable(family: family, table: table, hook: hook, isTracked: isTracked, isDeep: seed % 4 == 0)
    // Many rules of few shapes, so that they meet in maps and overlap.
    made.rules = dice.isLucky(oneIn: 2) ? 4...14 : 20...60
    made.isRanged = dice.isLucky(oneIn: 2)
    made.isPlain = made.isRanged || dice.below(3) > 0
    // With more to a map, rules come to stand in maps of other kinds.
    stations[0].compile(smallestMap: dice.pick([1, 1, 1, 1, 1, 2, 3]))
    var wanted = try self.table(of: made)
    try load(wanted, seed)
    for part in 0..<4 {
      if part > 0 {
        // One rule changes: what stays keeps its counters and its place.
        wanted = changed(wanted, made)
        edits += 1
        try load(wanted, seed)
      }
      var sent: [String] = []
      for _ in 0..<(made.isRanged ? 12 : 6) {
        number += 1
        let packet = made.routed(&dice, number: number)
        let fates = try stations.map { try $0.pass(packet, hook) }
        sent.append("\(packet.packet)")
        #expect(fates[0] == fates[1] && fates[0] == fates[2], "round \(seed): \(packet.packet)\n\(wanted.text)")
        packets += 1
      }
      matches += try stations.compare(wanted.id, seed, sent)
      rangedMatches += try rangedElements().count { !$0.contains("counter packets 0 ") }
    }
    try stations.forEach { try $0.empty(TableID(table, family)) }
  }

  private mutating func table(of made: RandomTable) throws -> Table {
    let text = made.text(&dice)
    let reading = RulesText.read(text, family: family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)\n\(text)")
    return try #require(reading.ruleset[made.table, family])
  }

  /// A rule goes, comes, moves, or becomes another.
  private mutating func changed(_ table: Table, _ made: RandomTable) -> Table {
    guard let other = try? self.table(of: made) else { return table }
    var result = table
    let filled = table.chains.indices.filter { !table.chains[$0].rules.isEmpty }
    guard let chain = filled.randomElement(using: &dice) else { return table }
    var rules = Array(table.chains[chain].rules)
    let fresh = other.chains.first { $0.name == table.chains[chain].name }?.rules.first { $0.target.chain == nil }
    let place = dice.below(rules.count)
    switch dice.below(4) {
    case 0: rules.remove(at: place)
    case 1: if let fresh { rules.insert(fresh, at: place) }
    case 2: rules.insert(rules.remove(at: dice.below(rules.count)), at: place)
    default: if let fresh { rules[place] = fresh }
    }
    result.setRules(of: chain, RuleList(rules, family: family))
    return result
  }

  private mutating func load(_ table: Table, _ seed: UInt64) throws {
    try stations.load([table], seed)
    rulesets += 1
    let counts = try stations[0].lookups(table.id)
    lookedUp += counts.lookedUp
    linear += counts.linear
    let elements = try rangedElements()
    ranged += elements.count
    if !elements.isEmpty { rangedRulesets += 1 }
  }

  /// As nft prints them: a key with a range, or several, and the counter.
  private func rangedElements() throws -> [Substring] {
    try stations[0].listing().split(separator: "\n").filter { line in
      line.contains("counter packets") && line.contains(" . ")
        && line.split(separator: " ").contains { $0.first?.isNumber == true && $0.contains("-") }
    }
  }
}

extension RandomTable {
  /// A packet on its way through a router lab that all forms of the rules take for the same.
  func routed(_ dice: inout Dice, number: UInt64) -> CraftedPacket {
    var packet = packet(&dice)
    if isRanged, dice.below(4) > 0 {
      (packet.proto, packet.icmpType, packet.icmpCode) = (dice.pick([.tcp, .udp]), nil, nil)
    }
    let host = { (dice: inout Dice, side: Int) in IPAddress(address(side, dice.below(RouterLab.hosts)))! }
    packet.source = host(&dice, hook == .output ? 2 : 1)
    packet.destination =
      hook == .input ? IPAddress(family == .ipv4 ? "10.1.0.1" : "2001:db8:1::1")! : host(&dice, 2)
    if packet.proto == .tcp || packet.proto == .udp {
      packet.sourcePort = port(&dice)
      packet.destinationPort = port(&dice)
    }
    // nf_tables and ip_tables do not agree about ports of later fragments, nor about any in IPv6.
    packet.isLaterFragment =
      dice.isLucky(oneIn: 8) && !isTracked && hook == .forward && family == .ipv4 && packet.sourcePort == nil
    if packet.proto.rawValue == 60, !packet.isLaterFragment { packet.proto = IPProtocol(rawValue: 253) }
    if packet.isLaterFragment {
      (packet.sourcePort, packet.destinationPort, packet.tcpFlags, packet.tcpOptions) = (nil, nil, nil, nil)
      (packet.icmpType, packet.icmpCode) = (nil, nil)
    }
    if packet.proto == .tcp, !packet.isLaterFragment {
      packet.tcpFlags = packet.tcpFlags ?? .syn
      packet.tcpOptions = packet.tcpOptions ?? []
    }
    packet.mark = 0
    return CraftedPacket(
      packet, number: number, data: 8 + dice.below(3) * 8, hasOptions: family == .ipv6 && dice.isLucky(oneIn: 5))
  }
}
