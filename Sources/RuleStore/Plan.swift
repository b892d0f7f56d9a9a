public import Netfilter

/// What a commit will do: the tables that change, from what to what. Tables that stay as they are do not appear.
public struct Plan: Sendable {
  /// The change of one table.
  public struct Step: Sendable {
    public let id: TableID
    /// The table as it was read; nil when the kernel has not made it yet.
    public let before: Table?
    /// The table as it will be. Rules that stay keep the counters of `before`.
    public let after: Table
    /// The kernel's counters are not those of `before` but lost; those of `after` are to be written as they are.
    package let restoresCounters: Bool
    /// By chain, which rule of `before` each rule of `after` is, where that is known better than by comparing them: of two
    /// equal rules a command means one. The others are written, with the counters of `after`. Of use where rules stand one
    /// by one and have numbers of their own, as in nf_tables.
    package var sources: [ChainName: [Int?]] = [:]

    package init(id: TableID, before: Table?, after: Table, restoresCounters: Bool = false) {
      self.id = id
      self.before = before
      self.after = after
      self.restoresCounters = restoresCounters
    }

    /// The same way between tables that say the same.
    package func with(before: Table?, after: Table) -> Step {
      var step = Step(id: id, before: before, after: after, restoresCounters: restoresCounters)
      step.sources = sources
      return step
    }

    /// Rules that are in one of both only.
    public var changes: (added: Int, removed: Int) {
      TableChanges.count(from: before, to: after)
    }

    /// The way back: to `before`, or to an untouched table where there was none.
    package var reversed: Step { reversed(restoringCounters: false) }

    package func reversed(restoringCounters: Bool) -> Step {
      Step(
        id: id, before: after, after: before ?? Table(id.name, family: id.family),
        restoresCounters: restoringCounters)
    }
  }

  /// In the order in which they are carried out: by family, then in the order in which a packet meets the tables, so
  /// that `filter` comes last but for `security`.
  public let steps: [Step]
  /// Tables that do not exist yet, in the order in which the input named them: the kernel lists tables in the
  /// order of their making. One that is to hold nothing is made and has no step.
  public let creations: [TableID]

  /// Tables that were asked for and hold the wanted rules already.
  package let unchanged: [TableID]
  /// What is worth knowing about the way in which the backend will carry it out.
  public let notes: [String]
  /// What changes beside the tables of iptables. A backend that can do some of it in the same transaction does; the rest
  /// is for the ``CompanionStore``.
  package var beside = Beside()

  /// How tables are to stand, where that is not for the backend to choose.
  package var shapes: [TableID: TableShape] = [:]
  /// How the tables of the steps stood before, where the kernel has more than one way. One that was not there counts as
  /// linear.
  package var formerShapes: [TableID: TableShape] = [:]

  /// Changes of companions.
  package struct Beside: Sendable {
    package var changes: [CompanionChange] = []
    package var unexpected = Unexpected.refused
    package init() {}
    package init(_ changes: [CompanionChange], _ unexpected: Unexpected) {
      self.changes = changes
      self.unexpected = unexpected
    }
  }

  /// Whether the kernel stays as it is.
  public var isEmpty: Bool { steps.isEmpty && creations.isEmpty }

  package init(
    steps: [Step], creations: [TableID] = [], unchanged: [TableID] = [], notes: [String] = []
  ) {
    self.steps = steps
    self.creations = creations
    self.unchanged = unchanged
    self.notes = notes
  }

  /// Where the counters of rules come from that the kernel does not hold yet.
  public enum CounterSource: Hashable, Sendable {
    /// From zero.
    case zero
    /// From the wanted ruleset, as `iptables-restore -c`.
    case wanted
  }

  /// Plans the way from a snapshot to the tables of `wanted`; other tables stay.
  /// - Parameters:
  ///   - remove: tables to empty, built-in chains' policies set to ACCEPT; those that do not exist are left out.
  ///   - counters: for rules and policies that change; what stays keeps its own.
  public init(
    from snapshot: Snapshot, to wanted: Ruleset, emptying remove: Set<TableID> = [], counters: CounterSource = .zero
  ) {
    self.init(from: snapshot, to: wanted, emptying: remove, counters: counters, interrupted: Ruleset())
  }

  /// - Parameter earlier: the tables as they were before a commit that was interrupted. What counts less than it did
  ///   there has lost its counters between the kernel's two steps, and is given them back.
  package init(
    from snapshot: Snapshot, to wanted: Ruleset, emptying remove: Set<TableID>, counters: CounterSource,
    interrupted earlier: Ruleset
  ) {
    let existing = Set(snapshot.existing)
    var steps: [Step] = []
    var creations: [TableID] = []
    var unchanged: [TableID] = []
    var targets = wanted.tables
    for id in remove where wanted[id] == nil && existing.contains(id) {
      targets.append(Table(id.name, family: id.family))
    }
    for target in targets {
      let isNew = !existing.contains(target.id)
      let current = snapshot.ruleset[target.id] ?? Table(target.name, family: target.family)
      let target = isNew ? target : target.adopting(current)
      let healed = earlier[target.id].flatMap { CounterCarrier.heal(current, since: $0) }
      if isNew { creations.append(target.id) }
      let isThere =
        isNew ? target.isPristine && (counters == .zero || !target.hasCounted) : current.sameRules(as: target)
      if healed == nil, isThere {
        if !isNew { unchanged.append(target.id) }
        continue
      }
      let after =
        isNew && counters == .wanted
        ? target : CounterCarrier.carry(from: healed ?? current, to: target, fresh: counters)
      steps.append(
        Step(id: target.id, before: isNew ? nil : current, after: after, restoresCounters: healed != nil))
    }
    self.creations = creations
    self.unchanged = unchanged
    notes = []
    self.steps = steps.sorted { $0.id < $1.id }
  }

  /// The tables that change.
  public var tables: [TableID] { steps.map(\.id) }

  /// Rules that come and go, over all tables.
  public var changes: (added: Int, removed: Int) {
    steps.reduce((0, 0)) { sum, step in
      let changes = step.changes
      return (sum.0 + changes.added, sum.1 + changes.removed)
    }
  }
}
