@testable import CommitEngine
import Glibc
import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// A journal that a commit left behind before the machine was started anew speaks of tables that are gone.
@Suite(.requires(.root)) struct RebootTests {
  private static let before = RulesText.read("*filter\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n").ruleset
  private static let after = RulesText.read("*filter\n-A INPUT -s 192.0.2.2 -j DROP\nCOMMIT\n").ruleset

  /// The journal of a commit from `before` to `after`, as one that died leaves it.
  private func leave(
    _ phase: Journal.Phase, _ deadline: BootTime, boot: String = BootID.current, in folder: StateFolder
  ) throws {
    let old = MemoryBackend(Self.before)
    let plan = Plan(from: try old.snapshot(of: .all), to: Self.after)
    let record = CommitRecord(
      plan: plan, time: 0, message: "", backend: old.capabilities.name, boot: boot,
      keepsCommitted: { _ in phase != .unguarded })
    let journal = Journal(head: .init(phase: phase, deadline: deadline, nonce: record.nonce), record: record)
    try folder.write(journal.encoded, "commit.pending")
  }

  @Test(arguments: [true, false], [Journal.Phase.unguarded, .writing, .awaiting])
  func aJournalOfAnotherStartIsForgotten(_ isOfThisStart: Bool, _ phase: Journal.Phase) throws {
    let folder = try StateFolder()
    try leave(phase, BootTime(nanoseconds: 1), boot: isOfThisStart ? BootID.current : "another", in: folder)
    let backend = MemoryBackend(Self.after)
    let engine = CommitEngine(store: RuleStore(backend), state: folder.state)
    let recovery = try engine.recoverInterrupted()
    let now = try backend.snapshot(of: .all).ruleset
    if !isOfThisStart {
      #expect(recovery == nil)
      #expect(now.sameRules(as: Self.after))
    } else if phase == .unguarded {
      #expect(recovery == .completed)
      #expect(now.sameRules(as: Self.after))
    } else {
      #expect(recovery == .notConfirmed([TableID(.filter, .ipv4)]))
      #expect(now.sameRules(as: Self.before))
    }
    #expect(!folder.has("commit.pending"))
    #expect(try engine.recoverInterrupted() == nil)
  }

  @Test func oneThatStillWaitsIsLeftAlone() throws {
    let folder = try StateFolder()
    try leave(.awaiting, .now + .seconds(60), in: folder)
    let backend = MemoryBackend(Self.after)
    let engine = CommitEngine(store: RuleStore(backend), state: folder.state)
    #expect(try engine.recoverInterrupted() == nil)
    let waiting = try #require(try engine.awaiting())
    #expect(!waiting.isGuarded && waiting.remaining > .seconds(50) && waiting.remaining <= .seconds(60))
    #expect(throws: CommitEngine.Failure.self) { try engine.apply(Self.before) }
    #expect(try backend.snapshot(of: .all).ruleset.sameRules(as: Self.after))
  }

  /// What came into the tables meanwhile is not taken back with it.
  @Test func takingBackLeavesWhatOthersAdded() throws {
    let folder = try StateFolder()
    try leave(.awaiting, BootTime(nanoseconds: 1), in: folder)
    let added = "*filter\n-A INPUT -s 192.0.2.2 -j DROP\n-A FORWARD -j DROP\nCOMMIT\n"
    let backend = MemoryBackend(RulesText.read(added).ruleset)
    _ = try CommitEngine(store: RuleStore(backend), state: folder.state).recoverInterrupted()
    let expected = "*filter\n-A INPUT -s 192.0.2.1 -j DROP\n-A FORWARD -j DROP\nCOMMIT\n"
    #expect(try backend.snapshot(of: .all).ruleset.sameRules(as: RulesText.read(expected).ruleset))
  }

  @Test func theNewestIntactGenerationIsLoadedOnce() throws {
    let folder = try StateFolder()
    let first = CommitEngine(store: RuleStore(MemoryBackend(Ruleset())), state: folder.state)
    _ = try first.apply(Self.before, message: "one")
    _ = try first.apply(Self.after, message: "two")
    #expect(try first.loadAtStart() == nil, "they were committed in this start")
    func start(_ expected: Ruleset, notes: Int) throws {
      // What is on file is now of a start of the machine that is over.
      var own = try OwnRules.load(History(state: folder.state))
      own.boot = "an earlier start"
      try own.save(folder.state)
      let backend = MemoryBackend(Ruleset())
      let engine = CommitEngine(store: RuleStore(backend), state: folder.state)
      let loading = try #require(try engine.loadAtStart())
      #expect(loading.notes.count == notes)
      #expect(try backend.snapshot(of: .all).ruleset.sameRules(as: expected))
      #expect(try engine.loadAtStart() == nil)
    }
    try start(Self.after, notes: 0)
    try folder.damage("generations/00000002")
    try start(Self.before, notes: 1)
  }

  private static let nat = RulesText.read("*nat\n-A POSTROUTING -j ACCEPT\nCOMMIT\n").ruleset

  /// What a commit finds in a kernel that has started anew and has not been given the rules yet.
  private func startAnew(_ folder: StateFolder) throws -> CommitEngine {
    var own = try OwnRules.load(History(state: folder.state))
    own.boot = "an earlier start"
    try own.save(folder.state)
    return CommitEngine(store: RuleStore(MemoryBackend(Ruleset())), state: folder.state)
  }

  /// A commit of other tables that is earlier than the loading does not stand for it.
  @Test(arguments: [true, false]) func whatACommitLeftOutIsStillLoaded(_ isNoted: Bool) throws {
    let folder = try StateFolder()
    _ = try CommitEngine(store: RuleStore(MemoryBackend(Ruleset())), state: folder.state).apply(Self.after)
    let engine = try startAnew(folder)
    _ = try engine.apply(Self.nat)
    _ = try engine.apply(RulesText.read("*raw\n-A PREROUTING -j ACCEPT\nCOMMIT\n").ruleset)
    // Without the note the newest generation tells.
    if !isNoted { try folder.write([], OwnRules.file) }
    let loading = try #require(try engine.loadAtStart())
    #expect(loading.plan.tables == [TableID(.filter, .ipv4)])
    let now = try engine.store.backend.snapshot(of: .all).ruleset
    #expect(now[TableID(.filter, .ipv4)].map { Ruleset([$0]).sameRules(as: Self.after) } == true)
    #expect(now[TableID(.nat, .ipv4)].map { Ruleset([$0]).sameRules(as: Self.nat) } == true)
    #expect(try engine.loadAtStart() == nil)
    _ = try engine.apply(Self.before)
    #expect(try engine.loadAtStart() == nil, "everything was loaded before")
  }

  @Test func aCommitOfEverythingIsALoading() throws {
    let folder = try StateFolder()
    _ = try CommitEngine(store: RuleStore(MemoryBackend(Ruleset())), state: folder.state).apply(Self.before)
    let engine = try startAnew(folder)
    _ = try engine.apply(Self.after.replacing(with: Self.nat))
    #expect(try engine.loadAtStart() == nil)
  }
}
