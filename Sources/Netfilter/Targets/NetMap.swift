/// Maps a network to another of the same size, address by address
/// (`struct nf_nat_ipv4_multi_range_compat` for IPv4, `struct nf_nat_range` for IPv6, linux/netfilter/nf_nat.h).
public struct NetMap: Target {
  public let network: AddressMask

  /// nil when the mask has holes.
  public init?(to network: AddressMask) {
    guard network.prefixLength != nil else { return nil }
    self.network = network
  }

  private var range: NATRange {
    let family = network.address.family
    let hosts = ~network.mask & AddressMask.prefixMask(family.addressBits, family)
    let last = IPAddress(family: family, bits: network.address.bits | hosts)
    return NATRange(addresses: NATAddresses(network.address, through: last))
  }
}

// MARK: Syntax

extension NetMap {
  public static let definition = ExtensionDefinition(
    "NETMAP", summary: "map a network to another", tables: [.nat], hooks: [.prerouting, .input, .output, .postrouting],
    options: [OptionSpec("--to", .custom("ADDRESS[/LENGTH]"), required: true, "the network to map to")])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let host = try options.hostAndLength("--to"),
      let network = AddressMask(host.address, prefixLength: host.length)
    else { throw options.error("--to", "a network is missing") }
    self.network = network
  }

  public func print(to out: inout RuleWriter) {
    out.option("--to")
    out.text.write(byte: UInt8(ascii: " "))
    out.text.write(network)
  }

  public func list(to out: inout RuleWriter) {
    out.word("to:")
    out.text.write(network)
  }
}

// MARK: Kernel bytes

extension NetMap {
  /// - Precondition: the network is of the rule's family.
  public func encode(to out: inout ByteWriter, family: Family) {
    precondition(network.address.family == family, "an \(network.address.family) network in an \(family) rule")
    range.encode(as: NATRange.portStructure(of: family), to: &out, family: family)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    let range = try NATRange(
      decoding: &bytes, as: NATRange.portStructure(of: family), family: family, options: [])
    guard let addresses = range.addresses, range.ports == nil else { throw bytes.invalid("flags") }
    let all = AddressMask.prefixMask(family.addressBits, family)
    let mask = ~(addresses.first.bits ^ addresses.last.bits) & all
    guard let target = NetMap(to: AddressMask(address: addresses.first, mask: mask)), target.range == range else {
      throw bytes.invalid("max_addr")
    }
    self = target
  }
}

// MARK: Meaning

extension NetMap {
  /// On the way in, before routing, the destination is mapped; behind it the source.
  public func act(on packet: inout Packet) -> TargetOutcome {
    switch packet.hook {
    case .prerouting, .output: packet.rewrite(\.destination, map(packet.destination))
    case .input, .postrouting, .forward: packet.rewrite(\.source, map(packet.source))
    case nil: return .depends(on: "the hook")
    }
    return .accept
  }

  private func map(_ address: IPAddress) -> IPAddress {
    IPAddress(
      family: address.family, bits: address.bits & ~network.mask | network.address.bits & network.mask)
  }
}
