package import Netfilter
internal import RuleStore
internal import Synchronization

/// Pairs rules (``RulePairing``) once, not at each step of a commit: planning, counting, writing and remembering ask for the
/// same two lists.
package final class RulePairings: Sendable {
  private struct Known {
    let old: RuleList
    let new: RuleList
    let sources: [Int?]
  }

  private let known = Mutex<[Known]>([])

  /// Short lists are paired as fast as they are found here.
  private static let leastRules = 64
  private static let mostPairs = 16

  package init() {}

  /// See ``RulePairing/sources``.
  package func sources(_ old: RuleList, _ new: RuleList) -> [Int?] {
    guard min(old.count, new.count) >= Self.leastRules else { return RulePairing(old, new).sources }
    if let pair = known.withLock({ $0.first { $0.old.isIdentical(to: old) && $0.new.isIdentical(to: new) } }) {
      return pair.sources
    }
    let pair = Known(old: old, new: new, sources: RulePairing(old, new).sources)
    known.withLock { known in
      if known.count >= Self.mostPairs { known.removeFirst() }
      known.append(pair)
    }
    return pair.sources
  }
}

extension RuleList {
  /// Whether both lists are the same bytes in memory, which stay as they are for as long as both are held.
  func isIdentical(to other: RuleList) -> Bool {
    guard family == other.family, bytes.count == other.bytes.count else { return false }
    return bytes.withUnsafeBytes { mine in other.bytes.withUnsafeBytes { mine.baseAddress == $0.baseAddress } }
  }
}

extension Table {
  /// ``sameRules(as:)``, at once where the lists are the same in memory.
  func holdsRules(of other: Table) -> Bool {
    family == other.family && name == other.name && chains.count == other.chains.count
      && zip(chains, other.chains).allSatisfy { a, b in
        a.name == b.name && a.policy == b.policy && (a.rules.isIdentical(to: b.rules) || a.rules.sameRules(as: b.rules))
      }
  }
}
