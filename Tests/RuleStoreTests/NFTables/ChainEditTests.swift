import NFTablesStore
import Netfilter
import Testing

/// How a chain becomes another: carried out on paper, it leads there, and leaves alone what can stay.
@Suite struct ChainEditTests {
  @Test(arguments: [
    ("abc", "xabc", 0, 1), ("abc", "abcx", 0, 1), ("abc", "axbycz", 0, 3), ("abc", "ac", 1, 0), ("abc", "cab", 1, 1),
    ("abcdef", "afcdeb", 2, 2), ("aab", "aaab", 0, 1), ("", "ab", 0, 2), ("abc", "abc", 0, 0),
  ])
  func asLittleAsPossible(_ row: (old: String, new: String, deletions: Int, insertions: Int)) {
    let edit = ChainEdit(from: list(row.old), to: list(row.new), rewrites: false)
    let replaced = edit.insertions.count { if case .instead = $0.place { true } else { false } }
    #expect(edit.deletions.map { $0.count + replaced } == row.deletions)
    #expect(edit.insertions.count == row.insertions)
  }

  @Test func nothingStays() {
    for (old, new, rewrites) in [("abc", "", false), ("abc", "xyz", false), ("abc", "abc", true)] {
      let edit = ChainEdit(from: list(old), to: list(new), rewrites: rewrites)
      #expect(edit.deletions == nil, "all at once")
      #expect(edit.insertions.count == new.count)
    }
    #expect(ChainEdit(from: list(""), to: list(""), rewrites: true).deletions == [])
  }

  @Test(arguments: 0..<300) func itLeadsThere(_ seed: Int) {
    var dice = Dice(seed)
    func word() -> String {
      String((0..<dice.roll(12)).map { _ in Character(UnicodeScalar(UInt8(97 + dice.roll(6)))) })
    }
    let (old, new) = (word(), word())
    let edit = ChainEdit(from: list(old), to: list(new), rewrites: dice.roll(8) == 0)
    #expect(carryOut(edit, Array(old), Array(new)) == new, "\(old) to \(new): \(edit)")
  }

  /// The kernel walks to each rule that is named; with very many the chain is written anew.
  @Test func longSearchesAreSpared() {
    let old = RuleList((0..<12_000).map { rule(UInt16($0)) }, family: .ipv4)
    let new = RuleList((0..<12_000).map { rule(UInt16($0 % 2 == 0 ? $0 : $0 + 20_001)) }, family: .ipv4)
    let edit = ChainEdit(from: old, to: new, rewrites: false)
    #expect(edit.deletions == nil)
    #expect(edit.insertions.count == 12_000)
    let few = RuleList((0..<12_000).map { rule(UInt16($0 % 100 == 0 ? $0 + 20_001 : $0)) }, family: .ipv4)
    #expect(ChainEdit(from: old, to: few, rewrites: false).insertions.count == 120)
  }

  private func carryOut(_ edit: ChainEdit, _ old: [Character], _ new: [Character]) -> String {
    var chain: [(old: Int?, letter: Character)] = old.enumerated().map { ($0.offset, $0.element) }
    if let deletions = edit.deletions {
      for gone in deletions { chain.removeAll { $0.old == gone } }
    } else {
      chain = []
    }
    var previous = -1
    for (rule, place) in edit.insertions {
      let index =
        switch place {
        case .start: 0
        case .end: chain.count
        case .before(let next), .instead(let next): chain.firstIndex { $0.old == next }!
        case .afterPrevious: previous + 1
        }
      if case .instead = place { chain.remove(at: index) }
      chain.insert((nil, new[rule]), at: index)
      previous = index
    }
    return String(chain.map(\.letter))
  }

  private func list(_ letters: String) -> RuleList {
    RuleList(letters.utf8.map { rule(UInt16($0)) }, family: .ipv4)
  }

  private func rule(_ port: UInt16) -> Rule {
    Rule(proto: .init(.udp), matches: [UDP(destinationPorts: .init(Bounds(port)))], target: .accept)
  }

  private struct Dice {
    private var state: UInt64
    init(_ seed: Int) { state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1 }
    mutating func roll(_ sides: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % sides
    }
  }
}
