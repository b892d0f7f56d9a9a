/// Maps the source of a connection to other addresses and ports
/// (`struct nf_nat_ipv4_multi_range_compat` for IPv4, `struct nf_nat_range` for IPv6, linux/netfilter/nf_nat.h).
public struct SourceNAT: Target {
  /// Names addresses, ports or both.
  public let range: NATRange

  /// nil when the range names neither addresses nor ports, or shifts ports.
  public init?(_ range: NATRange) {
    guard range.addresses != nil || range.ports != nil, range.ports?.base == nil else { return nil }
    self.range = range
  }
}

// MARK: Syntax

extension SourceNAT {
  public static let definition = ExtensionDefinition(
    "SNAT", summary: "map the source address and port", revisions: [0, 1, 2], tables: [.nat],
    hooks: [.postrouting, .input],
    options: [
      OptionSpec(
        "--to-source", .custom("[ADDRESS[-ADDRESS]][:PORT[-PORT]]"), required: true, "what to map the source to"),
      .natRandom, .natRandomFully, .natPersistent,
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let token = options.token("--to-source"), let range = try options.natRange("--to-source") else {
      throw options.error("--to-source", "an address or a port is missing")
    }
    guard let target = SourceNAT(range) else { throw OptionValues.shiftedPorts(token, "--to-source") }
    self = target
  }

  public func print(to out: inout RuleWriter) { out.natRange("--to-source", range) }

  public func list(to out: inout RuleWriter) { out.listNATRange(range) }
}

// MARK: Kernel bytes

extension SourceNAT {
  public func revision(for family: Family) -> UInt8 { family == .ipv4 ? 0 : 1 }

  public func encode(to out: inout ByteWriter, family: Family) {
    range.encode(as: family == .ipv4 ? .multiRange : .range, to: &out, family: family)
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let structure = NATRange.Structure(revision, family) else { throw bytes.invalid("revision") }
    let range = try NATRange(
      decoding: &bytes, as: structure, family: family, options: [.random, .randomFully, .persistent])
    guard let target = SourceNAT(range) else { throw bytes.invalid("flags") }
    self = target
  }
}

// MARK: Meaning

extension SourceNAT {
  public func act(on packet: inout Packet) -> TargetOutcome { range.mapSource(of: &packet) }
}
