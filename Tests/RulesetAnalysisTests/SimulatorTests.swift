import Netfilter
import RulesetAnalysis
import Testing

/// Rules, a packet and the answer. Rules stand in INPUT unless they name a chain; `u` and `v` are there.
struct WalkRow: Sendable, CustomTestStringConvertible {
  let family: Family
  let table: TableName
  let hook: Hook
  let policy: String
  let rules: [String]
  let packet: Packet
  /// The verdict, what decided, what matched and what was open, as `firebreak simulate --packets --json` has it.
  let answer: String

  init(
    _ answer: String, for family: Family = .ipv4, table: TableName = .filter, at hook: Hook = .input,
    policy: String = "ACCEPT", _ rules: String..., packet change: (inout Packet) -> Void = { _ in }
  ) {
    self.family = family
    self.table = table
    self.hook = hook
    self.policy = policy
    self.rules = rules
    self.answer = answer
    let (source, destination) = family == .ipv4 ? ("192.0.2.1", "198.51.100.2") : ("2001:db8::1", "2001:db8::2")
    var packet = Packet(source: IPAddress(source)!, destination: IPAddress(destination)!, proto: .tcp)
    packet.inInterface = InterfaceName("eth0")!
    (packet.sourcePort, packet.destinationPort) = (1024, 22)
    change(&packet)
    self.packet = packet
  }

  var testDescription: String { "\(family) \(rules.joined(separator: "; ")): \(answer)" }

  func check() throws {
    var text = "*\(table)\n:\(hook.chainName) \(policy) [0:0]\n:u - [0:0]\n:v - [0:0]\n"
    for rule in rules { text += rule.hasPrefix("-A") ? "\(rule)\n" : "-A \(hook.chainName) \(rule)\n" }
    let reading = RulesText.read(text + "COMMIT\n", family: family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    let table = try #require(reading.ruleset[table, family])
    #expect(try Self.text(Simulator(table, isIndexed: false), packet, hook) == answer)
  }

  private static func text(_ simulator: Simulator, _ packet: Packet, _ hook: Hook) -> String {
    let decision = simulator.decide(packet, at: hook)
    func name(_ place: RulePlace) -> String { "\(simulator.table.chains[place.chain].name) \(place.rule + 1)" }
    let decider =
      switch decision.by {
      case .rule(let place): name(place)
      case .policy(let chain): "\(simulator.table.chains[chain].name) policy"
      case .connection: "connection"
      case .header: "header"
      case nil: "nothing"
      }
    var text = "\(decision.verdict) by \(decider)"
    if !decision.trace.isEmpty { text += "; " + decision.trace.map(name).joined(separator: ", ") }
    if !decision.depends.isEmpty {
      text += "; depends: " + decision.depends.map { "\($0.name) at \(name($0.place))" }.joined(separator: ", ")
    }
    return text
  }
}

@Suite struct SimulatorTests {
  static let walks = [
    WalkRow("accept by INPUT policy"),
    WalkRow("drop by INPUT policy; INPUT 1", policy: "DROP", "-p tcp"),
    WalkRow("accept by u 2; INPUT 1, u 1, u 2", "-j u", "-j DROP", "-A u", "-A u -j ACCEPT"),
    // The end of a chain, and RETURN, lead behind the jump.
    WalkRow("drop by INPUT 2; INPUT 1, u 1, INPUT 2", "-j u", "-j DROP", "-A u -p tcp"),
    WalkRow("drop by INPUT 2; INPUT 1, u 1, INPUT 2", "-j u", "-j DROP", "-A u -j RETURN", "-A u -j ACCEPT"),
    // RETURN in a built-in chain, and at the end of what was gone to from there: the policy.
    WalkRow("drop by INPUT policy; INPUT 1", policy: "DROP", "-j RETURN", "-j ACCEPT"),
    WalkRow("drop by INPUT policy; INPUT 1, u 1", policy: "DROP", "-g u", "-j ACCEPT", "-A u -j RETURN"),
    WalkRow("drop by INPUT policy; INPUT 1", policy: "DROP", "-g u", "-j ACCEPT"),
    // A chain that was gone to from a user chain leads back to where that was jumped from.
    WalkRow(
      "drop by INPUT 2; INPUT 1, u 1, v 1, INPUT 2", "-j u", "-j DROP", "-A u -g v", "-A u -j ACCEPT", "-A v"),
    // Twice into the same chain.
    WalkRow("accept by INPUT policy; INPUT 1, u 1, INPUT 2, u 1", "-j u", "-j u", "-A u"),
    WalkRow("reject by INPUT 1; INPUT 1", "-j REJECT", "-j ACCEPT"),
    WalkRow("accept by INPUT 2; INPUT 1, INPUT 2", "-j LOG", "-j ACCEPT"),
    WalkRow("unknown by nothing; INPUT 1; depends: QUEUE at INPUT 1", "-j QUEUE"),
  ]

  static let heads = [
    WalkRow("accept by INPUT 1; INPUT 1", policy: "DROP", "-s 192.0.2.0/24 -j ACCEPT"),
    WalkRow("drop by INPUT policy", policy: "DROP", "! -s 192.0.2.0/24 -j ACCEPT"),
    WalkRow("accept by INPUT 1; INPUT 1", policy: "DROP", "-d 198.0.0.2/255.0.0.255 -j ACCEPT"),
    WalkRow("accept by INPUT 1; INPUT 1", policy: "DROP", "-i eth+ -j ACCEPT"),
    WalkRow("drop by INPUT policy", policy: "DROP", "-i eth -j ACCEPT"),
    // No interface is an empty name: any wildcard that asks for nothing takes it, and so does what is inverted.
    WalkRow("accept by u 1; INPUT 1, u 1", "-j u", "-A u -o + -j ACCEPT"),
    WalkRow("accept by u 1; INPUT 1, u 1", "-j u", "-A u ! -o eth1 -j ACCEPT"),
    WalkRow("drop by INPUT policy; INPUT 1", policy: "DROP", "-j u", "-A u -o eth+ -j ACCEPT"),
    WalkRow("drop by INPUT policy; INPUT 1", policy: "DROP", "-j u", "-A u ! -o + -j ACCEPT"),
    WalkRow("accept by INPUT 1; INPUT 1", policy: "DROP", "-p 0 -j ACCEPT"),
    WalkRow("drop by INPUT policy", policy: "DROP", "! -p tcp -j ACCEPT"),
    WalkRow("accept by INPUT 1; INPUT 1", policy: "DROP", "-f -j ACCEPT") { $0.isLaterFragment = true },
    WalkRow("drop by INPUT policy", policy: "DROP", "! -f -j ACCEPT") { $0.isLaterFragment = true },
    WalkRow("drop by INPUT policy", policy: "DROP", "-f -j ACCEPT"),
    // Later fragments have no ports, so that no condition on ports is met by them, not even an inverted one.
    WalkRow("drop by INPUT policy", policy: "DROP", "-p tcp ! --dport 80 -j ACCEPT") { $0.isLaterFragment = true },
    WalkRow("accept by INPUT 1; INPUT 1", for: .ipv6, policy: "DROP", "-p tcp -j ACCEPT"),
    WalkRow("accept by INPUT 1; INPUT 1", for: .ipv6, policy: "DROP", "! -p udp -j ACCEPT"),
    // The rest of a header of options: the first rule that asks for a protocol loses the packet.
    WalkRow("drop by header; INPUT 1", for: .ipv6, "-s 2001:db8::/32", "-p tcp", "-j ACCEPT") {
      ($0.isLaterFragment, $0.proto) = (true, IPProtocol(rawValue: 60))
    },
    WalkRow("accept by INPUT 2; INPUT 2", for: .ipv6, "-d ::1 -p tcp", "-j ACCEPT") {
      ($0.isLaterFragment, $0.proto) = (true, IPProtocol(rawValue: 60))
    },
  ]

  static let limit = "-m limit --limit 1/s"
  static let unknowns = [
    // What a rule with one failing condition depends on besides is no matter.
    WalkRow("accept by INPUT 2; INPUT 2", "\(limit) -p tcp --dport 80 -j DROP", "-j ACCEPT"),
    WalkRow("accept by INPUT 2; INPUT 2", "-p tcp \(limit) -m multiport --dports 80 -j DROP", "-j ACCEPT"),
    // A rule that does no more than take note is passed over.
    WalkRow("accept by INPUT 2; INPUT 2; depends: limit at INPUT 1", "\(limit) -j LOG", "-j ACCEPT"),
    WalkRow("accept by INPUT 2; INPUT 2; depends: limit at INPUT 1", limit, "-j ACCEPT"),
    // One that might end or divert the walk ends it.
    WalkRow("unknown by nothing; depends: limit at INPUT 1", "\(limit) -j ACCEPT", "-j ACCEPT"),
    WalkRow("unknown by nothing; depends: limit at INPUT 1", "\(limit) -j RETURN"),
    WalkRow("unknown by nothing; INPUT 1; depends: limit at u 1", "-j u", "-A u \(limit) -g v"),
    WalkRow(
      "unknown by nothing; INPUT 2; depends: limit at INPUT 1, state at INPUT 3", "\(limit) -j LOG", "-p tcp",
      "-m state --state NEW -j ACCEPT"),
    WalkRow("unknown by nothing; depends: state at INPUT 1, limit at INPUT 1", "-m state --state NEW \(limit) -j DROP"),
    WalkRow("accept by INPUT 1; INPUT 1", "-m state --state NEW -j ACCEPT") { $0.connection.state = .new },
    WalkRow("unknown by nothing; depends: tcp at INPUT 1", "-p tcp --syn -j DROP"),
    // What an open rule would change is not known afterwards.
    WalkRow(
      "unknown by nothing; depends: limit at INPUT 1, mark at INPUT 2", table: .mangle, "\(limit) -j MARK --set-mark 1",
      "-m mark --mark 1 -j DROP"
    ) { $0.mark = 0 },
    WalkRow(
      "drop by INPUT 3; INPUT 2, INPUT 3; depends: limit at INPUT 1", table: .mangle, "\(limit) -j MARK --set-mark 1",
      "-j MARK --set-mark 2", "-m mark --mark 2 -j DROP"
    ) { $0.mark = 0 },
    // … but for what is so already.
    WalkRow(
      "drop by INPUT 2; INPUT 2; depends: limit at INPUT 1", table: .mangle, "\(limit) -j MARK --set-mark 1",
      "-m mark --mark 1 -j DROP"
    ) { $0.mark = 1 },
    WalkRow(
      "drop by INPUT 2; INPUT 1, INPUT 2", table: .mangle, "-j MARK --set-mark 1", "-m mark --mark 1 -j DROP"),
  ]

  static let translation = [
    WalkRow("accept by PREROUTING 1; PREROUTING 1", table: .nat, at: .prerouting, "-j DNAT --to-destination 10.0.0.1"),
    WalkRow("accept by PREROUTING 1; PREROUTING 1", table: .nat, at: .prerouting, "-j DNAT --to-destination 10.0.0.1") {
      $0.connection.state = .new
    },
    WalkRow("accept by PREROUTING 1; PREROUTING 1", table: .nat, at: .prerouting, "-j DNAT --to-destination 10.0.0.1") {
      $0.connection.state = .related
    },
    WalkRow("accept by connection", table: .nat, at: .prerouting, policy: "DROP", "-j ACCEPT") {
      $0.connection.state = .established
    },
    WalkRow("accept by connection", table: .nat, at: .prerouting, "-j DNAT --to-destination 10.0.0.1") {
      $0.connection.state = .untracked
    },
    // An ICMP error goes where its connection goes.
    WalkRow("accept by connection", table: .nat, at: .prerouting, "-j DNAT --to-destination 10.0.0.1") {
      ($0.connection.state, $0.proto, $0.icmpType) = (.related, .icmp, 3)
    },
  ]

  @Test(arguments: walks + heads + unknowns + translation) func walk(_ row: WalkRow) throws { try row.check() }

  @Test func whatTheKernelWouldNotTakeIsRefused() throws {
    var table = Table(.filter, family: .ipv4)
    try table.addChain("u")
    try table.append(Rule(target: .jump("u")), to: "u")
    // A loop that no packet can get into the kernel takes.
    #expect(try Simulator(table).decide(WalkRow("").packet, at: .input).verdict == .accept)
    try table.append(Rule(target: .jump("u")), to: .input)
    #expect(throws: TableProblem.self) { try Simulator(table) }
    var missing = Table(.filter, family: .ipv4)
    try missing.append(Rule(target: .jump("nowhere")), to: .input)
    #expect(throws: TableProblem.self) { try Simulator(missing) }
  }

  /// Bits that no text has, as a foreign program may have set them.
  @Test func theInvertingFlagOfFragmentsAloneMeetsNoPacket() throws {
    var rule = Rule(target: .drop)
    rule.residue.invertFlags = 0x20
    var table = Table(.filter, family: .ipv4)
    try table.append(rule, to: .input)
    var packet = WalkRow("").packet
    #expect(try Simulator(table).decide(packet, at: .input).verdict == .accept)
    packet.isLaterFragment = true
    #expect(try Simulator(table).decide(packet, at: .input).verdict == .accept)
  }

  /// Without its flag IPv6 does not look at a protocol.
  @Test func aProtocolWithoutItsFlagIsNotAskedFor() throws {
    var rule = Rule(proto: Negatable(.udp), target: .drop)
    rule.residue.protocolFlagDiffers = true
    var table = Table(.filter, family: .ipv6)
    try table.append(rule, to: .input)
    #expect(try Simulator(table).decide(WalkRow("", for: .ipv6).packet, at: .input).verdict == .drop)
  }

  @Test func whatIsNotSaidIsNamed() throws {
    let text = "*filter\n-A INPUT -p tcp --syn -m state --state NEW -m limit --limit 1/s -j DROP\nCOMMIT\n"
    let simulator = try Simulator(#require(RulesText.read(text).ruleset[.filter, .ipv4]))
    let packet = WalkRow("").packet
    let wanted = simulator.decide(packet, at: .input).depends.map { simulator.fields(wantedBy: $0, of: packet) }
    #expect(wanted == [[.flags], [.state], []])
  }
}
