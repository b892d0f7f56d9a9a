internal import Glibc
internal import Netfilter
internal import RuleStore

/// Writes a plan as one batch.
struct PlanCompiler {
  let names: Names
  let revisions: KernelRevisions
  /// Fewer rules than so many are not looked up in a map of their own.
  var smallestMap = ChainLayout.smallestMap
  /// In which form each table is to stand afterwards; linear where nothing is said.
  var layouts: [TableID: CompiledPlan] = [:]
  var pairings = RulePairings()
  /// What is to stand in the table of both families.
  var sharing = Sharing()
  /// Whether the kernel finds a new rule that another one of the same batch refers to (Linux 5.1).
  var canFollow = false

  /// - Parameter reading: of the tables that the plan changes; tables that are not in it do not exist.
  /// - Returns: what the tables are then that stand in compiled form.
  /// - Throws: ``BackendError`` of kind `unsupported` for a rule that nf_tables cannot say.
  func compile(_ plan: Plan, _ reading: KernelReading, into batch: inout Batch) throws(BackendError)
    -> [TableID: CompiledTable.Written]
  {
    for id in plan.creations where layouts[id] == nil {
      let after = plan.steps.first { $0.id == id }?.after ?? Table(id.name, family: id.family)
      batch.create(id)
      for chain in after.chains { batch.create(chain, in: id) }
    }
    try removeForms(plan, reading, &batch)
    let created = Set(plan.creations)
    for step in plan.steps where layouts[step.id] == nil {
      var live = reading.tables[step.id]
      if live?.compiled != nil {
        live = nil
        batch.create(step.id)
        for chain in step.after.chains { batch.create(chain, in: step.id) }
      } else if !created.contains(step.id) {
        makeChains(step, live, &batch)
      }
      for chain in step.after.chains { try edit(chain, step, live, &batch) }
      removeChains(step, live, &batch)
    }
    return try compileMaps(plan, reading, &batch)
  }

  /// Chains that are not there yet, and policies that change. A built-in chain that would do nothing stays unmade.
  func makeChains(_ step: Plan.Step, _ live: LiveTable?, _ batch: inout Batch) {
    for chain in step.after.chains {
      let old = live?.table[chain.name]
      if chain.hook == nil {
        if old == nil { batch.create(chain, in: step.id) }
      } else if live?.madeChains.contains(chain.name) != true {
        if !chain.rules.isEmpty || chain.policy != .accept || chain.policyCounters != .zero {
          batch.create(chain, in: step.id)
        }
      } else if let before = step.before?[chain.name],
        before.policy != chain.policy || before.policyCounters != chain.policyCounters || step.restoresCounters
      {
        batch.setPolicy(of: chain, in: step.id)
      }
    }
  }

  private func edit(_ chain: Chain, _ step: Plan.Step, _ live: LiveTable?, _ batch: inout Batch) throws(BackendError) {
    let handles = live?.handles[chain.name] ?? []
    let edit = chainEdit(chain, step, live)
    if let deletions = edit.deletions {
      for index in deletions { batch.deleteRules(handles[index], of: chain.name, in: step.id) }
    } else {
      batch.deleteRules(nil, of: chain.name, in: step.id)
    }
    for (number, (rule, place)) in edit.insertions.enumerated() {
      let isReferred = number + 1 < edit.insertions.count && edit.insertions[number + 1].place == .afterPrevious
      let there: Batch.Place =
        switch place {
        case .start: .start
        case .end: .end
        case .before(let index): .before(handles[index])
        case .instead(let index): .instead(handles[index])
        case .afterPrevious: .afterPrevious
        }
      try add(rule, of: chain, in: step.id, at: there, isReferred: isReferred, &batch)
    }
  }

  /// - Throws: ``BackendError`` of kind `unsupported` when nf_tables has no form for the rule.
  func add(
    _ index: Int, of chain: Chain, in id: TableID, at place: Batch.Place, isReferred: Bool = false, _ batch: inout Batch
  ) throws(BackendError) {
    do throws(NFTRuleCodec.Unsupported) {
      try batch.add(index, of: chain, in: id, at: place, isReferred: isReferred)
    } catch {
      throw unsupported(error.message, index, chain, id)
    }
  }

  /// How a chain of a step comes about.
  func chainEdit(_ chain: Chain, _ step: Plan.Step, _ live: LiveTable?) -> ChainEdit {
    ChainEdit(
      from: live?.table[chain.name]?.rules ?? RuleList(family: step.id.family), to: chain.rules,
      sources: step.sources[chain.name], rewrites: step.restoresCounters && step.sources.isEmpty,
      isCounted: live?.uncounted.contains(chain.name) != true, canFollow: canFollow,
      pairings: pairings)
  }

  /// Their rules first: they may lead to each other.
  private func removeChains(_ step: Plan.Step, _ live: LiveTable?, _ batch: inout Batch) {
    let gone = (live?.table.chains ?? []).filter { step.after[$0.name] == nil }
    for chain in gone where !chain.rules.isEmpty { batch.deleteRules(nil, of: chain.name, in: step.id) }
    for chain in gone { batch.delete(chain.name, in: step.id) }
  }

  func expressions(of rule: Rule, _ index: Int, _ chain: Chain, _ id: TableID) throws(BackendError)
    -> [NFTExpression]
  {
    do throws(NFTRuleCodec.Unsupported) {
      return try NFTRuleCodec.expressions(for: rule, family: id.family, registry: .standard) {
        revisions.revision(of: $0, id.family)
      }
    } catch {
      guard let part = error.lacking else { throw unsupported(error.message, index, chain, id) }
      throw BackendError(
        .unsupported, revisions.lacking(part, in: id), hint: KernelRevisions.hint, table: id,
        culprit: culprit(chain, index, id))
    }
  }

  /// ``expressions(of:_:_:_:)``.
  var coder: RuleCoder {
    { (rule, index, chain, id) throws(BackendError) in try expressions(of: rule, index, chain, id) }
  }

  private func unsupported(_ why: String, _ index: Int, _ chain: Chain, _ id: TableID) -> BackendError {
    BackendError(
      .unsupported, "table \(id): nf_tables has no form for this rule: \(why)",
      hint: "commit it to ip_tables: --backend legacy", table: id, culprit: culprit(chain, index, id))
  }

  /// The table after a step with every new rule as it will be read back.
  /// - Parameter isExact: whether a rule is given back as it is, by chain and place.
  /// - Throws: ``BackendError`` of kind `unsupported` for a rule that nf_tables cannot say.
  func normalForm(
    _ step: Plan.Step, isExact: (ChainName, Int) -> Bool = { _, _ in false }
  ) throws(BackendError) -> Table {
    var result = step.after
    let common = CommonRules(family: step.id.family, revisions: revisions)
    var scratch = ByteWriter()
    for (place, chain) in step.after.chains.enumerated() {
      let before = step.before?[chain.name]?.rules ?? RuleList(family: step.id.family)
      var others = RuleList(family: step.id.family)
      var replaced: [Int: Int] = [:]
      for (index, source) in pairings.sources(before, chain.rules).enumerated()
      where source == nil && !isExact(chain.name, index) {
        scratch.truncate(to: 0)
        guard common.write(index, of: chain.rules, to: &scratch) == nil else { continue }
        let said = try expressions(of: chain.rules[index], index, chain, step.id)
        guard let rule = NFTRuleCodec.rule(from: said, family: step.id.family, registry: .standard) else {
          throw unsupported("it cannot be read back", index, chain, step.id)
        }
        let alone = RuleList(CollectionOfOne(rule), family: step.id.family)
        guard !alone.sameRule(0, chain.rules, index) else { continue }
        replaced[index] = others.count
        others.append(alone)
      }
      if !replaced.isEmpty { result.setRules(of: place, chain.rules.replacing(replaced, from: others)) }
    }
    return result
  }

  /// - Throws: ``BackendError`` of kind `refused`, as the kernel would in the end.
  func checkDepth(_ plan: Plan) throws(BackendError) {
    for step in plan.steps {
      guard let (chain, index) = CallDepth.firstTooDeep(in: step.after) else { continue }
      throw BackendError(
        .refused, BackendError.tooDeep(step.id), table: step.id, culprit: culprit(chain, index, step.id), code: EMLINK)
    }
  }

  func culprit(_ chain: Chain, _ index: Int, _ id: TableID) -> BackendError.Culprit {
    BackendError.Culprit(
      table: id, chain: chain.name, ruleNumber: index + 1, position: chain.rules.position(of: index),
      text: "-A \(chain.name)" + SaveText.rule(chain.rules[index], family: id.family, names: names))
  }
}
