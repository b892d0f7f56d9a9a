internal import Netfilter
internal import RuleStore

/// What the tables of a plan come to share with those of the other family.
struct Sharing {
  /// The chains that are to stand in the table of both families.
  var chains: [TableName: Set<ChainName>] = [:]
  /// Tables whose chains do not stay in the tables of nf_tables where they are.
  var moved: Set<TableName> = []
  /// Tables that the plan leaves as they are and that have to be written anew all the same.
  var partners: [Plan.Step] = []

  private static let mostNames = 8

  /// For people.
  var notes: [String] {
    moved.sorted().compactMap { name in
      guard let shared = chains[name], !shared.isEmpty else { return nil }
      var list = shared.sorted().prefix(Self.mostNames).map(\.text).joined(separator: ", ")
      if shared.count > Self.mostNames { list += " and \(shared.count - Self.mostNames) more" }
      return
        "table \(name): what IPv4 and IPv6 say alike stands once, in table inet \(TableForm.compiledTable): \(list)"
    }
  }

  /// Which tables that a plan does not change may be concerned.
  /// - Parameter mayBegin: whether tables that share nothing may come to; that takes reading the other one.
  static func partners(of steps: [Plan.Step], _ reading: KernelReading, mayBegin: Bool) -> Set<TableID> {
    let steps = Set(steps.map(\.id))
    return Set(steps.map(\.partner)).subtracting(steps).filter { id in
      reading.compiled.contains(id) && (mayBegin || reading.tables[id.partner]?.compiled?.shared.isEmpty == false)
    }
  }
}

extension PlanCompiler {
  /// - Parameters:
  ///   - reading: also of the tables that ``Sharing/partners(of:_:mayBegin:)`` tells.
  ///   - mayBegin: whether tables that share nothing may come to.
  func sharing(_ steps: [Plan.Step], _ reading: KernelReading, mayBegin: Bool) -> Sharing {
    var result = Sharing()
    for name in Set(steps.map(\.id.name)) {
      let ids = Family.allCases.map { TableID(name, $0) }
      let given = ids.map { id in steps.first { $0.id == id } }
      let lives = ids.map { reading.tables[$0] }
      // The tables as they will be compiled.
      let wanted = zip(given, lives).compactMap { step, live -> Table? in
        if let step { return layouts[step.id] == nil ? nil : step.after }
        return live?.compiled == nil ? nil : live?.table
      }
      let current = lives.compactMap { $0?.compiled?.shared }.first { !$0.isEmpty } ?? []
      let isPossible = wanted.count == ids.count && (mayBegin || !current.isEmpty)
      let shared = isPossible ? SharedChains.find(wanted[0], wanted[1], self) : []
      result.chains[name] = shared
      if shared != current { result.moved.insert(name) }
      let isRestored = !shared.isEmpty && given.contains { $0?.restoresCounters == true }
      guard shared != current || isRestored else { continue }
      for (step, live) in zip(given, lives) where step == nil {
        guard let live, live.compiled != nil else { continue }
        result.partners.append(Plan.Step(id: live.table.id, before: live.table, after: live.table))
      }
    }
    return result
  }

  // MARK: Out of the old place

  /// Takes tables out that are to stand in another form, or elsewhere.
  func removeForms(_ plan: Plan, _ reading: KernelReading, _ batch: inout Batch) throws(BackendError) {
    for id in plan.steps.map(\.id) where reading.linear.contains(id) && layouts[id] != nil { batch.delete(id) }
    var leaving: [LiveTable] = []
    for step in plan.steps + sharing.partners {
      guard let live = reading.tables[step.id], live.compiled != nil else { continue }
      if layouts[step.id] == nil || sharing.moved.contains(step.id.name) { leaving.append(live) }
    }
    for family in Family.allCases {
      let own = leaving.filter { $0.table.family == family }
      try remove(own, .compiled, reading.places[family.rawValue] ?? [], &batch)
    }
    let both = leaving.filter { $0.compiled?.shared.isEmpty == false }
    try remove(both, .shared, reading.places[NFTFamily.inet.rawValue] ?? [], &batch)
    batch.form = .linear
  }

  /// - Parameter there: what stands in the kernel's table.
  private func remove(
    _ leaving: [LiveTable], _ form: TableForm, _ there: Set<TableName>, _ batch: inout Batch
  ) throws(BackendError) {
    guard let first = leaving.first, !there.isEmpty else { return }
    batch.form = form
    if there.isSubset(of: leaving.map(\.table.name)) { return batch.delete(first.table.id) }
    var cleared: Set<TableName> = []
    for live in leaving where there.contains(live.table.name) {
      guard !live.isPartial else { throw .notRemembered(live.table.id) }
      guard let state = live.compiled, var writer = try? CompiledWriter(live.table, state, self) else {
        throw BackendError(.stale, "the rules have changed since they were read", table: live.table.id)
      }
      // The rules and maps of both families are gone with those of the first.
      let isFirst = cleared.insert(live.table.name).inserted
      for name in live.chains(in: form) {
        if isFirst { writer.clear(name, &batch) } else { writer.clearHelpers(of: name, &batch) }
      }
      writer.clearTargets(form, &batch)
    }
    for live in leaving where cleared.remove(live.table.name) != nil {
      for name in live.chains(in: form) { batch.delete(name, in: live.table.id) }
    }
  }

  // MARK: Into the new one

  /// - Returns: what the tables are then that stand in compiled form.
  func compileMaps(_ plan: Plan, _ reading: KernelReading, _ batch: inout Batch) throws(BackendError)
    -> [TableID: CompiledTable.Written]
  {
    var written: [TableID: CompiledTable.Written] = [:]
    let coder = coder
    var names: [TableName] = []
    for step in plan.steps + sharing.partners where !names.contains(step.id.name) { names.append(step.id.name) }
    for name in names {
      let shared = sharing.chains[name] ?? []
      var steps: [CompiledStep] = []
      for step in plan.steps + sharing.partners where step.id.name == name {
        guard let layout = layouts[step.id] else { continue }
        let live = reading.tables[step.id].flatMap { $0.compiled == nil || sharing.moved.contains(name) ? nil : $0 }
        steps.append(try CompiledStep(step, layout, live, shared, self))
      }
      for index in steps.indices {
        if steps[index].needsOwnTable { try checkPlace(.compiled, steps[index].step.id, reading) }
        steps[index].makeChains(&batch)
      }
      if let index = steps.firstIndex(where: { $0.step.id.family == .ipv4 }), steps.count == 2, !shared.isEmpty {
        try checkPlace(.shared, steps[index].step.id, reading)
        var (four, six) = (steps[index], steps[1 - index])
        try CompiledStep.writeShared(&four, &six, coder, &batch)
        steps = [four, six]
      }
      for index in steps.indices {
        try steps[index].writeOwn(coder, &batch)
        let step = steps[index]
        if step.live != nil, !step.needsOwnTable, reading.places[step.step.id.family.rawValue] == [name] {
          batch.delete(step.step.id)
        }
        written[step.step.id] = CompiledTable.Written(table: step.writer.state, staying: step.writer.staying)
      }
    }
    batch.form = .linear
    return written
  }

  /// - Throws: ``BackendError`` of kind `refused` where another program has a table of the name that is needed.
  private func checkPlace(_ form: TableForm, _ id: TableID, _ reading: KernelReading) throws(BackendError) {
    let family = form.family(id)
    guard reading.taken.contains(family) else { return }
    throw BackendError(
      .refused,
      "nf_tables holds a table \(NFTFamily(rawValue: family)) \(TableForm.compiledTable) of another program, where compiled rules would stand",
      hint: "give that table another name, or leave --compile out", table: id)
  }
}

extension LiveTable {
  /// The chains that the kernel has in a table of the form.
  fileprivate func chains(in form: TableForm) -> [ChainName] {
    let shared = compiled?.shared ?? []
    return table.chains.filter { chain in
      shared.contains(chain.name) == (form == .shared) && (chain.hook == nil || madeChains.contains(chain.name))
    }.map(\.name)
  }
}
