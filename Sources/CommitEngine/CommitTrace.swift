internal import Netfilter
internal import RuleStore

/// What a commit that was interrupted has left in the kernel, whatever somebody else has made of it since.
extension CommitEngine {
  /// What an interrupted commit has done through one backend.
  struct Trace {
    let part: CommitRecord.Part
    let store: RuleStore
    /// The rules that the commit put into tables, as far as they are on file.
    let committed: Ruleset
    /// The tables that it has replaced.
    fileprivate(set) var replaced: Set<TableID> = []
    var isInOneTransaction: Bool { store.backend.capabilities.isOneTransaction }
    /// What the kernel takes whole it has taken whole.
    var isWhole: Bool { replaced.count == part.entries.count || isInOneTransaction && !replaced.isEmpty }

    /// Whether a table comes from what the commit put there, although somebody else may have changed it since.
    func isReplaced(_ entry: CommitRecord.Entry, by live: Table) -> Bool {
      let digest = CommitRecord.digest(of: live)
      if digest == entry.after { return true }
      let before = entry.tableBefore
      guard digest != CommitRecord.digest(of: before), let committed = committed[entry.id] else { return false }
      return TableOrigin.isCommitted(live, before: before, committed: committed)
    }
  }

  func trace(_ part: CommitRecord.Part, _ generation: Generation?) throws -> Trace {
    let store = try store(named: part.backend)
    let live = try store.backend.snapshot(of: .only(Set(part.entries.map(\.id)))).ruleset
    var trace = Trace(part: part, store: store, committed: part.committed(generation))
    for entry in part.entries {
      if let live = live[entry.id], trace.isReplaced(entry, by: live) { trace.replaced.insert(entry.id) }
    }
    return trace
  }
}

extension CommitRecord.Part {
  /// The rules that the commit put into tables, as far as they are on file.
  /// - Parameter generation: that it was to make.
  func committed(_ generation: Generation?) -> Ruleset {
    Ruleset(
      entries.compactMap { entry in
        entry.committed
          ?? generation?.ruleset[entry.id].flatMap { CommitRecord.digest(of: $0) == entry.after ? $0 : nil }
      })
  }
}

extension CommitRecord.Entry {
  /// The table as it was; an empty one where there was none.
  var tableBefore: Table { before ?? Table(id.name, family: id.family) }

  /// The table as it was, with what others have done to it since.
  /// - Parameter committed: what the commit put there; nil where that is not on file.
  func takenBack(from live: Table, _ committed: Table?) -> Table {
    let digest = CommitRecord.digest(of: live)
    guard let committed, digest != after, digest != CommitRecord.digest(of: tableBefore) else { return tableBefore }
    return StagedMerge.wayBack(from: committed, to: tableBefore, live: live)
  }
}
