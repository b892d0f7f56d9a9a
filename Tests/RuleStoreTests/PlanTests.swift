import Netfilter
@testable import RuleStore
import Testing

/// Plans and counters, without any kernel.
@Suite struct PlanTests {
  private func snapshot(_ ruleset: Ruleset) -> Snapshot {
    Snapshot(ruleset: ruleset, existing: ruleset.tables.map(\.id), stamp: .init(0))
  }

  @Test func nothingToDoIsAnEmptyPlan() {
    let all = twoTablesTwoFamilies()
    let plan = Plan(from: snapshot(all), to: all)
    #expect(plan.isEmpty)
    #expect(plan.tables == [])
    #expect(plan.changes == (0, 0))
  }

  /// As iptables-restore, which makes every table that it is told of.
  @Test func aNamedTableIsMadeThoughItHoldsNothing() {
    let plan = Plan(from: snapshot(Ruleset()), to: Ruleset([Table(.nat, family: .ipv4)]))
    #expect(!plan.isEmpty)
    #expect(plan.steps.isEmpty)
    #expect(plan.creations == [TableID(.nat, .ipv4)])
  }

  @Test func aNewTableGetsTheCountersOfItsPolicies() throws {
    var table = Table(.nat, family: .ipv4)
    try table.setPolicy(.accept, of: "PREROUTING", counters: Counters(packets: 5, bytes: 600))
    let plan = Plan(from: snapshot(Ruleset()), to: Ruleset([table]), counters: .wanted)
    #expect(plan.steps.first?.after["PREROUTING"]?.policyCounters.packets == 5)
    #expect(Plan(from: snapshot(Ruleset()), to: Ruleset([table])).steps.isEmpty)
  }

  @Test func stepsGoByFamilyAndThenAsPacketsGo() {
    let v4 = rules(
      "*filter\n-A INPUT -j DROP\nCOMMIT\n*raw\n-A OUTPUT -j DROP\nCOMMIT\n*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n")
    let v6 = rules("*mangle\n-A INPUT -j DROP\nCOMMIT\n*raw\n-A OUTPUT -j DROP\nCOMMIT\n", .ipv6)
    let plan = Plan(from: snapshot(Ruleset()), to: v6.replacing(with: v4))
    #expect(plan.tables.map(\.description) == ["IPv4 raw", "IPv4 nat", "IPv4 filter", "IPv6 raw", "IPv6 mangle"])
    #expect(plan.creations.map(\.description) == ["IPv6 mangle", "IPv6 raw", "IPv4 filter", "IPv4 raw", "IPv4 nat"])
  }

  @Test func emptyingLeavesWhatIsNotThere() {
    let all = twoTablesTwoFamilies()
    let ids: Set = [TableID(.filter, .ipv4), TableID(.nat, .ipv4)]
    let plan = Plan(from: snapshot(all), to: Ruleset(), emptying: ids)
    #expect(plan.tables == [TableID(.filter, .ipv4)])
    #expect(plan.steps[0].after.isPristine)
    #expect(plan.changes == (0, 3))
  }

  @Test func wantedComesBeforeEmptying() {
    let wanted = rules("*filter\n-A INPUT -j DROP\nCOMMIT\n")
    let plan = Plan(from: snapshot(twoTablesTwoFamilies()), to: wanted, emptying: [TableID(.filter, .ipv4)])
    #expect(plan.steps[0].after.ruleCount == 1)
  }

  @Test func theWayBackOfANewTableIsAnUntouchedOne() {
    let plan = Plan(from: snapshot(Ruleset()), to: rules("*filter\n:INPUT DROP\n-A INPUT -j DROP\nCOMMIT\n"))
    #expect(plan.steps[0].before == nil)
    #expect(plan.steps[0].reversed.after == Table(.filter, family: .ipv4))
    #expect(plan.steps[0].reversed.before == plan.steps[0].after)
  }

  /// Rows of: before, after, rules that come, rules that go.
  @Test(arguments: [
    ("abc", "abc", 0, 0), ("abc", "axbc", 1, 0), ("abc", "cba", 0, 0), ("abc", "", 0, 3), ("aab", "ab", 0, 1),
    ("", "aa", 2, 0),
  ])
  func changesAreCounted(_ before: String, _ after: String, _ added: Int, _ removed: Int) {
    let plan = Plan(from: snapshot(Letters.ruleset(before)), to: Letters.ruleset(after))
    #expect(plan.changes == (added, removed))
    if before == after { #expect(plan.isEmpty) }
  }

  @Test(arguments: [
    ("", "", 0, 0), ("a", "a", 1, 0), ("abc", "abc", 3, 0), ("abc", "axc", 1, 1), ("aa", "aaa", 2, 0),
    ("ab", "b", 0, 1), ("xab", "yab", 0, 2), ("abab", "ab", 2, 0),
  ])
  func equalEndsDoNotOverlap(_ old: String, _ new: String, _ prefix: Int, _ suffix: Int) {
    let ends = EqualEnds(Letters.list(old), Letters.list(new))
    #expect(ends.prefix == prefix)
    #expect(ends.suffix == suffix)
  }

  @Test func newRulesCountFromZeroOrFromTheInput() {
    let old = Letters.ruleset("ab", counted: 5).tables[0]
    let new = Letters.ruleset("axb", counted: 9).tables[0]
    let zero = CounterCarrier.carry(from: old, to: new, fresh: .zero)
    let wanted = CounterCarrier.carry(from: old, to: new, fresh: .wanted)
    #expect(zero[.input]!.rules.map(\.counters.packets) == [5, 0, 5])
    #expect(wanted[.input]!.rules.map(\.counters.packets) == [5, 9, 5])
  }

  @Test func aNewChainCountsFromZero() {
    let old = rules("*filter\n:a - [0:0]\n[3:300] -A a -j DROP\nCOMMIT\n").tables[0]
    let new = rules("*filter\n:b - [0:0]\n[4:400] -A b -j DROP\nCOMMIT\n").tables[0]
    #expect(CounterCarrier.carry(from: old, to: new, fresh: .zero)["b"]!.rules[0].counters == .zero)
    #expect(CounterCarrier.carry(from: old, to: new, fresh: .wanted)["b"]!.rules[0].counters.packets == 4)
  }

  /// Source lines of the wanted rules outlive the planning: the kernel's refusal is told by line.
  @Test func linesStay() {
    let wanted = rules("*filter\n-A INPUT -s 192.0.2.1 -j DROP\n\n-A INPUT -j ACCEPT\nCOMMIT\n")
    let plan = Plan(from: snapshot(Letters.ruleset("a")), to: wanted)
    #expect(plan.steps[0].after[.input]!.rules.position(of: 1)?.line == 4)
  }
}

/// Rulesets of one chain, a letter a rule.
enum Letters {
  static func list(_ letters: String, counted count: UInt64 = 0) -> RuleList {
    RuleList(
      letters.map { letter in
        Rule(
          source: .init(AddressMask(IPAddress(ipv4: 0xc000_0200 + UInt32(letter.asciiValue!)))), target: .drop,
          counters: Counters(packets: count, bytes: count * 100))
      }, family: .ipv4)
  }

  static func ruleset(_ letters: String, counted count: UInt64 = 0) -> Ruleset {
    var table = Table(.filter, family: .ipv4)
    table.setRules(of: table.index(of: .input)!, list(letters, counted: count))
    return Ruleset([table])
  }
}
