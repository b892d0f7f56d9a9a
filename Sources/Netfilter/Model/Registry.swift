/// Every extension that this version knows. Adding one is its file and one line here.
public struct Registry: Sendable {
  public let matches: [any Match.Type]
  public let targets: [any Target.Type]

  public static let standard = Registry(
    matches: [
      Accounting.self,
      AddrType.self,
      AH.self,
      AHv6.self,
      BPF.self,
      Cluster.self,
      Comment.self,
      ConnBytes.self,
      ConnectionLabel.self,
      ConnLimit.self,
      ConnMarkMatch.self,
      Conntrack.self,
      ControlGroup.self,
      CPU.self,
      DCCP.self,
      DestinationOptions.self,
      DeviceGroup.self,
      DSCPMatch.self,
      ECNMatch.self,
      ESP.self,
      EUI64.self,
      HashLimit.self,
      Helper.self,
      HopByHopOptions.self,
      HopLimitMatch.self,
      ICMP.self,
      ICMPv6.self,
      IPComp.self,
      IPRange.self,
      IPSetMatch.self,
      IPsecPolicy.self,
      IPv6Fragment.self,
      IPv6Headers.self,
      IPVS.self,
      Length.self,
      Limit.self,
      MAC.self,
      MarkMatch.self,
      MobilityHeader.self,
      Multiport.self,
      OSFingerprint.self,
      Owner.self,
      PhysDev.self,
      PktType.self,
      Quota.self,
      RateEstimateMatch.self,
      Realm.self,
      Recent.self,
      RoutingHeader.self,
      RPFilter.self,
      SCTP.self,
      SegmentRoutingHeader.self,
      SocketMatch.self,
      State.self,
      Statistic.self,
      StringMatch.self,
      TCP.self,
      TCPMSSMatch.self,
      TimeMatch.self,
      TOSMatch.self,
      TTLMatch.self,
      U32.self,
      UDP.self,
    ],
    targets: [
      Audit.self,
      Checksum.self,
      Classify.self,
      ConnmarkTarget.self,
      ConnSecMark.self,
      CT.self,
      DestinationNAT.self,
      DNPT.self,
      DSCPTarget.self,
      ECNTarget.self,
      HLTarget.self,
      HMark.self,
      IdleTimer.self,
      IPSetTarget.self,
      LEDTarget.self,
      Log.self,
      MarkTarget.self,
      Masquerade.self,
      NetMap.self,
      NFLog.self,
      NFQueue.self,
      NoTrack.self,
      RateEstTarget.self,
      Redirect.self,
      Reject.self,
      SecMark.self,
      SNPT.self,
      SourceNAT.self,
      SynProxy.self,
      TCPMSS.self,
      TCPOptionStrip.self,
      Tee.self,
      TOSTarget.self,
      TProxy.self,
      Trace.self,
      TTLTarget.self,
    ])

  private let matchesByName: NameTable<any Match.Type>
  private let targetsByName: NameTable<any Target.Type>
  private let matchesByKernelName: KernelNameTable<any Match.Type>
  private let targetsByKernelName: KernelNameTable<any Target.Type>

  public init(matches: [any Match.Type], targets: [any Target.Type]) {
    self.matches = matches
    self.targets = targets
    matchesByName = NameTable(matches.map { ($0, $0.definition) })
    targetsByName = NameTable(targets.map { ($0, $0.definition) })
    matchesByKernelName = KernelNameTable(matches.map { ($0, $0.definition) })
    targetsByKernelName = KernelNameTable(targets.map { ($0, $0.definition) })
  }

  /// The match of this name in text.
  public func match(named name: String, family: Family) -> (any Match.Type)? {
    matchesByName.find(NameKey(name.utf8), family)
  }

  public func target(named name: String, family: Family) -> (any Target.Type)? {
    targetsByName.find(NameKey(name.utf8), family)
  }

  func match(named word: Token, family: Family) -> (any Match.Type)? {
    matchesByName.find(NameKey(word.bytes), family)
  }

  func target(named word: Token, family: Family) -> (any Target.Type)? {
    targetsByName.find(NameKey(word.bytes), family)
  }

  /// The matches that the kernel knows by this name in this revision; two spellings of one structure give two.
  func matches(kernelName: String, revision: UInt8, family: Family) -> [any Match.Type] {
    guard let key = NameKey(kernelName.utf8) else { return [] }
    return matchesByKernelName.entries.filter { $0.isMeant(key, revision, family) }.map(\.type)
  }

  func targets(kernelName: String, revision: UInt8, family: Family) -> [any Target.Type] {
    guard let key = NameKey(kernelName.utf8) else { return [] }
    return targetsByKernelName.entries.filter { $0.isMeant(key, revision, family) }.map(\.type)
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
    let entries = matchesByKernelName.entries
    for index in 0..<entries.count where entries[index].isMeant(key, revision, family) {
      if let match = Self.decode(entries[index].type, revision, family, payload) { return match }
    }
    return nil
  }

  private func decodeKnownTarget(_ key: NameKey?, _ revision: UInt8, _ family: Family, _ payload: RawSpan) -> (
    any Target
  )? {
    guard let key else { return nil }
    let entries = targetsByKernelName.entries
    for index in 0..<entries.count where entries[index].isMeant(key, revision, family) {
      if let target = Self.decode(entries[index].type, revision, family, payload) { return target }
    }
    return nil
  }

  /// nil when the type cannot read the bytes to their end.
  private static func decode<T: Extension>(
    _ type: T.Type, _ revision: UInt8, _ family: Family, _ payload: RawSpan
  ) -> T? {
    do throws(WireError) {
      var reader = ByteReader(payload)
      let value = try type.init(decoding: &reader, revision: revision, family: family)
      try reader.finish()
      return value
    } catch {
      return nil
    }
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

/// Types by the names they answer to in text.
private struct NameTable<Type: Sendable>: Sendable {
  private let entries: [(key: NameKey, isIPv4: Bool, isIPv6: Bool, type: Type)]

  init(_ types: [(Type, ExtensionDefinition)]) {
    entries = types.flatMap { type, definition in
      ([definition.name] + definition.aliases).map { name in
        guard let key = NameKey(name.utf8) else { preconditionFailure("'\(name)' is longer than an extension's name") }
        return (key, definition.families.contains(.ipv4), definition.families.contains(.ipv6), type)
      }
    }
  }

  func find(_ key: NameKey?, _ family: Family) -> Type? {
    guard let key else { return nil }
    for index in 0..<entries.count where entries[index].key == key {
      if family == .ipv4 ? entries[index].isIPv4 : entries[index].isIPv6 { return entries[index].type }
    }
    return nil
  }
}

/// Types by the names and revisions of their kernel structures.
private struct KernelNameTable<Type: Sendable>: Sendable {
  struct Entry: Sendable {
    let key: NameKey
    /// A bit for each revision.
    let revisions: UInt64
    let isIPv4: Bool
    let isIPv6: Bool
    let type: Type

    func isMeant(_ key: NameKey, _ revision: UInt8, _ family: Family) -> Bool {
      key == self.key && revision < 64 && revisions >> UInt64(revision) & 1 == 1 && (family == .ipv4 ? isIPv4 : isIPv6)
    }
  }

  let entries: [Entry]

  init(_ types: [(Type, ExtensionDefinition)]) {
    entries = types.map { type, definition in
      guard let key = NameKey(definition.kernelName.utf8) else {
        preconditionFailure("'\(definition.kernelName)' is longer than an extension's name")
      }
      return Entry(
        key: key, revisions: definition.revisions.reduce(0) { $0 | 1 << UInt64($1) },
        isIPv4: definition.families.contains(.ipv4), isIPv6: definition.families.contains(.ipv6), type: type)
    }
  }
}
