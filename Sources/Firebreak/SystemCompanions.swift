internal import NFTablesStore
package import RuleStore
internal import XTablesStore

/// The sets and the tables of nf_tables beside those of iptables, each in the store of its kind.
package struct SystemCompanions: CompanionStore {
  private let stores: [(kind: Companion.Kind, store: any CompanionStore)] = [
    (.set, SetStore()), (.table, TableStore()),
  ]

  package init() {}

  package func fitted(
    _ changes: [CompanionChange], _ unexpected: Unexpected
  ) throws(BackendError) -> [CompanionChange] {
    var fitted: [CompanionChange] = []
    for (kind, store) in stores { fitted += try store.fitted(changes.of(kind), unexpected) }
    return fitted
  }

  package func content(after change: CompanionChange, own: [UInt8]?) throws(BackendError) -> [UInt8]? {
    guard let store = stores.first(where: { $0.kind == change.companion.kind })?.store else { return change.after }
    return try store.content(after: change, own: own)
  }

  package func rehearse(_ changes: [CompanionChange]) throws(BackendError) {
    for (kind, store) in stores { try store.rehearse(changes.of(kind)) }
  }

  package func make(_ changes: [CompanionChange]) throws(BackendError) {
    try inTurn(changes) { store, changes throws(BackendError) in
      try store.make(changes)
    } undo: { store, changes in
      _ = store.remove(changes.wayBack, .replaced)
    }
  }

  package func change(_ changes: [CompanionChange], _ unexpected: Unexpected) throws(BackendError) {
    try inTurn(changes) { store, changes throws(BackendError) in
      try store.change(changes, unexpected)
    } undo: { store, changes in
      try? store.change(changes.wayBack, .replaced)
    }
  }

  package func remove(_ changes: [CompanionChange], _ unexpected: Unexpected) -> [String] {
    stores.flatMap { $0.store.remove(changes.of($0.kind), unexpected) }
  }

  package func load(_ contents: [Companion: [UInt8]]) -> [String] {
    stores.flatMap { kind, store in store.load(contents.filter { $0.key.kind == kind }) }
  }

  package func differences(from contents: [Companion: [UInt8]]) throws(BackendError) -> [String] {
    var sentences: [String] = []
    for (kind, store) in stores { sentences += try store.differences(from: contents.filter { $0.key.kind == kind }) }
    return sentences
  }

  /// All of them, or none.
  private func inTurn(
    _ changes: [CompanionChange], _ act: (any CompanionStore, [CompanionChange]) throws(BackendError) -> Void,
    undo: (any CompanionStore, [CompanionChange]) -> Void
  ) throws(BackendError) {
    for (place, (kind, store)) in stores.enumerated() {
      do throws(BackendError) { try act(store, changes.of(kind)) } catch {
        for (kind, store) in stores[..<place].reversed() { undo(store, changes.of(kind)) }
        throw error
      }
    }
  }
}
