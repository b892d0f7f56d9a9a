internal import Netfilter
internal import RuleStore

/// The change of one compiled table on its way into a batch.
struct CompiledStep {
  let step: Plan.Step
  let layout: CompiledPlan
  /// The table as it stands in the kernel; nil where nothing of its present form stays.
  let live: LiveTable?
  var writer: CompiledWriter
  /// What rules do to packets may have changed: then the order of those that stay has to be proved again.
  let isProvedAnew: Bool

  /// - Parameters:
  ///   - live: see ``live``.
  ///   - shared: the chains that are to stand in the table of both families.
  init(
    _ step: Plan.Step, _ layout: CompiledPlan, _ live: LiveTable?, _ shared: Set<ChainName>, _ compiler: PlanCompiler
  ) throws(BackendError) {
    (self.step, self.layout, self.live) = (step, layout, live)
    do throws(CompiledWriter.Obstacle) {
      writer = try CompiledWriter(step.after, live?.compiled ?? CompiledTable(), compiler)
    } catch {
      throw BackendError(.unsupported, "table \(step.id) cannot be compiled: \(error.reason)", table: step.id)
    }
    writer.state.shared = shared
    let old = live.flatMap { try? CompiledWriter($0.table, CompiledTable(), compiler) }
    isProvedAnew = live != nil && (old?.opaqueChains != writer.opaqueChains || old?.mayDetour != writer.mayDetour)
  }

  private var id: TableID { step.id }
  private var ownChains: [Chain] { step.after.chains.filter { !writer.state.shared.contains($0.name) } }
  private var rewrites: Bool { step.restoresCounters || isProvedAnew }

  private func oldRules(_ chain: ChainName) -> RuleList {
    live?.table[chain]?.rules ?? RuleList(family: id.family)
  }

  // MARK: Chains of one family

  /// Whether the table of the family holds anything of the table afterwards.
  var needsOwnTable: Bool { ownChains.contains { isMade($0) } }

  /// All are made at first, for what they count; in a table that is there a built-in chain that would do nothing is not.
  private func isMade(_ chain: Chain) -> Bool {
    live == nil || chain.hook == nil || live?.madeChains.contains(chain.name) == true || !chain.rules.isEmpty
      || chain.policy != .accept || chain.policyCounters != .zero
  }

  /// Makes the chains that are not there yet, and sets policies that change.
  func makeChains(_ batch: inout Batch) {
    batch.form = .compiled
    let isNew = { (chain: Chain) in
      chain.hook == nil ? live?.table[chain.name] == nil : live?.madeChains.contains(chain.name) != true
    }
    let coming = ownChains.filter { isMade($0) && isNew($0) }
    if !coming.isEmpty { batch.create(id) }
    for chain in coming { batch.create(chain, in: id) }
    for chain in ownChains where !isNew(chain) && chain.hook != nil && setsPolicy(chain) {
      batch.setPolicy(of: chain, in: id)
    }
  }

  private func setsPolicy(_ chain: Chain) -> Bool {
    guard let before = step.before?[chain.name] else { return false }
    return before.policy != chain.policy || before.policyCounters != chain.policyCounters || step.restoresCounters
  }

  mutating func writeOwn(_ coder: RuleCoder, _ batch: inout Batch) throws(BackendError) {
    batch.form = .compiled
    for chain in ownChains {
      if live == nil, let known = layout.chains[chain.name] {
        if !chain.rules.isEmpty { try writer.write(chain, known, coder, to: &batch) }
      } else {
        let change = writer.change(of: chain, from: oldRules(chain.name), rewrites: rewrites)
        if case .anew = change { try checkKnown(chain.name) }
        try writer.carryOut(change, chain, coder, &batch)
      }
    }
    let gone = (live?.table.chains ?? []).filter { step.after[$0.name] == nil }
    for chain in gone { try checkKnown(chain.name) }
    for chain in gone { writer.clear(chain.name, &batch) }
    for chain in gone { batch.delete(chain.name, in: id) }
    writer.clearTargets(.compiled, &batch)
  }

  /// - Throws: ``BackendError`` of kind `stale` where a chain has not been read that is to be taken out or written anew.
  private func checkKnown(_ chain: ChainName) throws(BackendError) {
    guard let live, live.isPartial, live.table[chain] != nil else { return }
    throw .notRemembered(id)
  }

  // MARK: Chains of both families

  /// Writes the chains that both families share.
  static func writeShared(
    _ four: inout CompiledStep, _ six: inout CompiledStep, _ coder: RuleCoder, _ batch: inout Batch
  ) throws(BackendError) {
    batch.form = .shared
    let chains = four.step.after.chains.filter { four.writer.state.shared.contains($0.name) }
    if four.live == nil {
      batch.create(four.id)
      for chain in chains { batch.create(chain, in: four.id) }
    }
    for chain in chains {
      guard let other = six.step.after[chain.name] else { continue }
      let changes = (
        four.change(shared: chain), six.change(shared: other)
      )
      switch changes {
      case _ where four.setsPolicy(chain) || six.setsPolicy(other), (.anew, _), (_, .anew):
        if four.live != nil {
          four.writer.clear(chain.name, &batch)
          six.writer.clearHelpers(of: chain.name, &batch)
          if chain.hook != nil { batch.setPolicy(of: chain, in: four.id) }
        }
        try write(chain, other, &four, &six, coder, &batch)
      default:
        try four.carryOut(changes.0, chain, coder, &batch)
        six.takeNumbers(after: four)
        try six.carryOut(changes.1, other, coder, &batch)
        four.takeNumbers(after: six)
      }
    }
    four.writer.clearTargets(.shared, &batch)
    six.writer.clearTargets(.shared, &batch)
  }

  /// Laid out anew all rules can be said for both families; among rules that stay a new one may have to stand in a form
  /// that cannot.
  private func change(shared chain: Chain) -> CompiledWriter.Change {
    let change = writer.change(of: chain, from: oldRules(chain.name), rewrites: rewrites)
    guard case .edit(let edit) = change else { return change }
    return edit.comes { writer.isKnownToBoth($0, of: chain, isWhole: $1) } ? change : .anew
  }

  private mutating func carryOut(
    _ change: CompiledWriter.Change, _ chain: Chain, _ coder: RuleCoder, _ batch: inout Batch
  ) throws(BackendError) {
    if case .edit(let edit) = change { try writer.carryOut(edit, chain, coder, &batch) }
  }

  /// Helpers of both stand in one table.
  private mutating func takeNumbers(after other: CompiledStep) {
    writer.state.nextHelper = max(writer.state.nextHelper, other.writer.state.nextHelper)
  }

  /// Piece by piece for both.
  private static func write(
    _ chain: Chain, _ other: Chain, _ four: inout CompiledStep, _ six: inout CompiledStep, _ coder: RuleCoder,
    _ batch: inout Batch
  ) throws(BackendError) {
    let (layout, otherLayout) = (try four.writer.anew(chain), try six.writer.anew(other))
    four.writer.begin(chain)
    six.writer.begin(other)
    for (piece, otherPiece) in zip(layout.pieces, otherLayout.pieces) {
      switch (piece, otherPiece) {
      case (.linear(let index), .linear(let otherIndex)):
        try four.writer.write(linear: index, of: chain, coder, to: &batch)
        try six.writer.write(linear: otherIndex, of: other, coder, to: &batch)
      case (.map(let kind, let rules), .map(let otherKind, let otherRules)):
        four.takeNumbers(after: six)
        let map = four.writer.newMap(layout, kind, rules, .shared)
        let otherMap = CompiledChain.Map(
          name: map.name, kind: otherLayout.kinds[otherKind], room: map.room, count: map.count)
        batch.create(map, for: chain.name, in: four.id)
        if map.kind.lookup(map.name, .ipv4, .shared) == otherMap.kind.lookup(map.name, .ipv6, .shared) {
          four.writer.look(into: map, from: chain, rules[0], isOfBoth: true, &batch)
        } else {
          four.writer.look(into: map, from: chain, rules[0], &batch)
          six.writer.look(into: otherMap, from: other, otherRules[0], &batch)
        }
        try four.writer.fill(map, with: rules, of: chain, layout, coder, to: &batch)
        six.takeNumbers(after: four)
        try six.writer.fill(otherMap, with: otherRules, of: other, otherLayout, coder, to: &batch)
      default:
        throw BackendError(.system, "the chains \(chain.name) of both families are not compiled alike", table: four.id)
      }
    }
    four.writer.addPolicy(of: chain, &batch)
    six.writer.addPolicy(of: other, &batch)
  }
}
