internal import Glibc
internal import Netfilter
package import RuleStore

/// The sets (ipset(8)) of the calling thread's network namespace as companions of its tables; see ``CompanionStore``. What
/// others change in them meanwhile stays.
package struct SetStore: CompanionStore {
  package init() {}

  package func fitted(
    _ changes: [CompanionChange], _ unexpected: Unexpected
  ) throws(BackendError) -> [CompanionChange] {
    try changes.map { change throws(BackendError) in
      let now = try Self.live(change.companion)
      guard let after = try SetImage(change.after) else {
        return change.fitted(before: now?.encoded, after: nil)
      }
      guard let now else {
        return unexpected == .replaced ? change.fitted(before: nil, after: change.after) : change
      }
      guard now.hasShape(of: after) else {
        // A new one cannot be made then; one that was there is exchanged.
        guard let before = try SetImage(change.before) else { return change }
        if unexpected == .refused, !now.hasShape(of: before) { throw BackendError(changed: before) }
        return change.fitted(before: now.encoded, after: change.after)
      }
      let entries = EntryChanges(from: try SetImage(change.before) ?? after.empty, to: after)
      return change.fitted(before: now.encoded, after: now.with(entries).encoded)
    }
  }

  package func content(after change: CompanionChange, own: [UInt8]?) throws(BackendError) -> [UInt8]? {
    let asked = change.asked
    // A set that is not there before is made with what was asked for alone.
    guard own != nil, change.before != nil else { return change.after }
    if own == asked.before { return asked.after }
    guard let own = try SetImage(own), let after = try SetImage(asked.after), own.hasShape(of: after) else {
      return change.after
    }
    return own.with(EntryChanges(from: try SetImage(asked.before) ?? after.empty, to: after)).encoded
  }

  package func rehearse(_ changes: [CompanionChange]) throws(BackendError) {
    for change in changes {
      guard let exchange = try SetExchange(change) else { continue }
      try Self.perform(exchange.new) { () throws(KernelSets.Refusal) in try exchange.rehearse() }
    }
  }

  package func make(_ changes: [CompanionChange]) throws(BackendError) {
    var done: [SetImage] = []
    do throws(BackendError) {
      var sets: [SetImage] = []
      for change in changes where change.isMade {
        if let set = try SetImage(change.after) { sets.append(set) }
      }
      for set in sets.holdersLast where try Self.put(set) { done.append(set) }
    } catch {
      for set in done.reversed() { try? set.destroy() }
      throw error
    }
  }

  /// - Returns: whether the set was made, with all its entries; false where it was there.
  private static func put(_ set: SetImage) throws(BackendError) -> Bool {
    if let live = try perform(set, { () throws(KernelSets.Refusal) in try SetImage.find(set.name) }) {
      guard live.hasShape(of: set) else {
        throw BackendError(
          .refused, "set '\(set.name)' cannot be made: there is one of that name with another type or other options",
          hint: "give the new set another name")
      }
      try perform(set) { () throws(KernelSets.Refusal) in try set.add(set.entries) }
      return false
    }
    try perform(set) { () throws(KernelSets.Refusal) in
      try set.create()
      do throws(KernelSets.Refusal) { try set.add(set.entries) } catch {
        try? set.destroy()
        throw error
      }
    }
    return true
  }

  package func change(_ changes: [CompanionChange], _ unexpected: Unexpected) throws(BackendError) {
    var done: [Done] = []
    do throws(BackendError) {
      for change in changes {
        if let exchange = try SetExchange(change) {
          if let old = try Self.carryOut(exchange, unexpected) { done.append(.exchange(old)) }
          continue
        }
        guard let before = try SetImage(change.before), let after = try SetImage(change.after) else { continue }
        let isGone = try Self.perform(after) { () throws(KernelSets.Refusal) in try KernelSets.find(after.name) == nil }
        if isGone, unexpected != .refused {
          if unexpected == .replaced { _ = try Self.put(after) }
          continue
        }
        let entries = EntryChanges(from: before, to: after)
        try Self.perform(after) { () throws(KernelSets.Refusal) in try entries.perform(on: after) }
        done.append(.entries(after, entries))
      }
    } catch {
      for change in done.reversed() { change.undo() }
      throw error
    }
  }

  private enum Done {
    case entries(SetImage, EntryChanges)
    /// The set that was there before.
    case exchange(SetImage)

    func undo() {
      switch self {
      case .entries(let set, let changes): changes.undo(on: set)
      case .exchange(let old): try? SetExchange.put(old)
      }
    }
  }

  /// - Returns: the set that was there; nil where nothing was done.
  private static func carryOut(
    _ exchange: SetExchange, _ unexpected: Unexpected
  ) throws(BackendError) -> SetImage? {
    SetExchange.clear()
    let live = try perform(exchange.new) { () throws(KernelSets.Refusal) in try SetImage.find(exchange.new.name) }
    guard let live else {
      if unexpected == .replaced { _ = try put(exchange.new) }
      guard unexpected != .refused else { throw BackendError(changed: exchange.new) }
      return nil
    }
    guard !live.hasShape(of: exchange.new) else { return nil }
    if unexpected != .replaced, !live.hasShape(of: exchange.old) {
      guard unexpected == .left else { throw BackendError(changed: exchange.new) }
      return nil
    }
    try perform(exchange.new) { () throws(KernelSets.Refusal) in try SetExchange.put(exchange.new) }
    return live
  }

  package func remove(_ changes: [CompanionChange], _ unexpected: Unexpected) -> [String] {
    if changes.contains(where: { (try? SetExchange($0)) != nil }) { SetExchange.clear() }
    let sets = changes.compactMap { change in change.isRemoved ? try? SetImage(change.before) : nil }
    return sets.holdersLast.reversed().compactMap { set in
      do throws(KernelSets.Refusal) {
        let goes =
          unexpected == .replaced
          ? try KernelSets.find(set.name) != nil : try SetImage.find(set.name)?.isPart(of: set) == true
        if goes { try Self.destroy(set) }
        return nil
      } catch {
        return "\(set.companion) stays: \(error.reason)"
      }
    }
  }

  private static let patience = 50
  private static let pause: useconds_t = 10_000

  /// nf_tables lets go of what its removed rules held a moment after it has removed them.
  private static func destroy(_ set: SetImage) throws(KernelSets.Refusal) {
    for attempt in 1... {
      do throws(KernelSets.Refusal) { return try set.destroy() } catch {
        guard error.isInUse, attempt < patience else { throw error }
        usleep(pause)
      }
    }
  }

  package func load(_ contents: [Companion: [UInt8]]) -> [String] {
    var left: [String] = []
    var sets: [SetImage] = []
    for (companion, content) in contents {
      do throws(BackendError) { sets += [try SetImage(content)].compactMap { $0 } } catch {
        left.append("\(companion): \(error.message)")
      }
    }
    for set in sets.holdersLast {
      do throws(BackendError) { _ = try Self.put(set) } catch { left.append(error.message) }
    }
    return left
  }

  package func differences(from contents: [Companion: [UInt8]]) throws(BackendError) -> [String] {
    var sentences: [String] = []
    for (companion, content) in contents.sorted(by: { $0.key < $1.key }) {
      guard let own = try SetImage(content) else { continue }
      if let loss = own.loss(in: try Self.live(companion)) { sentences.append("\(companion) \(loss)") }
    }
    return sentences
  }

  /// The set as the kernel has it; nil where it has none of the name.
  private static func live(_ companion: Companion) throws(BackendError) -> SetImage? {
    do throws(KernelSets.Refusal) { return try SetImage.find(companion.name) } catch {
      throw BackendError(.system, "\(companion) cannot be read: \(error.reason)", code: error.code)
    }
  }

  private static func perform<R>(
    _ set: SetImage, _ body: () throws(KernelSets.Refusal) -> R
  ) throws(BackendError) -> R {
    do throws(KernelSets.Refusal) { return try body() } catch {
      guard error.code != SetExchange.typeDiffers else {
        throw BackendError(
          .refused, "set '\(set.name)' was made anew with another type, which cannot be done in one act",
          hint: "give the new set another name", code: error.code)
      }
      throw BackendError(
        error.isNotPermitted ? .notPermitted : .refused, "set '\(set.name)' cannot be made so: \(error.reason)",
        code: error.code)
    }
  }
}

extension [SetImage] {
  /// Those that hold other sets behind these; none holds one of its own kind.
  fileprivate var holdersLast: [SetImage] { filter { $0.type != "list:set" } + filter { $0.type == "list:set" } }
}

extension SetImage {
  /// What has become of it; nil where nothing of it is lost but what time takes.
  fileprivate func loss(in live: SetImage?) -> String? {
    guard let live else { return "is gone" }
    guard live.hasShape(of: self) else { return "has been made anew" }
    let present = Set(live.entries.map(\.identity))
    let lost = entries.count { $0.stays && !present.contains($0.identity) }
    return lost > 0 ? "has lost \(lost) of its entries" : nil
  }
}

extension BackendError {
  fileprivate init(changed set: SetImage) {
    self.init(
      .stale, "\(set.companion) has been made anew by another program meanwhile; nothing was changed",
      hint: "run it again")
  }
}

extension SetImage {
  fileprivate func isPart(of other: SetImage) -> Bool {
    hasShape(of: other) && Set(entries.map(\.identity)).isSubset(of: other.entries.map(\.identity))
  }

  /// nil for one that is not there.
  init?(_ content: [UInt8]?) throws(BackendError) {
    guard let content else { return nil }
    do throws(WireError) { try self.init(encoded: content) } catch {
      throw BackendError(.system, "a set on file cannot be read: \(error)")
    }
  }
}
