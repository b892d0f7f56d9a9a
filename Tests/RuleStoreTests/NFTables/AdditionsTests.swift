import NFTablesStore
import Netfilter
import Testing

/// The handles of new rules, told from a few that the kernel sends back.
@Suite struct AdditionsTests {
  /// A batch of rules, `-` for one that is added and a handle for one that is replaced; what the kernel says of some by
  /// their places; and what all have then.
  struct Row: Sendable, CustomTestStringConvertible {
    let rules: [UInt64?]
    let echoes: [Int: UInt64]
    let handles: [UInt64]?
    var testDescription: String { "\(rules) \(echoes)" }

    init(_ rules: [UInt64?], _ echoes: [Int: UInt64], _ handles: [UInt64]?) {
      self.rules = rules
      self.echoes = echoes
      self.handles = handles
    }
  }

  @Test(arguments: [
    Row([nil], [0: 5], [5]), Row([nil, nil, nil], [0: 5, 2: 7], [5, 6, 7]),
    Row([nil, nil, nil], [0: 5, 2: 8], nil), Row([nil, nil, nil], [0: 5], nil), Row([nil], [:], nil),
    Row([nil, nil], [0: 0, 1: 1], nil), Row([nil, nil], [0: .max, 1: 0], nil),
    // A kernel in which a rule that replaces another has that one's handle.
    Row([3], [0: 3], [3]), Row([3, 9, 4], [0: 3, 2: 4], [3, 9, 4]),
    Row([3, nil, 9, nil], [0: 3, 2: 9, 1: 20, 3: 21], [3, 20, 9, 21]),
    Row([nil, 3, nil], [0: 20, 1: 3, 2: 21], [20, 3, 21]),
    // One in which it has a new one.
    Row([3], [0: 20], [20]), Row([3, 9, 4], [0: 20, 2: 22], [20, 21, 22]),
    Row([3, nil, 9, nil], [0: 20, 1: 21, 2: 22, 3: 23], [20, 21, 22, 23]),
    // Neither.
    Row([3, 9, 4], [0: 3, 2: 22], nil), Row([3, nil, 9, nil], [0: 3, 2: 9, 1: 20, 3: 23], nil),
  ])
  func handles(_ row: Row) {
    var additions = Additions()
    for (place, replaced) in row.rules.enumerated() {
      let member = Additions.Member(chain: .input, number: place, replaced: replaced)
      additions.note(member, message: place + 10, offset: place * 100)
    }
    let echoes = Dictionary(uniqueKeysWithValues: row.echoes.map { ($0.key + 10, $0.value) })
    #expect(additions.handles(echoes) == row.handles)
  }
}
