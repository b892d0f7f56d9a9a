internal import Netfilter
internal import RuleStore

/// Where a rule of a compiled chain stands, said so that it stays right whatever comes and goes around it: what is
/// remembered of it.
struct RulePlace: Hashable {
  /// See ``CompiledChain/Entry/order``.
  let order: UInt64
  /// The number of its map; 0 for a linear rule.
  let map: Int
  /// See ``CompiledChain/Entry/helper``; 0 where there is none.
  let helper: Int
  /// See ``CompiledChain/Entry/keys``.
  let keys: Int
  let isWhole: Bool

  /// A place has so many words in a file.
  static let words = 3
  /// Far more than a rule has (``RuleSplit/mostKeys``).
  private static let mostKeys = 1 << 16

  init(_ entry: CompiledChain.Entry, map: Int) {
    (order, self.map, helper) = (entry.order, map, entry.helper ?? 0)
    (keys, isWhole) = (entry.keys, entry.isWhole)
  }

  /// nil where the words are none of a place.
  init?(_ words: ArraySlice<UInt64>) {
    let start = words.startIndex
    guard words.count == Self.words, words[start + 2] >> 1 < Self.mostKeys else { return nil }
    order = words[start]
    (map, helper) = (Int(words[start + 1] >> 32), Int(UInt32(truncatingIfNeeded: words[start + 1])))
    (keys, isWhole) = (Int(words[start + 2] >> 1), words[start + 2] & 1 != 0)
  }

  func write(to words: inout [UInt64]) {
    words.append(order)
    words.append(UInt64(UInt32(truncatingIfNeeded: map)) << 32 | UInt64(UInt32(truncatingIfNeeded: helper)))
    words.append(UInt64(keys) << 1 | (isWhole ? 1 : 0))
  }
}

extension CompiledChain {
  /// The places of some rules, one behind the other.
  func places(of rules: Range<Int>, in id: TableID) -> [UInt64] {
    let maps = items.map { $0.map.flatMap { TableForm.helperNumber($0.name, of: id) } ?? 0 }
    var words: [UInt64] = []
    words.reserveCapacity(rules.count * RulePlace.words)
    for entry in entries[rules] { RulePlace(entry, map: maps[entry.item]).write(to: &words) }
    return words
  }

  func places(in id: TableID) -> [UInt64] { places(of: entries.indices, in: id) }
}
