@testable import CommitEngine
import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// Bytes of rules without their zeros, as generations and journals have them.
@Suite struct PackedWordsTests {
  private func pack(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { PackedWords.pack($0) } }
  private func unpack(_ bytes: [UInt8], _ size: Int) -> [UInt8]? {
    bytes.withUnsafeBytes { PackedWords.unpack($0, size: size) }
  }

  @Test func theFormIsThatOfItsDescription() {
    var bytes = [UInt8](repeating: 0, count: 66 * 8)
    bytes[8] = 7  // the second word
    bytes[64 * 8 + 7] = 9  // the first of the second group
    let packed = pack(bytes)
    #expect(
      packed == [2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9])
    #expect(unpack(packed, bytes.count) == bytes)
    #expect(pack([]) == [] && unpack([], 0) == [])
  }

  @Test(arguments: 0..<8) func whatIsPackedComesBack(_ seed: UInt64) {
    var dice = SeededDice(seed)
    for words in [1, 2, 63, 64, 65, 127, 128, 129, 1000] {
      for density in [0, 1, 5, 10] {
        var bytes = [UInt8](repeating: 0, count: words * 8)
        for index in bytes.indices where dice.roll(10) < density { bytes[index] = UInt8(dice.roll(256)) }
        let packed = pack(bytes)
        #expect(unpack(packed, bytes.count) == bytes)
        #expect(packed.count <= bytes.count + (words + 63) / 64 * 8)
      }
    }
  }

  @Test func whatIsNotPackedIsRefused() {
    let bytes = (0..<100 * 8).map { UInt8($0 % 3) }
    let packed = pack(bytes)
    for count in 0..<packed.count { #expect(unpack(Array(packed.prefix(count)), bytes.count) == nil) }
    #expect(unpack(packed + [0], bytes.count) == nil)
    #expect(unpack(packed, bytes.count - 8) == nil && unpack(packed, bytes.count + 64 * 8) == nil)
    #expect(unpack(packed, bytes.count - 1) == nil && unpack(packed, -8) == nil && unpack(packed, 1 << 40) == nil)
    // Words behind the last one.
    #expect(unpack([8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 24) == nil)
    #expect(unpack([4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 24)?.count == 24)
  }

  /// Few rules are written as they are, which is how earlier versions wrote all.
  @Test(arguments: [1, 100, 150, 151, 1000, 20000]) func rulesComeBackFromAGeneration(_ count: Int) throws {
    let folder = try StateFolder()
    let rules = (0..<count).map { "-A INPUT -s 10.\($0 >> 16 & 255).\($0 >> 8 & 255).\($0 & 255)/32 -j DROP\n" }
    let wanted = RulesText.read("*filter\n\(rules.joined())COMMIT\n").ruleset
    let engine = CommitEngine(store: RuleStore(MemoryBackend()), state: folder.state)
    #expect(try engine.apply(wanted).generation == 1)
    #expect(try engine.history.generation(1).ruleset.sameRules(as: wanted))
    let size = try readFile("\(folder.path)/generations/00000001").count
    let plain = try #require(wanted[.filter, .ipv4]?[.input]?.rules.bytes.count)
    #expect(plain < 32 << 10 ? size > plain : size < plain / 2, "\(size) of \(plain)")
    try folder.damage("generations/00000001")
    #expect(throws: History.Failure.self) { try engine.history.generation(1) }
  }
}
