/// All ports but 0 to N are those above N. iptables-nft has one comparison for both (`cmp gt`) and reads it as the range, so
/// that is how nf_tables' rules say it.
extension Negatable<Bounds<UInt16>> {
  var saidByNFTables: Self {
    guard isInverted, value.first == 0, value.last > 0, value.last < .max else { return self }
    return Negatable(Bounds(value.last + 1, .max))
  }
}

extension Negatable<PortRange> {
  var saidByNFTables: Self {
    let said = Negatable<Bounds<UInt16>>(Bounds(ports: value), inverted: isInverted).saidByNFTables
    guard let range = PortRange(said.value.first, through: said.value.last) else { return self }
    return Negatable(range, inverted: said.isInverted)
  }
}
