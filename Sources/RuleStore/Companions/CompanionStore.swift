/// The companions of the tables of iptables that one kernel holds, and how they change.
///
/// A commit calls ``fitted(_:_:)`` before anything is written down, ``make(_:)`` before its rules, which look into new sets,
/// ``change(_:_:)`` after them, and ``remove(_:_:)`` when it was declared good. A way back is the same with each change
/// reversed. Each may be called again by whoever finishes what somebody else has begun.
package protocol CompanionStore: Sendable {
  /// The same changes from what the kernel holds now: what others have done since they were planned is there before them
  /// and after them, so that no way back takes it out.
  /// - Throws: ``BackendError``; `stale` where a table is no longer as before and that is refused.
  func fitted(_ changes: [CompanionChange], _ unexpected: Unexpected) throws(BackendError) -> [CompanionChange]

  /// What Firebreak has of a companion after a change, to be kept on file: of a set what it had, with the difference that
  /// was asked for. Entries that others have put in since it had the set are none of its own.
  /// - Parameters:
  ///   - change: as ``fitted(_:_:)`` gave it.
  ///   - own: what it had; nil where it had nothing, and what the change leaves becomes its own then.
  /// - Returns: nil where the companion is gone.
  /// - Throws: ``BackendError``
  func content(after change: CompanionChange, own: [UInt8]?) throws(BackendError) -> [UInt8]?

  /// Tries what can be tried without changing anything.
  /// - Throws: ``BackendError``
  func rehearse(_ changes: [CompanionChange]) throws(BackendError)

  /// Makes the sets that were not there, with their entries; those that are there by now stay as they are.
  /// - Throws: ``BackendError``; nothing was changed then.
  func make(_ changes: [CompanionChange]) throws(BackendError)

  /// Changes the entries of sets that were there before, by the difference between before and after, and puts tables in
  /// the place of those before.
  /// - Throws: ``BackendError``; nothing was changed then. `stale` where a table is no longer as before and that is refused.
  func change(_ changes: [CompanionChange], _ unexpected: Unexpected) throws(BackendError)

  /// Removes the sets that are gone afterwards; with ``Unexpected/left`` only those that hold nothing but what they held
  /// before.
  /// - Returns: a sentence for each that stays although it should not.
  func remove(_ changes: [CompanionChange], _ unexpected: Unexpected) -> [String]

  /// Puts companions into a kernel that has just started: sets that are missing are made, those that are there get the
  /// entries that they lack, and tables take the place of those that are there.
  /// - Returns: a sentence for each that could not be loaded.
  func load(_ contents: [Companion: [UInt8]]) -> [String]

  /// What the kernel no longer holds as it was: a sentence for each that is gone, for each set that lacks entries of ours or
  /// was made anew, and for each table that somebody has changed. What packets and time change is no difference, and neither
  /// are entries of sets that others add.
  /// - Throws: ``BackendError``
  func differences(from contents: [Companion: [UInt8]]) throws(BackendError) -> [String]
}

/// What a change does where somebody else has changed a companion in the meantime.
package enum Unexpected: Hashable, Sendable {
  /// Nothing at all, where it is a table.
  case refused
  /// It leaves that one as it is.
  case left
  /// It replaces the table, and makes the set anew that is gone.
  case replaced
}
