internal import Glibc
package import Netfilter

/// A table as commands change it, and which of its rules were there before.
struct TrackedTable {
  private(set) var table: Table
  private let before: Table
  /// By chain, for each rule the place that it had before; nil for one that is new, or counts from elsewhere. Chains that
  /// nobody touched are not here.
  private(set) var sources: [ChainName: [Int?]] = [:]

  init(_ table: Table) { (self.table, before) = (table, table) }

  private func place(of chain: ChainName) throws(CommandRefusal) -> Int {
    guard let index = table.index(of: chain) else { throw .noSuchChain }
    return index
  }

  func place(of rule: Rule, in chain: ChainName) throws(CommandRefusal) -> Int {
    guard let place = table.chains[try place(of: chain)].rules.firstPlace(of: rule) else { throw .noSuchRule }
    return place
  }

  /// Of a chain that is there.
  func count(of chain: ChainName) throws(CommandRefusal) -> Int { table.chains[try place(of: chain)].rules.count }

  /// Begins to say where the rules of a chain come from.
  private mutating func track(_ chain: ChainName) {
    guard sources[chain] == nil else { return }
    sources[chain] = before[chain].map { $0.rules.indices.map { $0 } } ?? []
  }

  private mutating func forget(_ places: [Int], of chain: ChainName) {
    track(chain)
    for place in places { sources[chain]![place] = nil }
  }

  // MARK: Rules

  mutating func append(_ rule: Rule, to chain: ChainName) throws(CommandRefusal) {
    let index = try place(of: chain)
    track(chain)
    sources[chain]!.append(nil)
    table.withRules(of: index) { $0.append(rule) }
  }

  mutating func replace(_ range: Range<Int>, of chain: ChainName, with rules: [Rule]) throws(CommandRefusal) {
    let index = try place(of: chain)
    track(chain)
    sources[chain]!.replaceSubrange(range, with: rules.map { _ in nil })
    table.withRules(of: index) { $0.replaceSubrange(range, with: rules) }
  }

  mutating func empty(_ chain: ChainName) throws(CommandRefusal) {
    let index = try place(of: chain)
    sources[chain] = []
    table.withRules(of: index) { $0 = RuleList(family: $0.family) }
  }

  mutating func zero(_ places: Range<Int>, of chain: ChainName) throws(CommandRefusal) {
    let index = try place(of: chain)
    let counted = places.filter { table.chains[index].rules.counters(of: $0) != .zero }
    guard !counted.isEmpty else { return }
    table.withRules(of: index) { rules in
      for place in counted { rules.setCounters(.zero, of: place) }
    }
    forget(counted, of: chain)
  }

  /// Of all rules, and of the policy.
  mutating func zero(_ chain: ChainName) throws(CommandRefusal) {
    try zero(0..<(try count(of: chain)), of: chain)
    if let policy = table[chain]?.policy { table.setPolicy(policy, .zero, of: chain) }
  }

  // MARK: Chains

  /// - Returns: false where it is there.
  mutating func add(_ chain: ChainName) -> Bool {
    guard (try? table.addChain(chain)) != nil else { return false }
    sources[chain] = []
    return true
  }

  mutating func remove(_ chain: ChainName) throws(CommandRefusal) {
    _ = try place(of: chain)
    do throws(Table.Problem) {
      try table.removeChain(chain)
    } catch {
      throw CommandRefusal(
        code: EBUSY, reason: "CHAIN_DEL failed (Device or resource busy): chain \(chain)", hint: "\(error)",
        source: .transaction)
    }
    sources[chain] = nil
  }

  mutating func rename(_ chain: ChainName, to new: ChainName) throws(CommandRefusal) {
    if table.contains(new) { throw CommandRefusal(code: EEXIST, reason: "File exists") }
    let old = table
    guard (try? table.renameChain(chain, to: new)) != nil else { throw .noSuchChain }
    sources[chain] = nil
    sources[new] = table[new]!.rules.map { _ in nil }
    for chain in table.chains {
      guard let rules = old[chain.name]?.rules else { continue }
      let changed = rules.indices.filter { !rules.sameRule($0, chain.rules, $0) }
      if !changed.isEmpty { forget(changed, of: chain.name) }
    }
  }

  /// - Parameter counters: nil keeps those that the policy has; another one begins from zero.
  mutating func setPolicy(_ policy: Policy, _ counters: Counters?, of chain: ChainName) {
    table.setPolicy(policy, counters, of: chain)
  }

  /// Makes it as if it were new.
  mutating func clear() {
    table = Table(table.name, family: table.family)
    sources = Dictionary(uniqueKeysWithValues: table.chains.map { ($0.name, []) })
  }
}

extension Table {
  /// - Parameter counters: nil keeps those that the policy has; another one begins from zero.
  package mutating func setPolicy(_ policy: Policy, _ counters: Counters?, of chain: ChainName) {
    guard let index = index(of: chain) else { return }
    let kept = chains[index].policy == policy ? chains[index].policyCounters : .zero
    setPolicyUnchecked(policy, at: index, counters: counters ?? kept)
  }

  /// Whether a rule or policy that is in both tables counts from elsewhere.
  func hasOtherCounters(than old: Table) -> Bool {
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
