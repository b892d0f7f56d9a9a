import CommitEngine
import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing
import XTablesStore

/// Rules that move from one backend to another: both acts or neither.
@Suite(.requires(.root)) struct MoveTests {
  /// An engine over two kernels made of memory, and its state.
  private final class Site {
    let source: MemoryBackend
    let target: MemoryBackend
    let engine: CommitEngine
    private let folder: String

    init(_ source: Ruleset, _ target: Ruleset = Ruleset()) throws {
      self.source = MemoryBackend(source)
      self.target = MemoryBackend(target)
      folder = "/tmp/fbt-move-" + String(UInt64.random(in: 0 ... .max), radix: 36)
      engine = CommitEngine(store: RuleStore(self.target), state: try StateDirectory(folder))
    }

    deinit { for name in ["/commit.pending", "/commit.last", "/lock", ""] { remove(folder + name) } }

    var isPending: Bool { access(folder + "/commit.pending", F_OK) == 0 }

    func move(replacing replaces: Bool = false) throws -> CommitEngine.MoveReport {
      var options = RuleStore.CommitOptions()
      options.rehearses = false
      return try engine.move(from: RuleStore(source), options, replacing: replaces)
    }
  }

  private static let other = rules("*nat\n-A OUTPUT -j ACCEPT\nCOMMIT\n")

  @Test func bothActs() throws {
    let site = try Site(twoTablesTwoFamilies(), Self.other)
    let report = try site.move()
    #expect(report.source.sameRules(as: twoTablesTwoFamilies()) && report.departure.steps.count == 4)
    for table in twoTablesTwoFamilies().tables {
      #expect(site.target.ruleset[table.id] == table, "counters too")
      #expect(site.source.ruleset[table.id]?.isPristine == true)
    }
    #expect(site.target.ruleset[.nat, .ipv4]?.ruleCount == 1)
    #expect(!site.isPending)
    #expect(try site.move().departure.isEmpty)
  }

  /// The second act is refused: the first one is taken back.
  @Test func theSecondActFails() throws {
    let site = try Site(twoTablesTwoFamilies(), Self.other)
    site.source.schedule(.refuse(step: 1))
    let error = #expect(throws: BackendError.self) { try site.move() }
    #expect(error?.kind == .refused)
    #expect(site.source.ruleset == twoTablesTwoFamilies())
    #expect(site.target.ruleset.tables.allSatisfy { $0.name == .nat || $0.isPristine })
    #expect(site.target.ruleset[.nat, .ipv4]?.ruleCount == 1)
    #expect(!site.isPending)
  }

  @Test func theFirstActFails() throws {
    let site = try Site(twoTablesTwoFamilies())
    site.target.schedule(.refuse(step: 3))
    #expect(throws: BackendError.self) { try site.move() }
    #expect(site.source.ruleset == twoTablesTwoFamilies() && site.target.ruleset.tables.isEmpty && !site.isPending)
  }

  /// What somebody adds where the rules leave, after they were read, moves too.
  @Test func somebodyAddsRulesMeanwhile() throws {
    let site = try Site(twoTablesTwoFamilies())
    site.source.schedule(.foreignChange(Self.other))
    _ = try site.move()
    #expect(site.target.ruleset[.nat, .ipv4]?.ruleCount == 1)
    #expect(site.source.ruleset.tables.allSatisfy { $0.isPristine })
    #expect(site.target.ruleset.tables.count { !$0.isPristine } == 5)
  }

  /// Rules that come into the new place meanwhile are not overwritten.
  @Test func somebodyFillsTheNewPlaceMeanwhile() throws {
    let site = try Site(twoTablesTwoFamilies())
    let foreign = rules("*filter\n-A INPUT -s 203.0.113.9 -j DROP\nCOMMIT\n")
    site.target.schedule(.foreignChange(foreign))
    #expect(throws: CommitEngine.Failure.occupied([TableID(.filter, .ipv4)], backend: "memory")) { try site.move() }
    #expect(site.source.ruleset == twoTablesTwoFamilies())
    #expect(site.target.ruleset.sameRules(as: foreign) && !site.isPending)
    _ = try site.move(replacing: true)
    #expect(site.target.ruleset[.filter, .ipv4] == twoTablesTwoFamilies()[.filter, .ipv4])
  }

  // MARK: Real kernels

  /// What ip_tables takes and nf_tables has no words for: an interface's name under a mask with holes.
  private static func unsayable() throws -> Ruleset {
    let holes = InterfacePattern(name: UInt128(0x65_00_68) << 104, mask: UInt128(0xff_00_ff) << 104)
    var table = Table(.filter, family: .ipv4)
    try table.append(Rule(target: .accept), to: .input)
    try table.append(
      Rule(inInterface: Negatable(holes), target: .drop), to: .input, at: SourcePosition(input: 0, line: 7))
    return Ruleset([table])
  }

  @Test(.requires(.nfTables, .tool("nft"))) func noFormInNFTables() throws {
    let site = try ContractSite(.nft)
    let wanted = try Self.unsayable()
    let error = #expect(throws: BackendError.self) { try site.inside { try RuleStore(site.backend).commit(wanted) } }
    #expect(error?.kind == .unsupported, "\(error?.message ?? "")")
    #expect(error?.message.contains("nf_tables has no form for this rule") == true)
    #expect(error?.culprit?.ruleNumber == 2 && error?.culprit?.position == SourcePosition(input: 0, line: 7))
    #expect(try site.namespace.require(["nft", "list", "ruleset"]).stdout == "", "nothing was sent")
    #expect(throws: BackendError.self) { try site.inside { try RuleStore(site.backend).check(wanted) } }
  }

  @Test(.requires(.legacyTables, .nfTables, .tool("nft"))) func noFormInTheNewPlace() throws {
    let site = try ContractSite(.legacy)
    try site.commit(try Self.unsayable())
    let engine = CommitEngine(
      store: RuleStore(NFTablesBackend()), state: try StateDirectory(site.namespace.stateDirectory))
    let error = #expect(throws: BackendError.self) {
      try site.inside { try engine.move(from: RuleStore(site.backend)) }
    }
    #expect(error?.kind == .unsupported && error?.culprit?.ruleNumber == 2)
    #expect(try site.snapshot().ruleset.sameRules(as: Self.unsayable()))
    #expect(try site.namespace.require(["nft", "list", "ruleset"]).stdout == "")
  }
}
