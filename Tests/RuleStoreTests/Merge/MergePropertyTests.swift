import Netfilter
@testable import RuleStore
import Testing

/// Thousands of random histories of a chain and of a table. Small letters are ours, large ones other people's.
@Suite struct MergePropertyTests {
  static let seeds = Array(0..<40 as Range<UInt64>)

  /// A history: what was committed, what others made of it, what is wanted next.
  struct History {
    var base: [Character]
    var live: [Character]
    var wanted: [Character]

    init(_ random: inout SeededNumbers, ours: [Character], others: [Character]) {
      base = (0..<random.below(9)).map { _ in random.pick(ours) }
      live = base
      wanted = base
      for _ in 0..<random.below(3) where !live.isEmpty { live.remove(at: random.below(live.count)) }
      if random.below(5) == 0, live.count > 1 { live.append(live.removeFirst()) }
      for _ in 0..<random.below(6) { live.insert(random.pick(others), at: random.below(live.count + 1)) }
      for _ in 0..<random.below(4) where !wanted.isEmpty { wanted.remove(at: random.below(wanted.count)) }
      for _ in 0..<random.below(4) { wanted.insert(random.pick(ours), at: random.below(wanted.count + 1)) }
      if random.below(4) == 0 { wanted.shuffle(using: &random) }
    }

    func merged() -> ChainMerge { Self.merge(base, live, wanted) }

    static func merge(_ base: [Character], _ live: [Character], _ wanted: [Character]) -> ChainMerge {
      let counted = RuleList(
        live.enumerated().map { Letters.rule($1, counted: UInt64($0 + 1)) }, family: .ipv4)
      return ChainMerge(base: Letters.list(String(base)), live: counted, wanted: Letters.list(String(wanted)))
    }

    var text: Testing.Comment { "base \(String(base)), live \(String(live)), wanted \(String(wanted))" }
  }

  @Test(arguments: seeds)
  func nothingForeignIsLostAndNothingOfOursDoubled(_ seed: UInt64) {
    var random = SeededNumbers(seed)
    for _ in 0..<100 {
      let history = History(&random, ours: Array("abcdef"), others: Array("FGH"))
      let result = history.merged().result.letters
      #expect(result.filter(\.isUppercase) == String(history.live.filter(\.isUppercase)), history.text)
      #expect(result.filter(\.isLowercase) == String(history.wanted), history.text)
      if history.live.filter(\.isLowercase) == history.base, history.wanted == history.base {
        #expect(result == String(history.live), history.text)
      }
    }
  }

  /// First and last rules of others stay so.
  @Test(arguments: seeds)
  func endsStayEnds(_ seed: UInt64) {
    var random = SeededNumbers(seed)
    for _ in 0..<100 {
      let history = History(&random, ours: Array("abcdefghij"), others: Array("FGH"))
      guard history.live.filter(\.isLowercase) == history.base, !history.base.isEmpty else { continue }
      let result = Array(history.merged().result.letters)
      let first = history.live.prefix { $0.isUppercase }
      let last = history.live.reversed().prefix { $0.isUppercase }
      #expect(result.starts(with: first), history.text)
      #expect(result.reversed().starts(with: last), history.text)
    }
  }

  /// The same letters are ours and others'.
  @Test(arguments: seeds)
  func mergingAgainChangesNothing(_ seed: UInt64) {
    var random = SeededNumbers(seed)
    for _ in 0..<100 {
      let history = History(&random, ours: Array("abc"), others: Array("abcF"))
      let merged = history.merged()
      let wanted = Letters.list(String(history.wanted))
      let again = ChainMerge(base: merged.own, live: merged.result, wanted: wanted)
      #expect(again.result == merged.result, history.text)
      #expect(again.own.sameRules(as: merged.own))
      #expect(merged.own.sameRules(as: wanted))
      #expect(merged.result.count == history.wanted.count + merged.foreign.count, history.text)
    }
  }

  /// Large letters are rules of a well-known program, which the input may name as well.
  @Test(arguments: seeds)
  func recognisedRulesStayTheirs(_ seed: UInt64) {
    var random = SeededNumbers(seed)
    for _ in 0..<100 {
      var history = History(&random, ours: Array("abc"), others: Array("FGH"))
      let theirs = history.live.filter(\.isUppercase)
      for letter in theirs where random.below(2) == 0 {
        history.wanted.insert(letter, at: random.below(history.wanted.count + 1))
      }
      func merge(_ base: RuleList, _ live: RuleList, _ wanted: [Character]) -> ChainMerge {
        ChainMerge(base: base, live: live, wanted: Letters.list(String(wanted))) { $0.letter.isUppercase }
      }
      let first = merge(Letters.list(String(history.base)), Letters.list(String(history.live)), history.wanted)
      #expect(first.own.letters == String(history.wanted.filter(\.isLowercase)), history.text)
      #expect(first.result.letters.filter(\.isUppercase).sorted() == theirs.sorted(), history.text)
      #expect(first.result.letters.filter(\.isLowercase) == String(history.wanted.filter(\.isLowercase)), history.text)
      let again = merge(first.own, first.result, history.wanted)
      #expect(again.result.letters == first.result.letters, history.text)
      let without = merge(first.own, first.result, history.wanted.filter(\.isLowercase))
      #expect(without.result.letters == first.result.letters, history.text)
    }
  }

  /// A commit is taken back: nothing to do where the kernel holds already what was before; what came meanwhile stays.
  @Test(arguments: seeds)
  func takingBack(_ seed: UInt64) {
    var random = SeededNumbers(seed)
    for _ in 0..<100 {
      let history = History(&random, ours: Array("abcde"), others: Array("FGH"))
      let committed = Array(history.merged().result.letters)
      let back = History.merge(committed, history.live, history.live)
      #expect(back.result.letters == String(history.live), history.text)
      #expect(back.result.map(\.counters.packets) == history.live.indices.map { UInt64($0 + 1) }, history.text)
      #expect(back.foreign == [], history.text)
      var now = committed
      for _ in 0..<1 + random.below(3) { now.insert(random.pick(Array("XYZ")), at: random.below(now.count + 1)) }
      let kept = History.merge(committed, now, history.live).result.letters
      #expect(kept.filter { "XYZ".contains($0) } == String(now.filter { "XYZ".contains($0) }), history.text)
      #expect(kept.filter { !"XYZ".contains($0) } == String(history.live), history.text)
    }
  }

  // MARK: Tables

  @Test(arguments: seeds)
  func wholeTables(_ seed: UInt64) {
    var random = SeededNumbers(seed)
    for _ in 0..<15 {
      let base = randomTable(&random, chains: ["one", "two", "three"], letters: Array("abcd"))
      var live = base
      for name in ["F1", "F2", "DOCKER", "f2b-sshd"] where random.below(2) == 0 {
        try? live.addChain(ChainName(unchecked: name))
      }
      for index in live.chains.indices {
        var letters = Array(live.chains[index].rules)
        for _ in 0..<random.below(3) {
          letters.insert(Letters.rule(random.pick(Array("FGH"))), at: random.below(letters.count + 1))
        }
        live.setRules(of: index, RuleList(letters, family: .ipv4))
      }
      for chain in live.chains where chain.hook == nil && base[chain.name] == nil && random.below(3) > 0 {
        try? live.append(Rule(target: .jump(chain.name)), to: random.pick([.input, .forward]))
      }
      let wanted = randomTable(&random, chains: ["one", "two", "four"], letters: Array("abcd"))
      check(base, live, wanted)
      check(nil, live, wanted)
    }
  }

  private func check(_ base: Table?, _ live: Table, _ wanted: Table) {
    let merged = TableMerge(base: base, live: live, wanted: wanted)
    #expect(merged.result.problems().isEmpty)
    #expect(merged.own.problems().isEmpty)
    let again = TableMerge(base: merged.own, live: merged.result, wanted: wanted)
    #expect(again.result == merged.result)
    #expect(again.own == merged.own)
    #expect(TableMerge(base: base, live: live, wanted: wanted, keeping: .nothing).result == wanted)
    for chain in wanted.chains {
      let after = merged.result[chain.name]!.rules
      #expect(after.filter { $0.isSmall } == chain.rules.filter { $0.isSmall })
    }
    for chain in live.chains where base != nil {
      let foreign = chain.rules.filter { !$0.isSmall }
      let kept = merged.result[chain.name]?.rules.filter { !$0.isSmall }
      #expect(kept ?? RuleList(family: .ipv4) == foreign)
    }
    for name in [ChainName("DOCKER"), ChainName("f2b-sshd")] where live.contains(name) {
      #expect(merged.result[name]?.rules == live[name]?.rules)
      let jumps = { (table: Table) in table.chains.map { $0.rules.count { $0.target.chain == name } }.reduce(0, +) }
      #expect(jumps(merged.result) == jumps(live))
    }
  }

  private func randomTable(_ random: inout SeededNumbers, chains: [String], letters: [Character]) -> Table {
    var table = Table(.filter, family: .ipv4)
    for name in chains where random.below(3) > 0 { try? table.addChain(ChainName(unchecked: name)) }
    for index in table.chains.indices {
      let text = String((0..<random.below(5)).map { _ in random.pick(letters) })
      table.setRules(of: index, Letters.list(text))
    }
    return table
  }
}

extension Rule {
  /// One of ours in these tests.
  fileprivate var isSmall: Bool {
    source != nil && letter.isLowercase
  }
}

/// Numbers that are the same for the same seed (SplitMix64).
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x2545_f491_4f6c_dd1d &+ 1 }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    return bits ^ (bits >> 31)
  }

  mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
  mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
}
