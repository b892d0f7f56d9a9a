/// Maps the destination of a connection to other addresses and ports (`struct nf_nat_range2`; from older programs
/// `struct nf_nat_ipv4_multi_range_compat` for IPv4 and `struct nf_nat_range` for IPv6, linux/netfilter/nf_nat.h).
public struct DestinationNAT: Target {
  /// Names addresses, ports or both.
  public let range: NATRange
  /// The revision that the kernel holds; a rule keeps the one it came with.
  private let kernelRevision: UInt8

  /// nil when the range names neither addresses nor ports, or draws ports with `--random-fully`.
  public init?(_ range: NATRange) { self.init(range, revision: 2) }

  private init?(_ range: NATRange, revision: UInt8) {
    guard range.addresses != nil || range.ports != nil, !range.options.contains(.randomFully) else { return nil }
    self.range = range
    kernelRevision = revision
  }
}

// MARK: Syntax

extension DestinationNAT {
  public static let definition = ExtensionDefinition(
    "DNAT", summary: "map the destination address and port", revisions: [0, 1, 2], tables: [.nat],
    hooks: [.prerouting, .output],
    options: [
      OptionSpec(
        "--to-destination", .custom("[ADDRESS[-ADDRESS]][:PORT[-PORT[/BASE]]]"), required: true,
        "what to map the destination to"),
      .natRandom, .natPersistent,
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    guard let range = try options.natRange("--to-destination"), let target = DestinationNAT(range) else {
      throw options.error("--to-destination", "an address or a port is missing")
    }
    self = target
  }

  public func print(to out: inout RuleWriter) { out.natRange("--to-destination", range) }

  public func list(to out: inout RuleWriter) { out.listNATRange(range) }
}

// MARK: Kernel bytes

extension DestinationNAT {
  public func revision(for family: Family) -> UInt8 { kernelRevision }

  public func encode(to out: inout ByteWriter, family: Family) {
    guard let structure = NATRange.Structure(kernelRevision, family) else {
      preconditionFailure("DNAT has no revision \(kernelRevision) for \(family)")
    }
    range.encode(as: structure, to: &out, family: family)
  }

  /// Revisions 0, of IPv4, and 1, of IPv6, do not shift ports.
  public func encode(to out: inout ByteWriter, family: Family, earlier revision: UInt8) -> Bool {
    guard let structure = NATRange.Structure(revision, family), revision < 2, range.ports?.base == nil else {
      return false
    }
    range.encode(as: structure, to: &out, family: family)
    return true
  }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    guard let structure = NATRange.Structure(revision, family) else { throw bytes.invalid("revision") }
    let range = try NATRange(decoding: &bytes, as: structure, family: family, options: [.random, .persistent])
    guard let target = DestinationNAT(range, revision: revision) else { throw bytes.invalid("flags") }
    self = target
  }
}

// MARK: Meaning

extension DestinationNAT {
  public func act(on packet: inout Packet) -> TargetOutcome { range.mapDestination(of: &packet) }
}
