/// Every extension that this version knows. Adding one is its file and one line here.
///
/// A line repeats the names of a definition, so that finding one extension does not make the definitions, with all their
/// options, of all others, nor what the compiler puts off until a type is first used; a test compares both.
public struct Registry: Sendable {
  public static let standard = Registry(
    matches: [
      .init("nfacct", Accounting.self),
      .init("addrtype", AddrType.self),
      .init("ah", AH.self, only: .ipv4),
      .init("ah", AHv6.self, only: .ipv6),
      .init("bpf", BPF.self),
      .init("cluster", Cluster.self),
      .init("comment", Comment.self),
      .init("connbytes", ConnBytes.self),
      .init("connlabel", ConnectionLabel.self),
      .init("connlimit", ConnLimit.self),
      .init("connmark", ConnMarkMatch.self),
      .init("conntrack", Conntrack.self),
      .init("cgroup", ControlGroup.self),
      .init("cpu", CPU.self),
      .init("dccp", DCCP.self),
      .init("dst", DestinationOptions.self, only: .ipv6),
      .init("devgroup", DeviceGroup.self),
      .init("dscp", DSCPMatch.self),
      .init("ecn", ECNMatch.self),
      .init("esp", ESP.self),
      .init("eui64", EUI64.self, only: .ipv6),
      .init("hashlimit", HashLimit.self),
      .init("helper", Helper.self),
      .init("hbh", HopByHopOptions.self, only: .ipv6),
      .init("hl", HopLimitMatch.self, only: .ipv6),
      .init("icmp", ICMP.self, only: .ipv4),
      .init("icmp6", aliases: ["icmpv6", "ipv6-icmp"], ICMPv6.self, only: .ipv6),
      .init("ipcomp", IPComp.self),
      .init("iprange", IPRange.self),
      .init("set", IPSetMatch.self),
      .init("policy", IPsecPolicy.self),
      .init("frag", IPv6Fragment.self, only: .ipv6),
      .init("ipv6header", IPv6Headers.self, only: .ipv6),
      .init("ipvs", IPVS.self),
      .init("length", Length.self),
      .init("limit", Limit.self),
      .init("mac", MAC.self),
      .init("mark", MarkMatch.self),
      .init("mh", MobilityHeader.self, only: .ipv6),
      .init("multiport", Multiport.self),
      .init("osf", OSFingerprint.self, only: .ipv4),
      .init("owner", Owner.self),
      .init("physdev", PhysDev.self),
      .init("pkttype", PktType.self),
      .init("quota", Quota.self),
      .init("rateest", RateEstimateMatch.self),
      .init("realm", Realm.self, only: .ipv4),
      .init("recent", Recent.self),
      .init("rt", RoutingHeader.self, only: .ipv6),
      .init("rpfilter", RPFilter.self),
      .init("sctp", SCTP.self),
      .init("srh", SegmentRoutingHeader.self, only: .ipv6),
      .init("socket", SocketMatch.self),
      .init("state", kernelName: "conntrack", State.self, formerly: "state"),
      .init("statistic", Statistic.self),
      .init("string", StringMatch.self),
      .init("tcp", TCP.self),
      .init("tcpmss", TCPMSSMatch.self),
      .init("time", TimeMatch.self),
      .init("tos", TOSMatch.self),
      .init("ttl", TTLMatch.self, only: .ipv4),
      .init("u32", U32.self),
      .init("udp", UDP.self),
    ],
    targets: [
      .init("AUDIT", Audit.self),
      .init("CHECKSUM", Checksum.self),
      .init("CLASSIFY", Classify.self),
      .init("CONNMARK", ConnmarkTarget.self),
      .init("CONNSECMARK", ConnSecMark.self),
      .init("CT", CT.self),
      .init("DNAT", DestinationNAT.self),
      .init("DNPT", DNPT.self, only: .ipv6),
      .init("DSCP", DSCPTarget.self),
      .init("ECN", ECNTarget.self, only: .ipv4),
      .init("HL", HLTarget.self, only: .ipv6),
      .init("HMARK", HMark.self),
      .init("IDLETIMER", IdleTimer.self),
      .init("SET", IPSetTarget.self),
      .init("LED", LEDTarget.self),
      .init("LOG", Log.self),
      .init("MARK", MarkTarget.self),
      .init("MASQUERADE", Masquerade.self),
      .init("NETMAP", NetMap.self),
      .init("NFLOG", NFLog.self),
      .init("NFQUEUE", NFQueue.self),
      .init("NOTRACK", kernelName: "CT", NoTrack.self, formerly: "NOTRACK"),
      .init("RATEEST", RateEstTarget.self),
      .init("REDIRECT", Redirect.self),
      .init("REJECT", Reject.self),
      .init("SECMARK", SecMark.self),
      .init("SNPT", SNPT.self, only: .ipv6),
      .init("SNAT", SourceNAT.self),
      .init("SYNPROXY", SynProxy.self),
      .init("TCPMSS", TCPMSS.self),
      .init("TCPOPTSTRIP", TCPOptionStrip.self),
      .init("TEE", Tee.self),
      .init("TOS", TOSTarget.self),
      .init("TPROXY", TProxy.self),
      .init("TRACE", Trace.self),
      .init("TTL", TTLTarget.self, only: .ipv4),
    ])

  package let knownMatches: [MatchLine]
  package let knownTargets: [TargetLine]

  package init(matches: [MatchLine], targets: [TargetLine]) {
    knownMatches = matches
    knownTargets = targets
  }

  public var matches: [any Match.Type] { knownMatches.map { $0.type() } }
  public var targets: [any Target.Type] { knownTargets.map { $0.type() } }

  /// The match of this name in text.
  public func match(named name: String, family: Family) -> (any Match.Type)? {
    knownMatches.place(of: NameKey(name.utf8), family).map { knownMatches[$0].type() }
  }

  public func target(named name: String, family: Family) -> (any Target.Type)? {
    knownTargets.place(of: NameKey(name.utf8), family).map { knownTargets[$0].type() }
  }

  func match(named word: Token, family: Family) -> (any Match.Type)? {
    knownMatches.place(of: NameKey(word.bytes), family).map { knownMatches[$0].type() }
  }

  /// What targets are called in text and in the kernel.
  var targetNames: Set<NameKey> { Set(knownTargets.flatMap { [$0.names.key, $0.names.kernelKey] }) }

  func target(named word: Token, family: Family) -> (any Target.Type)? {
    knownTargets.place(of: NameKey(word.bytes), family).map { knownTargets[$0].type() }
  }

  /// The matches that the kernel knows by this name in this revision; two spellings of one structure give two.
  func matches(kernelName: String, revision: UInt8, family: Family) -> [any Match.Type] {
    guard let key = NameKey(kernelName.utf8) else { return [] }
    return knownMatches.filter { $0.names.isMeant(key, revision, family) }.map { $0.type() }
      .filter { $0.definition.revisions.contains(revision) }
  }

  func targets(kernelName: String, revision: UInt8, family: Family) -> [any Target.Type] {
    guard let key = NameKey(kernelName.utf8) else { return [] }
    return knownTargets.filter { $0.names.isMeant(key, revision, family) }.map { $0.type() }
      .filter { $0.definition.revisions.contains(revision) }
  }

  /// Whether the kernel has, or had, this extension in several revisions that are known here.
  package func hasEarlierRevisions(kernelName: String, isTarget: Bool) -> Bool {
    let definitions =
      isTarget
      ? knownTargets.filter { $0.names.kernelName.isEqual(kernelName) }.map { $0.type().definition }
      : knownMatches.filter { $0.names.kernelName.isEqual(kernelName) }.map { $0.type().definition }
    return definitions.contains { $0.revisions.count > 1 }
  }

  /// The definitions of the extensions whose kernel name begins with these eight bytes (``RuleList/nameKey(_:)``).
  func definitions(beginning key: UInt64) -> [ExtensionDefinition] {
    knownMatches.filter { $0.names.beginning == key }.map { $0.type().definition }
      + knownTargets.filter { $0.names.beginning == key }.map { $0.type().definition }
  }
}

extension Registry {
  /// The typed match for a kernel structure, or the opaque one when no type knows the name, the revision or the bytes.
  package func decodeMatch(
    kernelName: String, revision: UInt8, family: Family, payload: RawSpan
  ) -> any Match {
    decodeKnownMatch(NameKey(kernelName.utf8), revision, family, payload)
      ?? OpaqueMatch(OpaqueExtension(kernelName: kernelName, revision: revision, payload: payload.copied))
  }

  /// See ``decodeMatch(kernelName:revision:family:payload:)``.
  package func decodeTarget(
    kernelName: String, revision: UInt8, family: Family, payload: RawSpan
  ) -> any Target {
    decodeKnownTarget(NameKey(kernelName.utf8), revision, family, payload)
      ?? OpaqueTarget(OpaqueExtension(kernelName: kernelName, revision: revision, payload: payload.copied))
  }

  func decodeMatch(_ header: RuleCodec.ExtensionHeader, _ family: Family, _ payload: RawSpan) -> any Match {
    decodeKnownMatch(header.key, header.revision, family, payload)
      ?? OpaqueMatch(OpaqueExtension(kernelName: header.name, revision: header.revision, payload: payload.copied))
  }

  func decodeTarget(_ header: RuleCodec.ExtensionHeader, _ family: Family, _ payload: RawSpan) -> any Target {
    decodeKnownTarget(header.key, header.revision, family, payload)
      ?? OpaqueTarget(OpaqueExtension(kernelName: header.name, revision: header.revision, payload: payload.copied))
  }

  private func decodeKnownMatch(_ key: NameKey?, _ revision: UInt8, _ family: Family, _ payload: RawSpan) -> (
    any Match
  )? {
    guard let key else { return nil }
    for index in 0..<knownMatches.count where knownMatches[index].names.isMeant(key, revision, family) {
      if let match = Self.match(knownMatches[index].type(), revision, family, payload) { return match }
    }
    return nil
  }

  private func decodeKnownTarget(_ key: NameKey?, _ revision: UInt8, _ family: Family, _ payload: RawSpan) -> (
    any Target
  )? {
    guard let key else { return nil }
    for index in 0..<knownTargets.count where knownTargets[index].names.isMeant(key, revision, family) {
      if let target = Self.target(knownTargets[index].type(), revision, family, payload) { return target }
    }
    return nil
  }

  /// nil when the type does not know the revision or cannot read the bytes to their end.
  private static func match(
    _ type: any Match.Type, _ revision: UInt8, _ family: Family, _ payload: RawSpan
  ) -> (any Match)? {
    do throws(WireError) { return try type.decode(revision, family, payload) } catch { return nil }
  }

  private static func target(
    _ type: any Target.Type, _ revision: UInt8, _ family: Family, _ payload: RawSpan
  ) -> (any Target)? {
    do throws(WireError) { return try type.decode(revision, family, payload) } catch { return nil }
  }
}

extension Extension {
  /// Not an optional of this type, which would be looked up anew each time.
  /// - Throws: when the type does not know the revision or cannot read the bytes to their end.
  fileprivate static func decode(_ revision: UInt8, _ family: Family, _ payload: RawSpan) throws(WireError) -> Self {
    var reader = ByteReader(payload)
    guard definition.revisions.contains(revision) else { throw reader.invalid("revision") }
    let value = try Self(decoding: &reader, revision: revision, family: family)
    try reader.finish()
    return value
  }
}

extension RawSpan {
  fileprivate var copied: [UInt8] { withUnsafeBytes { Array($0) } }
}

/// A name of up to 16 bytes as one number, for comparing without strings. No extension's name is longer.
struct NameKey: Hashable, Sendable {
  private let bits: UInt128

  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count <= 16 else { return nil }
    var bits: UInt128 = 0
    for byte in bytes { bits = bits << 8 | UInt128(byte) }
    self.bits = bits
  }

  init(_ name: StaticString) {
    guard let key = NameKey(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)) else {
      preconditionFailure("'\(name)' is longer than an extension's name")
    }
    self = key
  }

  /// From a field whose first bytes, up to a zero, are the name; nil when no zero is among them.
  init?(padded field: UInt128) {
    var bits = field
    var shifted = 0
    guard field & 0xff == 0 else { return nil }
    while bits & 0xff == 0, shifted < 16 {
      bits >>= 8
      shifted += 1
    }
    self.bits = bits
  }
}

extension StaticString {
  fileprivate func isEqual(_ text: String) -> Bool {
    text.utf8.elementsEqual(UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount))
  }
}

/// The names that an extension answers to, in text and in the kernel.
package struct ExtensionNames: Sendable {
  package let name: StaticString
  package let kernelName: StaticString
  package let aliases: [StaticString]
  /// The only family that has it; nil for both.
  package let family: Family?
  fileprivate let key: NameKey
  fileprivate let kernelKey: NameKey
  /// The kernel's name of a structure of its own that only older programs write; it is read as revision 0.
  fileprivate let formerKey: NameKey?

  fileprivate init(
    _ name: StaticString, _ kernelName: StaticString?, _ aliases: [StaticString], _ family: Family?,
    _ formerName: StaticString?
  ) {
    self.name = name
    self.kernelName = kernelName ?? name
    self.aliases = aliases
    self.family = family
    key = NameKey(name)
    kernelKey = kernelName.map { NameKey($0) } ?? key
    formerKey = formerName.map { NameKey($0) }
  }

  /// The kernel name's first bytes, as ``RuleList/nameKey(_:)`` makes them.
  fileprivate var beginning: UInt64 { RuleList.nameKey(kernelName) }

  fileprivate func isFor(_ family: Family) -> Bool { self.family == nil || self.family == family }

  /// Whether a structure of this name and revision may be one of this extension.
  fileprivate func isMeant(_ key: NameKey, _ revision: UInt8, _ family: Family) -> Bool {
    guard isFor(family) else { return false }
    guard let formerKey else { return key == kernelKey }
    return revision == 0 ? key == formerKey : key == kernelKey
  }
}

/// One match: its names, and its type, which is made when it is asked for.
package struct MatchLine: Sendable, NamedLine {
  package let names: ExtensionNames
  package let type: @Sendable () -> any Match.Type

  package init(
    _ name: StaticString, kernelName: StaticString? = nil, aliases: [StaticString] = [],
    _ type: @autoclosure @escaping @Sendable () -> any Match.Type, only family: Family? = nil,
    formerly formerName: StaticString? = nil
  ) {
    names = ExtensionNames(name, kernelName, aliases, family, formerName)
    self.type = type
  }
}

/// See ``MatchLine``.
package struct TargetLine: Sendable, NamedLine {
  package let names: ExtensionNames
  package let type: @Sendable () -> any Target.Type

  package init(
    _ name: StaticString, kernelName: StaticString? = nil, aliases: [StaticString] = [],
    _ type: @autoclosure @escaping @Sendable () -> any Target.Type, only family: Family? = nil,
    formerly formerName: StaticString? = nil
  ) {
    names = ExtensionNames(name, kernelName, aliases, family, formerName)
    self.type = type
  }
}

private protocol NamedLine {
  var names: ExtensionNames { get }
}

extension Array where Element: NamedLine {
  /// Where the extension of this name in text stands.
  fileprivate func place(of key: NameKey?, _ family: Family) -> Int? {
    guard let key else { return nil }
    for index in 0..<count where self[index].names.key == key && self[index].names.isFor(family) { return index }
    for index in 0..<count where !self[index].names.aliases.isEmpty && self[index].names.isFor(family) {
      if self[index].names.aliases.contains(where: { NameKey($0) == key }) { return index }
    }
    return nil
  }
}
