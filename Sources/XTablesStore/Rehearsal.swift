internal import Netfilter
public import RuleStore

/// Trying in a network namespace of its own what the kernel might refuse, and finding out why it did.
extension XTablesBackend {
  public func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String? {
    let steps = extent == .full ? plan.steps[...] : plan.steps.dropFirst()
    guard !steps.isEmpty else { return nil }
    let tried = inFreshNamespace { () -> BackendError? in
      for step in steps {
        do throws(BackendError) {
          try self.write(Plan.Step(id: step.id, before: nil, after: step.after), isLive: false)
        } catch {
          return error
        }
      }
      return nil
    }
    switch tried {
    case .success(nil): return nil
    case .success(let error?): throw locate(error, steps)
    case .failure(let refusal):
      return "no rehearsal: a network namespace cannot be made here (\(describe(refusal.code)))"
    }
  }

  /// Finds the rule at fault when the kernel refused a table: the first one with which a namespace of its own
  /// refuses the rules up to it.
  func locate(_ error: BackendError, _ steps: ArraySlice<Plan.Step>) -> BackendError {
    guard error.kind == .refused, let table = error.table, let step = steps.first(where: { $0.id == table }) else {
      return error
    }
    let found = inFreshNamespace { self.firstRefused(in: step.after) }
    guard case .success(let culprit?) = found else { return error }
    var error = error
    error.culprit = culprit
    return error
  }

  private func firstRefused(in table: Table) -> BackendError.Culprit? {
    guard (try? create([table.id])) != nil,
      (try? write(Plan.Step(id: table.id, before: nil, after: table), isLive: false)) == nil
    else { return nil }
    var low = 0  // so many rules are taken
    var high = table.ruleCount  // so many are refused
    while high - low > 1 {
      let middle = (low + high) / 2
      let part = table.keepingFirst(middle)
      let step = Plan.Step(id: table.id, before: nil, after: part)
      if (try? write(step, isLive: false)) != nil {
        low = middle
        try? write(step.reversed, isLive: false)
      } else {
        high = middle
      }
    }
    guard high > 0 else { return nil }
    var rest = high - 1
    for chain in table.chains {
      if rest < chain.rules.count {
        return BackendError.Culprit(
          table: table.id, chain: chain.name, ruleNumber: rest + 1, position: chain.rules.position(of: rest),
          text: "-A \(chain.name)" + SaveText.rule(chain.rules[rest], family: table.family, names: names))
      }
      rest -= chain.rules.count
    }
    return nil
  }
}

extension Table {
  /// The same chains with the first `count` rules only, counted over all chains in order.
  fileprivate func keepingFirst(_ count: Int) -> Table {
    var result = self
    var left = count
    for index in chains.indices {
      let rules = chains[index].rules
      var kept = RuleList(family: family)
      for place in rules.indices.prefix(left) { kept.copy(place, from: rules) }
      result.setRules(of: index, kept)
      left -= Swift.min(left, rules.count)
    }
    return result
  }
}
