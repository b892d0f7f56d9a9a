internal import Netfilter
internal import RuleStore

/// What is known when a batch has been carried out.
struct Aftermath {
  /// What the tables hold.
  private(set) var reading: KernelReading
  /// What has become of each of their chains; nil where that is not all that has changed.
  private(set) var changes: [(key: RememberedRules.Key, event: RememberedRules.Event)]? = []
  private let compiler: PlanCompiler

  /// Of tables where the kernel told the handles of all new rules.
  /// - Parameter written: see ``PlanCompiler/compile(_:_:into:)``.
  init(
    of plan: Plan, _ compiler: PlanCompiler, _ before: KernelReading, _ written: [TableID: CompiledTable.Written],
    _ result: SealedBatch.Result, generation: UInt32
  ) {
    self.compiler = compiler
    reading = KernelReading(generation: generation)
    let changed = Set(plan.steps.map(\.id))
    for (id, live) in before.tables where !changed.contains(id) { reading.add(live) }
    for step in plan.steps + compiler.sharing.partners {
      let live = before.tables[step.id]
      if let written = written[step.id] {
        note(step, live, written)
      } else {
        if live?.compiled != nil { changes = nil }
        note(step, live.flatMap { $0.compiled == nil ? $0 : nil }, result)
      }
    }
  }

  /// A table that stands in compiled form.
  private mutating func note(_ step: Plan.Step, _ live: LiveTable?, _ written: CompiledTable.Written) {
    reading.add(LiveTable(after: step, live, written))
    // What is appended knows nothing of policies, which chains of both families have in a rule.
    guard let live, let former = live.compiled, former.shared.isEmpty, written.table.shared.isEmpty else {
      changes = nil
      return
    }
    for chain in step.after.chains {
      guard let staying = written.staying[chain.name] else { continue }
      add(chain, step, live, staying) { written.table.chains[chain.name]!.places(of: $0, in: step.id) }
    }
    noteGone(step, live)
  }

  /// A table that stands in linear form.
  private mutating func note(_ step: Plan.Step, _ live: LiveTable?, _ result: SealedBatch.Result) {
    var stayed: [ChainName: [Int?]] = [:]
    var handles: [ChainName: [UInt64?]] = [:]
    for chain in step.after.chains {
      let old = live?.handles[chain.name] ?? []
      let staying = compiler.chainEdit(chain, step, live).staying
      stayed[chain.name] = staying
      handles[chain.name] = staying.map { $0.map { old[$0] } }
    }
    if let new = result.handles[step.id] {
      for (rule, handle) in zip(new.members, new.handles) { handles[rule.chain]?[rule.number] = handle }
    }
    var after = LiveTable(table: step.after)
    for chain in step.after.chains {
      after.handles[chain.name] = handles[chain.name]!.compactMap { $0 }
      after.uncounted.insert(chain.name)
    }
    guard after.isWhole else {
      changes = nil
      return
    }
    reading.add(after)
    for chain in step.after.chains {
      add(chain, step, live, stayed[chain.name]!) { Array(after.handles[chain.name]![$0]) }
    }
    noteGone(step, live)
  }

  /// - Parameter words: where some of the chain's rules are.
  private mutating func add(
    _ chain: Chain, _ step: Plan.Step, _ live: LiveTable?, _ staying: [Int?], _ words: (Range<Int>) -> [UInt64]
  ) {
    let old = live?.table[chain.name]
    let key = RememberedRules.Key(table: step.id, chain: chain.name, isCompiled: live?.compiled != nil)
    let change = RememberedChange(of: old?.rules.count ?? 0, staying: staying, to: chain.rules, width: key.words, words)
    if change.pieces.isEmpty, old != nil { return }
    changes?.append((key, .changed(change)))
  }

  private mutating func noteGone(_ step: Plan.Step, _ live: LiveTable?) {
    for chain in live?.table.chains ?? [] where step.after[chain.name] == nil {
      let key = RememberedRules.Key(table: step.id, chain: chain.name, isCompiled: live?.compiled != nil)
      changes?.append((key, .gone))
    }
  }
}

extension PlanCompiler {
  /// What will be remembered of a plan's tables when it has been carried out, and of others that were read. The handles of
  /// rules that are linear are known only then.
  func contents(
    after plan: Plan, _ before: KernelReading, _ written: [TableID: CompiledTable.Written]
  ) -> [RememberedRules.Content] {
    let steps = plan.steps + sharing.partners
    let changed = Set(steps.map(\.id))
    return before.tables.values.filter { !changed.contains($0.table.id) }.flatMap(\.contents)
      + steps.flatMap { step in
        if let written = written[step.id] {
          return LiveTable(after: step, before.tables[step.id], written).contents
        }
        return step.after.chains.map { RememberedRules.Content(step.after, $0, isCompiled: false, nil) }
      }
  }
}

extension LiveTable {
  /// A table in compiled form after a step.
  fileprivate init(after step: Plan.Step, _ live: LiveTable?, _ written: CompiledTable.Written) {
    self.init(table: step.after)
    compiled = written.table
    // Where rules stand in chains that stay as they are may be remembered alone.
    if let live, live.isPartial { places = live.places.filter { written.staying[$0.key] == nil } }
  }
}
