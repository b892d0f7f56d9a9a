internal import Glibc
internal import Netfilter
package import RuleStore

/// The tables of nf_tables that are none of iptables', in the calling thread's network namespace, as companions of those
/// that are; see ``CompanionStore``. They change whole, and all of them in one transaction.
package struct TableStore: CompanionStore {
  package init() {}

  package func rehearse(_ changes: [CompanionChange]) throws(BackendError) {
    try carryOut(changes, overwriting: true, isTrial: true)
  }

  package func make(_ changes: [CompanionChange]) throws(BackendError) {}

  package func change(_ changes: [CompanionChange], overwriting: Bool) throws(BackendError) {
    try carryOut(changes, overwriting: overwriting)
  }

  package func remove(_ changes: [CompanionChange]) -> [String] { [] }

  package func load(_ contents: [Companion: [UInt8]]) -> [String] {
    contents.sorted { $0.key < $1.key }.compactMap { companion, content in
      do throws(BackendError) {
        try change([CompanionChange(companion, before: nil, after: content)], overwriting: true)
        return nil
      } catch {
        return "\(companion): \(error.message)"
      }
    }
  }

  package func differences(from contents: [Companion: [UInt8]]) throws(BackendError) -> [String] {
    guard !contents.isEmpty else { return [] }
    let image = try RulesetImage.read().image
    var sentences: [String] = []
    for (companion, content) in contents.sorted(by: { $0.key < $1.key }) {
      let change = try TableChange(CompanionChange(companion, before: content, after: nil))
      let live = image[change.id]
      if live == nil { sentences.append("\(companion) is gone") }
      if live != nil, !change.isPossible(over: live) { sentences.append("\(companion) has been changed") }
    }
    return sentences
  }

  private static let attempts = 5

  private func carryOut(
    _ changes: [CompanionChange], overwriting: Bool, isTrial: Bool = false
  ) throws(BackendError) {
    let changes = try changes.map { change throws(BackendError) in try TableChange(change) }
    guard !changes.isEmpty else { return }
    for attempt in 1... {
      let reading = try RulesetImage.read()
      var options = RestoreOptions()
      options.selection = ImageSelection(tables: changes.map(\.id))
      options.isExclusive = true
      options.isTrial = isTrial
      options.expecting = reading.image.generation
      var image = RulesetImage(generation: 0)
      for change in changes {
        let live = reading.image[change.id]
        if !overwriting, !change.isPossible(over: live) { throw BackendError(changed: change.id) }
        guard let wanted = change.wanted(over: live) else { continue }
        // One that is so already keeps its handles.
        if let live, live.isSameAtAnotherTime(as: wanted) {
          options.selection.tables.removeAll { $0 == change.id }
        } else {
          image.tables.append(wanted)
        }
      }
      guard !options.selection.tables.isEmpty else { return }
      do throws(BackendError) {
        let report = try image.restore(options)
        if let left = report.left.first {
          throw BackendError(.refused, "nf_tables table \(left) belongs to another program, which alone may change it")
        }
        return
      } catch {
        guard error.kind == .stale, attempt < Self.attempts else { throw error }
        usleep(2_000)
      }
    }
  }
}

extension TableChange {
  fileprivate init(_ change: CompanionChange) throws(BackendError) {
    before = try Self.table(change.before)
    after = try Self.table(change.after)
    guard let id = (before ?? after)?.id else { throw BackendError(.system, "\(change.companion) is not on file") }
    self.id = id
  }

  private static func table(_ content: [UInt8]?) throws(BackendError) -> RulesetImage.Table? {
    guard let content else { return nil }
    do {
      return try content.withUnsafeBytes { try RulesetImage(encoded: $0) }.tables.first
    } catch {
      throw BackendError(.system, "a table of nf_tables on file cannot be read: \(error)")
    }
  }

  /// Whether the live table is what it was before.
  fileprivate func isPossible(over live: RulesetImage.Table?) -> Bool {
    guard let before, let live else { return before == nil && live == nil }
    return live.isSameAtAnotherTime(as: before)
  }
}

extension BackendError {
  fileprivate init(changed id: RulesetImage.ID) {
    self.init(
      .stale, "nf_tables table \(id) has been changed by another program meanwhile; nothing was changed",
      hint: "run it again")
  }
}

extension RulesetImage.Table {
  package var companion: Companion { Companion(.table, "\(id)") }

  /// What a ``CompanionChange`` holds of it.
  package var content: [UInt8] { RulesetImage(generation: 0, tables: [self]).encoded }
}
