import Glibc
import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// Rules that stay keep what they have counted, in every backend.
@Suite struct CounterContract {
  /// A change of one chain, each letter a rule.
  struct Change: CustomTestStringConvertible, Sendable {
    let before: String
    let after: String
    var testDescription: String { "\(before) to \(after)" }
  }

  static let changes = [
    ("abc", "xabc"), ("abc", "abcx"), ("abc", "axbc"), ("abc", "axbycz"), ("abc", "bc"), ("abc", "ab"), ("abc", "ac"),
    ("abc", "cab"), ("abc", "cba"), ("abcdef", "afcdeb"), ("abc", "xcya"), ("abc", ""), ("", "abc"), ("aab", "aaab"),
    ("aab", "ab"), ("aba", "aab"), ("abcdefgh", "abxgh"), ("abc", "xyz"),
  ].map { Change(before: $0.0, after: $0.1) }

  @Test(arguments: ContractKind.available, changes)
  func countersStay(_ kind: ContractKind, _ change: Change) throws {
    for family in Family.allCases {
      let site = try ContractSite(kind)
      try site.commit(Self.ruleset(change.before, family, counted: true))
      try site.commit(Self.ruleset(change.after, family, counted: false), counters: .zero)
      let after = try site.snapshot().ruleset[.filter, family]!
      let found = after[.input]!.rules.map { "\($0.counters.packets)" }
      #expect(found == Self.expected(change), "\(family)")
      #expect(after[.input]!.policyCounters == Counters(packets: 77, bytes: 7700), "the policy's too")
    }
  }

  /// A rule that goes from one chain to another is another rule.
  @Test(arguments: ContractKind.available)
  func anotherChainIsAnotherRule(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(rules("*filter\n[5:500] -A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n"))
    try site.commit(rules("*filter\n-A FORWARD -s 192.0.2.1/32 -j DROP\nCOMMIT\n"), counters: .zero)
    #expect(try site.snapshot().ruleset[.filter, .ipv4]![.forward]!.rules[0].counters == .zero)
  }

  @Test(arguments: ContractKind.available)
  func aNewPolicyCountsFromZero(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(
      rules("*filter\n:INPUT ACCEPT [9:900]\n:FORWARD ACCEPT [8:800]\n[1:2] -A INPUT -j ACCEPT\nCOMMIT\n"))
    try site.commit(rules("*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n"), counters: .zero)
    let table = try site.snapshot().ruleset[.filter, .ipv4]!
    #expect(table[.input]!.policy == .drop)
    #expect(table[.input]!.policyCounters == .zero)
    #expect(table[.forward]!.policyCounters == Counters(packets: 8, bytes: 800))
    #expect(table[.input]!.rules[0].counters == Counters(packets: 1, bytes: 2))
  }

  /// Packets of a real kernel.
  @Test(.requires(.legacyTables))
  func realPacketsStayCounted() throws {
    let site = try ContractSite(.legacy)
    let rule = "-A INPUT -d 127.0.0.1/32 -p udp -m udp --dport 9 -j ACCEPT"
    try site.commit(rules("*filter\n\(rule)\n-A INPUT -j DROP\nCOMMIT\n"))
    try site.inside { sendDatagrams(5, toLoopbackPort: 9) }
    let counted = try site.snapshot().ruleset[.filter, .ipv4]![.input]!.rules[0].counters
    #expect(counted.packets == 5)
    try site.commit(rules("*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\n\(rule)\nCOMMIT\n"), counters: .zero)
    #expect(try site.snapshot().ruleset[.filter, .ipv4]![.input]!.rules[1].counters == counted)
    try site.inside { sendDatagrams(2, toLoopbackPort: 9) }
    #expect(try site.snapshot().ruleset[.filter, .ipv4]![.input]!.rules[1].counters.packets == 7)
  }

  private func sendDatagrams(_ count: Int, toLoopbackPort port: UInt16) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    for _ in 0..<count {  // a socket each: one would be told of the first one's refusal
      let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      _ = withUnsafePointer(to: address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(descriptor, "x", 1, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      close(descriptor)
    }
  }

  /// `a` is 1 packet, `b` is 2 …; a letter that stands several times counts on.
  private static func ruleset(_ letters: String, _ family: Family, counted: Bool) -> Ruleset {
    var table = Table(.filter, family: family)
    if let index = table.index(of: .input), counted {
      table.setPolicyUnchecked(.accept, at: index, counters: Counters(packets: 77, bytes: 7700))
    }
    var seen: [Character: UInt64] = [:]
    for letter in letters {
      let port = UInt16(letter.asciiValue!)
      let count = counted ? Self.count(letter, &seen) : 0
      try? table.append(
        Rule(
          proto: .init(.udp), matches: [UDP(destinationPorts: .init(Bounds(port)))], target: .accept,
          counters: Counters(packets: count, bytes: count * 100)), to: .input)
    }
    return Ruleset([table])
  }

  private static func count(_ letter: Character, _ seen: inout [Character: UInt64]) -> UInt64 {
    defer { seen[letter, default: 0] += 100 }
    return UInt64(letter.asciiValue! - 96) + seen[letter, default: 0]
  }

  /// Of equal rules at the ends of a chain those keep their counters that stand there; in between they pair up in order.
  private static func expected(_ change: Change) -> [String] {
    let old = Array(change.before)
    let new = Array(change.after)
    var seen: [Character: UInt64] = [:]
    let counts = old.map { count($0, &seen) }
    var result = [UInt64](repeating: 0, count: new.count)
    let shorter = min(old.count, new.count)
    let prefix = (0..<shorter).prefix { old[$0] == new[$0] }.count
    let suffix = (0..<shorter - prefix).prefix { old[old.count - 1 - $0] == new[new.count - 1 - $0] }.count
    for place in 0..<prefix { result[place] = counts[place] }
    for back in 0..<suffix { result[new.count - 1 - back] = counts[old.count - 1 - back] }
    var middle = Array(prefix..<old.count - suffix)
    for place in prefix..<new.count - suffix {
      guard let found = middle.firstIndex(where: { old[$0] == new[place] }) else { continue }
      result[place] = counts[middle.remove(at: found)]
    }
    return result.map { "\($0)" }
  }
}
