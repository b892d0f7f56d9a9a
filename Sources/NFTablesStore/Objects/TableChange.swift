internal import CNFTables
internal import Glibc
internal import Netfilter
internal import RuleStore

/// What becomes of a table of nf_tables that is none of iptables'.
struct TableChange {
  let id: RulesetImage.ID
  let before: RulesetImage.Table?
  let after: RulesetImage.Table?

  /// The table to put in the place of the live one: what the change leaves as it was has counted on meanwhile, and elements
  /// that packets, time and others have put into sets and taken out since then stay so.
  func wanted(over live: RulesetImage.Table?) -> RulesetImage.Table? {
    guard var result = after, let live else { return after }
    let chains = Dictionary(live.chains.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let sets = Dictionary(live.sets.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    result.chains = result.chains.map { chain in chains[chain.name].map { chain.counting(on: $0) } ?? chain }
    for index in result.sets.indices where !result.sets[index].isAnonymous {
      let set = result.sets[index]
      guard let old = before?.sets.first(where: { $0.name == set.name }), let now = sets[set.name],
        set.said == old.said
      else { continue }
      result.sets[index].elements = set.elements(over: now, before: old)
    }
    result.objects = result.objects.map { object in
      guard before?.objects.contains(object) == true else { return object }
      return live.objects.first { $0.isSame(as: object) } ?? object
    }
    return result
  }
}

extension RulesetImage.Chain {
  /// The same rules with the counters of the live ones.
  fileprivate func counting(on live: RulesetImage.Chain) -> RulesetImage.Chain {
    let isSame = attributes.uncounted(.chain) == live.attributes.uncounted(.chain)
    var result = RulesetImage.Chain(name: name, attributes: isSame ? live.attributes : attributes)
    var places: [Attributes: [Int]] = [:]
    for (place, rule) in live.rules.enumerated().reversed() {
      places[rule.attributes.uncounted(.rule), default: []].append(place)
    }
    var next = 0
    result.rules = rules.map { rule in
      // Each live rule stands for one, and in its order.
      var candidates = places[rule.attributes.uncounted(.rule)] ?? []
      while let place = candidates.last, place < next { candidates.removeLast() }
      guard let place = candidates.popLast() else { return rule }
      places[rule.attributes.uncounted(.rule)] = candidates
      next = place + 1
      return live.rules[place]
    }
    return result
  }

  fileprivate func isSame(as other: RulesetImage.Chain) -> Bool {
    name == other.name && attributes.uncounted(.chain) == other.attributes.uncounted(.chain)
      && rules.count == other.rules.count
      && zip(rules, other.rules).allSatisfy { $0.attributes.uncounted(.rule) == $1.attributes.uncounted(.rule) }
  }
}

extension RulesetImage.ElementSet {
  /// Whether packets put elements in, or time takes them out.
  private var isMoving: Bool { flags & (NFT_SET_EVAL.rawValue | NFT_SET_TIMEOUT.rawValue) != 0 }

  /// The elements of the live set where packets or time change it, but for what the change does; and in the state of the
  /// live set where nothing else happened to them.
  fileprivate func elements(
    over live: RulesetImage.ElementSet, before: RulesetImage.ElementSet
  ) -> [RulesetImage.Element] {
    if timeless == before.timeless { return live.elements }
    guard isMoving else { return elements }
    let (old, new) = (before.members, members)
    let known = Dictionary(old.map { ($0.identity, $0.timeless) }, uniquingKeysWith: { first, _ in first })
    let present = Set(new.map(\.identity))
    let written = new.filter { known[$0.identity] != $0.timeless }
    let changed = Set((old.filter { !present.contains($0.identity) } + written).flatMap(\.identity))
    return (live.members.filter { changed.isDisjoint(with: $0.identity) } + written).flatMap(\.elements)
  }

  /// - Parameter now: whether elements that packets and time put in and take out have to be the same, too.
  fileprivate func isSame(as other: RulesetImage.ElementSet, now: Bool) -> Bool {
    guard name == other.name, said == other.said else { return false }
    return isMoving && !now || uncounted == other.uncounted
  }

  /// A set of which elements hold several expressions has a flag for it when it was put back, whether or not it began so.
  var said: Attributes {
    flags & NFT_SET_EXPR.rawValue == 0
      ? attributes : attributes.replacing(NFTA_SET_FLAGS, by: flags & ~NFT_SET_EXPR.rawValue)
  }

  private var uncounted: Set<Attributes> { Set(timeless.map { $0.uncounted(.element) }) }
}

extension RulesetImage.Table {
  /// With numbers in the place of the names that the kernel makes up for the chains of single rules, anew each time.
  fileprivate var chainsByPlace: [RulesetImage.Chain] {
    var given = GivenExpressions()
    for chain in chains where chain.isAnonymous { given.number(chain.name) }
    guard !given.chainNumbers.isEmpty else { return chains }
    return chains.map { chain in
      let number = given.chainNumbers[chain.name]
      var result = RulesetImage.Chain(
        name: number.map { ObjectName("\($0)") } ?? chain.name,
        attributes: number == nil ? chain.attributes : chain.attributes.without(NFTA_CHAIN_NAME))
      result.rules = chain.rules.map { $0.given(by: given) }
      return result
    }
  }
}

extension RulesetImage.Rule {
  /// As it is written into a batch.
  fileprivate func given(by given: GivenExpressions) -> RulesetImage.Rule {
    var out = ByteWriter()
    out.write(all: attributes) { attribute, out in
      guard attribute.type == UInt16(NFTA_RULE_EXPRESSIONS.rawValue) else { return false }
      out.nest(NFTA_RULE_EXPRESSIONS) { given.write(list: attribute.data, to: &$0) }
      return true
    }
    let written = out.bytes.withUnsafeBytes { bytes in try? Attributes(bytes) }
    return RulesetImage.Rule(attributes: written ?? attributes)
  }
}

extension RulesetImage.StatefulObject {
  fileprivate func isSame(as other: RulesetImage.StatefulObject) -> Bool {
    name == other.name && attributes.uncounted(.object) == other.attributes.uncounted(.object)
  }
}

extension RulesetImage.Table {
  /// Whether both are the same but for what packets and time have changed: counters, and the elements of sets that packets
  /// fill.
  func isSameAtAnotherTime(as other: RulesetImage.Table) -> Bool { isSame(as: other, now: false) }

  /// Whether both are the same but for counters and what is left of the time of elements.
  func isSameNow(as other: RulesetImage.Table) -> Bool { isSame(as: other, now: true) }

  private func isSame(as other: RulesetImage.Table, now: Bool) -> Bool {
    id == other.id && attributes == other.attributes && flowtables == other.flowtables
      && chains.count == other.chains.count
      && zip(chainsByPlace, other.chainsByPlace).allSatisfy { $0.isSame(as: $1) }
      && sets.count == other.sets.count && zip(sets, other.sets).allSatisfy { $0.isSame(as: $1, now: now) }
      && objects.count == other.objects.count && zip(objects, other.objects).allSatisfy { $0.isSame(as: $1) }
  }
}
