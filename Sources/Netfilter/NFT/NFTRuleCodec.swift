/// Rules of xtables as expressions of nf_tables, the way iptables-nft 1.8.9 lays them out, and back.
///
/// Interfaces, protocol, addresses and fragments come first, then the matches in their order, the counter, the target.
/// `tcp`, `udp`, `mark`, `limit`, NFLOG and TRACE are expressions of nf_tables; every other extension stays a structure
/// of xtables that nf_tables carries along.
///
/// An IPv4 network of 24 bits, which iptables-nft compares with 3 bytes of the packet, is compared with the whole address
/// under a mask: it reads that the same, and packets pass several times faster.
///
/// What iptables-nft writes wrongly is written otherwise: it loses `! --dport 0:65535` and TCP flags under an empty mask,
/// which stay structures of xtables here; it takes `! --sport 1 ! --dport 2` for "not both", which are two comparisons
/// here; the kernel refuses its `! -s 0.0.0.0/0`, which is a comparison under an empty mask here, and its `-j QUEUE`,
/// which is NFQUEUE in its first revision here; a rate that would come back as another is a structure of xtables here.
///
/// Some rules come back as others that mean the same: `-p all`, which ip6tables keeps, and every network or port, which
/// only a program can ask for, say nothing; `--nflog-range` has no effect and is left out; two `tcp` or `udp` matches
/// side by side that one could say are one.
public enum NFTRuleCodec {
  /// The expressions of a rule as iptables-nft writes them.
  /// - Throws: ``Unsupported`` for a rule with no nf_tables form.
  public static func expressions(
    for rule: Rule, family: Family, registry: Registry
  ) throws(Unsupported) -> [NFTExpression] {
    try expressions(for: rule, family: family, registry: registry) { $0.revision(for: family) }
  }

  /// - Parameter revision: the one to write of each extension that stays a structure of xtables.
  package static func expressions(
    for rule: Rule, family: Family, registry: Registry, revision: (any Extension) -> UInt8
  ) throws(Unsupported) -> [NFTExpression] {
    try withoutActuallyEscaping(revision) { revision throws(Unsupported) in
      try encoded(rule, family, revision)
    }
  }

  private static func encoded(
    _ rule: Rule, _ family: Family, _ revision: @escaping (any Extension) -> UInt8
  ) throws(Unsupported) -> [NFTExpression] {
    var encoder = NFTRuleEncoder(family: family, revision: revision)
    try encoder.append(rule)
    return encoder.expressions
  }

  /// The rule that expressions mean; nil where they say something that no xtables rule says.
  public static func rule(from expressions: [NFTExpression], family: Family, registry: Registry) -> Rule? {
    var decoder = NFTRuleDecoder(family: family, registry: registry)
    return decoder.rule(from: expressions)
  }

  /// What a rule's `NFTA_RULE_COMPAT` says of its protocol, which the kernel asks before it takes a structure of xtables;
  /// number 0 for any.
  public static func compatibility(of rule: Rule) -> (proto: UInt32, isInverted: Bool) {
    (UInt32(rule.proto?.value.rawValue ?? 0), rule.proto?.isInverted ?? false)
  }

  /// Whether the bytes of a network's prefix are loaded alone, and compared as they are, instead of the whole address
  /// under a mask. The kernel loads 3 bytes eight times slower than it loads 4 and masks them.
  package static func loadsPrefixAlone(_ length: Int, _ family: Family) -> Bool {
    length > 0 && length % 8 == 0 && !(family == .ipv4 && length == 24)
  }

  /// Where addresses stand in the network header.
  package static func sourceOffset(_ family: Family) -> Int { NFTOffset.source(family) }
  package static func destinationOffset(_ family: Family) -> Int { NFTOffset.destination(family) }

  /// Why nf_tables cannot say a rule.
  public struct Unsupported: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public var description: String { message }

    /// The extension that cannot be said in the revision asked for, where that is why.
    package let lacking: (any Extension)?

    package init(_ message: String, lacking: (any Extension)? = nil) {
      self.message = message
      self.lacking = lacking
    }

    public static func == (a: Unsupported, b: Unsupported) -> Bool { a.message == b.message }
    public func hash(into hasher: inout Hasher) { hasher.combine(message) }
  }
}

// MARK: What both directions know

/// Where fields stand in the network header (RFC 791, RFC 8200) and the transport header (RFC 9293, RFC 768).
enum NFTOffset {
  static func source(_ family: Family) -> Int { family == .ipv4 ? 12 : 8 }
  static func destination(_ family: Family) -> Int { family == .ipv4 ? 16 : 24 }
  static func hops(_ family: Family) -> Int { family == .ipv4 ? 8 : 7 }
  static let fragment4 = 6
  static let proto4 = 9
  static let sourcePort = 0
  static let destinationPort = 2
  static let tcpFlags = 13
}

/// The bits of the IPv4 fragment field that count where a fragment begins.
let nftFragmentMask: [UInt8] = [0x1f, 0xff]

/// No interface has this name, for a `/` cannot be in one; iptables-nft says `! -i +` by it.
let nftNoInterface: [UInt8] = Array("INVAL/D".utf8) + [0]

/// The verdict that sends a packet to queue 0 in the words of NFQUEUE (`struct xt_NFQ_info`): the kernel takes the verdict
/// itself no more.
let nftQueueVerdict = NFTExpression.target(name: "NFQUEUE", revision: 0, bytes: [UInt8](repeating: 0, count: 8))

extension NFTLimit {
  /// The same rate in the unit in which iptables shows it; nil where it would come back as another.
  init?(_ limit: Limit) {
    let interval = limit.interval
    let chosen = Limit.Unit.shown(interval: UInt64(interval))
    let rate = chosen.ticks / interval
    guard rate > 0, chosen.ticks / rate == interval else { return nil }
    self.init(rate: UInt64(rate), unit: UInt64(chosen.ticks / Limit.Unit.second.ticks), burst: limit.burst)
  }
}

extension Limit {
  /// nil where the rate is none that `--limit` can give.
  init?(_ limit: NFTLimit) {
    guard !limit.countsBytes, !limit.isInverted, limit.rate > 0, limit.unit <= Limit.longestUnit else { return nil }
    let interval = UInt64(Limit.Unit.second.ticks) * limit.unit / limit.rate
    guard interval <= UInt32.max, let value = Limit(interval: UInt32(interval), burst: limit.burst),
      let again = NFTLimit(value), again.rate * limit.unit == limit.rate * again.unit
    else { return nil }
    self = value
  }

  /// Seconds; whatever is longer has no interval in 32 bits unless it allows several.
  private static let longestUnit: UInt64 = 604_800
}
