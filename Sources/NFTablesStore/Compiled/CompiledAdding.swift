internal import Netfilter
internal import RuleStore

/// Additions to compiled chains whose rules are not read: a new rule stands alone, before all others or behind them, which
/// is right whatever they are. Where the first and the last one stand is remembered.
struct CompiledAdding {
  private let step: Plan.Step
  private let writer: CompiledWriter
  /// By chain, for each new rule.
  private var places: [ChainName: [(order: UInt64, isFirst: Bool)]] = [:]

  /// nil where the rules have to be known: it is more than rules that comes, one of them may change what is proved of
  /// others, or it is not remembered where the others are.
  init?(
    _ step: Plan.Step, _ additions: [TableAddition], _ live: LiveTable, _ compiler: PlanCompiler,
    _ earlier: RememberedRules?
  ) {
    guard let earlier, additions.areRules, let writer = try? CompiledWriter(step.after, CompiledTable(), compiler)
    else { return nil }
    (self.step, self.writer) = (step, writer)
    for chain in step.after.chains where !chain.rules.isEmpty {
      let mayStandAlone = chain.rules.allSatisfy { rule in
        rule.target.chain == nil && writer.mayReorder(rule) && writer.obstacle(in: rule) == nil
      }
      let key = RememberedRules.Key(table: step.id, chain: chain.name, isCompiled: true)
      guard mayStandAlone, chain.hook == nil || live.madeChains.contains(chain.name),
        let words = earlier.words(of: key)
      else { return nil }
      var first = RulePlace(words.prefix(RulePlace.words))?.order
      var last = RulePlace(words.suffix(RulePlace.words))?.order
      for isFirst in additions.comeFirst(in: chain.name) {
        guard let order = isFirst ? RuleOrder.between(nil, first) : RuleOrder.between(last, nil) else { return nil }
        if isFirst || first == nil { first = order }
        if !isFirst || last == nil { last = order }
        places[chain.name, default: []].append((order, isFirst))
      }
    }
  }

  func write(_ coder: RuleCoder, to batch: inout Batch) throws(BackendError) {
    batch.form = .compiled
    for chain in step.after.chains {
      for (index, place) in (places[chain.name] ?? []).enumerated() {
        try writer.addLinear(chain, index, place.order, at: place.isFirst ? .start : .end, coder, &batch)
      }
    }
  }

  /// Where each new rule of a chain is (``RememberedRules/Key/words``).
  func words(of chain: ChainName) -> [[UInt64]] {
    (places[chain] ?? []).map { place in
      var words: [UInt64] = []
      RulePlace(CompiledChain.Entry(item: 0, order: place.order), map: 0).write(to: &words)
      return words
    }
  }
}
