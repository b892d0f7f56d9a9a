import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// What no type understands goes back to the kernel as it came.
@Suite(.requires(.legacyTables, .tool("iptables-legacy")))
struct OpaqueContract {
  static let rows = [
    "-A PREROUTING -m ttl --ttl-eq 64 -j ACCEPT", "-A PREROUTING -j TTL --ttl-set 63",
    "-A PREROUTING -j TTL --ttl-dec 2",
    "-A PREROUTING -m length --length 40:1500 -j MARK --set-mark 7",
    "-A PREROUTING -m statistic --mode nth --every 3 -j DROP",
    "-A PREROUTING -m string --string attack --algo bm -j DROP",
    "-A PREROUTING -m hashlimit --hashlimit-upto 5/sec --hashlimit-name fbt -j ACCEPT",
    "-A PREROUTING -m tos --tos 0x10/0x3f -j RETURN", "-A PREROUTING -m dscp --dscp 10 -j DSCP --set-dscp 12",
    "-A PREROUTING -j CLASSIFY --set-class 1:2", "-A PREROUTING -p tcp -j TCPOPTSTRIP --strip-options 4,5",
    "-A PREROUTING -m ecn --ecn-ip-ect 1", "-A PREROUTING -m u32 --u32 0x0=0x45000000",
    "-A PREROUTING -m quota --quota 5000 -j ACCEPT",
    "-A PREROUTING -m time --timestart 08:00 --timestop 09:00 -j ACCEPT",
    "-A PREROUTING -m connlimit --connlimit-above 3 -j DROP", "-A PREROUTING -m bpf --bytecode 1,6 0 0 1 -j ACCEPT",
  ]

  /// A rule of iptables's making stays byte for byte while its neighbours come and go, at both its sides.
  @Test(arguments: rows)
  func unknownBytesSurvive(_ row: String) throws {
    let site = try ContractSite(.legacy)
    let words =
      row.contains("--bytecode")
      ? ["-A", "PREROUTING", "-m", "bpf", "--bytecode", "1,6 0 0 1", "-j", "ACCEPT"]
      : row.split(separator: " ").map(String.init)
    let made = try site.namespace.run(["iptables-legacy", "-t", "mangle"] + words)
    guard made.status == 0 else {
      print("left out, this kernel or iptables does not take it: \(row)")
      return
    }
    let saved = try line(site)
    let before = try site.snapshot()
    #expect(saved != nil)
    let bytes = before.ruleset[.mangle, .ipv4]![.prerouting]!.rules.bytes
    #expect(Self.isKept(before.ruleset[.mangle, .ipv4]!), "decoding and encoding gives the same bytes")
    for neighbours in [(1, 0), (0, 1), (1, 1), (2, 0)] {
      let old = try site.snapshot()
      try site.commit(Ruleset([Self.surround(before.ruleset[.mangle, .ipv4]!, neighbours)]), counters: .zero)
      #expect(try site.snapshot().ruleset.sameRules(as: old.ruleset) == false)
      #expect(try site.snapshot().ruleset[.mangle, .ipv4]![.prerouting]!.rules.contains(bytes: bytes))
      #expect(try line(site) == saved)
    }
  }

  /// The same through a table written anew: taken out, then put back from the snapshot.
  @Test(arguments: rows.prefix(4))
  func aSnapshotBringsItBack(_ row: String) throws {
    let site = try ContractSite(.legacy)
    try site.namespace.require(["iptables-legacy", "-t", "mangle"] + row.split(separator: " ").map(String.init))
    let before = try site.snapshot()
    let saved = try site.savedByIptables()
    try site.commit(rules("*mangle\nCOMMIT\n"))
    try site.commit(before.ruleset)
    #expect(try site.savedByIptables() == saved)
  }

  private func line(_ site: ContractSite) throws -> String? {
    let text = try site.namespace.require(["iptables-legacy-save", "-t", "mangle"]).stdout
    return text.split(separator: "\n").map(String.init).first {
      $0.hasPrefix("-A PREROUTING") && !$0.contains("neighbour") && !$0.contains("192.0.2.")
    }
  }

  /// Without any extension known, a rule read and written is the same.
  private static func isKept(_ table: Table) -> Bool {
    let list = table[.prerouting]!.rules
    let bare = Registry(matches: [], targets: [])
    return RuleList(list.indices.map { list.rule(at: $0, registry: bare) }, family: table.family).sameRules(as: list)
  }

  private static func surround(_ table: Table, _ counts: (Int, Int)) -> Table {
    var table = table
    let index = table.index(of: .prerouting)!
    let kept = table.chains[index].rules
    func neighbours(_ count: Int, _ third: Int) -> [Rule] {
      (0..<count).map { Rule(source: .init(AddressMask("192.0.2.\(third + $0)/32")!), target: .accept) }
    }
    var list = RuleList(neighbours(counts.0, 10), family: table.family)
    for place in kept.indices { list.copy(place, from: kept) }
    for rule in neighbours(counts.1, 20) { list.append(rule) }
    table.setRules(of: index, list)
    return table
  }
}

extension RuleList {
  fileprivate func contains(bytes wanted: [UInt8]) -> Bool {
    indices.contains { Array(bytes[range(of: $0)]).withoutCounters(family) == wanted.withoutCounters(family) }
  }
}

extension [UInt8] {
  fileprivate func withoutCounters(_ family: Family) -> [UInt8] {
    var copy = self
    let offset = family == .ipv4 ? 96 : 152
    for place in offset..<offset + 16 { copy[place] = 0 }
    return copy
  }
}
