/// What somebody did to the sets of a namespace: which were made, which are gone, whose entries changed. Carried out in
/// another namespace, it leaves alone what others changed there meanwhile.
package struct SetChanges: Sendable {
  package private(set) var created: [SetImage] = []
  package private(set) var destroyed: [SetImage] = []
  private var changed: [(set: SetImage, added: [SetImage.Entry], removed: [SetImage.Entry], before: [SetImage.Entry])] =
    []

  /// A set that was made anew under its name with another type or other options.
  package struct Replaced: Error, Hashable, Sendable {
    package let name: String
  }

  /// - Parameter seconds: between the two readings.
  package init(from start: [SetImage], to end: [SetImage], after seconds: Int) throws(Replaced) {
    let before = Dictionary(uniqueKeysWithValues: start.map { ($0.name, $0) })
    let names = Set(end.map(\.name))
    destroyed = start.filter { !names.contains($0.name) }.reversed()
    for set in end {
      guard let old = before[set.name] else {
        created.append(set)
        continue
      }
      guard set.hasShape(of: old) else { throw Replaced(name: set.name) }
      compare(old, set, seconds)
    }
  }

  private mutating func compare(_ old: SetImage, _ new: SetImage, _ seconds: Int) {
    let before = Dictionary(old.entries.map { ($0.identity, $0) }, uniquingKeysWith: { first, _ in first })
    let after = Set(new.entries.map(\.identity))
    let added = new.entries.filter { entry in before[entry.identity].map { entry.differs(from: $0, seconds) } ?? true }
    // What ran out by itself does so there too.
    let removed = old.entries.filter { !after.contains($0.identity) }
    guard !added.isEmpty || !removed.isEmpty else { return }
    changed.append((new, added, removed, added.compactMap { before[$0.identity] }))
  }

  package var isEmpty: Bool { created.isEmpty && destroyed.isEmpty && changed.isEmpty }

  /// The names of the sets whose entries changed.
  package var changedNames: [String] { changed.map(\.set.name) }

  package struct Failure: Error, Hashable, Sendable {
    package let set: String
    package let refusal: KernelSets.Refusal
  }

  /// Makes the new sets and changes the entries of others, all of it or nothing.
  package func perform() throws(Failure) {
    var made = 0
    var filled = 0
    var set = ""
    do throws(KernelSets.Refusal) {
      for new in created {
        set = new.name
        try new.create()
        made += 1
        try new.add(new.entries)
      }
      for change in changed {
        set = change.set.name
        filled += 1
        try change.set.remove(change.removed)
        try change.set.add(change.added)
      }
    } catch {
      undo(created.prefix(made), changed.prefix(filled))
      throw Failure(set: set, refusal: error)
    }
  }

  /// Takes back what ``perform()`` did.
  package func undo() { undo(created[...], changed[...]) }

  private func undo(
    _ made: ArraySlice<SetImage>,
    _ filled: ArraySlice<(set: SetImage, added: [SetImage.Entry], removed: [SetImage.Entry], before: [SetImage.Entry])>
  ) {
    for change in filled.reversed() {
      let back = Set(change.before.map(\.identity))
      try? change.set.remove(change.added.filter { !back.contains($0.identity) })
      try? change.set.add(change.removed + change.before)
    }
    for set in made.reversed() { try? set.destroy() }
  }

  /// Destroys the sets that are gone.
  /// - Returns: those that could not be, with the reason.
  package func destroy() -> [Failure] {
    destroyed.compactMap { set in
      do throws(KernelSets.Refusal) {
        try set.destroy()
        return nil
      } catch {
        return Failure(set: set.name, refusal: error)
      }
    }
  }
}

extension SetImage.Entry {
  /// Whether it was written anew: with other remarks, or with more or less time than is left of the old one.
  fileprivate func differs(from old: SetImage.Entry, _ seconds: Int) -> Bool {
    guard remarks == old.remarks, (timeout == nil) == (old.timeout == nil) else { return true }
    guard let timeout, let left = old.timeout else { return false }
    if left == 0 || timeout == 0 { return left != timeout }
    return abs(Int(left) - seconds - Int(timeout)) > 3
  }
}
