public import RuleStore

/// A commit whose record says that it has begun and not that it has ended.
public struct InterruptedCommit: Hashable, Sendable {
  public let tables: [TableID]
  /// The backends through which it goes (``Capabilities/name``), in order.
  public let backends: [String]
  /// Seconds since 1970.
  public let time: Int64
  public let message: String
  /// Whether somebody is at it right now: then it is not interrupted.
  public let isUnderWay: Bool
}

extension CommitEngine {
  /// The commit that is under way or was interrupted, if there is one. The kernel is not touched, and nobody waits.
  /// - Throws: ``Failure/damagedRecord(path:reason:)`` or ``SystemError``.
  public func interrupted() throws -> InterruptedCommit? {
    var isUnderWay = false
    do {
      var options = RuleStore.CommitOptions()
      options.lockWait = .zero
      let lock = try lockState(options)
      withExtendedLifetime(lock) {}
    } catch Failure.busy {
      isUnderWay = true
    }
    guard let journal = try journal(), journal.head.phase != .finished, journal.head.phase != .awaiting else {
      return nil
    }
    let record = journal.record
    return InterruptedCommit(
      tables: record.parts.flatMap { $0.entries.map(\.id) }, backends: record.parts.map(\.backend), time: record.time,
      message: record.message, isUnderWay: isUnderWay)
  }
}
