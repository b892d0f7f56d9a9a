import Netfilter
import RuleStore
import Testing
import XTablesStore

/// The kernel's answers about a table, whole and broken: every fault is an error with its place.
@Suite struct TableImageTests {
  private static let table: Table = {
    let text = """
      *filter
      :INPUT DROP [1:2]
      :a - [0:0]
      :b - [0:0]
      -A INPUT -p tcp -m tcp --dport 22 -j a
      -A INPUT -s 192.0.2.0/24 -g b
      -A a -m limit --limit 5/min -j LOG
      -A b -j REJECT
      -A b
      COMMIT

      """
    return RulesText.read(text, family: .ipv4).ruleset[.filter, .ipv4]!
  }()

  private static func read(_ info: [UInt8], _ entries: [UInt8], _ id: TableID = TableID(.filter, .ipv4)) throws -> Table
  {
    try info.withUnsafeBytes { info in
      try entries.withUnsafeBytes { try TableImage.read(id, info: info, entries: $0) }
    }
  }

  @Test func aTableComesBack() throws {
    let answers = TableImage.answers(for: Self.table)
    #expect(try Self.read(answers.info, answers.entries).sameRules(as: Self.table))
    let values = RulesText.read("*mangle\n-A POSTROUTING -j CLASSIFY --set-class 504d:554a\nCOMMIT\n").ruleset.tables[0]
    let other = TableImage.answers(for: values)
    #expect(try Self.read(other.info, other.entries, values.id) == values, "a value that looks like a jump")
  }

  @Test func whatIsCutOffIsAnError() throws {
    let (info, entries) = TableImage.answers(for: Self.table)
    for count in 0..<entries.count where count % 3 == 0 {
      #expect(throws: WireError.self, "\(count) bytes") { try Self.read(info, Array(entries.prefix(count))) }
    }
    #expect(throws: WireError.self) { try Self.read(Array(info.dropLast()), entries) }
  }

  /// Where each entry begins.
  private static func places(_ entries: [UInt8]) -> [Int] {
    var places = [0]
    while let last = places.last, last < entries.count { places.append(last + size(entries, last)) }
    return places.dropLast()
  }

  private static func size(_ entries: [UInt8], _ place: Int) -> Int {
    Int(entries[place + RuleCodec.Layout.ipv4.nextOffset]) | Int(entries[place + RuleCodec.Layout.ipv4.nextOffset + 1])
      << 8
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    let what: String
    let field: String
    let change: @Sendable (inout [UInt8], inout [UInt8], [Int]) -> Void

    init(_ what: String, _ field: String, _ change: @escaping @Sendable (inout [UInt8], inout [UInt8], [Int]) -> Void) {
      (self.what, self.field, self.change) = (what, field, change)
    }
    var testDescription: String { what }
  }

  private static let head = RuleCodec.Layout.ipv4.size
  private static let next = RuleCodec.Layout.ipv4.nextOffset

  // The entries: two rules and the policy of INPUT, policies of FORWARD and OUTPUT, then for `a` head, rule, end; for `b`
  // head, two rules, end; the last.
  @Test(arguments: [
    Fault("a size of nothing", "next_offset") { $1[$2[1] + next] = 0 },
    Fault("a size beyond the end", "next_offset") { $1[$2[1] + next + 1] = 0xff },
    Fault("a target before the head's end", "target_offset") { $1[$2[1] + next - 2] = 8 },
    Fault("a match of no size", "match_size") { $1[$2[0] + head] = 0 },
    Fault("a jump into the middle", "verdict") { $1[$2[1] + head + 32] += 1 },
    Fault("a jump to a policy", "verdict") { entries, bytes, places in
      for byte in 0..<4 { bytes[places[1] + head + 32 + byte] = UInt8(truncatingIfNeeded: places[3] >> (8 * byte)) }
    },
    Fault("a verdict that is none", "verdict") {
      $1[$2[1] + head + 32] = 0xfd; for i in 1..<4 { $1[$2[1] + head + 32 + i] = 0xff }
    },
    Fault("a policy that is none", "verdict") { $1[$2[2] + head + 32] = 0xfb },
    Fault("a chain that does not return", "verdict") { $1[$2[7] + head + 32] = 0xfe },
    Fault("two chains of one name", "errorname") { $1[$2[8] + head + 32] = 0x61 },
    Fault("a chain without a name", "errorname") { $1[$2[8] + head + 32] = 0 },
    Fault("a chain whose name is no text", "errorname") { $1[$2[8] + head + 32] = 0xe9 },
    Fault("a verdict by its name", "name") { entries, bytes, places in
      for (offset, byte) in "DROP".utf8.enumerated() { bytes[places[1] + head + 2 + offset] = byte }
    },
    Fault("a hook that is nowhere", "underflow") { info, _, _ in info[36 + 4 * 2] = 1 },
    Fault("a policy that is nowhere", "hook_entry") { info, _, _ in info[56 + 4 * 3] = 1 },
    Fault("a hook too few", "hook_entry") { info, _, _ in info[32] = 0x06 },
  ])
  func isAnErrorWithItsPlace(_ fault: Fault) throws {
    var (info, entries) = TableImage.answers(for: Self.table)
    let places = Self.places(entries)
    #expect(places.count == 13)
    fault.change(&info, &entries, places)
    let error = #expect(throws: WireError.self) { try Self.read(info, entries) }
    #expect(error?.field == fault.field, "\(String(describing: error))")
    #expect(error?.offset ?? -1 >= 0 && error?.offset ?? .max <= entries.count)
  }
}
