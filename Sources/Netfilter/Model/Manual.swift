/// What is known of one match or target by its declaration, for help and completion.
public struct Manual: Sendable {
  public let definition: ExtensionDefinition
  public let isTarget: Bool
  /// A rule that uses it, as a command.
  public let example: String

  /// The families that it is for, IPv4 first.
  public var families: [Family] { definition.families.sorted() }

  /// Protocols that the rule has to name, as they are written after `-p`.
  public var protocols: [String] {
    (definition.protocols ?? []).map { Names.wellKnown.displayName(of: $0) }
  }

  /// The tables where it may stand; nil for all.
  public var tables: [TableName]? { definition.tables.map { $0.sorted() } }

  /// The built-in chains from which a packet may reach it.
  public var chains: [ChainName] { definition.hooks.hooks.map(\.chainName) }
}

extension Registry {
  /// Every match, by name.
  public var matchManuals: [Manual] {
    knownMatches.map { Manual($0.type().definition, isTarget: false) }.sorted {
      $0.definition.name < $1.definition.name
    }
  }

  /// Every target, by name.
  public var targetManuals: [Manual] {
    knownTargets.map { Manual($0.type().definition, isTarget: true) }.sorted { $0.definition.name < $1.definition.name }
  }

  /// The matches of this name: two where each family has its own, none when there is no such match.
  public func manuals(ofMatch name: String) -> [Manual] {
    Family.allCases.compactMap { match(named: name, family: $0)?.definition }.uniqued.map {
      Manual($0, isTarget: false)
    }
  }

  /// See ``manuals(ofMatch:)``.
  public func manuals(ofTarget name: String) -> [Manual] {
    Family.allCases.compactMap { target(named: name, family: $0)?.definition }.uniqued.map {
      Manual($0, isTarget: true)
    }
  }
}

extension Manual {
  fileprivate init(_ definition: ExtensionDefinition, isTarget: Bool) {
    self.definition = definition
    self.isTarget = isTarget
    let family: Family = definition.families.contains(.ipv4) ? .ipv4 : .ipv6
    let rule =
      isTarget ? Examples.target(definition.name, family) : Examples.match(definition.name, family)
    example = rule.map { "\(family.toolName) \($0)" } ?? ""
  }
}

extension [ExtensionDefinition] {
  fileprivate var uniqued: [ExtensionDefinition] {
    var result: [ExtensionDefinition] = []
    for definition in self where !result.contains(where: { $0 === definition }) { result.append(definition) }
    return result
  }
}
