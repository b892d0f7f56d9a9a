import Netfilter
@testable import RuleStore
import Testing

/// One chain, a letter a rule: what was committed, what the kernel holds, what is wanted, what comes out.
@Suite struct ChainMergeTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let base: String
    let live: String
    let wanted: String
    let result: String
    let foreign: String

    init(_ base: String, _ live: String, _ wanted: String, _ result: String, foreign: String) {
      (self.base, self.live, self.wanted, self.result, self.foreign) = (base, live, wanted, result, foreign)
    }

    var testDescription: String { "\(base) \(live) \(wanted)" }
  }

  static let rows = [
    // Nothing foreign.
    Row("", "", "", "", foreign: ""), Row("", "", "ab", "ab", foreign: ""), Row("ab", "ab", "ab", "ab", foreign: ""),
    Row("ab", "ab", "ba", "ba", foreign: ""), Row("ab", "ab", "", "", foreign: ""),
    Row("abc", "abc", "axc", "axc", foreign: ""),
    // Somebody took ours away, or moved it.
    Row("abc", "ac", "abc", "abc", foreign: ""), Row("abc", "", "abc", "abc", foreign: ""),
    Row("abc", "bca", "abc", "abc", foreign: ""), Row("abc", "ac", "ac", "ac", foreign: ""),
    // First, last, between.
    Row("ab", "Fab", "ab", "Fab", foreign: "F"), Row("ab", "abF", "ab", "abF", foreign: "F"),
    Row("ab", "aFb", "ab", "aFb", foreign: "F"), Row("ab", "FaGbH", "ab", "FaGbH", foreign: "FGH"),
    Row("ab", "Fab", "xab", "Fxab", foreign: "F"), Row("ab", "abF", "abx", "abxF", foreign: "F"),
    Row("ab", "aFb", "axb", "aFxb", foreign: "F"), Row("ab", "aFGb", "xayb", "xaFGyb", foreign: "FG"),
    // The rule before it goes.
    Row("abc", "abFc", "ac", "aFc", foreign: "F"), Row("abc", "aFbc", "bc", "Fbc", foreign: "F"),
    Row("abc", "abFc", "xc", "Fxc", foreign: "F"), Row("ab", "FaGbH", "", "FGH", foreign: "FGH"),
    Row("ab", "FaGbH", "x", "FGxH", foreign: "FGH"), Row("abc", "bFc", "ac", "aFc", foreign: "F"),
    // Nothing was ours.
    Row("", "FG", "ab", "FGab", foreign: "FG"), Row("ab", "FG", "ab", "FGab", foreign: "FG"),
    // Wanted now, and there already.
    Row("", "x", "x", "x", foreign: ""), Row("a", "aX", "aX", "aX", foreign: ""),
    Row("a", "aXX", "aX", "aXX", foreign: "X"), Row("a", "Xa", "aX", "aX", foreign: ""),
    Row("ab", "aXFb", "ayXb", "ayXFb", foreign: "F"), Row("", "XF", "aX", "aXF", foreign: "F"),
    // A foreign rule like one of ours.
    Row("a", "aa", "a", "aa", foreign: "a"), Row("a", "aa", "", "a", foreign: "a"),
    // Ours that somebody put elsewhere goes back and is not doubled.
    Row("abc", "cFab", "abc", "Fabc", foreign: "F"), Row("abc", "cFab", "ab", "Fab", foreign: "F"),
    Row("abc", "bcaa", "bc", "bca", foreign: "a"),
  ]

  @Test(arguments: rows)
  func merges(_ row: Row) {
    let live = Letters.list(row.live, counted: 7)
    let merged = ChainMerge(base: Letters.list(row.base), live: live, wanted: Letters.list(row.wanted))
    #expect(merged.result.letters == row.result)
    #expect(RuleList(merged.foreign.map { live[$0] }, family: .ipv4).letters == row.foreign)
    let again = ChainMerge(base: merged.own, live: merged.result, wanted: Letters.list(row.wanted))
    #expect(again.result == merged.result)
    #expect(merged.own.letters == row.wanted)
  }

  @Test func countersGoOnWhereTheKernelHasThem() {
    let live = RuleList(
      zip("FabX", [1, 2, 3, 4] as [UInt64]).map { Letters.rule($0, counted: $1) }, family: .ipv4)
    let merged = ChainMerge(
      base: Letters.list("ab", counted: 50), live: live, wanted: Letters.list("bXaz", counted: 60))
    #expect(merged.result.letters == "FbXaz")
    #expect(merged.result.map(\.counters.packets) == [1, 3, 4, 2, 60])
    #expect(merged.own.map(\.counters.packets) == [3, 4, 2, 60])
  }

  /// What closes a chain stays behind what is added to it: Docker's `-A DOCKER-USER -j RETURN`.
  @Test func aBareReturnStaysLast() {
    let closed = RuleList([Letters.rule("F"), Rule(target: .return)], family: .ipv4)
    let nothing = RuleList(family: .ipv4)
    let merged = ChainMerge(base: nothing, live: closed, wanted: Letters.list("ab"))
    #expect(merged.result.dropLast().map { $0 } == Letters.list("Fab").map { $0 })
    #expect(merged.result.last?.target == .return)
  }

  /// What a well-known program wrote is its own, also when the input says it too.
  @Test func recognisedRulesAreNeverOurs() {
    func merge(_ base: RuleList, _ live: RuleList, _ wanted: String) -> ChainMerge {
      ChainMerge(base: base, live: live, wanted: Letters.list(wanted)) { $0.letter.isUppercase }
    }
    let first = merge(Letters.list("a"), Letters.list("DaE"), "aDbE")
    #expect(first.result.letters == "aDbE")
    #expect(first.own.letters == "ab")
    #expect(first.foreign == [])
    #expect(merge(first.own, first.result, "aDbE").result == first.result)
    #expect(merge(first.own, first.result, "ab").result.letters == "aDbE")
    // One that was not there is ours.
    #expect(merge(Letters.list("a"), Letters.list("a"), "aD").own.letters == "aD")
  }

  @Test func linesStay() {
    let wanted = rules("*filter\n-A INPUT -s 192.0.2.1 -j DROP\n\n-A INPUT -j ACCEPT\nCOMMIT\n").tables[0][.input]!
      .rules
    let live = rules("*filter\n-A INPUT -j LOG\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n").tables[0][.input]!.rules
    let merged = ChainMerge(base: RuleList(family: .ipv4), live: live, wanted: wanted)
    #expect(merged.result.indices.map { merged.result.position(of: $0)?.line } == [nil, 2, 4])
  }

  /// What the kernel gives back in other bytes is still ours: another revision, another mask, the form of nf_tables.
  @Test(arguments: [
    ("-p tcp -m state --state NEW -j ACCEPT", "-p tcp -m conntrack --ctstate NEW -j ACCEPT"),
    ("-j NOTRACK", "-j CT --notrack"),
    ("-m tcp -p tcp --sport 1 -m tcp --dport 2 -j DROP", "-p tcp -m tcp --sport 1 --dport 2 -j DROP"),
  ])
  func otherBytesAreTheSameRule(_ ours: String, _ theirs: String) {
    func list(_ rule: String) -> RuleList {
      let text = "*raw\n-A PREROUTING \(rule)\nCOMMIT\n"
      return rules(text).tables[0][.prerouting]!.rules
    }
    #expect(!list(ours).sameRules(as: list(theirs)))
    let merged = ChainMerge(base: list(ours), live: list(theirs), wanted: list(ours))
    #expect(merged.foreign == [])
    #expect(merged.result.count == 1)
    let first = ChainMerge(base: RuleList(family: .ipv4), live: list(theirs), wanted: list(ours))
    #expect(first.foreign == [])
  }

  /// Lists in which one rule stands often are paired too, in bounded time.
  @Test func manyLikeRules() {
    let many = String(repeating: "a", count: 3000)
    let base = "x" + many + "y"
    let live = "x" + many.dropLast(3) + "F" + "aaaay" + "z"
    let merged = ChainMerge(base: Letters.list(base), live: Letters.list(live), wanted: Letters.list("q" + many + "y"))
    #expect(merged.result.letters.filter { $0 == "F" } == "F")
    #expect(merged.result.letters.count { $0 == "a" } >= 3000)
  }
}

extension Letters {
  static func rule(_ letter: Character, counted count: UInt64 = 0) -> Rule {
    list(String(letter), counted: count)[0]
  }
}

extension Rule {
  /// The letter of ``Letters``.
  var letter: Character {
    Character(Unicode.Scalar(UInt8(truncatingIfNeeded: source!.value.address.bits)))
  }
}

extension RuleList {
  /// The letters of ``Letters``.
  var letters: String { String(map(\.letter)) }
}

/// Large chains: the merge looks only at where they differ.
@Suite struct LargeMergeTests {
  private func table(_ count: Int, with extra: String = "") -> Table {
    let lines = (0..<count).map { "-A INPUT -s 10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)/32 -j DROP\n" }
    return rules("*filter\n" + lines.joined() + extra + "COMMIT\n").tables[0]
  }

  /// One rule of somebody's, one new of ours, in ten thousand.
  @Test func oneOfMany() {
    let base = table(10_000)
    let live = table(10_000, with: "-A INPUT -s 192.0.2.1/32 -j LOG\n")
    let wanted = table(10_000, with: "-A INPUT -s 192.0.2.2/32 -j ACCEPT\n")
    for base in [base, nil] {
      let merge = TableMerge(base: base, live: live, wanted: wanted)
      #expect(merge.result.ruleCount == (base == nil ? 10_001 : 10_002))
      #expect(merge.own.sameRules(as: wanted))
    }
    let same = TableMerge(base: base, live: base, wanted: base)
    #expect(same.result == base)
    #expect(same.kept == [])
  }
}
