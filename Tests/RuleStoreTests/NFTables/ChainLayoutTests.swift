import NFTablesStore
import Netfilter
import Testing

/// Which rules are looked up together, which stay linear, and in which order all of it stands.
@Suite struct ChainLayoutTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let rules: [String]
    /// Pieces in order: `shape:1,2` for rules looked up, with `*` behind those in chains of their own; `3` for a linear one.
    let layout: String
    var family = Family.ipv4
    var testDescription: String { name }
  }

  static let rows = [
    Row(
      name: "hosts share no packets", rules: ["-s 10.0.0.1 -j DROP", "-s 10.0.0.2 -j ACCEPT", "-s 10.0.0.3"],
      layout: "s32:1,2,3"),
    Row(
      name: "the same host twice needs two maps",
      rules: ["-s 10.0.0.1 -j LOG", "-s 10.0.0.1 -j DROP", "-s 10.0.0.2 -j LOG", "-s 10.0.0.2 -j DROP"],
      layout: "s32:1,3 s32:2,4"),
    Row(
      name: "a later host does not pass the network that holds it",
      rules: [
        "-s 10.0.0.1 -j DROP", "-s 10.0.0.2 -j DROP", "-s 10.0.9.0/24 -j ACCEPT", "-s 10.0.8.0/24 -j ACCEPT",
        "-s 10.0.9.1 -j DROP", "-s 10.0.8.1 -j DROP", "-s 10.0.7.1 -j DROP",
      ],
      layout: "s32:1,2,7 s24:3,4 s32:5,6"),
    Row(
      name: "what concerns all packets is passed by none",
      rules: [
        "-s 10.0.0.1 -j DROP", "-s 10.0.0.2 -j DROP", "-m limit --limit 5/min -j LOG", "-s 10.0.0.3 -j DROP",
        "-s 10.0.0.4 -j DROP",
      ],
      layout: "s32:1,2 3 s32:4,5"),
    Row(
      name: "a linear rule about other packets is passed",
      rules: [
        "-s 10.0.0.1 -j DROP", "-s 10.0.0.2 -j DROP", "-s 10.1.0.0/16 -m ttl --ttl-lt 5 -g other",
        "-s 10.0.0.3 -j DROP",
      ],
      layout: "s32:1,2,4 3"),
    Row(
      name: "one that may be about the same packets is not",
      rules: [
        "-s 10.0.0.1 -j DROP", "-s 10.0.0.2 -j DROP", "-d 10.1.0.0/16 -m ttl --ttl-lt 5 -g other",
        "-s 10.0.0.3 -j DROP", "-s 10.0.0.4 -j DROP",
      ],
      layout: "s32:1,2 3 s32:4,5"),
    Row(
      name: "other protocols are other packets",
      rules: [
        "-p tcp -m tcp --dport 1 -j DROP", "-p udp -m udp --dport 1 -j DROP", "-p tcp -m tcp --dport 2 -j DROP",
        "-p udp -m udp --dport 2 -j DROP",
      ],
      layout: "p6.dport:1,3 p17.dport:2,4"),
    Row(
      name: "lists and short ranges of ports are keys",
      rules: [
        "-p tcp -m multiport --dports 1,2,5:7 -j DROP", "-p tcp -m tcp --dport 8:9 -j DROP",
        "-p tcp -m tcp --dport 6 -j DROP", "-p tcp -m tcp --dport 9 -j ACCEPT",
        "-p tcp -m tcp --dport 100:200 -j ACCEPT",
      ],
      layout: "p6.dport:1,2 p6.dport:3,4 5"),
    Row(
      name: "ranges of ports are keys of their own maps",
      rules: [
        "-p tcp -m tcp --dport 100:200 -j ACCEPT", "-p tcp -m tcp --dport 201:300 -m comment --comment x -j DROP",
        "-p tcp -m multiport --dports 1000:2000,3000", "-p udp -m udp --sport 1024:65535 -j DROP",
        "-p udp -m udp --sport 0:100 -j DROP", "-p udp -m multiport --sports 200:300,400:500 -j DROP",
      ],
      layout: "p6.dport-:1,2,3 p17.sport-:4,5,6"),
    Row(
      name: "two of them stay linear",
      rules: ["-p tcp -m tcp --dport 100:200 -j ACCEPT", "-p tcp -m tcp --dport 201:300 -j DROP"], layout: "1 2"),
    Row(
      name: "ranges that meet need two maps",
      rules: [
        "-p tcp -m tcp --dport 100:200 -j LOG", "-p tcp -m tcp --dport 300:400", "-p tcp -m tcp --dport 500:600",
        "-p tcp -m tcp --dport 200:299", "-p tcp -m tcp --dport 350:370", "-p tcp -m tcp --dport 600:700",
        "-p tcp -m tcp --dport 0:65535", "-p tcp -m tcp --dport 401:499",
      ],
      layout: "p6.dport-:1,2,3 p6.dport-:4,5,6 7 8"),
    Row(
      name: "a port outside of a range passes it",
      rules: [
        "-p tcp -m tcp --dport 1 -j DROP", "-p tcp -m tcp --dport 24007:24100 -j ACCEPT",
        "-p tcp -m tcp --dport 24006 -j DROP", "-p tcp -m tcp --dport 24007 -j DROP",
        "-p tcp -m tcp --dport 24100 -j DROP", "-p tcp -m tcp --dport 24101 -j DROP",
      ],
      layout: "p6.dport:1,3,6 2 p6.dport:4,5"),
    Row(
      name: "one range for many hosts is asked before the lookup",
      rules: [
        "-s 10.0.0.1 -p tcp -m tcp --dport 100:200 -j DROP", "-s 10.0.0.2 -p tcp -m tcp --dport 100:200 -j ACCEPT",
      ],
      layout: "p6.s32?:1,2"),
    Row(
      name: "many ranges for one host are keys",
      rules: [
        "-s 10.0.0.1 -p tcp -m tcp --dport 100:200 -j DROP", "-s 10.0.0.1 -p tcp -m tcp --dport 300:400 -j DROP",
        "-s 10.0.0.1 -p tcp -m tcp --dport 500:600 -j DROP", "-s 10.0.0.1 -p tcp -m tcp --dport 700:800 -j DROP",
      ],
      layout: "p6.s32.dport-:1,2,3,4"),
    Row(
      name: "hosts that ranges are not needed to tell apart are looked up without",
      rules: [
        "-s 10.0.0.1 -p tcp -m tcp --dport 100:200 -j DROP", "-s 10.0.0.2 -p tcp -m tcp --dport 300:400 -j DROP",
        "-s 10.0.0.3 -p tcp -m tcp --dport 500:600 -j DROP", "-s 10.0.0.1 -p tcp -m tcp --dport 700:800 -j DROP",
      ],
      layout: "p6.s32:1*,2*,3* 4"),
    Row(
      name: "what is looked up at less cost without ranges is",
      rules: (1...4).flatMap { host in
        ["100", "101"].map { "-s 10.0.0.\(host) -p tcp -m tcp --dport \($0):\(20000 + 1000 * host + Int($0)!)" }
      },
      layout: "p6.s32:1*,3*,5*,7* p6.s32:2*,4*,6*,8*"),
    Row(
      name: "ranges on both sides",
      rules: [
        "-p tcp -m tcp --sport 1024:65535 --dport 100:200", "-p tcp -m tcp --sport 1024:65535 --dport 300:400",
        "-p tcp -m tcp --sport 1024:65535 --dport 500:600",
        "-p tcp -m tcp --sport 1024:65535 --dport 700:800",
      ],
      layout: "p6.sport-.dport-:1,2,3,4"),
    Row(
      name: "ranges behind a limit are not looked at before it",
      rules: (1...3).map { "-p tcp -m limit --limit 5/min -m tcp --dport \($0)00:\($0)99" }
        + (1...3).map { "-p tcp -m tcp --dport \($0)00:\($0)99 -m limit --limit 5/min" },
      layout: "1 2 3 p6.dport-:4*,5*,6*"),
    Row(
      name: "negations stay linear", rules: ["! -s 10.0.0.1 -j DROP", "-p tcp -m tcp ! --dport 1 -j DROP"],
      layout: "1 2"),
    Row(
      name: "a network but for a host has a chain of its own",
      rules: ["-d 10.0.1.0/24 ! -s 10.0.0.1 -j DROP", "-d 10.0.2.0/24 ! -s 10.0.0.2 -j DROP"], layout: "d24:1*,2*"),
    Row(
      name: "what many ask is asked before the lookup",
      rules: ["-s 10.0.0.1 -m conntrack --ctstate NEW -j DROP", "-s 10.0.0.2 -m conntrack --ctstate NEW -j ACCEPT"],
      layout: "s32?:1,2"),
    Row(
      name: "what counts packets is asked behind it",
      rules: ["-s 10.0.0.1 -m limit --limit 5/min -j LOG", "-s 10.0.0.2 -m limit --limit 5/min -j LOG"],
      layout: "s32:1*,2*"),
    Row(
      name: "ports behind a limit are not looked at before it",
      rules: ["-p tcp -m limit --limit 5/min -m tcp --dport 1", "-p tcp -m limit --limit 5/min -m tcp --dport 2"],
      layout: "1 2"),
    Row(
      name: "what would leave another chain stays",
      rules: [
        "-s 10.0.0.1 -m limit --limit 5/min -j RETURN", "-s 10.0.0.2 -m limit --limit 5/min -g other",
        "-s 10.0.0.3 -j RETURN", "-s 10.0.0.4 -g other",
      ],
      layout: "1 2 s32:3,4"),
    Row(
      name: "interfaces and messages",
      rules: [
        "-o eth0 -p icmp -m icmp --icmp-type 8 -j ACCEPT", "-o eth1 -p icmp -m icmp --icmp-type 8 -j DROP",
        "-o eth+ -j DROP",
      ],
      layout: "p1.icmp.out:1,2 3"),
    Row(
      name: "a target that rewrites addresses is passed by none",
      rules: [
        "-s 2001:db8::1 -j DROP", "-s 2001:db8::2 -j DROP",
        "-s fd00::/64 -j SNPT --src-pfx fd00::/64 --dst-pfx 2001:db8::/64", "-s 2001:db8::3 -j DROP",
        "-s 2001:db8::4 -j DROP",
      ],
      layout: "s128:1,2 3 s128:4,5", family: .ipv6),
  ]

  @Test(arguments: rows) func layout(_ row: Row) throws {
    let layout = ChainLayout(try list(row.rules, row.family), smallestMap: 2)
    #expect(describe(layout) == row.layout)
  }

  /// Every rule stands in exactly one place, and no rule stands before an earlier one that some packet matches too.
  @Test func orderIsKept() throws {
    var generator = SystemRandomNumberGenerator()
    var ranged = 0
    for round in 0..<200 {
      let texts = (0..<40).map { _ -> String in
        var text = ""
        if round % 2 == 0, Bool.random() {
          return " -p tcp -m tcp --dport \(range(&generator)) -j \(["ACCEPT", "DROP"].randomElement()!)"
        }
        if Bool.random() {
          text += " -s 10.0.0.\(Int.random(in: 0..<4, using: &generator))/\([32, 31, 30].randomElement()!)"
        }
        if Bool.random() { text += " -d 10.0.1.\(Int.random(in: 0..<4, using: &generator))" }
        if Bool.random() { text += " -p tcp -m tcp --dport \(Int.random(in: 1...3))" }
        if !text.contains("-p"), Int.random(in: 0..<4) == 0 { text += " -p tcp -m tcp --dport \(range(&generator))" }
        return text + " -j \(["ACCEPT", "DROP", "LOG"].randomElement()!)"
      }
      let rules = try list(texts, .ipv4)
      let layout = ChainLayout(rules, smallestMap: 2)
      var place = [Int?](repeating: nil, count: rules.count)
      for (position, piece) in layout.pieces.enumerated() {
        switch piece {
        case .linear(let rule): #expect(place[rule] == nil); place[rule] = position
        case .map(_, let members): for rule in members { #expect(place[rule] == nil); place[rule] = position }
        }
      }
      for later in rules.indices {
        for earlier in 0..<later where overlap(rules[earlier], rules[later]) {
          #expect(try #require(place[earlier]) < #require(place[later]), "\(texts[earlier]) and \(texts[later])")
        }
      }
      for case .map(let kind, let members) in layout.pieces {
        let shape = layout.kinds[kind].shape
        if shape.isRanged { ranged += members.count }
        let keys = members.flatMap { layout.splits[$0].keys }
        for (index, key) in keys.enumerated() {
          #expect(!keys[..<index].contains { $0.overlaps(shape, key, shape, .ipv4) }, "two elements for one packet")
        }
      }
    }
    #expect(ranged > 100)
  }

  /// Ends of ranges are near each other, so that they meet, touch and miss each other by one.
  private func range(_ generator: inout SystemRandomNumberGenerator) -> String {
    let first = [0, 1, 3, 15, 16, 17, 255, 256, 257, 4095, 4096, 60000].randomElement(using: &generator)!
    return "\(first):\(min(65535, first + [16, 17, 239, 240, 4079, 65535].randomElement(using: &generator)!))"
  }

  @Test func manyRulesOfOneShapeAreOneMap() {
    var rules = RuleList(family: .ipv4)
    for number in 0..<5000 {
      let source = AddressMask(IPAddress(ipv4: 0x0a00_0000 + UInt32(number)))
      rules.append(Rule(source: Negatable(source), target: number % 2 == 0 ? .drop : .accept))
    }
    let layout = ChainLayout(rules)
    #expect(layout.pieces.count == 1)
  }

  /// By the values themselves, without keys and shapes.
  private func overlap(_ a: Rule, _ b: Rule) -> Bool {
    func meet(_ a: Negatable<AddressMask>?, _ b: Negatable<AddressMask>?) -> Bool {
      guard let a, let b else { return true }
      return (a.value.address.bits ^ b.value.address.bits) & a.value.mask & b.value.mask == 0
    }
    guard meet(a.source, b.source), meet(a.destination, b.destination) else { return false }
    guard let first = a.matches.first as? TCP, let second = b.matches.first as? TCP else { return true }
    guard let first = first.destinationPorts?.value, let second = second.destinationPorts?.value else { return true }
    return first.first <= second.last && second.first <= first.last
  }

  private func list(_ texts: [String], _ family: Family) throws -> RuleList {
    let text = "*mangle\n:other - [0:0]\n" + texts.map { "-A POSTROUTING \($0)\n" }.joined() + "COMMIT\n"
    let reading = RulesText.read(text, family: family)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    return try #require(reading.ruleset.tables[0][.postrouting]).rules
  }

  private func describe(_ layout: ChainLayout) -> String {
    layout.pieces.map { piece in
      switch piece {
      case .linear(let rule): return "\(rule + 1)"
      case .map(let kind, let rules):
        let kind = layout.kinds[kind]
        let members = rules.map { "\($0 + 1)\(layout.isWhole[$0] ? "" : "*")" }.joined(separator: ",")
        return "\(describe(kind.shape))\(kind.isPlain ? "" : "?"):\(members)"
      }
    }.joined(separator: " ")
  }

  private func describe(_ shape: KeyShape) -> String {
    var parts: [String] = []
    if shape.proto > 0 { parts.append("p\(shape.proto)") }
    if shape.sourceBits > 0 { parts.append("s\(shape.sourceBits)") }
    if shape.destinationBits > 0 { parts.append("d\(shape.destinationBits)") }
    let ranges = (
      shape.fields.contains(.sourceRange) ? "-" : "", shape.fields.contains(.destinationRange) ? "-" : ""
    )
    let names: [(KeyShape.Fields, String)] = [
      (.sourcePort, "sport\(ranges.0)"), (.destinationPort, "dport\(ranges.1)"), (.icmpType, "icmp"),
      (.icmpCode, "code"),
      (.inInterface, "in"), (.outInterface, "out"),
    ]
    parts += names.filter { shape.fields.contains($0.0) }.map(\.1)
    return parts.joined(separator: ".")
  }
}
