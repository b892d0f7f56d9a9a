internal import Netfilter
internal import RuleStore

/// How one compiled chain becomes another with few messages: every rule that stays keeps its place, and one that comes
/// goes where what it overlaps stands on the right sides of it.
struct CompiledEdit {
  enum Action {
    case removeLinear(UInt64)
    case removeElements([HeaderKey], CompiledChain.Map)
    case removeHelper(Int)
    case addLinear(Int, order: UInt64, before: UInt64?)
    case addElements(Int, RuleSplit, CompiledChain.Map)
  }

  private(set) var actions: [Action] = []
  private(set) var chain: CompiledChain
  /// For each new rule the old one that stays for it.
  let staying: [Int?]
  /// The old rules that do not stay, and what comes of them: the new rule that is the same, in another place.
  let leaving: [(old: Int, new: Int?)]
  private let writer: CompiledWriter
  private let rules: RuleList
  /// Items whose linear rule is taken out.
  private var gone: Set<Int> = []
  /// New rules that have a place.
  private var isPlaced: [Bool]
  private var forms: [Int: RuleForms] = [:]

  /// So many rules are looked for among the others one by one; for more the chain is laid out anew.
  static let mostComing = 64
  private static let mostComparisons = 4_000_000

  /// nil where the chain has to be laid out anew.
  init?(_ writer: CompiledWriter, _ old: CompiledChain, _ oldRules: RuleList, to rules: RuleList) {
    self.writer = writer
    self.rules = rules
    chain = CompiledChain(items: old.items, entries: [])
    let sources = writer.pairings.sources(oldRules, rules)
    let kept = ChainEdit.longestIncreasing(sources)
    isPlaced = kept
    staying = zip(sources, kept).map { $1 ? $0 : nil }
    leaving = Self.leaving(oldRules.count, sources, kept)
    let coming = rules.indices.filter { !kept[$0] }
    guard coming.count <= Self.mostComing, coming.count * rules.count <= Self.mostComparisons else { return nil }
    chain.entries = rules.indices.map { index in
      kept[index] ? old.entries[sources[index]!] : CompiledChain.Entry(item: -1, order: 0)
    }
    for (index, _) in leaving { remove(old.entries[index], oldRules[index]) }
    for index in coming {
      guard place(index) else { return nil }
    }
  }

  private static func leaving(_ count: Int, _ sources: [Int?], _ kept: [Bool]) -> [(old: Int, new: Int?)] {
    var stays = [Bool](repeating: false, count: count)
    var moved: [Int: Int] = [:]
    for case (let index, let source?) in sources.enumerated() {
      if kept[index] { stays[source] = true } else { moved[source] = index }
    }
    return (0..<count).filter { !stays[$0] }.map { ($0, moved[$0]) }
  }

  private mutating func remove(_ entry: CompiledChain.Entry, _ rule: Rule) {
    guard let map = chain.items[entry.item].map else {
      actions.append(.removeLinear(chain.items[entry.item].handle!))
      gone.insert(entry.item)
      return
    }
    let keys = RuleForms(rule, writer.id.family).standing(in: map.kind.shape).keys
    actions.append(.removeElements(keys, map))
    chain.items[entry.item].map!.count -= keys.count
    if !entry.isWhole { actions.append(.removeHelper(entry.helper!)) }
  }

  /// Whether something holds for each rule that comes, given its number and whether elements of a map will be all of it.
  func comes(_ holds: (Int, Bool) -> Bool) -> Bool {
    actions.allSatisfy { action in
      switch action {
      case .removeLinear, .removeElements, .removeHelper: true
      case .addLinear(let index, _, _): holds(index, false)
      case .addElements(let index, _, _): holds(index, chain.entries[index].isWhole)
      }
    }
  }

  // MARK: A rule that comes

  private mutating func place(_ index: Int) -> Bool {
    let rule = rules[index]
    guard let order = order(of: index) else { return false }
    let forms = forms(of: index)
    let (latest, earliest) = neighbours(index, forms.closest)
    guard latest < earliest else { return false }
    let options = writer.options(of: rule, forms)
    for option in options {
      let (kind, keys) = (option.kind, option.split.keys.count)
      for item in latest + 1..<earliest {
        guard let map = chain.items[item].map, map.kind == kind, map.count + keys <= map.room else { continue }
        chain.items[item].map!.count += keys
        chain.entries[index] = CompiledChain.Entry(item: item, order: order, isWhole: option.isWhole, keys: keys)
        isPlaced[index] = true
        actions.append(.addElements(index, option.split, map))
        return true
      }
    }
    guard !isWorthMap(options) else { return false }
    return placeLinear(index, order, after: latest, before: earliest)
  }

  /// A number between those of the neighbours.
  private func order(of index: Int) -> UInt64? {
    let lower = index > 0 ? chain.entries[index - 1].order : nil
    var next = index + 1
    while next < rules.count, !isPlaced[next] { next += 1 }
    return RuleOrder.between(lower, next < rules.count ? chain.entries[next].order : nil)
  }

  /// The last item of an earlier rule, and the first one of a later rule, with which the rule shares packets. A rule of
  /// which a map holds a key with single ports counts by that key, so that no other of that map has it.
  private mutating func neighbours(_ index: Int, _ split: RuleSplit) -> (latest: Int, earliest: Int) {
    var latest = -1
    var earliest = chain.items.count
    // Where a rule rewrites packets, those that meet another rule later are not those that met it.
    let headsTell = writer.opaqueChains.isEmpty
    for other in rules.indices where other != index && isPlaced[other] {
      let item = chain.entries[other].item
      guard other < index ? item > latest : item < earliest else { continue }
      guard !headsTell || !rules.headsDiffer(index, other) else { continue }
      let entry = chain.entries[other]
      let theirs = forms(of: other).order(in: chain.items[item].map?.kind.shape, isWhole: entry.isWhole)
      let overlaps = split.keys.contains { key in
        theirs.keys.contains { key.overlaps(split.shape, $0, theirs.shape, writer.id.family) }
      }
      guard overlaps else { continue }
      if other < index { latest = item } else { earliest = item }
    }
    return (latest, earliest)
  }

  private mutating func forms(of index: Int) -> RuleForms {
    if let known = forms[index] { return known }
    let rule = rules[index]
    let made = writer.mayReorder(rule) ? RuleForms(rule, writer.id.family) : .everything
    forms[index] = made
    return made
  }

  /// Whether there are so many linear rules of the kind by now that a map would serve them better.
  private mutating func isWorthMap(_ options: [CompiledWriter.Option]) -> Bool {
    // The kind that holds the rule whole, if one does, with single ports and with ranges.
    let wanted = [false, true].compactMap { isRanged in options.first { $0.kind.shape.isRanged == isRanged } }
    guard !wanted.isEmpty else { return false }
    var counts = [Int](repeating: 0, count: wanted.count)
    // Those with ranges that would go together.
    var together = wanted.last!.kind.shape.isRanged ? wanted.last!.split.keys : []
    for other in rules.indices where isPlaced[other] && chain.items[chain.entries[other].item].map == nil {
      let theirs = writer.options(of: rules[other], forms(of: other))
      for (place, option) in wanted.enumerated() {
        let theirs = theirs.first { $0.kind == option.kind && $0.isWhole == option.isWhole }
        guard let keys = theirs?.split.keys else { continue }
        let shape = option.kind.shape
        if shape.isRanged {
          let meets = keys.contains { key in
            together.contains { $0.overlaps(shape, key, shape, writer.id.family) }
          }
          guard !meets else { continue }
          together += keys
        }
        counts[place] += 1
        if counts[place] >= 2 * ChainLayout.least(option.kind.shape, writer.smallestMap) { return true }
      }
    }
    return false
  }

  /// Before a rule of which the kernel has told the handle, or at the end.
  private mutating func placeLinear(_ index: Int, _ order: UInt64, after latest: Int, before earliest: Int) -> Bool {
    for item in (latest + 1...earliest).reversed() {
      let handle = item < chain.items.count ? chain.items[item].handle : nil
      guard item == chain.items.count || handle != nil && !gone.contains(item) else { continue }
      for other in rules.indices where isPlaced[other] && chain.entries[other].item >= item {
        chain.entries[other].item += 1
      }
      gone = Set(gone.map { $0 >= item ? $0 + 1 : $0 })
      chain.items.insert(CompiledChain.Item(), at: item)
      chain.entries[index] = CompiledChain.Entry(item: item, order: order)
      isPlaced[index] = true
      actions.append(.addLinear(index, order: order, before: handle))
      return true
    }
    return false
  }
}

extension CompiledWriter {
  /// A kind of map that a rule may stand in, whole or by its key alone.
  struct Option {
    let kind: ChainLayout.Kind
    let split: RuleSplit
    let isWhole: Bool
  }

  /// The best comes first.
  func options(of rule: Rule, _ forms: RuleForms) -> [Option] {
    let splits = [forms.single] + (forms.ranged.map { [$0] } ?? [])
    let kinds = splits.map { ChainLayout.kinds(of: rule, $0, id.family, mayDetour: mayDetour, revisions) }
    return zip(splits, kinds).compactMap { split, kinds in
      kinds.whole.map { Option(kind: $0, split: split, isWhole: true) }
    }
      + zip(splits, kinds).compactMap { split, kinds in
        kinds.detour.map { Option(kind: $0, split: split, isWhole: false) }
      }
  }

  /// How a chain that is there becomes another.
  enum Change {
    case nothing
    case edit(CompiledEdit)
    case anew
  }

  func change(of chain: Chain, from old: RuleList, rewrites: Bool) -> Change {
    guard let before = state.chains[chain.name], !rewrites else { return .anew }
    if old.isIdentical(to: chain.rules) || old.sameRules(as: chain.rules) { return .nothing }
    return CompiledEdit(self, before, old, to: chain.rules).map { .edit($0) } ?? .anew
  }

  /// Changes a chain of one family.
  mutating func carryOut(
    _ change: Change, _ chain: Chain, _ coder: RuleCoder, _ batch: inout Batch
  ) throws(BackendError) {
    switch change {
    case .nothing: break
    case .edit(let edit): try carryOut(edit, chain, coder, &batch)
    case .anew:
      clear(chain.name, &batch)
      try write(chain, try anew(chain), coder, to: &batch)
    }
  }

  mutating func carryOut(
    _ edit: CompiledEdit, _ chain: Chain, _ coder: RuleCoder, _ batch: inout Batch
  ) throws(BackendError) {
    staying[chain.name] = edit.staying
    let end = state.chains[chain.name]?.policyHandle
    state.chains[chain.name] = edit.chain
    state.chains[chain.name]!.policyHandle = end
    for action in edit.actions {
      switch action {
      case .removeLinear(let handle): batch.deleteRules(handle, of: chain.name, in: id)
      case .removeElements(let keys, let map): batch.remove(keys, from: map, of: chain.name, in: id)
      case .removeHelper(let number): deleteHelper(number, form(of: chain.name), &batch)
      case .addLinear(let index, let order, let next):
        try addLinear(chain, index, order, at: (next ?? end).map { .before($0) } ?? .end, coder, &batch)
      case .addElements(let index, let split, let map):
        var entry = state.chains[chain.name]!.entries[index]
        var elements: [MapElement] = []
        try append(chain, index, split, &entry, to: &elements, coder, &batch)
        batch.add(elements, to: map, of: chain.name, in: id)
        state.chains[chain.name]!.entries[index] = entry
      }
    }
  }

  /// The layout of a chain that was looked at before.
  func anew(_ chain: Chain) throws(BackendError) -> ChainLayout {
    do throws(Obstacle) { return try layout(of: chain) } catch {
      throw BackendError(.unsupported, "table \(id) cannot be compiled: \(error.reason)", table: id)
    }
  }
}
