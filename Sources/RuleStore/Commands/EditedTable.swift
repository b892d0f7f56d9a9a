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
  /// What of the table was read.
  private var depth: Depth
  /// What is read the next time.
  private var wanted: Depth
  private var table: TrackedTable
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

  private typealias Edit = (inout TrackedTable) throws(CommandRefusal) -> Void

  /// How often the commands are carried out again because somebody else has changed the table.
  private static let attempts = 100
  private static let pause: useconds_t = 10_000

  /// - Parameter depth: what the commands need; the backend may give more.
  package init(_ id: TableID, _ backend: any Backend, _ depth: Depth) throws(BackendError) {
    (self.id, self.backend, wanted) = (id, backend, depth)
    (snapshot, self.depth) = try Self.read(id, backend, depth)
    table = TrackedTable(snapshot.ruleset[id] ?? Table(id.name, family: id.family))
  }

  private static func read(
    _ id: TableID, _ backend: any Backend, _ depth: Depth
  ) throws(BackendError) -> (Snapshot, Depth) {
    for _ in 1..<attempts {
      do throws(BackendError) {
        return try readOnce(id, backend, depth)
      } catch {
        // Others change it all the time.
        guard error.kind == .busy else { throw error }
      }
      usleep(pause)
    }
    return try readOnce(id, backend, depth)
  }

  private static func readOnce(
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
      (snapshot, depth) = try Self.read(id, backend, wanted)
    } catch {
      throw CommandRefusal(error)
    }
    table = TrackedTable(snapshot.ruleset[id] ?? Table(id.name, family: id.family))
    for edit in edits { try edit(&table) }
  }

  /// Where the chains alone were read.
  private func readRules() throws(CommandRefusal) {
    guard depth == .chains else { return }
    wanted = .counters
    try readAgain()
  }

  /// - Throws: ``BackendError`` of kind `stale` when the table has to be read again.
  private func attempt() throws(BackendError) {
    guard !edits.isEmpty else { return }
    if depth == .chains, let adder = backend as? any TableAdder {
      if try adder.add(additions, to: id, expecting: snapshot.stamp) { return }
      wanted = .rules
      throw BackendError(.stale, "the rules have to be known")
    }
    // What is remembered is not read again.
    wanted = .counters
    let before = snapshot.existing.contains(id) ? snapshot.ruleset[id] : nil
    let after = table.table
    guard before != nil || makesTable || !after.isPristine else { return }
    let writesCounters = before.map { after.hasOtherCounters(than: $0) } ?? false
    if writesCounters, depth != .counters { throw BackendError(.stale, "the counters are not known") }
    if let before, before.sameRules(as: after), !writesCounters, table.sources.isEmpty { return }
    var step = Plan.Step(id: id, before: before, after: after, restoresCounters: writesCounters)
    if before != nil { step.sources = table.sources }
    // A new table that nothing has changed has no step, but for what its policies have counted.
    let changes = before != nil || !after.isPristine || after.hasCounted
    let plan = Plan(steps: changes ? [step] : [], creations: before == nil ? [id] : [])
    try backend.apply(try backend.fitted(plan), expecting: snapshot.stamp)
  }

  // MARK: Looking

  private var isThere: Bool { snapshot.existing.contains(id) || !edits.isEmpty }

  package var chainNames: [ChainName] { isThere ? table.table.chains.map(\.name) : [] }
  package func contains(_ chain: ChainName) -> Bool { table.table.contains(chain) }
  package func isBuiltIn(_ chain: ChainName) -> Bool { table.table[chain]?.hook != nil }
  package var isIncomplete: Bool { snapshot.incomplete.contains(id) }
  package func read() throws(CommandRefusal) -> Table {
    try readRules()
    return table.table
  }
  package func dump() {}

  package func check(_ rule: Rule, in chain: ChainName) throws(CommandRefusal) {
    try readRules()
    _ = try table.place(of: rule, in: chain)
  }

  // MARK: Editing

  /// - Parameter addition: the same for a table whose rules were not read; nil where it needs them.
  private func edit(_ addition: TableAddition? = nil, _ body: @escaping Edit) throws(CommandRefusal) {
    if addition == nil || isRenamed { try readRules() }
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

  private func list(of rule: Rule) -> RuleList { RuleList(CollectionOfOne(rule), family: id.family) }

  package func append(_ rule: Rule, to chain: ChainName) throws(CommandRefusal) {
    try edit(.append(list(of: rule), to: chain)) { table throws(CommandRefusal) in try table.append(rule, to: chain) }
  }

  package func insert(_ rule: Rule, at number: Int, of chain: ChainName) throws(CommandRefusal) {
    try edit(number == 1 ? .prepend(list(of: rule), to: chain) : nil) { table throws(CommandRefusal) in
      guard number <= (try table.count(of: chain)) + 1 else { throw .tooBig("insertion") }
      try table.replace(number - 1..<number - 1, of: chain, with: [rule])
    }
  }

  package func replace(_ number: Int, of chain: ChainName, with rule: Rule) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      guard number <= (try table.count(of: chain)) else { throw .tooBig("replacement") }
      try table.replace(number - 1..<number, of: chain, with: [rule])
    }
  }

  package func delete(_ rule: Rule, from chain: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      let place = try table.place(of: rule, in: chain)
      try table.replace(place..<place + 1, of: chain, with: [])
    }
  }

  package func delete(_ number: Int, from chain: ChainName) throws(CommandRefusal) {
    try edit { table throws(CommandRefusal) in
      guard number <= (try table.count(of: chain)) else { throw .tooBig("deletion") }
      try table.replace(number - 1..<number, of: chain, with: [])
    }
  }

  package func flush(_ chain: ChainName?) throws(CommandRefusal) {
    guard let chain else {
      return try editAll { table throws(CommandRefusal) in
        for chain in table.table.chains { try table.empty(chain.name) }
      }
    }
    try edit { table throws(CommandRefusal) in try table.empty(chain) }
  }

  package func create(_ chain: ChainName) throws(CommandRefusal) {
    try edit(.chain(chain)) { table throws(CommandRefusal) in
      guard table.add(chain) else { throw CommandRefusal(code: EEXIST, reason: "Chain already exists") }
    }
  }

  package func declare(_ chain: ChainName) throws(CommandRefusal) {
    try edit(contains(chain) ? nil : .chain(chain)) { table throws(CommandRefusal) in
      if !table.add(chain) { try table.empty(chain) }
    }
  }

  /// iptables-nft takes out all of them or none.
  package func delete(_ chain: ChainName?) throws(CommandRefusal) {
    guard let chain else {
      return try editAll { table throws(CommandRefusal) in
        for chain in table.table.chains where chain.hook == nil { try table.remove(chain.name) }
      }
    }
    try edit { table throws(CommandRefusal) in try table.remove(chain) }
  }

  package func clear() throws(CommandRefusal) { try editAll { $0.clear() } }

  /// The kernel gives a chain another name, but for one of this very transaction.
  package func rename(_ chain: ChainName, to new: ChainName) throws(CommandRefusal) {
    try edit(edits.isEmpty ? .rename(chain, to: new) : nil) { table throws(CommandRefusal) in
      try table.rename(chain, to: new)
    }
  }

  private var isRenamed: Bool { if case .rename? = additions.first { true } else { false } }

  package func zero(_ chain: ChainName?) throws(CommandRefusal) {
    guard let chain else {
      return try editAll { table throws(CommandRefusal) in
        for chain in table.table.chains { try table.zero(chain.name) }
      }
    }
    guard isThere else { throw .noSuchChain }
    try edit { table throws(CommandRefusal) in try table.zero(chain) }
  }

  /// There may be no such rule, as with iptables-nft.
  package func zero(_ number: Int, of chain: ChainName) throws(CommandRefusal) {
    guard isThere else { throw .noSuchChain }
    try edit { table throws(CommandRefusal) in
      if number <= (try table.count(of: chain)) { try table.zero(number - 1..<number, of: chain) }
    }
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
