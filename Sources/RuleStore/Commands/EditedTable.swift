internal import Glibc
package import Netfilter

/// A table of any backend on which commands are carried out in memory.
///
/// A change by somebody else between reading and committing is noticed by the kernel: the commands are then carried out
/// again on what is there now.
package final class EditedTable: CommandTable {
  package let id: TableID
  private let backend: any Backend
  private var snapshot: Snapshot
  /// Whether the rules' counters are those of the moment of reading.
  private var isCounted: Bool
  private var table: Table
  /// What was done so far.
  private var edits: [Edit] = []

  private typealias Edit = (inout Table) throws(CommandRefusal) -> Void

  /// How often the commands are carried out again because somebody else has changed the table.
  private static let attempts = 100

  /// - Parameter isCounted: whether the counters of the rules are needed.
  package init(_ id: TableID, _ backend: any Backend, isCounted: Bool) throws(BackendError) {
    (self.id, self.backend, self.isCounted) = (id, backend, isCounted)
    snapshot = try Self.read(id, backend, isCounted)
    table = snapshot.ruleset[id] ?? Table(id.name, family: id.family)
  }

  private static func read(_ id: TableID, _ backend: any Backend, _ isCounted: Bool) throws(BackendError) -> Snapshot {
    isCounted ? try backend.snapshot(of: .only([id])) : try backend.outline(of: .only([id]))
  }

  // MARK: Committing

  package func commit() throws(CommandRefusal) {
    for _ in 1..<Self.attempts {
      do throws(BackendError) {
        return try attempt()
      } catch {
        guard error.kind == .stale else { throw CommandRefusal(error) }
      }
      try readAgain(isCounted: true)
    }
    do throws(BackendError) { try attempt() } catch { throw CommandRefusal(error) }
  }

  private func readAgain(isCounted: Bool) throws(CommandRefusal) {
    do throws(BackendError) {
      snapshot = try Self.read(id, backend, isCounted)
    } catch {
      throw CommandRefusal(error)
    }
    self.isCounted = isCounted
    table = snapshot.ruleset[id] ?? Table(id.name, family: id.family)
    for edit in edits { try edit(&table) }
  }

  /// - Throws: ``BackendError`` of kind `stale` when the table has to be read again.
  private func attempt() throws(BackendError) {
    guard !edits.isEmpty else { return }
    let before = snapshot.existing.contains(id) ? snapshot.ruleset[id] : nil
    let writesCounters = before.map { table.hasOtherCounters(than: $0) } ?? false
    if writesCounters, !isCounted { throw BackendError(.stale, "the counters are not known") }
    if let before, before.sameRules(as: table), !writesCounters { return }
    let isThere = before != nil
    let step = Plan.Step(id: id, before: before, after: table, restoresCounters: writesCounters)
    let plan = Plan(steps: isThere || !table.isPristine ? [step] : [], creations: isThere ? [] : [id])
    try backend.apply(try backend.fitted(plan), expecting: snapshot.stamp)
  }

  // MARK: Looking

  package var chainNames: [ChainName] { table.chains.map(\.name) }
  package func contains(_ chain: ChainName) -> Bool { table.contains(chain) }
  package func isBuiltIn(_ chain: ChainName) -> Bool { table[chain]?.hook != nil }
  package func read() throws(CommandRefusal) -> Table { table }
  package func dump() {}

  package func check(_ rule: Rule, in chain: ChainName) throws(CommandRefusal) { _ = try table.place(of: rule, chain) }

  // MARK: Editing

  private func edit(_ body: @escaping Edit) throws(CommandRefusal) {
    try body(&table)
    edits.append(body)
  }

  /// Changes the rules of a chain.
  private func edit(
    _ chain: ChainName, _ body: @escaping (inout RuleList) throws(CommandRefusal) -> Void
  ) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      let index = try table.place(of: chain)
      var failure: CommandRefusal?
      table.withRules(of: index) { rules in
        do throws(CommandRefusal) { try body(&rules) } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }

  package func append(_ rule: Rule, to chain: ChainName) throws(CommandRefusal) {
    try edit(chain) { $0.append(rule, at: nil) }
  }

  package func insert(_ rule: Rule, at number: Int, of chain: ChainName) throws(CommandRefusal) {
    try edit(chain) { rules throws(CommandRefusal) in
      guard number <= rules.count + 1 else { throw .tooBig("insertion") }
      rules.replaceSubrange(number - 1..<number - 1, with: [rule])
    }
  }

  package func replace(_ number: Int, of chain: ChainName, with rule: Rule) throws(CommandRefusal) {
    try edit(chain) { rules throws(CommandRefusal) in
      guard number <= rules.count else { throw .tooBig("replacement") }
      rules.replaceSubrange(number - 1..<number, with: [rule])
    }
  }

  package func delete(_ rule: Rule, from chain: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      let place = try table.place(of: rule, chain)
      table.withRules(of: try table.place(of: chain)) { $0.replaceSubrange(place..<place + 1, with: []) }
    }
  }

  package func delete(_ number: Int, from chain: ChainName) throws(CommandRefusal) {
    try edit(chain) { rules throws(CommandRefusal) in
      guard number <= rules.count else { throw .tooBig("deletion") }
      rules.replaceSubrange(number - 1..<number, with: [])
    }
  }

  package func flush(_ chain: ChainName) throws(CommandRefusal) {
    try edit(chain) { $0 = RuleList(family: $0.family) }
  }

  package func create(_ chain: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      guard (try? table.addChain(chain)) != nil else {
        throw CommandRefusal(code: EEXIST, reason: "Chain already exists")
      }
    }
  }

  package func delete(_ chain: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      _ = try table.place(of: chain)
      do throws(Table.Problem) {
        try table.removeChain(chain)
      } catch {
        throw CommandRefusal(
          code: EBUSY, reason: "CHAIN_DEL failed (Device or resource busy): chain \(chain)", hint: "\(error)",
          source: .transaction)
      }
    }
  }

  package func rename(_ chain: ChainName, to new: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      if table.contains(new) { throw CommandRefusal(code: EEXIST, reason: "File exists") }
      guard (try? table.renameChain(chain, to: new)) != nil else { throw .noSuchChain }
    }
  }

  package func zero(_ chain: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      let index = try table.place(of: chain)
      table.withRules(of: index) { rules in
        for place in rules.indices { rules.setCounters(.zero, of: place) }
      }
      if let policy = table.chains[index].policy { table.setPolicyUnchecked(policy, at: index, counters: .zero) }
    }
  }

  /// There may be no such rule, as with iptables-nft.
  package func zero(_ number: Int, of chain: ChainName) throws(CommandRefusal) {
    try edit(chain) { if number <= $0.count { $0.setCounters(.zero, of: number - 1) } }
  }

  package func setPolicy(_ policy: String, of chain: ChainName, counters: Counters?) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      guard let index = table.index(of: chain), let old = table.chains[index].policy else {
        throw CommandRefusal(code: ENOENT, reason: "Bad built-in chain name")
      }
      guard let policy = Policy(label: policy) else {
        throw CommandRefusal(code: EINVAL, reason: "Bad policy name")
      }
      let kept = old == policy ? table.chains[index].policyCounters : .zero
      table.setPolicyUnchecked(policy, at: index, counters: counters ?? kept)
    }
  }
}

extension CommandRefusal {
  /// The number of a rule that is not there.
  fileprivate static func tooBig(_ what: String) -> CommandRefusal {
    CommandRefusal(code: E2BIG, reason: "Index of \(what) too big")
  }

  package init(_ error: BackendError) {
    var message = error.message
    if let culprit = error.culprit { message += ": rule \(culprit.ruleNumber) in chain \(culprit.chain)" }
    let hasNoForm = error.kind == .unsupported && error.culprit != nil
    self.init(code: error.code, reason: message, hint: error.hint, source: hasNoForm ? .form : .transaction)
  }
}

extension Table {
  fileprivate func place(of chain: ChainName) throws(CommandRefusal) -> Int {
    guard let index = index(of: chain) else { throw .noSuchChain }
    return index
  }

  fileprivate func place(of rule: Rule, _ chain: ChainName) throws(CommandRefusal) -> Int {
    guard let place = chains[try place(of: chain)].rules.firstPlace(of: rule) else { throw .noSuchRule }
    return place
  }

  /// Whether a rule or policy that is in both tables counts from elsewhere.
  fileprivate func hasOtherCounters(than old: Table) -> Bool {
    chains.contains { chain in
      guard let before = old[chain.name] else { return false }
      if let policy = chain.policy, policy == before.policy, chain.policyCounters != before.policyCounters {
        return true
      }
      return RulePairing(before.rules, chain.rules).sources.enumerated().contains { place, source in
        source.map { chain.rules.counters(of: place) != before.rules.counters(of: $0) } ?? false
      }
    }
  }
}
