internal import Netfilter
public import RuleStore

/// Trying in a network namespace of its own what the kernel might refuse, and finding out why it did.
extension XTablesBackend {
  public func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String? {
    let steps = extent == .full ? plan.steps[...] : plan.steps.dropFirst()
    guard !steps.isEmpty else { return nil }
    try checkSets(steps)
    let tried = inFreshNamespace(sets: steps) { () -> BackendError? in
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
      return "no rehearsal: \(refusal.what) (\(describe(refusal.code)))"
    }
  }

  /// Finds the rule at fault when the kernel refused a table: the first one with which a namespace of its own
  /// refuses the rules up to it.
  func locate(_ error: BackendError, _ steps: ArraySlice<Plan.Step>) -> BackendError {
    guard error.kind == .refused, error.culprit == nil, let table = error.table,
      let step = steps.first(where: { $0.id == table })
    else { return error }
    do throws(BackendError) { try checkSets([step]) } catch { return error }
    let found = inFreshNamespace(sets: [step]) { self.firstRefused(in: step.after) }
    guard case .success(let culprit?) = found else { return error }
    var error = error
    error.culprit = culprit
    return error
  }

  /// Runs `body` in a namespace where the numbers of the sets that the steps look into are those of sets too. Sets
  /// belong to a namespace, and the kernel asks of a rule only that there is one with its number.
  private func inFreshNamespace<R>(sets steps: ArraySlice<Plan.Step>, _ body: @escaping () -> R) -> Result<
    R, NamespaceRefused
  > {
    let last = steps.reduce(into: Set<UInt16>()) { $0.formUnion($1.after.setIndices) }.max()
    let tried = XTablesStore.inFreshNamespace { () -> Result<R, NamespaceRefused> in
      do throws(KernelSets.Refusal) {
        if let last { try KernelSets.makePlaceholders(through: last) }
      } catch {
        return .failure(NamespaceRefused(what: "the kernel makes no sets to try rules with", code: error.code))
      }
      return .success(body())
    }
    return tried.flatMap { $0 }
  }

  /// - Throws: ``BackendError`` of kind `refused` for the first rule that looks into a set which is not there: nobody made
  ///   it, or it has been destroyed since the rules were read.
  private func checkSets(_ steps: ArraySlice<Plan.Step>) throws(BackendError) {
    for step in steps {
      let missing = step.after.setIndices.filter { (try? KernelSets.name($0)) == nil }
      guard !missing.isEmpty else { continue }
      for chain in step.after.chains {
        guard let use = chain.rules.firstUse(of: missing) else { continue }
        let name = names.sets.name(use.set).map { "'\($0)'" } ?? "number \(use.set)"
        var error = BackendError(
          .refused, "table \(step.id): set \(name) does not exist in this network namespace",
          hint: "make it first: ipset create NAME TYPE")
        error.table = step.id
        error.culprit = culprit(step.after, chain, use.rule)
        throw error
      }
    }
  }

  private func culprit(_ table: Table, _ chain: Chain, _ rule: Int) -> BackendError.Culprit {
    BackendError.Culprit(
      table: table.id, chain: chain.name, ruleNumber: rule + 1, position: chain.rules.position(of: rule),
      text: "-A \(chain.name)" + SaveText.rule(chain.rules[rule], family: table.family, names: names))
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
        return culprit(table, chain, rest)
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
