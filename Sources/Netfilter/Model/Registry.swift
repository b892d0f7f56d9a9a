/// Every extension that this version knows. Adding one is its file and one line here.
public struct Registry: Sendable {
  public let matches: [any Match.Type]
  public let targets: [any Target.Type]

  public static let standard = Registry(
    matches: [TCP.self, UDP.self],
    targets: [
      DestinationNAT.self,
      Log.self,
      MarkTarget.self,
      Masquerade.self,
      Redirect.self,
      Reject.self,
      SourceNAT.self,
    ])

  private let matchesByName: [String: [any Match.Type]]
  private let targetsByName: [String: [any Target.Type]]
  private let matchesByKernelName: [String: [any Match.Type]]
  private let targetsByKernelName: [String: [any Target.Type]]

  public init(matches: [any Match.Type], targets: [any Target.Type]) {
    self.matches = matches
    self.targets = targets
    matchesByName = Self.index(matches) { [$0.definition.name] + $0.definition.aliases }
    targetsByName = Self.index(targets) { [$0.definition.name] + $0.definition.aliases }
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
    matchesByName[name]?.first { $0.definition.families.contains(family) }
  }

  public func target(named name: String, family: Family) -> (any Target.Type)? {
    targetsByName[name]?.first { $0.definition.families.contains(family) }
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
