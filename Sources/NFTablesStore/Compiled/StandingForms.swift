internal import Netfilter
internal import RuleStore

/// In which forms each rule of a chain may stand in maps, as far as that can be told from the rule alone.
struct StandingForms {
  private(set) var kinds: [ChainLayout.Kind] = []
  /// By rule, its keys with single ports.
  private(set) var splits: [RuleSplit] = []
  /// By rule, the kinds of map with such keys.
  private(set) var options: [RangedRules.Options] = []
  private(set) var ranged = RangedRules()

  private var numbers: [ChainLayout.Kind: Int] = [:]
  /// Saves hashing what is asked before most lookups.
  private var plain: [KeyShape: Int] = [:]

  /// From so many rules on two threads are faster than one.
  private static let manyRules = 4096

  /// - Parameters: see ``ChainLayout/init(_:mayReorder:mayDetour:smallestMap:revisions:)``.
  init(_ rules: RuleList, mayReorder: (Rule) -> Bool, mayDetour: Bool, _ revisions: KernelRevisions?) {
    guard rules.count >= Self.manyRules else {
      self.init(rules, rules.indices, mayReorder: mayReorder, mayDetour: mayDetour, revisions)
      return
    }
    let middle = rules.count / 2
    var first: StandingForms?
    var second: StandingForms?
    runTogether {
      first = StandingForms(rules, 0..<middle, mayReorder: mayReorder, mayDetour: mayDetour, revisions)
    } _: {
      second = StandingForms(rules, middle..<rules.count, mayReorder: mayReorder, mayDetour: mayDetour, revisions)
    }
    self = first!
    append(second!)
  }

  private init(
    _ rules: RuleList, _ range: Range<Int>, mayReorder: (Rule) -> Bool, mayDetour: Bool,
    _ revisions: KernelRevisions?
  ) {
    splits.reserveCapacity(range.count)
    options.reserveCapacity(range.count)
    for index in range {
      let rule = rules[index]
      guard mayReorder(rule) else {
        splits.append(.everything)
        options.append(RangedRules.Options())
        continue
      }
      let forms = RuleForms(rule, rules.family)
      options.append(numbered(rule, forms.single, rules.family, mayDetour, revisions))
      if let split = forms.ranged {
        ranged.add(splits.count, forms, numbered(rule, split, rules.family, mayDetour, revisions))
      }
      splits.append(forms.single)
    }
  }

  private mutating func numbered(
    _ rule: Rule, _ split: RuleSplit, _ family: Family, _ mayDetour: Bool, _ revisions: KernelRevisions?
  ) -> RangedRules.Options {
    let wanted = ChainLayout.kinds(of: rule, split, family, mayDetour: mayDetour, revisions)
    return RangedRules.Options(
      whole: wanted.whole.map { number($0) } ?? -1, detour: wanted.detour.map { number($0) } ?? -1)
  }

  private mutating func number(_ kind: ChainLayout.Kind) -> Int {
    if kind.isPlain, let known = plain[kind.shape] { return known }
    if let known = numbers[kind] { return known }
    let number = kinds.count
    kinds.append(kind)
    numbers[kind] = number
    if kind.isPlain { plain[kind.shape] = number }
    return number
  }

  /// Takes in those of later rules.
  private mutating func append(_ other: StandingForms) {
    let kinds = other.kinds.map { number($0) }
    ranged.append(other.ranged, after: splits.count, kinds)
    splits += other.splits
    options += other.options.map { $0.renumbered(kinds) }
  }
}
