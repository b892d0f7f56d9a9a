import Fuzzing

/// A random ruleset of nft(8): tables of several families with sets, maps, chains that jump to later ones, and rules of any
/// statements.
struct RandomNFT {
  private var dice: Dice

  init(seed: UInt64) { dice = Dice(seed: seed) }

  private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &dice) }
  private mutating func pick(_ choices: [String]) -> String { choices.randomElement(using: &dice)! }

  mutating func text() -> String {
    (0..<number(1...4)).map { table($0) }.joined()
  }

  private mutating func table(_ place: Int) -> String {
    let family = pick(["inet", "ip", "inet", "ip"])
    let chains = (0..<number(1...5)).map { "chain\($0)" }
    var lines = ["table \(family) t\(place) {"]
    if number(0...4) == 0 { lines.append("flags dormant") }
    lines.append("counter hits { packets \(number(0...99)) bytes \(number(0...9999)); }")
    lines.append("quota volume { over \(number(1...99)) mbytes used \(number(0...99)) kbytes; }")
    lines.append(set("hosts", "ipv4_addr") { $0.addresses() })
    lines.append(set("ports", "inet_service") { $0.ports() })
    // Nobody looks into this map: what it leads to could make a loop.
    lines.append(
      "map ways { type inet_service : verdict; elements = { "
        + distinct(1...9) { "\($0.number(1...65535))" }.map { "\($0) : \(verdict(chains[1...]))" }.joined(
          separator: ", ")
        + " } }")
    for (index, chain) in chains.enumerated() {
      lines.append("chain \(chain) {")
      if index == 0 {
        lines.append(
          "type filter hook \(pick(["input", "output", "forward"])) priority \(number(-300...300)); policy "
            + "\(pick(["accept", "drop"]));")
      }
      for _ in 0..<number(0...8) { lines.append(rule(chains[(index + 1)...])) }
      lines.append("}")
    }
    return lines.joined(separator: "\n") + "\n}\n"
  }

  private mutating func set(_ name: String, _ type: String, _ elements: (inout Self) -> (String, [String])) -> String {
    let (flags, members) = elements(&self)
    let comment = number(0...2) == 0 ? "comment \"of \(name)\"; " : ""
    let list = members.isEmpty ? "" : "elements = { \(members.joined(separator: ", ")) } "
    return "set \(name) { type \(type); \(flags)\(comment)\(list)}"
  }

  /// Different words, as many as were found.
  private mutating func distinct(_ count: ClosedRange<Int>, _ one: (inout Self) -> String) -> [String] {
    var found: [String] = []
    for _ in 0..<number(count) {
      let next = one(&self)
      if !found.contains(next) { found.append(next) }
    }
    return found
  }

  private mutating func addresses() -> (String, [String]) {
    if number(0...1) == 0 { return ("", distinct(0...20) { $0.address() }) }
    return (
      "flags interval; ", distinct(0...20) { "10.\($0.number(0...255)).0.0/\($0.number(16...24))" }.firstOfEachNetwork()
    )
  }

  private mutating func ports() -> (String, [String]) {
    if number(0...1) == 0 { return ("", distinct(0...20) { "\($0.number(0...65535))" }) }
    return (
      "flags interval; ", distinct(0...20) { "\($0.number(0...1000))" }.map { "\($0)0-\($0)8" }.filter { $0.count < 11 }
    )
  }

  private mutating func address() -> String { "192.0.2.\(number(0...255))" }

  private mutating func verdict(_ chains: ArraySlice<String>) -> String {
    guard let chain = chains.randomElement(using: &dice), number(0...2) == 0 else {
      return pick(["accept", "drop", "return"])
    }
    return pick(["jump", "goto"]) + " " + chain
  }

  private mutating func rule(_ later: ArraySlice<String>) -> String {
    var words = distinct(0...3) { $0.match() }
    words += distinct(0...2) { $0.statement() }
    words.append(verdict(later))
    if number(0...3) == 0 { words.append("comment \"\(String(repeating: "c", count: number(1...99)))\"") }
    return words.joined(separator: " ")
  }

  private mutating func match() -> String {
    switch number(0...9) {
    case 0: "ip saddr @hosts"
    case 1: "ip daddr != \(address())"
    case 2: "ip saddr { \(distinct(1...6) { $0.address() }.joined(separator: ", ")) }"
    case 3: "meta mark & \(number(1...255)) != \(number(0...255))"
    case 4: "ct state \(pick(["new", "established,related", "invalid"]))"
    case 5: "iifname \"\(pick(["lo", "eth*", "v0"]))\""
    case 6: "ip protocol \(pick(["tcp", "udp", "icmp"]))"
    case 7: "meta length \(number(20...500))-\(number(501...1500))"
    case 8: "meta skuid \(number(0...70000))"
    default: "ip saddr . meta mark { \(distinct(1...4) { $0.address() }.map { "\($0) . 5" }.joined(separator: ", ")) }"
    }
  }

  private mutating func statement() -> String {
    switch number(0...7) {
    case 0: "counter packets \(number(0...999)) bytes \(number(0...99999))"
    case 1: "limit rate \(number(1...99))/\(pick(["second", "minute", "hour"])) burst \(number(1...20)) packets"
    case 2: "log prefix \"\(pick(["a", "bb: ", "c c"]))\""
    case 3: "counter name \"hits\""
    case 4: "quota name \"volume\""
    case 5: "meta mark set \(number(0...9999))"
    case 6: "ct mark set meta mark"
    default: "limit rate over \(number(1...500)) kbytes/second"
    }
  }
}

extension [String] {
  /// Prefixes of which no two overlap.
  fileprivate func firstOfEachNetwork() -> [String] {
    var seen: Set<Substring> = []
    return filter { seen.insert($0.split(separator: "/")[0]).inserted }
  }
}
