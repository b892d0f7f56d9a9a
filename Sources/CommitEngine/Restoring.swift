public import Netfilter
public import RuleStore

/// Ways back to earlier generations, and the start of the machine.
extension CommitEngine {
  /// A commit that makes Firebreak's tables what they were in an earlier generation.
  func restoring(_ number: Int?, since present: Generation.Summary, _ request: Request) throws -> Request {
    // What a rollback restored is what counts: the next one goes on from there.
    let target = try number ?? previous(of: present.standing)
    var request = request
    request.restores = target
    request.options.counters = .wanted
    if request.message.isEmpty { request.message = "rollback to \(target)" }
    let generation = target > 0 ? try history.generation(target) : nil
    request.companions = try companionChanges(to: generation, target)
    request.released = Set(request.companions.map(\.companion).filter { generation?.companions[$0] == nil })
    request.wanted = try ruleset(
      of: generation, target, since: present, making: Set(request.companions.filter(\.isMade).map(\.companion)))
    request.givenBack = Set(present.tables).subtracting(generation?.summary.tables ?? [])
    if let last = try? read(Self.last), last.head.nonce == present.nonce {
      // Rules that the present generation took out had these counters.
      let record = last.record.renumberingSets { (sets ?? .imagined).presentOrImagined($0) }
      for entry in record.entries {
        guard let before = entry.before, let table = request.wanted[entry.id] else { continue }
        request.wanted[entry.id] = CounterCarrier.carry(from: before, to: table, fresh: .zero)
      }
      // Of earlier commits it is not known how their tables stood.
      if (try? standing(before: present)) == target { request.options.shapes = record.shapes }
    }
    return request
  }

  private func previous(of standing: Int) throws -> Int {
    guard standing > 0 else { throw Failure.nothingToRollBack }
    return try self.standing(before: history.summary(standing))
  }

  /// The generation whose rules were there before a commit.
  private func standing(before generation: Generation.Summary) throws -> Int {
    generation.base > 0 ? try history.summary(generation.base).standing : 0
  }

  /// What makes Firebreak's companions what they were in an earlier generation; nil for before the first.
  private func companionChanges(to generation: Generation?, _ target: Int) throws -> [CompanionChange] {
    try OwnRules.load(history).companions.sorted { $0.key < $1.key }.compactMap { companion, state in
      let wanted = generation?.companions[companion]
      let content = try wanted.map(\.content) ?? found(companion, since: target)
      return content == state.content ? nil : CompanionChange(companion, before: state.content, after: content)
    }
  }

  /// What a companion held when it came under Firebreak after a generation; nil where it was not there.
  private func found(_ companion: Companion, since target: Int) throws -> [UInt8]? {
    let numbers = try history.numbers()
    for number in numbers where number > target {
      guard let summary = try? history.summary(number), summary.isHere else { continue }
      if let found = try history.generation(number).foundCompanions[companion] { return found }
    }
    throw History.Failure.pruned(target, oldest: numbers.first ?? target)
  }

  /// The rules of an earlier generation for every table that is Firebreak's now.
  /// - Parameters:
  ///   - generation: nil for before the first.
  ///   - made: sets that will be made before the rules come.
  private func ruleset(
    of generation: Generation?, _ target: Int, since present: Generation.Summary, making made: Set<Companion>
  ) throws -> Ruleset {
    var result = Ruleset()
    if let generation {
      try demandSets(of: generation, besides: made)
      for table in generation.ruleset.tables { result[table.id] = table }
    }
    for id in present.tables where result[id] == nil {
      result[id] = try found(id, since: target, making: made) ?? Table(id.name, family: id.family)
    }
    return result
  }

  /// The table as it was when it came under Firebreak after a generation; nil where the kernel had not made it.
  private func found(_ id: TableID, since target: Int, making made: Set<Companion>) throws -> Table? {
    let numbers = try history.numbers()
    for number in numbers where number > target {
      guard let summary = try? history.summary(number), summary.isHere, summary.tables.contains(id) else { continue }
      let generation = try history.generation(number)
      guard let found = generation.found[id] else { continue }
      try demandSets(of: generation, besides: made)
      return found
    }
    throw History.Failure.pruned(target, oldest: numbers.first ?? target)
  }

  /// Looks whether rules of a generation can come back.
  /// - Parameter made: sets that will be made before the rules come.
  /// - Throws: ``Failure/missingSet(_:)``
  private func demandSets(of generation: Generation, besides made: Set<Companion> = []) throws(Failure) {
    guard let sets else { return }
    for name in generation.sets.values.sorted() where !made.contains(Companion(.set, name)) {
      guard case .found = sets.find(name) else { throw .missingSet(name) }
    }
  }

  /// What is to be said of a commit through another backend than that of the last generation.
  func changeOfBackend(since base: Int) -> [String] {
    let present = store.backend.capabilities.name
    guard base > 0, let former = try? history.summary(base).backend, former != present,
      let rules = try? history.generation(base).ruleset, rules.tables.contains(where: { !$0.isPristine })
    else { return [] }
    return [
      """
      generation \(base) was committed through \(former), which keeps its rules; from now on status looks for all of \
      Firebreak's rules in \(present), and rollback and the start of the machine put them there; what \(former) holds is \
      moved by `firebreak migrate --to \(present)`
      """
    ]
  }

  // MARK: The start of the machine

  /// What was put into the kernel at the start of the machine.
  public struct Loading: Sendable {
    public let generation: Generation.Summary
    public let plan: Plan
    /// Newer generations that are damaged, and other things worth saying.
    public let notes: [String]
  }

  /// Puts the newest generation that is whole into the kernel, once in each start of the machine: what was not confirmed by
  /// then is none.
  /// - Parameter backend: through which to load; nil for the one through which it was committed, and where the kernel no
  ///   longer has that, this engine's own.
  /// - Returns: nil where there is no generation, or its rules were there already in this start.
  /// - Throws: ``History/Failure/damaged(_:path:reason:)`` where there are generations and none is whole, and what
  ///   ``apply(_:)`` throws.
  public func loadAtStart(_ options: RuleStore.CommitOptions = .init(), through backend: String? = nil) throws
    -> Loading?
  {
    let lock = try lockState(options)
    defer { withExtendedLifetime(lock) {} }
    _ = try finishInterrupted(options)
    guard try !OwnRules.load(history).isInKernel, try awaiting() == nil else { return nil }
    var damaged: [History.Failure] = []
    guard var newest = try history.newestIntact({ damaged.append($0) }) else {
      if let newest = damaged.first { throw newest }
      return nil
    }
    var notes = damaged.map { "\($0)" }
    if let companions, !newest.companions.isEmpty {
      notes += companions.load(newest.companions.ours)
      newest = try history.generation(newest.number)  // with the numbers that its sets have got
    }
    let outcome: RuleStore.Outcome
    let own = store.backend.capabilities.name
    do {
      outcome = try load(newest, in: store(named: backend ?? newest.summary.backend), options, &notes)
    } catch let error as BackendError
      where error.kind == .unsupported && backend == nil && own != newest.summary.backend
    {
      notes.append("loaded through \(own) because \(newest.summary.backend) does not take it: \(error)")
      outcome = try load(newest, in: store, options, &notes)
    }
    newest.isLoaded = true
    try OwnRules(newest, boot: BootID.current).save(state)
    audit.note(.start, newest.summary)
    return Loading(generation: newest.summary, plan: outcome.plan, notes: notes)
  }

  private func load(
    _ generation: Generation, in store: RuleStore, _ options: RuleStore.CommitOptions, _ notes: inout [String]
  ) throws -> RuleStore.Outcome {
    try demandSets(of: generation)
    var foreign = try ForeignRules(history, keeping: .foreign)
    let outcome = try store.commit(
      Set(generation.summary.tables), options,
      wanting: { try foreign.merge(generation.ruleset, into: $0, fit: store.backend.fitted) })
    notes += foreign.notes
    return outcome
  }

  /// The tables that the last commit changed, as they were before it; those it made stand there untouched. And the store
  /// through which it was made.
  /// - Throws: ``Failure/nothingToRollBack`` when there is none.
  public func previous() throws -> (ruleset: Ruleset, store: RuleStore) {
    guard let record = try read(Self.last)?.record else { throw Failure.nothingToRollBack }
    let shown = record.renumberingSets { (sets ?? .imagined).presentOrImagined($0) }
    return (
      Ruleset(shown.entries.map { $0.before ?? Table($0.id.name, family: $0.id.family) }),
      try store(named: record.backend)
    )
  }
}
