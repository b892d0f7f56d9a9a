import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Tables of both families that say the same, or nearly, three times: compiled, linear in nf_tables, in ip_tables. Packets
/// of both families go through all three; every rule and policy of either family counts the same in each, while rules
/// change in one family or in both and chains come to be shared and apart again.
/// FIREBREAK_SIMULATOR_ROUNDS makes more of it.
@Suite(.requires(.root, .legacyTables, .nfTables, .tool("ip"), .tool("sysctl"), .tool("iptables-legacy-restore")))
struct CompiledFamiliesWalkTests {
  @Test(arguments: [false, true])
  func bothFamiliesCountTheSame(_ isTracked: Bool) throws {
    var walk = try TwoFamilies(isTracked)
    for seed in 0..<UInt64(8 * Rounds.count) { try walk.round(seed) }
    print(
      """
      both\(isTracked ? ", tracked" : ""): \(walk.rulesets) rulesets, \(walk.shared) shared, \(walk.whole) wholly, \
      \(walk.ranged) shared with ranges, \
      \(walk.begun) begun, \(walk.ended) ended, \(walk.packets) packets, \(walk.matches) matches
      """)
    #expect(walk.shared * 5 > walk.rulesets && walk.shared < walk.rulesets)
    #expect(walk.begun > 0 && walk.ended > 0 && walk.ranged > 0)
    #expect(walk.matches > walk.packets / 4, "the packets are not those that the rules are about")
  }
}

/// Rules as text, chain by chain, that both families understand, and those of one family.
private struct TwinRules {
  var names: [String]
  var common: [[String]]
  var own: [Family: [[String]]] = [:]
  var policy: String

  func text(_ made: RandomTable) -> String {
    var text = "*\(made.table)\n"
    for hook in made.table.hooks.hooks { text += ":\(hook.chainName) \(hook == made.hook ? policy : "ACCEPT") [0:0]\n" }
    for name in names.dropFirst() { text += ":\(name) - [0:0]\n" }
    for (index, name) in names.enumerated() {
      for rule in (own[made.family]?[index] ?? []) + common[index] { text += "-A \(name)\(rule)\n" }
    }
    return text + "COMMIT\n"
  }
}

private struct TwoFamilies {
  private let isTracked: Bool
  private let stations: [Station]
  private var dice = Dice(0)
  private var number: UInt64 = .random(in: 0..<1 << 62)
  private var wasShared = false

  private(set) var rulesets = 0
  private(set) var shared = 0
  private(set) var whole = 0
  private(set) var ranged = 0
  private(set) var begun = 0
  private(set) var ended = 0
  private(set) var packets = 0
  private(set) var matches = 0

  init(_ isTracked: Bool) throws {
    self.isTracked = isTracked
    stations = try Station.Form.allCases.map { try Station($0, isTracked: isTracked) }
  }

  mutating func round(_ seed: UInt64) throws {
    dice = Dice(seed &+ (isTracked ? 1 << 40 : 0) &+ 1 << 51)
    let (table, hook) = dice.pick([
      (TableName.filter, Hook.forward), (.filter, .forward), (.filter, .input), (.mangle, .forward),
      (.mangle, .prerouting),
    ])
    let made = Family.allCases.map { RandomTable(family: $0, table: table, hook: hook, isTracked: isTracked) }
    var rules = TwinRules(
      names: [hook.chainName.text] + (0..<dice.below(4)).map { "user\($0)" }, common: [],
      policy: dice.pick("ACCEPT", "DROP"))
    for index in rules.names.indices {
      rules.common.append((0..<3 + dice.below(index == 0 ? 25 : 8)).map { _ in rule(rules, index, table, hook) })
    }
    if dice.isLucky(oneIn: 3) { addOwn(&rules, made) }
    wasShared = false
    for part in 0..<5 {
      if part > 0 { change(&rules, made) }
      try load(try made.map { try self.table(rules.text($0), $0) }, seed)
      var sent: [String] = []
      for _ in 0..<8 {
        number += 1
        let packet = dice.pick(made).routed(&dice, number: number)
        let fates = try stations.map { try $0.pass(packet, hook) }
        sent.append("\(packet.packet)")
        #expect(fates[0] == fates[1] && fates[0] == fates[2], "round \(seed): \(packet.packet)\n\(rules.text(made[0]))")
        packets += 1
      }
      for made in made { matches += try stations.compare(TableID(table, made.family), seed, sent) }
    }
    for station in stations { try station.load(Family.allCases.map { Table(table, family: $0) }) }
  }

  // MARK: Rules

  /// A rule that both families have.
  private mutating func rule(_ rules: TwinRules, _ chain: Int, _ table: TableName, _ hook: Hook) -> String {
    let ports = RandomTable.Stock.small.ports
    var text = ""
    let proto = dice.pick("tcp", "udp")
    if dice.isLucky(oneIn: 4) { text += " -i \(dice.pick("eth0", "eth1", "eth+"))" }
    if dice.isLucky(oneIn: 6), hook == .forward { text += " -o eth1" }
    switch dice.below(9) {
    case 0: break
    case 1: text += " -p \(proto)"
    case 2:
      // Beside an interface it would not be a key, and what asks for it then is known to tables of one family alone.
      let range = text.isEmpty && dice.isLucky(oneIn: 2) ? wideRange(table, hook) : "78:83"
      text += " -p \(proto) -m multiport --dports \(dice.pick(ports)),\(dice.pick(ports)),\(range)"
    case 3: text += " -p \(proto) -m \(proto) ! --dport \(dice.pick(ports))"
    case 4, 5:
      text += " -p \(proto) -m \(proto)"
      if dice.isLucky(oneIn: 6) { text += " --sport \(dice.isLucky(oneIn: 2) ? "443" : wideRange(table, hook))" }
      text += " --dport \(wideRange(table, hook))"
    default:
      text += " -p \(proto) -m \(proto)"
      if dice.isLucky(oneIn: 4) { text += " --sport \(dice.pick(ports))" }
      let port = dice.pick(ports)
      text += " --dport \(port)\(dice.isLucky(oneIn: 4) ? ":\(port + dice.below(30))" : "")"
    }
    if isTracked, dice.isLucky(oneIn: 4) {
      text += " -m \(dice.pick("conntrack --ct", "state --"))state \(dice.pick("NEW", "INVALID", "NEW,ESTABLISHED"))"
    }
    if dice.isLucky(oneIn: 8) { text += " -m mark --mark \(dice.pick(RandomTable.marks + ["0x0"]))" }
    if dice.isLucky(oneIn: 12), hook != .output { text += " -m pkttype --pkt-type unicast" }
    if dice.isLucky(oneIn: 8) { text += " -m comment --comment \"note \(dice.below(9))\"" }
    let isTCP = text.contains("-p tcp")
    let below = Array(rules.names[(chain + 1)...])
    if !below.isEmpty, dice.isLucky(oneIn: 4) {
      return "\(text) \(chain > 0 ? dice.pick("-j", "-g") : "-j") \(dice.pick(below))"
    }
    switch dice.below(10) {
    case 0: return text + " -j ACCEPT"
    case 1: return text + " -j DROP"
    case 2 where chain > 0 || dice.isLucky(oneIn: 20): return text + " -j RETURN"
    case 3 where table == .filter && isTCP: return text + " -j REJECT --reject-with tcp-reset"
    case 4: return text + " -j NFLOG --nflog-prefix \(dice.below(9))"
    case 5 where table == .mangle: return text + " -j MARK --set-xmark \(dice.pick(RandomTable.marks))/0x0"
    default: return text
    }
  }

  private mutating func wideRange(_ table: TableName, _ hook: Hook) -> String {
    RandomTable(family: .ipv4, table: table, hook: hook).wideRange(&dice)
  }

  private mutating func addOwn(_ rules: inout TwinRules, _ made: [RandomTable]) {
    let made = dice.pick(made)
    var own = [[String]](repeating: [], count: rules.names.count)
    let address = made.address(1, dice.below(RouterLab.hosts))
    own[dice.below(own.count)].append(" -s \(address)\(dice.pick("", " -j ACCEPT", " -j DROP"))")
    rules.own[made.family] = own
  }

  private mutating func change(_ rules: inout TwinRules, _ made: [RandomTable]) {
    if dice.isLucky(oneIn: 3) {
      if rules.own.isEmpty { addOwn(&rules, made) } else { rules.own = [:] }
      return
    }
    let chain = dice.below(rules.names.count)
    let fresh = rule(rules, chain, made[0].table, made[0].hook)
    guard !rules.common[chain].isEmpty else { return rules.common[chain].append(fresh) }
    let place = dice.below(rules.common[chain].count)
    switch dice.below(5) {
    case 0: rules.common[chain].remove(at: place)
    case 1: rules.common[chain].insert(fresh, at: place)
    case 2: rules.common[chain].insert(rules.common[chain].remove(at: place), at: 0)
    case 3: rules.policy = rules.policy == "DROP" ? "ACCEPT" : "DROP"
    default: rules.common[chain][place] = fresh
    }
  }

  private func table(_ text: String, _ made: RandomTable) throws -> Table {
    let reading = RulesText.read(text, family: made.family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)\n\(text)")
    return try #require(reading.ruleset[made.table, made.family])
  }

  // MARK: The kernel

  private mutating func load(_ tables: [Table], _ seed: UInt64) throws {
    try stations.load(tables, seed)
    rulesets += 1
    let held = try stations[0].listing()
    let isShared = held.contains("table inet firebreak")
    if isShared { shared += 1 }
    if isShared, held.contains("flags interval") { ranged += 1 }
    if isShared, !held.contains("table ip firebreak") { whole += 1 }
    if isShared, !wasShared { begun += 1 }
    if wasShared, !isShared { ended += 1 }
    wasShared = isShared
  }
}
