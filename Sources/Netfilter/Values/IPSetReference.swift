/// A set of addresses, ports and the like (ipset(8)) as a rule names it, and what of a packet is looked for in it
/// (`struct xt_set_info`, linux/netfilter/xt_set.h).
///
/// The kernel's rules hold no names: a set is known by its number in its network namespace, and
/// ``Names/sets`` finds the one for the other.
public struct IPSetReference: Hashable, Sendable {
  /// The set's number; 65535 is none.
  public let index: UInt16
  /// The end of the packet for each part of the set's members, in their order; 1 to 6.
  public let ends: [End]

  public enum End: Hashable, Sendable {
    case source
    case destination
  }

  public static let maxEnds = 6
  /// The longest name, in bytes.
  public static let maxNameBytes = 31

  /// nil when the number is that of no set, or there are no ends or more than six.
  public init?(index: UInt16, _ ends: [End]) {
    guard index != Self.none, (1...Self.maxEnds).contains(ends.count) else { return nil }
    self.index = index
    self.ends = ends
  }

  /// `IPSET_INVALID_ID`
  static let none = UInt16.max
}

/// An extension that looks into sets.
package protocol IPSetUser: Extension {
  var sets: [IPSetReference] { get }

  /// The same with other numbers; a set that `index` answers nil for keeps its own.
  func renumberingSets(_ index: (UInt16) -> UInt16?) -> Self
}

extension IPSetReference {
  func renumbered(_ index: (UInt16) -> UInt16?) -> IPSetReference {
    index(self.index).flatMap { IPSetReference(index: $0, ends) } ?? self
  }
}

extension RuleList {
  private static let setKeys = [nameKey(IPSetMatch.definition.kernelName), nameKey(IPSetTarget.definition.kernelName)]

  /// Where rules stand that look into sets.
  private var setUsers: [Int] { indices.filter { holds(at: $0) { Self.setKeys.contains($0) } } }

  /// The numbers of the sets that the rules look into.
  package var setIndices: Set<UInt16> {
    var found: Set<UInt16> = []
    for index in setUsers {
      for user in self[index].setUsers { found.formUnion(user.sets.map(\.index)) }
    }
    return found
  }

  /// The first rule that looks into one of these sets, and which.
  package func firstUse(of sets: Set<UInt16>) -> (rule: Int, set: UInt16)? {
    for index in setUsers {
      let used = self[index].setUsers.flatMap(\.sets).map(\.index)
      if let set = used.first(where: { sets.contains($0) }) { return (index, set) }
    }
    return nil
  }

  /// The rules with other numbers for their sets; a set that `number` answers nil for keeps its own.
  package func renumberingSets(_ number: (UInt16) -> UInt16?) -> RuleList {
    var result = self
    for index in setUsers {
      var rule = self[index]
      guard !rule.setUsers.isEmpty else { continue }
      rule.matches = rule.matches.map { match in
        (match as? any IPSetUser & Match).map { $0.renumberingSets(number) } ?? match
      }
      if case .extension(let target) = rule.target, let user = target as? any IPSetUser & Target {
        rule.target = .extension(user.renumberingSets(number))
      }
      let changed = RuleList([rule], family: family)
      guard result.overwrite(index, with: changed, 0) else {
        preconditionFailure("a number more or less does not change a structure's size")
      }
    }
    return result
  }
}

extension Rule {
  fileprivate var setUsers: [any IPSetUser] {
    var users = matches.compactMap { $0 as? any IPSetUser }
    if case .extension(let target) = target, let user = target as? any IPSetUser { users.append(user) }
    return users
  }
}

extension Table {
  /// The numbers of the sets that its rules look into.
  package var setIndices: Set<UInt16> { chains.reduce(into: []) { $0.formUnion($1.rules.setIndices) } }

  package func renumberingSets(_ number: (UInt16) -> UInt16?) -> Table {
    var result = self
    for (place, chain) in chains.enumerated() { result.setRules(of: place, chain.rules.renumberingSets(number)) }
    return result
  }
}
