/// A rule without what does not change its meaning: counters, which of two spellings it uses, and bits of the kernel's
/// structures that nothing looks at. What reads the same means the same.
package struct RuleMeaning: Hashable, Sendable {
  private let text: String
  private let residue: HeaderResidue

  package init(_ rule: Rule, _ family: Family) {
    var rule = rule
    rule.matches = rule.matches.map { match in
      guard let spelled = match as? any AlternativeSpelling else { return match }
      return spelled.canonical
    }
    if case .extension(let target as any AlternativeTargetSpelling) = rule.target {
      rule.target = .extension(target.canonical)
    }
    text = SaveText.rule(rule, family: family)
    residue = rule.residue
  }
}
