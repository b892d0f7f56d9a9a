internal import Netfilter
internal import RuleStore

/// Conditions in front of a lookup. They are asked for packets that no rule behind them may be about, so nothing may come
/// of asking: what counts packets, or drops those that are cut short, cannot be one.
enum Guard {
  /// Structures of xtables whose answer changes nothing.
  private static let stateless: Set<String> = [
    "conntrack", "connmark", "pkttype", "length", "ttl", "hl", "dscp", "tos", "addrtype", "iprange", "owner", "comment",
  ]

  static func isStateless(_ match: any Match) -> Bool {
    match is TCP || match is UDP || match is ICMP || match is ICMPv6 || match is Multiport || match is MarkMatch
      || stateless.contains(match.kernelName)
  }

  /// The expressions of a rule's rest; nil where it may not stand in front of a lookup.
  static func expressions(of rest: Rule, _ family: Family, _ revisions: KernelRevisions?) -> [NFTExpression]? {
    var rest = rest
    rest.target = .none
    rest.counters = .zero
    let said = try? NFTRuleCodec.expressions(for: rest, family: family, registry: .standard) {
      revisions?.revision(of: $0, family) ?? $0.revision(for: family)
    }
    guard let said else { return nil }
    let conditions = said.filter { if case .counter = $0 { false } else { true } }
    let isAllowed = conditions.allSatisfy { expression in
      switch expression {
      case .meta, .payload, .bitwise, .compare, .range: true
      case .match(let name, _, _): stateless.contains(name)
      default: false
      }
    }
    // What is read back has to be the same rest.
    guard isAllowed,
      NFTRuleCodec.rule(from: conditions, family: family, registry: .standard)?.sameEffect(as: rest) == true
    else { return nil }
    return conditions
  }
}
