public import Netfilter
public import RuleStore

/// How Firebreak's own rules stand in the kernel.
public struct Standing: Sendable {
  /// The newest generation that is whole; nil before the first.
  public let generation: Generation.Summary?
  /// The commit that waits to be confirmed.
  public let awaiting: CommitEngine.Awaiting?
  /// What has changed in the kernel since the generation was committed; nil where there is none, and while a commit waits.
  public let drift: Drift?
  /// What is Firebreak's beside tables of iptables.
  public let beside: [Companion]
  /// What of that is gone or has been changed since then, as sentences.
  public let changesBeside: [String]
  /// Newer generations that are damaged.
  public let notes: [String]
}

extension CommitEngine {
  /// Looks without changing anything.
  /// - Parameter names: for rules in sentences.
  public func standing(names: Names = .wellKnown) throws -> Standing {
    var notes: [String] = []
    let generation = try history.newestIntact { notes.append("\($0)") }
    let awaiting = try awaiting()
    var drift: Drift?
    var changesBeside: [String] = []
    if let generation, awaiting == nil {
      let live = try store(named: generation.summary.backend).backend.snapshot(
        of: .only(Set(generation.summary.tables)))
      drift = Drift(base: generation.ruleset, live: live.ruleset, names: names)
      changesBeside = try companions?.differences(from: generation.companions.ours) ?? []
    }
    return Standing(
      generation: generation?.summary, awaiting: awaiting, drift: drift, beside: generation?.beside ?? [],
      changesBeside: changesBeside, notes: notes)
  }
}
