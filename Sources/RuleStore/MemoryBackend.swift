public import Netfilter
import Synchronization

/// A kernel made of memory: for tests and dry runs. It keeps the contract of the real ones, and can be told to fail.
public final class MemoryBackend: Backend {
  private struct State {
    var ruleset = Ruleset()
    var generation: UInt64 = 0
    var isLocked = false
    var faults: [Fault] = []
  }

  /// A failure to come.
  public enum Fault: Hashable, Sendable {
    /// The next commit is refused when it comes to this step, from 0.
    case refuse(step: Int)
    /// The kernel is changed by somebody else just before the next commit.
    case foreignChange(Ruleset)
  }

  private let state: Mutex<State>
  public let capabilities: Capabilities

  public init(_ ruleset: Ruleset = Ruleset(), families: Set<Family> = [.ipv4, .ipv6]) {
    state = Mutex(State(ruleset: ruleset))
    capabilities = Capabilities(name: "memory", families: families, isOneTransaction: true)
  }

  /// What it holds now.
  public var ruleset: Ruleset { state.withLock { $0.ruleset } }

  public func schedule(_ fault: Fault) { state.withLock { $0.faults.append(fault) } }

  /// A packet passes: counts on a rule, as the kernel would.
  public func count(_ counters: Counters, on rule: Int, of chain: ChainName, in id: TableID) {
    state.withLock { state in
      guard var table = state.ruleset[id], let index = table.index(of: chain) else { return }
      table.withRules(of: index) { rules in
        let old = rules.counters(of: rule)
        rules.setCounters(
          Counters(packets: old.packets + counters.packets, bytes: old.bytes + counters.bytes), of: rule)
      }
      state.ruleset[id] = table
    }
  }

  private final class Lock: WriteLock {
    private let release_: @Sendable () -> Void
    private let isReleased = Mutex(false)
    init(_ release: @escaping @Sendable () -> Void) { release_ = release }
    deinit { release() }
    func release() {
      let first = isReleased.withLock { released in
        defer { released = true }
        return !released
      }
      if first { release_() }
    }
  }

  public func lock(waiting limit: Duration) throws(BackendError) -> any WriteLock {
    let taken = state.withLock { state in
      defer { state.isLocked = true }
      return !state.isLocked
    }
    guard taken else { throw BackendError(.busy, "another program holds the lock") }
    return Lock { [self] in state.withLock { $0.isLocked = false } }
  }

  public func snapshot(of selection: TableSelection) throws(BackendError) -> Snapshot {
    state.withLock { state in
      Snapshot(
        ruleset: Ruleset(state.ruleset.tables.filter { selection.contains($0.id) }),
        existing: state.ruleset.tables.map(\.id), stamp: Snapshot.Stamp(state.generation))
    }
  }

  public func rehearse(_ plan: Plan, _ extent: RehearsalExtent) throws(BackendError) -> String? {
    try state.withLock { state throws(BackendError) in try check(plan, state) }
    return nil
  }

  private func check(_ plan: Plan, _ state: State) throws(BackendError) {
    for (index, step) in plan.steps.enumerated() {
      guard capabilities.families.contains(step.id.family) else {
        throw BackendError(.unsupported, "this kernel has no \(step.id.family) tables")
      }
      if let problem = step.after.problems(for: capabilities.interface).first {
        throw BackendError(.refused, "\(step.id): \(problem.message)")
      }
      if state.faults.contains(.refuse(step: index)) {
        throw BackendError(.refused, "\(step.id): refused, as told")
      }
    }
  }

  public func apply(_ plan: Plan, expecting stamp: Snapshot.Stamp) throws(BackendError) {
    try state.withLock { state throws(BackendError) in
      for case .foreignChange(let ruleset) in state.faults {
        state.ruleset = state.ruleset.replacing(with: ruleset)
        state.generation += 1
      }
      state.faults.removeAll { if case .foreignChange = $0 { true } else { false } }
      guard state.generation == stamp.value else {
        throw BackendError(.stale, "the rules have changed since they were read")
      }
      defer { state.faults.removeAll() }
      try check(plan, state)
      for id in plan.creations { state.ruleset[id] = Table(id.name, family: id.family) }
      for step in plan.steps { state.ruleset[step.id] = step.after }
      state.generation += 1
    }
  }
}
