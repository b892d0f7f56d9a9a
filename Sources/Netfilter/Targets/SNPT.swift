/// Replaces the prefix of an IPv6 packet's source address without state
/// (`struct ip6t_npt_tginfo`, linux/netfilter_ipv6/ip6t_NPT.h; RFC 6296).
public struct SNPT: Target {
  public var prefixes: PrefixTranslation

  public init(_ prefixes: PrefixTranslation) { self.prefixes = prefixes }
}

// MARK: Syntax

extension SNPT {
  public static let definition = ExtensionDefinition(
    "SNPT", summary: "replace the prefix of the source address", families: [.ipv6], tables: [.mangle],
    hooks: [.input, .postrouting], options: OptionSpec.prefixTranslation)

  public init(parsing options: OptionValues) throws(SyntaxError) { prefixes = try options.prefixTranslation() }

  public func print(to out: inout RuleWriter) { out.prefixTranslation(prefixes) }

  public func list(to out: inout RuleWriter) {
    out.word("SNPT")
    out.prefixTranslation(prefixes, dashes: false)
  }
}

// MARK: Kernel bytes

extension SNPT {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(prefixes) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    prefixes = try bytes.prefixTranslation()
  }
}

// MARK: Meaning

extension SNPT {
  /// An address that cannot be translated is dropped and its sender told.
  public func act(on packet: inout Packet) -> TargetOutcome {
    guard let address = prefixes.translate(packet.source) else { return .reject }
    packet.rewrite(\.source, address)
    return .proceed
  }
}
