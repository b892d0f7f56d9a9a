/// Moving what is loaded from one kernel interface into the other.
public struct Migration: Sendable {
  /// The engine whose store is where the rules come to.
  public let engine: CommitEngine
  public let source: RuleStore

  public init(_ engine: CommitEngine, from source: RuleStore) {
    self.engine = engine
    self.source = source
  }

  /// Moves the rules; see ``CommitEngine/move(from:_:replacing:message:)``.
  public func carryOut(
    _ options: RuleStore.CommitOptions, replacing replaces: Bool, message: String
  ) throws -> CommitEngine.MoveReport {
    try engine.move(from: source, options, replacing: replaces, message: message)
  }

  /// Tries all of it and changes nothing.
  public func check(_ options: RuleStore.CommitOptions, replacing replaces: Bool) throws -> CommitEngine.MoveReport {
    try engine.checkMove(from: source, options, replacing: replaces)
  }
}

extension CommitEngine.MoveReport {
  /// What changes in the new place.
  public func difference(names: Names) -> RulesetDifference {
    RulesetDifference(
      from: Ruleset(arrival.steps.compactMap(\.before)), to: Ruleset(arrival.steps.map(\.after)), names: names)
  }

  /// Rules that the new place says in other words which mean the same.
  public func rewording(names: Names) -> RulesetDifference {
    let ids = Set(arrival.tables)
    return RulesetDifference(
      from: Ruleset(source.tables.filter { ids.contains($0.id) }), to: Ruleset(arrival.steps.map(\.after)), names: names
    )
  }
}
