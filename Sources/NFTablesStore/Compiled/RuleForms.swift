package import Netfilter

/// A rule's keys: with single ports, and with ranges of ports where it has too many for that.
package struct RuleForms: Sendable {
  package let single: RuleSplit
  package private(set) var ranged: RuleSplit?

  package init(_ rule: Rule, _ family: Family) {
    single = RuleSplit(rule, family)
    guard single.leavesPorts else { return }
    let split = RuleSplit(rule, family, takesRanges: true)
    guard split.shape.isRanged, split.shape.fields.isDisjoint(with: [.icmpType, .icmpCode]) else { return }
    ranged = split
  }

  private init(_ split: RuleSplit) { single = split }

  /// Of a rule that is taken to concern every packet.
  static let everything = RuleForms(.everything)

  /// Tells most of which packets the rule is about.
  var closest: RuleSplit { ranged ?? single }

  /// The keys that the rule has in maps of a shape.
  func standing(in shape: KeyShape) -> RuleSplit { shape.isRanged ? closest : single }

  /// By which keys to tell whether the rule may change places with others.
  ///
  /// Where a map holds nothing of the rule but a key with single ports, two rules of which ranges tell that they share no
  /// packets may have the same key there: then that key alone counts. Where more of the rule is asked before the lookup
  /// it is asked of all in the map, so that two of them with the same key have the same ranges too.
  /// - Parameter shape: of the map; nil for a linear rule.
  func order(in shape: KeyShape?, isWhole: Bool) -> RuleSplit {
    guard let shape, !isWhole else { return closest }
    return standing(in: shape)
  }
}
