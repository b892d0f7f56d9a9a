/// Replaces the prefix of an IPv6 packet's destination address without state
/// (`struct ip6t_npt_tginfo`, linux/netfilter_ipv6/ip6t_NPT.h; RFC 6296).
public struct DNPT: Target {
  public var prefixes: PrefixTranslation

  public init(_ prefixes: PrefixTranslation) { self.prefixes = prefixes }
}

/// A prefix and the one that replaces it.
public struct PrefixTranslation: Hashable, Sendable {
  public let source: AddressMask
  public let destination: AddressMask

  /// nil unless both are IPv6 prefixes of at most 64 bits.
  public init?(from source: AddressMask, to destination: AddressMask) {
    for prefix in [source, destination] {
      guard prefix.address.family == .ipv6, let length = prefix.prefixLength, length <= 64 else { return nil }
    }
    self.source = source
    self.destination = destination
  }
}

// MARK: Syntax

extension DNPT {
  public static let definition = ExtensionDefinition(
    "DNPT", summary: "replace the prefix of the destination address", families: [.ipv6], tables: [.mangle],
    hooks: [.prerouting, .output], options: OptionSpec.prefixTranslation)

  public init(parsing options: OptionValues) throws(SyntaxError) { prefixes = try options.prefixTranslation() }

  public func print(to out: inout RuleWriter) { out.prefixTranslation(prefixes) }

  public func list(to out: inout RuleWriter) {
    out.word("DNPT")
    out.prefixTranslation(prefixes, dashes: false)
  }
}

extension OptionSpec {
  static let prefixTranslation = [
    OptionSpec("--src-pfx", .custom("ADDRESS/LENGTH"), required: true, "the prefix that is replaced"),
    OptionSpec("--dst-pfx", .custom("ADDRESS/LENGTH"), required: true, "the prefix that replaces it"),
  ]
}

extension OptionValues {
  func prefixTranslation() throws(SyntaxError) -> PrefixTranslation {
    let source = try prefix("--src-pfx")
    let destination = try prefix("--dst-pfx")
    guard let prefixes = PrefixTranslation(from: source, to: destination) else {
      throw error("--src-pfx", "prefixes have at most 64 bits")
    }
    return prefixes
  }

  private func prefix(_ name: StaticString) throws(SyntaxError) -> AddressMask {
    guard let host = try hostAndLength(name), host.length <= 64,
      let network = AddressMask(host.address, prefixLength: host.length)
    else { throw error(name, "a prefix has at most 64 bits", hint: "for example: \(name) 2001:db8::/48").byKernel }
    guard network.address == host.address else {
      throw error(name, "the address has bits behind its prefix", hint: "write \(name) \(network)")
    }
    return network
  }
}

extension RuleWriter {
  /// ` --src-pfx 2001:db8::/48 --dst-pfx fd00::/48`; iptables leaves out `::/0` and then cannot read its line.
  mutating func prefixTranslation(_ prefixes: PrefixTranslation, dashes: Bool = true) {
    option("--src-pfx", dashes: dashes)
    text.write(byte: UInt8(ascii: " "))
    text.write(prefixes.source)
    option("--dst-pfx", dashes: dashes)
    text.write(byte: UInt8(ascii: " "))
    text.write(prefixes.destination)
  }
}

// MARK: Kernel bytes

extension DNPT {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(prefixes) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    prefixes = try bytes.prefixTranslation()
  }
}

extension ByteWriter {
  /// The last field is the kernel's.
  mutating func write(_ prefixes: PrefixTranslation) {
    write(address: prefixes.source.address.bits, .ipv6)
    write(address: prefixes.destination.address.bits, .ipv6)
    write(UInt8(prefixes.source.prefixLength!))
    write(UInt8(prefixes.destination.prefixLength!))
    zeros(2)
  }
}

extension ByteReader {
  mutating func prefixTranslation() throws(WireError) -> PrefixTranslation {
    let addresses = (IPAddress(ipv6: try uint128("src_pfx")), IPAddress(ipv6: try uint128("dst_pfx")))
    let lengths = (try uint8("src_pfx_len"), try uint8("dst_pfx_len"))
    try zeros("adjustment", 2)
    guard let source = AddressMask(addresses.0, prefixLength: Int(lengths.0)), source.address == addresses.0,
      let destination = AddressMask(addresses.1, prefixLength: Int(lengths.1)), destination.address == addresses.1,
      let prefixes = PrefixTranslation(from: source, to: destination)
    else { throw invalid("src_pfx") }
    return prefixes
  }
}

// MARK: Meaning

extension DNPT {
  /// An address that cannot be translated is dropped and its sender told.
  public func act(on packet: inout Packet) -> TargetOutcome {
    guard let address = prefixes.translate(packet.destination) else { return .reject }
    packet.rewrite(\.destination, address)
    return .proceed
  }
}

extension PrefixTranslation {
  /// The address with the other prefix, whatever prefix it had, and a word behind it changed so that checksums of the
  /// payload stay right (RFC 6296 sections 3.4 and 3.5); nil where no word can be changed.
  func translate(_ address: IPAddress) -> IPAddress? {
    let length = max(source.prefixLength!, self.destination.prefixLength!)
    let mask = AddressMask.prefixMask(length, .ipv6)
    let bits = address.bits & ~mask | self.destination.address.bits & mask
    func word(_ index: Int) -> UInt16 { UInt16(truncatingIfNeeded: bits >> UInt128(16 * (7 - index))) }
    guard let index = length <= 48 ? 3 : (4..<8).first(where: { word($0) != 0xffff }) else { return nil }
    let difference = Self.sum(source.address) + UInt32(~UInt16(Self.sum(self.destination.address)))
    var changed = Self.folded(UInt32(word(index)) + difference)
    if changed == 0xffff { changed = 0 }
    let place = UInt128(16 * (7 - index))
    return IPAddress(ipv6: bits & ~(0xffff << place) | UInt128(changed) << place)
  }

  /// The ones' complement sum of the address's words.
  private static func sum(_ address: IPAddress) -> UInt32 {
    UInt32(folded((0..<8).reduce(0) { $0 + UInt32(truncatingIfNeeded: address.bits >> UInt128(16 * $1) & 0xffff) }))
  }

  private static func folded(_ sum: UInt32) -> UInt16 {
    var sum = sum
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return UInt16(sum)
  }
}
