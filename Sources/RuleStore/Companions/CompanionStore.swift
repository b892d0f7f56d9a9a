/// The companions of the tables of iptables that one kernel holds, and how they change.
///
/// A commit calls ``make(_:)`` before its rules, which look into new sets, ``change(_:overwriting:)`` after them, and
/// ``remove(_:)`` when it was declared good. A way back is the same with each change reversed. Each may be called again by
/// whoever finishes what somebody else has begun.
package protocol CompanionStore: Sendable {
  /// Tries what can be tried without changing anything.
  /// - Throws: ``BackendError``
  func rehearse(_ changes: [CompanionChange]) throws(BackendError)

  /// Makes the sets that were not there, with their entries; those that are there by now stay as they are.
  /// - Throws: ``BackendError``; nothing was changed then.
  func make(_ changes: [CompanionChange]) throws(BackendError)

  /// Changes the entries of sets that were there before, by the difference between before and after, and puts tables in
  /// the place of those before.
  /// - Parameter overwriting: whether a table that is no longer as before is replaced all the same, and a set that is gone
  ///   made anew.
  /// - Throws: ``BackendError``; nothing was changed then. `stale` where a table is no longer as before.
  func change(_ changes: [CompanionChange], overwriting: Bool) throws(BackendError)

  /// Removes the sets that are gone afterwards.
  /// - Returns: a sentence for each that stays.
  func remove(_ changes: [CompanionChange]) -> [String]

  /// Puts companions into a kernel that has just started: sets that are missing are made, those that are there get the
  /// entries that they lack, and tables take the place of those that are there.
  /// - Returns: a sentence for each that could not be loaded.
  func load(_ contents: [Companion: [UInt8]]) -> [String]

  /// What the kernel no longer holds as it was: a sentence for each that is gone, and for each table that somebody has
  /// changed. What packets and time change is no difference, and neither are the entries of sets, which others fill.
  /// - Throws: ``BackendError``
  func differences(from contents: [Companion: [UInt8]]) throws(BackendError) -> [String]
}

extension CompanionStore {
  /// The way back after ``make(_:)`` and before ``remove(_:)``.
  /// - Throws: ``BackendError``; tables and entries are as they were after the changes then.
  package func takeBack(_ changes: [CompanionChange]) throws(BackendError) {
    try change(changes.wayBack, overwriting: true)
    _ = remove(changes.wayBack)
  }
}
