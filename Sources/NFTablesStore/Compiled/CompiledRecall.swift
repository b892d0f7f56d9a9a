internal import Netfilter
internal import RuleStore

/// Reads what one step of a plan needs of a compiled table of which rules and places are remembered: the kernel's rules of
/// the chains that change, and what the rules count that do not stay. All else is as it is remembered, since nothing has
/// changed in nf_tables since then.
struct CompiledRecall {
  private(set) var step: Plan.Step
  /// The table as it is in the kernel, as far as the step needs it.
  private(set) var live: LiveTable
  private let compiler: PlanCompiler
  private var parts = CompiledParts()
  private var id: TableID { step.id }

  /// Targets have a chain each; so many are asked for one by one.
  private static let mostTargets = 200

  /// nil where the whole table has to be read.
  init?(_ step: Plan.Step, _ live: LiveTable, _ compiler: PlanCompiler) {
    guard Self.suffices(step, live, compiler.pairings) else { return nil }
    (self.step, self.live, self.compiler) = (step, live, compiler)
  }

  /// Whether what is remembered of a table may be enough for a step that leaves it compiled. What both families share
  /// has more to it; where all counters are written, or a chain goes or is laid out anew, all are needed.
  static func suffices(_ step: Plan.Step, _ live: LiveTable, _ pairings: RulePairings) -> Bool {
    !step.restoresCounters && live.isOutline && live.compiled?.shared.isEmpty == true
      && live.table.chains.allSatisfy { chain in
        guard live.places[chain.name] != nil, let after = step.after[chain.name] else { return false }
        return pairings.sources(chain.rules, after.rules).count { $0 == nil } <= CompiledEdit.mostComing
      }
  }

  /// - Returns: false where the whole table has to be read.
  mutating func read(through reader: inout KernelReader) throws(KernelReader.Problem) -> Bool {
    guard let before = step.before else { return false }
    let changing = before.chains.filter { chain in
      step.after[chain.name].map { !chain.rules.isIdentical(to: $0.rules) && !chain.rules.sameRules(as: $0.rules) }
        ?? true
    }
    _ = try reader.readMaps(of: id, .compiled, into: &parts)
    for chain in changing { try reader.readRules(of: kernelName(chain.name), id, .compiled, into: &parts) }
    guard var state = placed(Set(changing.map(\.name))), try readTargets(&state, through: &reader) else { return false }
    live.compiled = state
    guard try count(changing, through: &reader) else { return false }
    live.isOutline = false
    return true
  }

  private func kernelName(_ chain: ChainName) -> String { TableForm.compiled.chainName(chain, in: id).text }

  // MARK: Places

  /// - Parameter changing: the chains of which the kernel's rules have been read.
  private func placed(_ changing: Set<ChainName>) -> CompiledTable? {
    var state = CompiledTable()
    var last = parts.maps.keys.compactMap { TableForm.helperNumber($0, of: id) }.max() ?? 0
    for (name, words) in live.places {
      var chain = CompiledChain()
      var items = Items()
      if changing.contains(name) {
        guard let found = Items(parts.rules[kernelName(name)] ?? [], parts, id) else { return nil }
        (items, chain.items) = (found, found.all)
      }
      chain.entries.reserveCapacity(words.count / RulePlace.words)
      for start in stride(from: 0, to: words.count, by: RulePlace.words) {
        guard let place = RulePlace(words[start..<start + RulePlace.words]) else { return nil }
        last = max(last, place.helper)
        var entry = CompiledChain.Entry(
          item: -1, order: place.order, helper: place.helper > 0 ? place.helper : nil, isWhole: place.isWhole,
          keys: place.keys)
        if changing.contains(name) {
          guard let item = items.item(of: place) else { return nil }
          entry.item = item
          chain.items[item].map?.count += place.keys
        }
        chain.entries.append(entry)
      }
      let isAll = items.linear.count == chain.entries.count { $0.item >= 0 && chain.items[$0.item].map == nil }
      guard isAll else { return nil }
      state.chains[name] = chain
    }
    state.nextHelper = last + 1
    return state
  }

  /// The kernel's rules of a chain.
  private struct Items {
    private(set) var all: [CompiledChain.Item] = []
    /// By the order of their rule.
    private(set) var linear: [UInt64: Int] = [:]
    /// By the number of the map.
    private var maps: [Int: Int] = [:]

    init() {}

    /// nil where a rule is not as the compiler writes it.
    init?(_ rules: [CompiledParts.LiveRule], _ parts: CompiledParts, _ id: TableID) {
      for rule in rules {
        var item = CompiledChain.Item(handle: rule.handle)
        if let note = rule.note {
          guard linear.updateValue(all.count, forKey: note.order) == nil else { return nil }
        } else {
          guard let name = rule.expressions.last?.lookedUpMap, let map = parts.maps[name],
            let kind = rule.kind(lookingInto: map, id.family), let number = TableForm.helperNumber(name, of: id),
            maps.updateValue(all.count, forKey: number) == nil
          else { return nil }
          item.map = CompiledChain.Map(name: name, kind: kind, room: map.room)
        }
        all.append(item)
      }
    }

    func item(of place: RulePlace) -> Int? { place.map > 0 ? maps[place.map] : linear[place.order] }
  }

  // MARK: Targets

  private mutating func readTargets(
    _ state: inout CompiledTable, through reader: inout KernelReader
  ) throws(KernelReader.Problem) -> Bool {
    var numbers: Set<Int> = []
    for chain in state.chains.values {
      for entry in chain.entries where entry.isWhole { if let helper = entry.helper { numbers.insert(helper) } }
    }
    guard numbers.count <= Self.mostTargets else { return false }
    for number in numbers.sorted() {
      let name = TableForm.compiled.helper(number, of: id)
      try reader.readRules(of: name, id, .compiled, into: &parts)
      guard let rules = parts.rules[name], rules.count == 1 else { return false }
      state.targets[CompiledTable.TargetKey(form: .compiled, expressions: rules[0].expressions)] = number
    }
    return true
  }

  // MARK: Counters

  /// Puts in what the rules have counted that do not stay where they are.
  private mutating func count(_ changing: [Chain], through reader: inout KernelReader) throws(KernelReader.Problem)
    -> Bool
  {
    guard var before = step.before, let state = live.compiled,
      let writer = try? CompiledWriter(step.after, state, compiler)
    else { return false }
    var after = step.after
    for chain in changing {
      guard let new = after[chain.name], let place = before.index(of: chain.name),
        let newPlace = after.index(of: chain.name),
        case .edit(let edit) = writer.change(of: new, from: chain.rules, rewrites: false)
      else { return false }
      var (counted, carried) = (chain.rules, new.rules)
      for (old, target) in edit.leaving {
        guard let counters = try counters(of: old, chain, state.chains[chain.name]!, through: &reader) else {
          return false
        }
        if counters != counted.counters(of: old) { counted.setCounters(counters, of: old) }
        if let target, counters != carried.counters(of: target) { carried.setCounters(counters, of: target) }
      }
      before.setRules(of: place, counted)
      after.setRules(of: newPlace, carried)
    }
    live.table = before
    step = Plan.Step(id: id, before: before, after: after)
    return true
  }

  /// nil where the kernel does not hold the rule as it is remembered.
  private mutating func counters(
    of index: Int, _ chain: Chain, _ state: CompiledChain, through reader: inout KernelReader
  ) throws(KernelReader.Problem) -> Counters? {
    let entry = state.entries[index]
    guard let map = state.items[entry.item].map else {
      return parts.rules[kernelName(chain.name)]?[entry.item].counters
    }
    let keys = RuleForms(chain.rules[index], id.family).standing(in: map.kind.shape).keys
    guard keys.count == entry.keys else { return nil }
    guard entry.isWhole else {
      let helper = TableForm.compiled.helper(entry.helper ?? 0, of: id)
      try reader.readRules(of: helper, id, .compiled, into: &parts)
      guard let rules = parts.rules[helper], rules.count == 1 else { return nil }
      return rules[0].counters
    }
    try reader.readElements(of: map.name, keys, id, into: &parts)
    let elements = parts.maps[map.name]!.elements
    guard elements.map(\.key) == keys, elements.allSatisfy({ $0.note.order == entry.order }) else { return nil }
    return elements.reduce(into: Counters.zero) { sum, element in
      sum.packets &+= element.counters.packets
      sum.bytes &+= element.counters.bytes
    }
  }
}

extension CompiledParts.LiveRule {
  fileprivate var counters: Counters {
    for case .counter(let counters) in expressions { return counters }
    return .zero
  }
}
