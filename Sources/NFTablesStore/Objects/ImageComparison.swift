internal import CNFTables
internal import Netfilter

extension RulesetImage.ID {
  /// Whether it is a table that iptables takes for its own.
  var isNamedByIPTables: Bool {
    [.ip, .ip6].contains(family) && TableName(rawValue: name.description) != nil
  }
}

extension RulesetImage.Table {
  /// Whether it is a table of iptables, `filter`, `nat`, … of IPv4 or IPv6, or holds such tables, or chains of them,
  /// in compiled form.
  package var isOfIPTables: Bool {
    guard !id.isNamedByIPTables else { return true }
    return [.inet, .ip, .ip6].contains(id.family) && id.name.description == TableForm.compiledTable
      && chains.contains { TableForm.owner(of: $0.name.description) != nil }
  }

  /// Whether both are the same but for the time that elements of sets have left, and their order.
  package func isSame(as other: RulesetImage.Table) -> Bool {
    guard id == other.id, attributes == other.attributes, chains == other.chains, objects == other.objects,
      flowtables == other.flowtables, sets.count == other.sets.count
    else { return false }
    return zip(sets, other.sets).allSatisfy { mine, theirs in
      mine.name == theirs.name && mine.attributes == theirs.attributes && mine.timeless == theirs.timeless
    }
  }
}

extension RulesetImage.ElementSet {
  /// The elements without the time that they have left.
  var timeless: Set<Attributes> { Set(elements.map(\.timeless)) }
}

extension RulesetImage.Element {
  /// Without the time that it has left.
  var timeless: Attributes { attributes.without(NFTA_SET_ELEM_EXPIRATION) }
}
