internal import Netfilter
internal import RuleStore

/// Plans in the revisions that the kernel has, in the bytes that ip_tables takes.
extension KernelRevisions {
  /// The plan in revisions that the kernel has.
  /// - Throws: ``BackendError`` of kind `unsupported` for a rule that cannot be said in them.
  func fitted(_ plan: Plan, names: Names) throws(BackendError) -> Plan {
    var steps = plan.steps
    var isChanged = false
    for index in steps.indices {
      let step = steps[index]
      guard let table = try fitted(step.after, names) else { continue }
      steps[index] = Plan.Step(
        id: step.id, before: step.before, after: table, restoresCounters: step.restoresCounters)
      isChanged = true
    }
    return isChanged ? Plan(steps: steps, creations: plan.creations) : plan
  }

  /// nil when nothing has to change.
  private func fitted(_ table: Table, _ names: Names) throws(BackendError) -> Table? {
    var result: Table?
    var taken: [RuleList.RevisedName] = []
    for (index, chain) in table.chains.enumerated() {
      var places: [Int] = []
      chain.rules.forEachRevised { place, name in
        if taken.contains(name) || places.last == place { return }
        if earlier(than: name, table.family) == nil { taken.append(name) } else { places.append(place) }
      }
      guard !places.isEmpty else { continue }
      var rewritten = RuleList(family: table.family)
      var sources: [Int: Int] = [:]
      for place in places {
        sources[place] = rewritten.count
        try rewrite(chain, place, table, names, into: &rewritten)
      }
      if result == nil { result = table }
      result?.setRules(of: index, chain.rules.replacing(sources, from: rewritten))
    }
    return result
  }

  private func earlier(than name: RuleList.RevisedName, _ family: Family) -> UInt8? {
    name.name.flatMap { earlier(than: name.revision, of: $0, isTarget: name.isTarget, family) }
  }

  private func rewrite(
    _ chain: Chain, _ place: Int, _ table: Table, _ names: Names, into rules: inout RuleList
  ) throws(BackendError) {
    let rule = chain.rules[place]
    var bytes = ByteWriter()
    if let part = RuleCodec.encode(rule, family: table.family, to: &bytes, revision: { revision(of: $0, table.family) })
    {
      throw BackendError(
        .unsupported, lacking(part, in: table.id), hint: Self.hint, table: table.id,
        culprit: BackendError.Culprit(
          table: table.id, chain: chain.name, ruleNumber: place + 1, position: chain.rules.position(of: place),
          text: "-A \(chain.name)" + SaveText.rule(rule, family: table.family, names: names)))
    }
    do throws(WireError) {
      try rules.append(bytes: bytes.bytes.span.bytes)
    } catch {
      preconditionFailure("a rule that was just written is whole: \(error)")
    }
  }
}
