internal import CNFTables
internal import Netfilter

extension RulesetImage.ID {
  /// Whether it is a table of iptables: `filter`, `nat`, … of IPv4 or IPv6.
  package var isOfIPTables: Bool { (family == .ip || family == .ip6) && TableName(rawValue: name.description) != nil }
}

extension RulesetImage.Table {
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
  fileprivate var timeless: Set<Attributes?> {
    Set(
      elements.map { element in
        element.attributes.bytes.withUnsafeBytes { bytes in
          try? Attributes(bytes, without: [UInt16(truncatingIfNeeded: NFTA_SET_ELEM_EXPIRATION.rawValue)])
        }
      })
  }
}
