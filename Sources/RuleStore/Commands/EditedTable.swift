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
  private var depth: Depth
  private var table: Table
  /// What was done so far.
  private var edits: [Edit] = []
  /// Whether they make the table where it is not there: what is done to all chains, of which it then has none, does not.
  private var makesTable = false
  /// The same where no rule was read.
  private var additions: [TableAddition] = []

  /// What has to be known of a table for a command.
  package enum Depth: Sendable {
    /// Its chains: rules are put at their ends only, policies set, chains made.
    case chains
    /// Its rules, whatever they have counted.
    case rules
    case counters
  }

  private typealias Edit = (inout Table) throws(CommandRefusal) -> Void

  /// How often the commands are carried out again because somebody else has changed the table.
  private static let attempts = 100

  /// - Parameter depth: what the commands need; the backend may give more.
  package init(_ id: TableID, _ backend: any Backend, _ depth: Depth) throws(BackendError) {
    (self.id, self.backend) = (id, backend)
    (snapshot, self.depth) = try Self.read(id, backend, depth)
    table = snapshot.ruleset[id] ?? Table(id.name, family: id.family)
  }

  private static func read(
    _ id: TableID, _ backend: any Backend, _ depth: Depth
  ) throws(BackendError) -> (Snapshot, Depth) {
    switch depth {
    case .chains:
      if let heads = try (backend as? any TableAdder)?.heads(of: id) { return (heads, .chains) }
      return (try backend.outline(of: .only([id])), .rules)
    case .rules: return (try backend.outline(of: .only([id])), .rules)
    case .counters: return (try backend.snapshot(of: .only([id])), .counters)
    }
  }

  // MARK: Committing

  package func commit() throws(CommandRefusal) {
    for _ in 1..<Self.attempts {
      do throws(BackendError) {
        return try attempt()
      } catch {
        guard error.kind == .stale else { throw CommandRefusal(error) }
      }
      try readAgain()
    }
    do throws(BackendError) { try attempt() } catch { throw CommandRefusal(error) }
  }

  /// Reads what is there now, and carries the commands out on it.
  private func readAgain() throws(CommandRefusal) {
    do throws(BackendError) {
      (snapshot, depth) = try Self.read(id, backend, depth == .chains ? .chains : .counters)
    } catch {
      throw CommandRefusal(error)
    }
    table = snapshot.ruleset[id] ?? Table(id.name, family: id.family)
    for edit in edits { try edit(&table) }
  }

  /// Where the chains alone were read.
  private func readRules() throws(CommandRefusal) {
    guard depth == .chains else { return }
    depth = .counters
    try readAgain()
  }

  /// - Throws: ``BackendError`` of kind `stale` when the table has to be read again.
  private func attempt() throws(BackendError) {
    guard !edits.isEmpty else { return }
    if depth == .chains, let adder = backend as? any TableAdder {
      return try adder.add(additions, to: id, expecting: snapshot.stamp)
    }
    let before = snapshot.existing.contains(id) ? snapshot.ruleset[id] : nil
    guard before != nil || makesTable || !table.isPristine else { return }
    let writesCounters = before.map { table.hasOtherCounters(than: $0) } ?? false
    if writesCounters, depth != .counters { throw BackendError(.stale, "the counters are not known") }
    if let before, before.sameRules(as: table), !writesCounters { return }
    let step = Plan.Step(id: id, before: before, after: table, restoresCounters: writesCounters)
    let plan = Plan(steps: before != nil || !table.isPristine ? [step] : [], creations: before == nil ? [id] : [])
    try backend.apply(try backend.fitted(plan), expecting: snapshot.stamp)
  }

  // MARK: Looking

  private var isThere: Bool { snapshot.existing.contains(id) || !edits.isEmpty }

  package var chainNames: [ChainName] { isThere ? table.chains.map(\.name) : [] }
  package func contains(_ chain: ChainName) -> Bool { table.contains(chain) }
  package func isBuiltIn(_ chain: ChainName) -> Bool { table[chain]?.hook != nil }
  package func read() throws(CommandRefusal) -> Table {
    try readRules()
    return table
  }
  package func dump() {}

  package func check(_ rule: Rule, in chain: ChainName) throws(CommandRefusal) {
    try readRules()
    _ = try table.place(of: rule, chain)
  }

  // MARK: Editing

  /// - Parameter addition: the same for a table whose rules were not read; nil where it needs them.
  private func edit(_ addition: TableAddition? = nil, _ body: @escaping Edit) throws(CommandRefusal) {
    if addition == nil { try readRules() }
    try body(&table)
    edits.append(body)
    makesTable = true
    if let addition { additions.append(addition) }
  }

  /// Changes all chains.
  private func editAll(_ body: @escaping Edit) throws(CommandRefusal) {
    try readRules()
    try body(&table)
    edits.append(body)
  }

  /// Changes the rules of a chain.
  private func edit(
    _ chain: ChainName, _ addition: TableAddition? = nil,
    _ body: @escaping (inout RuleList) throws(CommandRefusal) -> Void
  ) throws(CommandRefusal) {
    try edit(addition) { table throws(CommandRefusal) in
      let index = try table.place(of: chain)
      var failure: CommandRefusal?
      table.withRules(of: index) { rules in
        do throws(CommandRefusal) { try body(&rules) } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }

  private func list(of rule: Rule) -> RuleList { RuleList(CollectionOfOne(rule), family: id.family) }

  package func append(_ rule: Rule, to chain: ChainName) throws(CommandRefusal) {
    try edit(chain, .append(list(of: rule), to: chain)) { $0.append(rule, at: nil) }
  }

  package func insert(_ rule: Rule, at number: Int, of chain: ChainName) throws(CommandRefusal) {
    try edit(chain, number == 1 ? .prepend(list(of: rule), to: chain) : nil) { rules throws(CommandRefusal) in
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

  package func flush(_ chain: ChainName?) throws(CommandRefusal) {
    guard let chain else { return try editAll { $0.flush() } }
    try edit(chain) { $0 = RuleList(family: $0.family) }
  }

  package func create(_ chain: ChainName) throws(CommandRefusal) {
    try edit(.chain(chain)) { table throws(CommandRefusal) in
      guard (try? table.addChain(chain)) != nil else {
        throw CommandRefusal(code: EEXIST, reason: "Chain already exists")
      }
    }
  }

  package func declare(_ chain: ChainName) throws(CommandRefusal) {
    try edit(table.contains(chain) ? nil : .chain(chain)) { table throws(CommandRefusal) in
      if (try? table.addChain(chain)) == nil {
        table.withRules(of: try table.place(of: chain)) { $0 = RuleList(family: $0.family) }
      }
    }
  }

  /// iptables-nft takes out all of them or none.
  package func delete(_ chain: ChainName?) throws(CommandRefusal) {
    guard let chain else {
      return try editAll { table throws(CommandRefusal) in
        for chain in table.chains where chain.hook == nil { try table.remove(chain.name) }
      }
    }
    try edit { table throws(CommandRefusal) in try table.remove(chain) }
  }

  package func rename(_ chain: ChainName, to new: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      if table.contains(new) { throw CommandRefusal(code: EEXIST, reason: "File exists") }
      guard (try? table.renameChain(chain, to: new)) != nil else { throw .noSuchChain }
    }
  }

  package func zero(_ chain: ChainName?) throws(CommandRefusal) {
    guard let chain else {
      return try editAll { table in
        for index in table.chains.indices { table.zero(at: index) }
      }
    }
    try edit { table throws(CommandRefusal) in table.zero(at: try table.place(of: chain)) }
  }

  /// There may be no such rule, as with iptables-nft.
  package func zero(_ number: Int, of chain: ChainName) throws(CommandRefusal) {
    try edit(chain) { if number <= $0.count { $0.setCounters(.zero, of: number - 1) } }
  }

  package func setPolicy(_ policy: String, of chain: ChainName, counters: Counters?) throws(CommandRefusal) {
    guard isBuiltIn(chain) else { throw CommandRefusal(code: ENOENT, reason: "Bad built-in chain name") }
    guard let policy = Policy(label: policy) else { throw CommandRefusal(code: EINVAL, reason: "Bad policy name") }
    try edit(.policy(policy, counters, of: chain)) { $0.setPolicy(policy, counters, of: chain) }
  }
}

extension CommandRefusal {
  /// The number of a rule that is not there.
  fileprivate static func tooBig(_ what: String) -> CommandRefusal {
    CommandRefusal(code: E2BIG, reason: "Index of \(what) too big")
  }

  package init(_ error: BackendError) {
    var message = error.message
    if let culprit = error.culprit { message += ": rule in chain \(culprit.chain)" }
    let hasNoForm = error.kind == .unsupported && error.culprit != nil
    self.init(code: error.code, reason: message, hint: error.hint, source: hasNoForm ? .form : .transaction)
  }
}

extension Table {
  /// - Parameter counters: nil keeps those that the policy has; another one begins from zero.
  package mutating func setPolicy(_ policy: Policy, _ counters: Counters?, of chain: ChainName) {
    guard let index = index(of: chain) else { return }
    let kept = chains[index].policy == policy ? chains[index].policyCounters : .zero
    setPolicyUnchecked(policy, at: index, counters: counters ?? kept)
  }

  fileprivate func place(of chain: ChainName) throws(CommandRefusal) -> Int {
    guard let index = index(of: chain) else { throw .noSuchChain }
    return index
  }

  fileprivate mutating func zero(at index: Int) {
    withRules(of: index) { rules in
      for place in rules.indices { rules.setCounters(.zero, of: place) }
    }
    if let policy = chains[index].policy { setPolicyUnchecked(policy, at: index, counters: .zero) }
  }

  fileprivate mutating func remove(_ chain: ChainName) throws(CommandRefusal) {
    _ = try place(of: chain)
    do throws(Problem) {
      try removeChain(chain)
    } catch {
      throw CommandRefusal(
        code: EBUSY, reason: "CHAIN_DEL failed (Device or resource busy): chain \(chain)", hint: "\(error)",
        source: .transaction)
    }
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
