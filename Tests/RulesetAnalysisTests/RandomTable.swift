import Netfilter

/// Text of a random table whose rules stand in one built-in chain and in chains that it leads to. Values are from small
/// stocks, which the packets of the tests are from too, so that many rules match.
struct RandomTable {
  var family: Family
  var table: TableName
  var hook: Hook
  /// Rules in the built-in chain, and in each of the others.
  var rules: ClosedRange<Int> = 4...14
  var chains: ClosedRange<Int> = 0...4
  /// With rules on connections.
  var isTracked = false
  /// With rules that look into the packet's bytes.
  var isDeep = false
  /// With rules that no simulator can decide.
  var isVague = false
  /// With few conditions that are more than an address, a port or an interface.
  var isPlain = false
  /// Among the plain rules with many of which ports alone tell, in wide ranges most of them.
  var isRanged = false
  var stock = Stock.small

  /// What conditions name.
  struct Stock: Sendable {
    var hosts: Int
    var ports: [Int]

    static let small = Stock(hosts: 5, ports: [22, 53, 80, 443, 1024, 40000])
    static let large = Stock(hosts: 4000, ports: Array(stride(from: 1, to: 60000, by: 7)))
  }

  static let marks = ["0x1", "0x2", "0x10"]

  func text(_ dice: inout Dice) -> String {
    var text = "*\(table)\n"
    for hook in table.hooks.hooks {
      text += ":\(hook.chainName) \(hook == self.hook ? dice.pick("ACCEPT", "DROP") : "ACCEPT") [0:0]\n"
    }
    let names = (0..<dice.below(chains.count) + chains.lowerBound).map { "user\($0)" }
    for name in names { text += ":\(name) - [0:0]\n" }
    for (index, name) in ([hook.chainName.text] + names).enumerated() {
      for _ in 0..<Int.random(in: rules, using: &dice) {
        text += "-A \(name)\(rule(&dice, isBuiltIn: index == 0, below: Array(names[index...])))\n"
      }
    }
    return text + "COMMIT\n"
  }

  /// - Parameter below: chains that may be jumped to.
  private func rule(_ dice: inout Dice, isBuiltIn: Bool, below: [String]) -> String {
    if isPlain, dice.below(5) > 0 { return plainRule(&dice, isBuiltIn: isBuiltIn, below: below) }
    var text = ""
    if dice.isLucky(oneIn: 3) { text += " \(dice.not(oneIn: 4))-s \(network(&dice, side: 1))" }
    if dice.isLucky(oneIn: 3) { text += " \(dice.not(oneIn: 4))-d \(network(&dice, side: 2))" }
    let (takesIn, takesOut) = interfaces
    if dice.isLucky(oneIn: 4), !isBuiltIn || takesIn { text += interface("-i", &dice) }
    if dice.isLucky(oneIn: 4), !isBuiltIn || takesOut { text += interface("-o", &dice) }
    if family == .ipv4, dice.isLucky(oneIn: 10) { text += " \(dice.not(oneIn: 2))-f" }
    var proto = ""
    if dice.below(3) > 0 { text += protocolMatch(&dice, &proto) }
    if dice.isLucky(oneIn: 4) { text += match(&dice) }
    if isDeep, dice.isLucky(oneIn: 4) { text += deepMatch(&dice) }
    if isVague, dice.isLucky(oneIn: 6) { text += " -m limit --limit 1000/sec --limit-burst 5000" }
    return text + target(&dice, below, proto)
  }

  /// Conditions that a map can look up, and now and then one behind them.
  private func plainRule(_ dice: inout Dice, isBuiltIn: Bool, below: [String]) -> String {
    var text = ""
    let (takesIn, takesOut) = interfaces
    func network(_ side: Int, _ dice: inout Dice) -> String {
      let lengths = family == .ipv4 ? ["32", "32", "31", "24"] : ["128", "128", "127", "64"]
      return "\(address(side, dice.below(stock.hosts)))/\(dice.pick(lengths))"
    }
    if dice.isLucky(oneIn: isRanged ? 8 : 2) { text += " -s \(network(1, &dice))" }
    if dice.isLucky(oneIn: isRanged ? 8 : 2) { text += " -d \(network(2, &dice))" }
    if dice.isLucky(oneIn: 6), !isBuiltIn || takesIn { text += " -i \(dice.pick("eth0", "eth1"))" }
    if dice.isLucky(oneIn: 6), !isBuiltIn || takesOut { text += " -o \(dice.pick("eth0", "eth1"))" }
    var proto = ""
    switch isRanged ? 3 + dice.below(4) : dice.below(8) {
    case 0: break
    case 1: text += " -p \(dice.pick("tcp", "udp", icmp))"
    case 2:
      let type = family == .ipv4 ? dice.pick("8", "0", "3/1") : dice.pick("128", "129", "1/3")
      text += " -p \(icmp) -m \(icmp == "icmp" ? "icmp --icmp" : "icmp6 --icmpv6")-type \(type)"
    case 3:
      proto = dice.pick("tcp", "udp")
      var list =
        (0..<1 + dice.below(3)).map { _ in "\(dice.pick(stock.ports))" } + (dice.isLucky(oneIn: 2) ? ["78:83"] : [])
      if dice.isLucky(oneIn: 2) { list.insert(wideRange(&dice), at: dice.below(list.count + 1)) }
      text += " -p \(proto) -m multiport --\(dice.pick("sports", "dports")) \(list.joined(separator: ","))"
    default:
      proto = dice.pick("tcp", "udp")
      text += " -p \(proto) -m \(proto)"
      let first = dice.pick(stock.ports)
      if dice.isLucky(oneIn: 3) {
        text += " --sport \(dice.isLucky(oneIn: 3) ? wideRange(&dice) : "\(dice.pick(stock.ports))")"
      }
      if isRanged ? dice.below(6) > 0 : dice.isLucky(oneIn: 2) {
        text += " --dport \(wideRange(&dice))"
      } else {
        text += " --dport \(first)\(dice.isLucky(oneIn: 4) ? ":\(first + dice.below(9))" : "")"
      }
    }
    if isTracked, dice.isLucky(oneIn: 5) {
      text += " -m conntrack --ctstate \(dice.pick("NEW", "INVALID", "ESTABLISHED"))"
    }
    if dice.isLucky(oneIn: 8) { text += match(&dice) }
    if dice.isLucky(oneIn: 10) { text += " -m comment --comment \"note \(dice.below(10))\"" }
    return text + target(&dice, below, proto)
  }

  /// Between two of these lie ranges of ports that share none and are too wide to be written port by port.
  private static let edges = [0, 21, 40, 60, 81, 200, 300, 444, 1000, 1025, 2000, 20000, 40000, 50000, 65536]

  func wideRange(_ dice: inout Dice) -> String {
    let first = dice.below(Self.edges.count - 1)
    let last = min(Self.edges.count - 1, first + 1 + (dice.isLucky(oneIn: 8) ? dice.below(4) : 0))
    return "\(Self.edges[first]):\(Self.edges[last] - 1)"
  }

  /// A port that rules name, or one at an end of a range.
  func port(_ dice: inout Dice) -> UInt16 {
    guard dice.isLucky(oneIn: 4) else { return UInt16(dice.pick(stock.ports)) }
    return UInt16(min(65535, max(1, dice.pick(Self.edges) - dice.below(2))))
  }

  private var interfaces: (takesIn: Bool, takesOut: Bool) {
    (
      hook == .prerouting || hook == .input || hook == .forward,
      hook == .postrouting || hook == .output || hook == .forward
    )
  }

  // MARK: Conditions

  func address(_ side: Int, _ host: Int) -> String {
    let (high, low) = (host / 200, host % 200 + 2)
    return family == .ipv4 ? "10.\(side).\(high).\(low)" : "2001:db8:\(side)::\(high):\(String(low, radix: 16))"
  }

  private func network(_ dice: inout Dice, side: Int) -> String {
    let address = address(dice.isLucky(oneIn: 10) ? 3 - side : side, dice.below(stock.hosts))
    let lengths =
      family == .ipv4
      ? ["32", "32", "31", "24", "8", "0", "255.0.0.255"] : ["128", "128", "127", "64", "48", "0", "ffff:ffff::ffff"]
    return "\(address)/\(dice.pick(lengths))"
  }

  private func interface(_ option: String, _ dice: inout Dice) -> String {
    " \(dice.not(oneIn: 3))\(option) \(dice.pick("eth0", "eth1", "eth+", "e+", "eth", "eth0+", "lo", "+"))"
  }

  private func ports(_ option: String, _ dice: inout Dice) -> String {
    let port = dice.pick(stock.ports)
    let range = dice.isLucky(oneIn: 3) ? "\(port):\(min(65535, port + dice.below(1200)))" : "\(port)"
    return " \(dice.not(oneIn: 5))\(option) \(range)"
  }

  private func protocolMatch(_ dice: inout Dice, _ proto: inout String) -> String {
    switch dice.below(8) {
    case 0: return dice.isLucky(oneIn: 5) ? " -p 0" : " \(dice.not(oneIn: 2))-p \(dice.pick("tcp", "udp", icmp, "253"))"
    case 1:
      let message = family == .ipv4 ? dice.pick("8", "0", "3", "3/1", "any") : dice.pick("128", "129", "1", "1/3", "3")
      return
        " -p \(icmp) -m \(icmp == "icmp" ? "icmp" : "icmp6") \(dice.not(oneIn: 3))--\(icmp == "icmp" ? "icmp" : "icmpv6")-type \(message)"
    case 2, 3:
      let sides = dice.below(4)
      return " -p udp -m udp" + (sides & 1 > 0 ? ports("--sport", &dice) : "")
        + (sides & 2 > 0 ? ports("--dport", &dice) : "")
    case 4:
      let list =
        (0..<1 + dice.below(4)).map { _ in "\(dice.pick(stock.ports))" } + (dice.isLucky(oneIn: 2) ? ["1000:2000"] : [])
      proto = dice.pick("tcp", "udp")
      return
        " -p \(proto) -m multiport \(dice.not(oneIn: 4))--\(dice.pick("sports", "dports", "ports")) \(list.joined(separator: ","))"
    default:
      proto = "tcp"
      var text = " -p tcp -m tcp"
      var mss = ""
      if isDeep, dice.isLucky(oneIn: 5) { mss = " -m tcpmss \(dice.not(oneIn: 3))--mss \(dice.pick("1460", "0:1400"))" }
      if dice.isLucky(oneIn: 3) { text += ports("--sport", &dice) }
      if dice.isLucky(oneIn: 2) { text += ports("--dport", &dice) }
      switch dice.below(4) {
      case 0: text += " \(dice.not(oneIn: 3))--syn"
      case 1:
        let mask = dice.pick("SYN,ACK", "ALL", "FIN,SYN,RST,ACK", "RST", "PSH,URG")
        text += " \(dice.not(oneIn: 3))--tcp-flags \(mask) \(dice.pick("SYN", "ACK", "NONE", "RST", "SYN,ACK"))"
      case 2: if dice.isLucky(oneIn: 3) { text += " \(dice.not(oneIn: 3))--tcp-option \(dice.pick("2", "4"))" }
      default: break
      }
      return text + mss
    }
  }

  private var icmp: String { family == .ipv4 ? "icmp" : "ipv6-icmp" }

  private func match(_ dice: inout Dice) -> String {
    if isTracked, dice.below(3) > 0 {
      let states = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"].filter { _ in dice.isLucky(oneIn: 2) }
      let list = states.isEmpty ? "NEW" : states.joined(separator: ",")
      switch dice.below(4) {
      case 0: return " -m state \(dice.not(oneIn: 3))--state \(list)"
      case 1: return " -m conntrack --ctdir \(dice.pick("ORIGINAL", "REPLY"))"
      case 2 where table == .mangle: return " -m connmark \(dice.not(oneIn: 3))--mark 0x0"
      default: return " -m conntrack \(dice.not(oneIn: 3))--ctstate \(list)"
      }
    }
    switch dice.below(9) {
    case 0: return " -m length \(dice.not(oneIn: 3))--length \(dice.pick("40", "40:60", "61:1500", "0:48"))"
    case 1:
      guard family == .ipv4 else { return " -m hl --hl-\(dice.pick("eq", "lt", "gt")) \(dice.pick("64", "63", "10"))" }
      return " -m ttl --ttl-\(dice.pick("eq", "lt", "gt")) \(dice.pick("64", "63", "10"))"
    case 2: return " -m tos \(dice.not(oneIn: 3))--tos \(dice.pick("0x10/0xff", "0x00/0x3f", "0x02/0x03"))"
    case 3: return " -m dscp \(dice.not(oneIn: 3))--dscp \(dice.pick("0x00", "0x04", "0x0a"))"
    case 4:
      let first = address(1, 1)
      let (side, last) = (dice.pick("--src-range", "--dst-range"), address(1, 3))
      return
        " -m iprange \(dice.not(oneIn: 3))\(side) \(side == "--src-range" ? "\(first)-\(last)" : "\(address(2, 0))-\(address(2, 2))")"
    case 5: return " -m mark \(dice.not(oneIn: 3))--mark \(dice.pick(Self.marks + ["0x0"]))/\(dice.pick("0xff", "0x3"))"
    case 6 where hook != .output && hook != .postrouting:
      return " -m pkttype \(dice.not(oneIn: 3))--pkt-type \(dice.pick("unicast", "multicast"))"
    case 7: return " -m comment --comment \"number \(dice.below(100))\""
    default: return ""
    }
  }

  private func deepMatch(_ dice: inout Dice) -> String {
    let not = dice.not(oneIn: 3)
    switch dice.below(family == .ipv4 ? 4 : 8) {
    case 0:
      let tests =
        family == .ipv4
        ? ["6&0xFF=0x6,0x11", "2&0xFFFF=0x20:0x40", "0>>22&0x3C@0>>16=22,80,1024", "4&0x1FFF=0 && 9&0xFF=1:10"]
        : ["4>>8&0xFF=0x6,0x11", "4>>16&0xFFFF=8:32", "4&0xFF=10:63", "40>>16=22,80,1024"]
      return " -m u32 \(not)--u32 \"\(dice.pick(tests))\""
    case 1:
      let hex = dice.pick("0050", "01bb", "0000000000", "020405b4", "04020101")
      return " -m string --algo \(dice.pick("bm", "kmp")) \(not)--hex-string \"|\(hex)|\""
    case 2: return " -m ecn \(not)--ecn-ip-ect \(dice.below(4))"
    case 3 where hook != .output && hook != .postrouting:
      return " -m mac \(not)--mac-source 02:00:00:00:0\(1 + dice.below(2)):02"
    case 4:
      return
        " -m ipv6header \(not)--header \(dice.pick("hop", "dst", "hop,dst", "frag", "hop,dst,prot"))\(dice.pick("", " --soft"))"
    case 5: return " -m frag --frag\(dice.pick("more", "last", "first", "res"))"
    case 6: return " -m hbh"
    case 7: return " -m dst \(dice.pick("", "--dst-len 8", "! --dst-len 16"))"
    default: return ""
    }
  }

  // MARK: Targets

  private func target(_ dice: inout Dice, _ below: [String], _ proto: String) -> String {
    if !below.isEmpty, dice.isLucky(oneIn: 3) { return " \(dice.pick("-j", "-j", "-g")) \(dice.pick(below))" }
    switch dice.below(12) {
    case 0: return " -j ACCEPT"
    case 1: return " -j DROP"
    case 2, 3: return " -j RETURN"
    case 4, 5: return ""
    case 6 where table == .filter && hook != .output:  // a rejection of what the machine sends is a packet more there
      if proto == "tcp", dice.isLucky(oneIn: 2) { return " -j REJECT --reject-with tcp-reset" }
      return " -j REJECT"
    case 7, 8, 9:
      guard table == .mangle else { return " -j LOG --log-prefix \"\(dice.below(100)) \"" }
      return " -j MARK --\(dice.pick("set-mark", "or-mark", "xor-mark", "and-mark")) \(dice.pick(Self.marks))"
    default: return dice.isLucky(oneIn: 3) ? " -j ACCEPT" : ""
    }
  }

}
