internal import Netfilter
internal import RuleStore

/// What a commit does to companions of its tables: sets are made before the rules that look into them, entries and tables of
/// nf_tables change after the rules, and sets go when the commit was declared good. The journal has it all beforehand.
extension CommitEngine {
  /// Makes the sets that are new, and writes down before that they may be there.
  /// - Returns: the request with the numbers that they got.
  /// - Throws: ``BackendError`` or ``SystemError``; nothing was changed then.
  func makingSets(_ request: Request) throws -> Request {
    guard let companions, !request.companions.isEmpty else { return request }
    var request = try fitted(request)
    try companions.rehearse(request.companions)
    let record = CommitRecord(
      plan: Plan(from: .nothing, to: Ruleset()), time: 0, message: request.message,
      backend: store.backend.capabilities.name, companions: request.companions)
    let head = Journal.Head(phase: .making, deadline: .never, nonce: record.nonce)
    try state.write(to: Self.pending) { Journal(head: head, record: record).write(to: &$0) }
    do { try companions.make(request.companions) } catch {
      try? dropPending()
      throw error
    }
    request.wanted = request.wanted.withPresentSets(sets)
    return request
  }

  /// Changes what stands beside the rules, which the kernel holds by now.
  func changeCompanions(_ request: Request) throws {
    if let companions, !request.companions.isEmpty {
      try setPending(.changing)
      do { try companions.change(request.companions, request.unexpected) } catch {
        try? setPending(request.needsGuard ? .writing : .unguarded)
        throw error
      }
    } else if !request.needsGuard {
      return
    }
    try setPending(request.needsGuard ? .verifying : .written)
  }

  /// A request whose changes of companions begin with what the kernel holds now.
  func fitted(_ request: Request) throws -> Request {
    guard let companions else { return request }
    var request = request
    request.companions = try companions.fitted(request.companions, request.unexpected)
    return request
  }

  /// The way back of a commit that has changed no rules.
  func abandon(_ request: Request) {
    _ = companions?.remove(request.companions.wayBack, .replaced)
    try? dropPending()
  }
}

extension Snapshot {
  /// Of a kernel that holds nothing.
  static let nothing = Snapshot(ruleset: Ruleset(), existing: [], stamp: Stamp(0))
}

extension Ruleset {
  /// With the present numbers of sets that were not there when the rules were read, and have imagined ones.
  fileprivate func withPresentSets(_ sets: IPSetDirectory?) -> Ruleset {
    Ruleset(
      tables.map { table in
        table.renumberingSets { number in
          guard let name = IPSetDirectory.imagined.name(number), case .found(let index, _)? = sets?.find(name) else {
            return nil
          }
          return index
        }
      })
  }
}
