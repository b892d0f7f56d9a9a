internal import Netfilter
internal import RuleStore

/// Reads the counters of the rules of a step that do not stay where they are, when the step was planned from rules that are
/// remembered: what is written down to take the commit back, and rules that move, shall count on from there.
struct CounterUpdate {
  private(set) var step: Plan.Step
  /// The table as it is in the kernel, its counters as far as they have been read.
  private(set) var live: LiveTable
  private let compiler: PlanCompiler
  private let movesAll: Bool

  /// - Parameter movesAll: whether no rule stays, since the table comes to stand in another form.
  init(_ step: Plan.Step, _ live: LiveTable, _ compiler: PlanCompiler, movesAll: Bool = false) {
    self.movesAll = movesAll
    self.step = step
    self.live = live
    self.compiler = compiler
  }

  /// Rules that are gone meanwhile are left as they are: the kernel will not take a batch for an earlier generation.
  mutating func read(through reader: inout KernelReader) throws(KernelReader.Problem) {
    guard var before = step.before else { return }
    var after = step.after
    for name in live.uncounted {
      guard let place = before.index(of: name), !before.chains[place].rules.isEmpty else { continue }
      let old = before.chains[place].rules
      let newPlace = after.index(of: name)
      let new = newPlace.map { after.chains[$0].rules } ?? RuleList(family: step.id.family)
      guard newPlace == nil || movesAll || !old.isIdentical(to: new) && !old.sameRules(as: new) else { continue }
      let chain = newPlace.map { after.chains[$0] }
      let moved =
        chain.map { self.edit($0).moved(old, new) } ?? old.indices.map { ($0, nil) }
      guard !moved.isEmpty, let counters = try counters(of: moved.map(\.old), old.count, name, &reader) else {
        continue
      }
      var (counted, carried) = (old, new)
      for ((index, target), value) in zip(moved, counters) {
        counted.setCounters(value, of: index)
        if let target { carried.setCounters(value, of: target) }
      }
      before.setRules(of: place, counted)
      if let newPlace { after.setRules(of: newPlace, carried) }
    }
    step = step.with(before: before, after: after)
  }

  private func edit(_ chain: Chain) -> ChainEdit {
    guard movesAll else { return compiler.chainEdit(chain, step, live) }
    return ChainEdit(
      from: live.table[chain.name]?.rules ?? RuleList(family: step.id.family), to: chain.rules, rewrites: true,
      pairings: compiler.pairings)
  }

  private func counters(
    of rules: [Int], _ count: Int, _ chain: ChainName, _ reader: inout KernelReader
  ) throws(KernelReader.Problem) -> [Counters]? {
    guard let handles = live.handles[chain], handles.count == count else { return nil }
    if ChainEdit.readsOneByOne(rules, of: count) {
      return try reader.counters(of: rules.map { handles[$0] }, in: chain, of: step.id)
    }
    let (found, counters) = try reader.counters(of: chain, in: step.id)
    return found == handles ? rules.map { counters[$0] } : nil
  }
}
