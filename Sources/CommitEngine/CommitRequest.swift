public import Netfilter
public import RuleStore

// What a commit is asked to do, and what it did.

extension CommitEngine {
  /// What to commit, and how.
  public struct Request: Sendable {
    /// The tables to have; others stay as they are.
    public var wanted: Ruleset
    /// Set where `wanted` has not been read yet.
    var unread: Unread?
    /// What `wanted` was read from, if that says nothing else another time: it is kept, and known again when it comes back.
    public var text: SourceText?
    public var options = RuleStore.CommitOptions()
    public var message = ""
    /// Where `wanted` is a copy of live tables that somebody worked on: the tables when they were copied. What the copy
    /// holds no more goes, whoever wrote it; what others did since then stays.
    public var copied: Ruleset?
    /// What changes beside the tables: sets and tables of nf_tables. Sets that are new may stand in `wanted` with numbers
    /// of ``IPSetDirectory/imagined``.
    public var companions: [CompanionChange] = []
    /// Whether rules of other programs in these tables stay.
    public var keeping = ForeignKeeping.foreign
    /// Take it back unless ``CommitEngine/confirm(_:)`` is called within this time.
    public var confirmation: Duration?
    /// Asked after the kernel was written to: why the commit is no good and has to be taken back, or nil.
    public var verification: (@Sendable () throws -> String?)?
    /// How long the verification may take.
    public var verificationLimit: Duration = .seconds(120)
    /// Called with the plan and where it is to be carried out before anything is written; what it throws ends the commit.
    public var inspection: (@Sendable (Plan, RuleStore) throws -> Void)?
    /// The generation whose rules these are.
    var restores: Int?
    /// Companions that become what they were found as.
    var released: Set<Companion> = []
    /// Tables that do.
    var givenBack: Set<TableID> = []

    public init(_ wanted: Ruleset) { self.wanted = wanted }

    /// Asks for what a text says that was committed before.
    /// - Parameters:
    ///   - known: what it came to then (``SourceText/known(in:)``).
    ///   - read: reads it, if the kernel or Firebreak's own rules are no longer that.
    public init(known: [TableID: UInt64], reading read: @escaping @Sendable () throws -> Ruleset) {
      wanted = Ruleset()
      unread = Unread(digests: known, read: read)
    }

    /// Rules of which it is known what they came to when they were committed.
    struct Unread: Sendable {
      let digests: [TableID: UInt64]
      let read: @Sendable () throws -> Ruleset
    }

    /// The tables that are wanted.
    var tables: Set<TableID> { unread.map { Set($0.digests.keys) } ?? Set(wanted.tables.map(\.id)) }

    /// What to commit so that the kernel holds what is wanted and what is not Firebreak's.
    mutating func merged(
      into before: Snapshot, _ foreign: inout ForeignRules, fit: (Plan) throws -> Plan
    ) throws -> Ruleset {
      if let unread {
        if let present = foreign.present(unread.digests, in: before) {
          wanted = present
          return present
        }
        wanted = try unread.read()
        self.unread = nil
      }
      foreign.givenBack = givenBack
      return try foreign.merge(wanted, into: before, fit: fit)
    }

    /// Whether it makes one act of more than tables.
    var hasCompanions: Bool { !companions.isEmpty }
    /// For the backend.
    var beside: Plan.Beside { Plan.Beside(companions, unexpected) }
    /// What becomes of companions that others have changed: who goes back to a generation wants what that had.
    var unexpected: Unexpected { restores == nil ? .refused : .replaced }
    var needsGuard: Bool { confirmation != nil || verification != nil }
  }

  /// What a commit did.
  public struct Report: Sendable {
    public let plan: Plan
    /// Things worth saying that are no failures.
    public let notes: [String]
    /// What an earlier, interrupted commit had left, and was done about it.
    public let recovered: Recovery?
    /// The newest generation before; 0 where there was none.
    public let base: Int
    /// The generation that it made; nil where nothing changed. While ``awaits`` is set it is not one yet.
    public let generation: Int?
    /// Set where the commit is taken back unless it is confirmed.
    public let awaits: Awaiting?
    /// What changed beside the tables.
    public var companions: [CompanionChange] = []
    /// The generation whose rules these are, where it was a rollback; 0 for what there was before the first.
    public var restores: Int?
  }

  /// A commit that waits to be confirmed.
  public struct Awaiting: Hashable, Sendable {
    public let number: Int
    public let remaining: Duration
    /// Whether the process that takes it back in time is there.
    public let isGuarded: Bool
    package let nonce: UInt64
  }
}
