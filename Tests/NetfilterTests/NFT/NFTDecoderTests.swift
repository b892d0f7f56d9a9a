import Testing

@testable import Netfilter

/// Lists of expressions put together at random, most of them nonsense.
@Suite struct NFTDecoderTests {
  private static let pieces = [
    "meta iifname", "meta oifname", "meta l4proto", "meta mark", "meta pkttype", "payload 4b @ network+12",
    "payload 1b @ network+12", "payload 1b @ network+8", "payload 2b @ network+6", "payload 2b @ transport+0",
    "payload 2b @ transport+2", "payload 4b @ transport+0", "payload 1b @ transport+13", "payload 1b @ transport+0",
    "mask ff000000", "mask 1fff", "mask 17", "cmp eq 06", "cmp neq 06", "cmp eq 11", "cmp eq 01", "cmp gt 05",
    "cmp eq 0000", "cmp neq 0016", "cmp gte 0016", "cmp lte 0050", "cmp eq 0a000000", "cmp neq 6574683000",
    "cmp eq 657468", "range eq 0016 0050", "range neq 0016 0050", "limit 5/60 burst 5", "match comment 0 6869(254)",
    "counter 1 2", "accept", "jump Y", "log group 1", "immediate 01", "meta set nftrace from 1",
    "meta l4proto; cmp eq 06", "meta l4proto; cmp eq 11", "meta iifname; cmp eq 657468",
    "payload 2b @ transport+2; cmp eq 0016", "payload 2b @ transport+0; cmp gte 0016",
    "payload 1b @ transport+13; mask 17; cmp eq 02", "payload 4b @ network+12; mask ff800000; cmp neq 0a000000",
    "payload 2b @ network+6; mask 1fff; cmp eq 0000", "meta mark; mask ff000000; cmp eq 01000000",
  ]

  /// What is read comes back from its own expressions, and every comparison in it has said something.
  @Test func nothingIsIgnored() throws {
    let pieces = try Self.pieces.map { try ExpressionText.read($0) }
    var dice = Dice(state: 0x6e66_7461_626c_6573)
    var readable = 0
    for _ in 0..<200_000 {
      let family: Family = dice.roll(4) == 0 ? .ipv6 : .ipv4
      let list = (0..<dice.roll(5) + 1).flatMap { _ in pieces[dice.roll(pieces.count)] }
      guard let rule = NFTRuleCodec.rule(from: list, family: family, registry: .standard) else { continue }
      readable += 1
      let expressions = try NFTRuleCodec.expressions(for: rule, family: family, registry: .standard)
      let again = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard)
      #expect(again == rule, "\(ExpressionText.print(list))")
      for place in list.indices where list[place].isCondition {
        var shorter = list
        shorter.remove(at: place)
        let other = NFTRuleCodec.rule(from: shorter, family: family, registry: .standard)
        #expect(other != rule, "without \(place): \(ExpressionText.print(list))")
      }
    }
    #expect(readable > 5_000)
  }
}

extension NFTExpression {
  fileprivate var isCondition: Bool {
    switch self {
    case .compare, .range, .match, .limit, .bitwise: true
    default: false
    }
  }
}

/// The same numbers in every run (SplitMix64).
private struct Dice {
  var state: UInt64

  mutating func roll(_ sides: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return Int((value ^ value >> 31) % UInt64(sides))
  }
}
