internal import Netfilter
package import RuleStore

/// What somebody did to the sets of a namespace: which were made, which are gone, whose entries changed.
package enum SetChanges {
  /// Seconds that two readings of what is left of a time may be apart besides those that have passed.
  package static let slack = 3

  /// Those made come first, the others' members before them, and those that are gone last.
  /// - Parameter seconds: between the two readings. An entry that has so much less time left is the same, and so is one
  ///   that is gone and had no more than that left.
  package static func between(_ start: [SetImage], _ end: [SetImage], after seconds: Int) -> [CompanionChange] {
    let before = Dictionary(uniqueKeysWithValues: start.map { ($0.name, $0) })
    var made: [CompanionChange] = []
    var changed: [CompanionChange] = []
    for set in end {
      guard let old = before[set.name] else {
        made.append(CompanionChange(set.companion, before: nil, after: set.encoded))
        continue
      }
      guard set.hasShape(of: old) else {
        changed.append(CompanionChange(set.companion, before: old.encoded, after: set.encoded))
        continue
      }
      let new = set.withEntries(of: old, seconds)
      guard !EntryChanges(from: old, to: new).isEmpty else { continue }
      changed.append(CompanionChange(set.companion, before: old.encoded, after: new.encoded))
    }
    let names = Set(end.map(\.name))
    let gone = start.filter { !names.contains($0.name) }.reversed()
    return made + changed + gone.map { CompanionChange($0.companion, before: $0.encoded, after: nil) }
  }
}

/// What has to be done to the entries of a set.
struct EntryChanges {
  /// New, or with other remarks or another time.
  let added: [SetImage.Entry]
  let removed: [SetImage.Entry]
  /// What stood in the place of those added.
  let replaced: [SetImage.Entry]

  init(from old: SetImage, to new: SetImage) {
    let before = Dictionary(old.entries.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
    let after = Set(new.entries.map(\.identity))
    added = new.entries.filter { entry in
      before[entry.identity].map { $0.remarks != entry.remarks || $0.timeout != entry.timeout } ?? true
    }
    removed = old.entries.filter { !after.contains($0.identity) }
    replaced = added.compactMap { before[$0.identity] }
  }

  var isEmpty: Bool { added.isEmpty && removed.isEmpty }

  /// All of it, or nothing.
  func perform(on set: SetImage) throws(KernelSets.Refusal) {
    do throws(KernelSets.Refusal) {
      try set.remove(removed)
      try set.add(added)
    } catch {
      undo(on: set)
      throw error
    }
  }

  func undo(on set: SetImage) {
    let back = Set(replaced.map(\.identity))
    try? set.remove(added.filter { !back.contains($0.identity) })
    try? set.add(removed + replaced)
  }
}

extension SetImage {
  var companion: Companion { Companion(.set, name) }

  var empty: SetImage {
    var result = self
    result.entries = []
    return result
  }

  /// As it is when entries have changed.
  func with(_ changes: EntryChanges) -> SetImage {
    let changed = Set((changes.added + changes.removed).map(\.identity))
    var result = self
    result.entries = entries.filter { !changed.contains($0.identity) } + changes.added
    return result
  }

  /// With the old entries in place of those that differ from them by the time that has passed only, and of those that
  /// have run out in it.
  fileprivate func withEntries(of old: SetImage, _ seconds: Int) -> SetImage {
    let before = Dictionary(old.entries.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
    let present = Set(entries.map(\.identity))
    var result = self
    result.entries = entries.map { entry in
      guard let old = before[entry.identity], !entry.differs(from: old, seconds) else { return entry }
      return old
    }
    result.entries += old.entries.filter { !present.contains($0.identity) && $0.isOver(after: seconds) }
    return result
  }
}

extension SetImage.Entry {
  /// Whether it was written anew: with other remarks, or with more or less time than is left of the old one.
  fileprivate func differs(from old: SetImage.Entry, _ seconds: Int) -> Bool {
    guard remarks == old.remarks, (timeout == nil) == (old.timeout == nil) else { return true }
    guard let timeout, let left = old.timeout else { return false }
    if left == 0 || timeout == 0 { return left != timeout }
    return abs(Int(left) - seconds - Int(timeout)) > SetChanges.slack
  }

  fileprivate func isOver(after seconds: Int) -> Bool {
    !stays && timeout.map { Int($0) <= seconds + SetChanges.slack } ?? false
  }
}
