internal import Netfilter
internal import RuleStore

/// What is decided about a table that is to stand in compiled form.
struct CompiledPlan {
  let table: Table
  /// Of the chains that are written as a whole.
  var chains: [ChainName: ChainLayout] = [:]
}

extension PlanCompiler {
  /// Decides on the form of a table that is wanted compiled.
  /// - Returns: the table as it will be read back, and how it is compiled; nil where it has to stay linear, or nothing
  ///   would come of it. The note tells which.
  func prepare(_ step: Plan.Step, _ live: LiveTable?) throws(BackendError) -> (
    after: Table, plan: CompiledPlan?, note: String?
  ) {
    let (decided, note) = decide(step, live)
    guard var plan = decided else { return (try normalForm(step), nil, note) }
    let after = try normalForm(step) { chain, index in plan.chains[chain]?.isWhole[index] == true }
    for chain in after.chains where step.after[chain.name]?.rules.sameRules(as: chain.rules) != true {
      guard plan.chains[chain.name] != nil else { continue }
      // A rule in other words may have another key.
      guard let layout = try? CompiledWriter(after, CompiledTable(), self).layout(of: chain) else {
        return (after, nil, note)
      }
      plan.chains[chain.name] = layout
    }
    return (after, CompiledPlan(table: after, chains: plan.chains), note)
  }

  private func decide(_ step: Plan.Step, _ live: LiveTable?) -> (plan: CompiledPlan?, note: String?) {
    let layouts: [ChainName: ChainLayout]?
    do throws(CompiledWriter.Obstacle) {
      if let live, live.compiled != nil {
        try checkEdit(step, live)
        return (CompiledPlan(table: step.after), nil)
      }
      layouts = try CompiledWriter(step.after, CompiledTable(), self).layouts()
    } catch {
      return (nil, "table \(step.id) stays linear: \(error.reason)")
    }
    guard let layouts else { return (nil, "table \(step.id) stays linear: \(Self.nothingGained)") }
    let plan = CompiledPlan(table: step.after, chains: layouts)
    return (plan, plan.note)
  }

  private static let nothingGained = "it has too few rules that differ in addresses, ports or interfaces alone"

  /// - Throws: why a table that is compiled cannot stay so.
  private func checkEdit(_ step: Plan.Step, _ live: LiveTable) throws(CompiledWriter.Obstacle) {
    let writer = try CompiledWriter(step.after, CompiledTable(), self)
    var count = 0
    for chain in step.after.chains {
      let old = live.table[chain.name]?.rules ?? RuleList(family: step.id.family)
      for (index, source) in pairings.sources(old, chain.rules).enumerated() where source == nil {
        if let obstacle = writer.obstacle(in: chain.rules[index]) { throw obstacle }
      }
      count += chain.rules.count
    }
    // What is left may be too little.
    if count < 4 * live.table.ruleCount / 5 || count < 2 * smallestMap, try writer.layouts() == nil {
      throw CompiledWriter.Obstacle(reason: Self.nothingGained)
    }
  }
}

extension CompiledPlan {
  /// What was gained, for people.
  fileprivate var note: String {
    var maps = 0
    var lookedUp = 0
    for layout in chains.values {
      for case .map(_, let rules) in layout.pieces {
        maps += 1
        lookedUp += rules.count
      }
    }
    let (count, id) = (table.ruleCount, table.id)
    return "table \(id): \(lookedUp) of \(count) rules are looked up in \(maps == 1 ? "one map" : "\(maps) maps")"
  }
}
