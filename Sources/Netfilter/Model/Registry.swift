/// Every extension that this version knows. Adding one is its file and one line here.
public struct Registry: Sendable {
  public let matches: [any Match.Type]
  public let targets: [any Target.Type]

  public static let standard = Registry(
    matches: [
      AddrType.self,
      Comment.self,
      Conntrack.self,
      ICMP.self,
      ICMPv6.self,
      IPRange.self,
      Limit.self,
      MAC.self,
      MarkMatch.self,
      Multiport.self,
      Recent.self,
      State.self,
      TCP.self,
      UDP.self,
    ],
    targets: [
      DestinationNAT.self,
      Log.self,
      MarkTarget.self,
      Masquerade.self,
      Redirect.self,
      Reject.self,
      SourceNAT.self,
    ])

  private let matchesByName: NameTable<any Match.Type>
  private let targetsByName: NameTable<any Target.Type>
  private let matchesByKernelName: [String: [any Match.Type]]
  private let targetsByKernelName: [String: [any Target.Type]]

  public init(matches: [any Match.Type], targets: [any Target.Type]) {
    self.matches = matches
    self.targets = targets
    matchesByName = NameTable(matches.map { ($0, $0.definition) })
    targetsByName = NameTable(targets.map { ($0, $0.definition) })
    matchesByKernelName = Self.index(matches) { [$0.definition.kernelName] }
    targetsByKernelName = Self.index(targets) { [$0.definition.kernelName] }
  }

  private static func index<T>(_ types: [T], by names: (T) -> [String]) -> [String: [T]] {
    var result: [String: [T]] = [:]
    for type in types {
      for name in names(type) { result[name, default: []].append(type) }
    }
    return result
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
    (matchesByKernelName[kernelName] ?? []).filter {
      $0.definition.families.contains(family) && $0.definition.revisions.contains(revision)
    }
  }

  func targets(kernelName: String, revision: UInt8, family: Family) -> [any Target.Type] {
    (targetsByKernelName[kernelName] ?? []).filter {
      $0.definition.families.contains(family) && $0.definition.revisions.contains(revision)
    }
  }
}

extension Registry {
  /// The typed match for a kernel structure, or the opaque one when no type knows the name, the revision or the bytes.
  package func decodeMatch(
    kernelName: String, revision: UInt8, family: Family, payload: RawSpan
  ) -> any Match {
    for type in matches(kernelName: kernelName, revision: revision, family: family) {
      if let match = Self.decode(type, revision, family, payload) { return match }
    }
    return OpaqueMatch(
      OpaqueExtension(
        kernelName: kernelName, revision: revision, payload: payload.withUnsafeBytes { Array($0) }))
  }

  /// See ``decodeMatch(kernelName:revision:family:payload:)``.
  package func decodeTarget(
    kernelName: String, revision: UInt8, family: Family, payload: RawSpan
  ) -> any Target {
    for type in targets(kernelName: kernelName, revision: revision, family: family) {
      if let target = Self.decode(type, revision, family, payload) { return target }
    }
    return OpaqueTarget(
      OpaqueExtension(
        kernelName: kernelName, revision: revision, payload: payload.withUnsafeBytes { Array($0) }))
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

/// A name of up to 16 bytes as one number, for comparing without strings. No extension's name is longer.
private struct NameKey: Hashable {
  private let bits: UInt128

  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count <= 16 else { return nil }
    var bits: UInt128 = 0
    for byte in bytes { bits = bits << 8 | UInt128(byte) }
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
