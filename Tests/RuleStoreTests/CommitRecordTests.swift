import CommitEngine
import Netfilter
import RuleStore
import Testing

/// What a commit writes down: it comes back whole, or its damage is noticed.
@Suite struct CommitRecordTests {
  private static let record: CommitRecord = {
    let before = twoTablesTwoFamilies()
    let snapshot = Snapshot(ruleset: before, existing: before.tables.map(\.id), stamp: .init(0))
    let wanted = rules("*filter\n-A INPUT -j DROP\nCOMMIT\n*raw\n-A OUTPUT -j ACCEPT\nCOMMIT\n")
    return CommitRecord(plan: Plan(from: snapshot, to: wanted), time: 1_700_000_000, message: "größer\n\"so\"")
  }()

  @Test func itComesBack() throws {
    let record = Self.record
    let copy = try CommitRecord(decoding: record.encoded)
    #expect(copy == record)
    #expect(copy.message == "größer\n\"so\"")
    #expect(copy.entries.map(\.id) == [TableID(.raw, .ipv4), TableID(.filter, .ipv4)])
    #expect(copy.before.absent == [TableID(.raw, .ipv4)])
    #expect(
      copy.before.ruleset[TableID(.filter, .ipv4)] == twoTablesTwoFamilies()[TableID(.filter, .ipv4)], "counters too")
  }

  @Test func setsComeBackByName() throws {
    let text = "*filter\n-A INPUT -m set --match-set blocked src -j DROP\nCOMMIT\n"
    let before = RulesText.read(text).ruleset
    let id = TableID(.filter, .ipv4)
    let old = try #require(before[id]?.setIndices.first)
    let snapshot = Snapshot(ruleset: before, existing: [id], stamp: .init(0))
    let plan = Plan(from: snapshot, to: rules("*filter\n-A INPUT -j DROP\nCOMMIT\n"))
    let record = CommitRecord(plan: plan, time: 0, message: "", setName: { $0 == old ? "blocked" : nil })
    let copy = try CommitRecord(decoding: record.encoded)
    #expect(copy == record && copy.sets == [old: "blocked"])
    #expect(copy.renumberingSets { _ in old } == record)
    let moved = copy.renumberingSets { $0 == "blocked" ? 7 : 0 }
    #expect(moved.before.ruleset[id]?.setIndices == [7])
    #expect(moved.sets == [7: "blocked"])
    #expect(moved.renumberingSets { _ in old } == record)
    struct Gone: Error {}
    #expect(throws: Gone.self) { try copy.renumberingSets { _ throws(Gone) in throw Gone() } }
  }

  @Test func theBackendComesBack() throws {
    let plan = Plan(steps: [])
    for name in ["legacy", "nft"] {
      let record = CommitRecord(plan: plan, time: 0, message: "", backend: name)
      #expect(try CommitRecord(decoding: record.encoded).backend == name)
    }
  }

  @Test func companionsComeBack() throws {
    let companions = [
      CompanionChange(Companion(.set, "new"), before: nil, after: [1, 2, 3]),
      CompanionChange(Companion(.table, "inet größer"), before: [], after: Array(repeating: 7, count: 300)),
      CompanionChange(Companion(.set, "gone"), before: [9], after: nil),
    ]
    let record = CommitRecord(plan: Plan(steps: []), time: 0, message: "", companions: companions)
    #expect(try CommitRecord(decoding: record.encoded) == record)
    #expect(try CommitRecord(decoding: record.encoded).companions.map(\.reversed).reversed().last?.isRemoved == true)
    let without = CommitRecord(plan: Plan(steps: []), time: 0, message: "", place: record.place, nonce: record.nonce)
    #expect(try CommitRecord(decoding: without.encoded).companions.isEmpty)
    for length in 0..<record.encoded.count {
      #expect(throws: CommitRecord.Damage.self) { try CommitRecord(decoding: Array(record.encoded.prefix(length))) }
    }
  }

  /// How tables stood is told after the companions, whether there are any or not.
  @Test func shapesComeBack() throws {
    var plan = Plan(steps: [])
    let plain = CommitRecord(plan: plan, time: 0, message: "")
    #expect(try CommitRecord(decoding: plain.encoded).shapes.isEmpty)
    plan.formerShapes = [
      TableID(.filter, .ipv4): .compiled, TableID(.nat, .ipv6): .linear, TableID(.raw, .ipv6): .shared,
    ]
    for companions in [[], [CompanionChange(Companion(.set, "new"), before: nil, after: [1, 2, 3])]] {
      let record = CommitRecord(plan: plan, time: 0, message: "", companions: companions)
      let copy = try CommitRecord(decoding: record.encoded)
      #expect(copy == record && copy.shapes == plan.formerShapes && copy.companions == companions)
      #expect(record.encoded.count > plain.encoded.count)
      for length in 0..<record.encoded.count {
        #expect(throws: CommitRecord.Damage.self) { try CommitRecord(decoding: Array(record.encoded.prefix(length))) }
      }
    }
  }

  /// A move is two acts through two backends.
  @Test func aSecondActComesBack() throws {
    let before = twoTablesTwoFamilies()
    let ids = before.tables.map(\.id)
    let there = Snapshot(ruleset: before, existing: ids, stamp: .init(0))
    let here = Snapshot(ruleset: Ruleset(), existing: [], stamp: .init(0))
    let record = CommitRecord(
      plan: Plan(from: here, to: before), time: 1, message: "", backend: "nft",
      second: (Plan(from: there, to: Ruleset(), emptying: Set(ids)), "legacy"))
    let copy = try CommitRecord(decoding: record.encoded)
    #expect(copy == record)
    #expect(copy.parts.map(\.backend) == ["nft", "legacy"])
    #expect(copy.parts[0].before.absent == Set(ids) && copy.parts[0].before.ruleset.tables.isEmpty)
    #expect(copy.parts[1].before.absent.isEmpty && copy.parts[1].before.ruleset.tables.count == ids.count)
    #expect(copy.parts[1].before.ruleset.tables.allSatisfy { $0 == before[$0.id] }, "counters too")
    for length in stride(from: 0, to: record.encoded.count, by: 7) {
      #expect(throws: CommitRecord.Damage.self) {
        try CommitRecord(decoding: Array(record.encoded.prefix(length)))
      }
    }
  }

  @Test func aRecordOfNothingComesBack() throws {
    let record = CommitRecord(plan: Plan(steps: []), time: 0, message: "")
    #expect(try CommitRecord(decoding: record.encoded) == record)
  }

  /// Every bit of every byte.
  @Test func everyFlippedBitIsNoticed() {
    var bytes = Self.record.encoded
    for place in bytes.indices {
      for bit in 0..<8 {
        bytes[place] ^= 1 << bit
        #expect(throws: CommitRecord.Damage.self, "byte \(place), bit \(bit)") { try CommitRecord(decoding: bytes) }
        bytes[place] ^= 1 << bit
      }
    }
  }

  @Test func everyTruncationIsNoticed() {
    let bytes = Self.record.encoded
    for length in 0..<bytes.count {
      #expect(throws: CommitRecord.Damage.self, "\(length) bytes") {
        try CommitRecord(decoding: Array(bytes.prefix(length)))
      }
    }
  }

  @Test func moreThanARecordIsNoticed() {
    for extra in [[0], [1], [0, 0, 0, 0, 0, 0, 0, 0], Self.record.encoded] as [[UInt8]] {
      #expect(throws: CommitRecord.Damage.self) { try CommitRecord(decoding: Self.record.encoded + extra) }
    }
  }

  @Test func swappedPartsAreNoticed() {
    var bytes = Self.record.encoded
    let start = 27
    for place in stride(from: start, to: bytes.count - 16, by: 8)
    where bytes[place..<place + 8] != bytes[place + 8..<place + 16] {
      for offset in 0..<8 { bytes.swapAt(place + offset, place + 8 + offset) }
      #expect(throws: CommitRecord.Damage.self) { try CommitRecord(decoding: bytes) }
      for offset in 0..<8 { bytes.swapAt(place + offset, place + 8 + offset) }
    }
  }

  /// The digest is of the rules, not of what they counted.
  @Test func theDigestLeavesCountersOut() {
    let digest = { CommitRecord.digest(of: $0) }
    #expect(digest(Letters.ruleset("ab", counted: 1).tables[0]) == digest(Letters.ruleset("ab", counted: 2).tables[0]))
    #expect(digest(Letters.ruleset("ab").tables[0]) != digest(Letters.ruleset("ba").tables[0]))
    #expect(digest(Letters.ruleset("a").tables[0]) != digest(Letters.ruleset("").tables[0]))
    let accept = rules("*filter\n:INPUT ACCEPT\nCOMMIT\n").tables[0]
    let drop = rules("*filter\n:INPUT DROP\nCOMMIT\n").tables[0]
    #expect(digest(accept) != digest(drop))
    let one = rules("*filter\n:a - [0:0]\n:b - [0:0]\n-A a -j DROP\nCOMMIT\n").tables[0]
    let other = rules("*filter\n:a - [0:0]\n:b - [0:0]\n-A b -j DROP\nCOMMIT\n").tables[0]
    #expect(digest(one) != digest(other))
  }
}
