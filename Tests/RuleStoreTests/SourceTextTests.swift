@testable import CommitEngine
import KernelTestSupport
import Netfilter
import RuleStore
import Synchronization
import Testing

/// A text that was committed is known again, and read only where it would change something.
@Suite struct SourceTextTests {
  private static let id = TableID(.filter, .ipv4)
  private static let rules = (0..<400).map { "-A INPUT -s 192.0.\($0 / 250).\($0 % 250)/32 -j DROP\n" }.joined()
  private static let text = "*filter\n\(rules)COMMIT\n"

  private final class Site {
    let folder: StateFolder
    let backend: MemoryBackend
    let engine: CommitEngine

    init(_ live: String = "") throws {
      folder = try StateFolder()
      backend = MemoryBackend(RulesText.read(live).ruleset)
      engine = CommitEngine(store: RuleStore(backend), state: folder.state)
    }

    func source(_ text: String) -> SourceText { SourceText([Array(text.utf8)], under: ["rules.v4"]) }

    /// Commits as `apply` does.
    /// - Returns: whether the text was read, and whether anything changed.
    func apply(_ text: String, keeping: ForeignKeeping = .foreign) throws -> (
      read: Bool, changed: Bool, notes: [String]
    ) {
      let source = source(text)
      let wasRead = Mutex(false)
      var request: CommitEngine.Request
      if let known = source.known(in: folder.state) {
        request = CommitEngine.Request(known: known) {
          wasRead.withLock { $0 = true }
          return RulesText.read(text).ruleset
        }
      } else {
        wasRead.withLock { $0 = true }
        request = CommitEngine.Request(RulesText.read(text).ruleset)
      }
      request.text = source
      request.keeping = keeping
      let report = try engine.apply(request)
      return (wasRead.withLock { $0 }, !report.plan.isEmpty, report.notes)
    }

    var live: Ruleset { get throws { try backend.snapshot(of: .all).ruleset } }

    /// What another program does.
    func change(_ body: (Ruleset) throws -> Ruleset) throws {
      let store = RuleStore(backend)
      _ = try store.commit(body(live))
    }
  }

  private static func with(_ line: String) -> String { "*filter\n\(line)\n\(rules)COMMIT\n" }

  @Test func theSameTextIsNotReadAgain() throws {
    let site = try Site()
    #expect(try site.apply(Self.text) == (true, true, []))
    #expect(try site.apply(Self.text) == (false, false, []))
    #expect(try site.engine.history.numbers() == [1])
    #expect(try site.live.sameRules(as: RulesText.read(Self.text).ruleset))
  }

  @Test func whatElseTheKernelHoldsIsPutRight() throws {
    let site = try Site()
    _ = try site.apply(Self.text)
    try site.change { _ in RulesText.read("*filter\nCOMMIT\n").ruleset }
    #expect(try site.apply(Self.text) == (true, true, []))
    #expect(try site.live.sameRules(as: RulesText.read(Self.text).ruleset))
  }

  @Test func anotherTextOfTheSameLengthIsRead() throws {
    let site = try Site()
    _ = try site.apply(Self.text)
    let other = Self.text.replacing("192.0.1.7/32", with: "192.0.1.8/32")
    #expect(other.utf8.count == Self.text.utf8.count)
    #expect(site.source(other).known(in: site.folder.state) == nil)
    #expect(try site.apply(other) == (true, true, []))
    #expect(site.source(Self.text).known(in: site.folder.state) == nil)
  }

  @Test func anotherNameIsAnotherText() throws {
    let site = try Site()
    _ = try site.apply(Self.text)
    let bytes = Array(Self.text.utf8)
    #expect(SourceText([bytes], under: ["rules.v6"]).known(in: site.folder.state) == nil)
    #expect(SourceText([bytes, []], under: ["rules.v4"]).known(in: site.folder.state) == nil)
    #expect(SourceText([bytes], under: ["rules.v4"]).known(in: site.folder.state) != nil)
  }

  /// The text stands for what it came to then, not for what became Firebreak's later.
  @Test func afterARollbackItIsReadAgain() throws {
    let site = try Site()
    _ = try site.apply(Self.with("-A INPUT -j ACCEPT"))
    _ = try site.apply(Self.text)
    _ = try site.engine.rollback()
    #expect(try site.apply(Self.text) == (true, true, []))
    #expect(try site.live.sameRules(as: RulesText.read(Self.text).ruleset))
  }

  // MARK: Beside rules of others

  @Test func rulesOfOthersThatStayAreKnownToo() throws {
    let site = try Site()
    _ = try site.apply(Self.text)
    try site.change { _ in RulesText.read(Self.with("-A INPUT -p 99 -j LOG")).ruleset }
    let whole = try site.live
    let first = try site.apply(Self.text)
    #expect(first.read && !first.changed && first.notes.count == 1)
    let second = try site.apply(Self.text)
    #expect(!second.read && !second.changed && second.notes == first.notes)
    #expect(try site.live.sameRules(as: whole))
    // Now they go.
    #expect(try site.apply(Self.text, keeping: .nothing) == (true, true, []))
    #expect(try site.live.sameRules(as: RulesText.read(Self.text).ruleset))
    #expect(try site.apply(Self.text) == (false, false, []))
  }

  @Test func whatOthersChangedSinceIsSeen() throws {
    let site = try Site()
    _ = try site.apply(Self.text)
    for others in ["-A INPUT -p 99 -j LOG", "-A INPUT -p 98 -j LOG"] {
      try site.change { _ in RulesText.read(Self.with(others)).ruleset }
      let report = try site.apply(Self.text)
      #expect(report.read && !report.changed && report.notes.count == 1)
    }
    // One of ours went, one of theirs came.
    try site.change { _ in
      RulesText.read(Self.with("-A INPUT -p 99 -j LOG").replacing("-A INPUT -s 192.0.0.9/32 -j DROP\n", with: ""))
        .ruleset
    }
    let report = try site.apply(Self.text)
    #expect(report.read && report.changed)
    #expect(try site.live.sameRules(as: RulesText.read(Self.with("-A INPUT -p 99 -j LOG")).ruleset))
    #expect(try site.engine.history.generation(2).ruleset.sameRules(as: RulesText.read(Self.text).ruleset))
  }

  // MARK: Files that cannot be believed, or made

  /// The commit is good all the same.
  @Test func whereTheTextCannotBeKeptItIsReadEachTime() throws {
    let site = try Site()
    for slot in 0..<4 { _ = try runProcess(["mkdir", "\(site.folder.path)/text-\(slot)"]) }
    #expect(try site.apply(Self.text) == (true, true, []))
    #expect(try site.apply(Self.text) == (true, false, []))
    #expect((0..<4).allSatisfy { !site.folder.has("text-\($0).new") })
  }

  @Test func aDamagedFileIsAsIfItWereNotThere() throws {
    let site = try Site()
    _ = try site.apply(Self.text)
    let path = try #require(["0", "1", "2", "3"].map { "text-\($0)" }.first { site.folder.has($0) })
    let whole = try readFile("\(site.folder.path)/\(path)")
    for end in [0, 5, 19, 31, 40, 100, whole.count - 1] {
      try site.folder.write(Array(whole.prefix(end)), path)
      #expect(site.source(Self.text).known(in: site.folder.state) == nil, "cut at \(end)")
    }
    for place in [0, 20, 24, 33, 60, 150, whole.count - 1] {
      var bytes = whole
      bytes[place] ^= 0x40
      try site.folder.write(bytes, path)
      #expect(site.source(Self.text).known(in: site.folder.state) == nil, "damaged at \(place)")
    }
    #expect(try site.apply(Self.text).changed == false)
    #expect(site.source(Self.text).known(in: site.folder.state)?.keys.map { $0 } == [Self.id])
  }
}
