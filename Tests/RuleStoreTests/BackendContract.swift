import Glibc
import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// What every backend promises, whatever is behind it.
@Suite struct BackendContract {
  /// With FIREBREAK_REQUIRE_KERNEL=1 a missing kernel is told here, once.
  @Test(.requires(.legacyTables, .nfTables, .tool("iptables-legacy-save"), .tool("iptables-nft-save")))
  func theKernelTakesPart() {
    #expect(ContractKind.available == ContractKind.allCases)
  }

  @Test(arguments: ContractKind.available)
  func readingMakesNoTable(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    for _ in 0..<2 {
      let snapshot = try site.snapshot()
      #expect(snapshot.existing.isEmpty)
      #expect(snapshot.ruleset.isEmpty)
    }
    let chosen = try site.inside { try site.backend.snapshot(of: .only([TableID(.nat, .ipv6)])) }
    #expect(chosen.ruleset.isEmpty)
    #expect(try site.snapshot().existing.isEmpty)
  }

  @Test(arguments: ContractKind.available)
  func whatWasAppliedIsRead(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    let wanted = twoTablesTwoFamilies()
    let plan = try site.commit(wanted)
    #expect(plan.tables.count == 4)
    let after = try site.snapshot()
    #expect(after.ruleset.sameRules(as: wanted))
    for table in wanted.tables { #expect(after.ruleset[table.id] == table, "with counters: \(table.id)") }
    #expect(Set(after.existing) == Set(wanted.tables.map(\.id)))
  }

  @Test(arguments: ContractKind.available)
  func aSelectionIsReadAndTheRestListed(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    let part = try site.inside { try site.backend.snapshot(of: .only([TableID(.filter, .ipv6)])) }
    #expect(part.ruleset.tables.map(\.id) == [TableID(.filter, .ipv6)])
    #expect(part.existing.count == 4)
  }

  @Test(arguments: ContractKind.available)
  func anUnchangedRulesetIsNoCommit(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    let saved = try site.savedByIptables()
    let outcome = try site.inside { try RuleStore(site.backend).commit(twoTablesTwoFamilies()) }
    #expect(outcome.plan.isEmpty)
    #expect(try site.savedByIptables() == saved)
  }

  @Test(arguments: ContractKind.available)
  func otherTablesStay(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    let all = twoTablesTwoFamilies()
    try site.commit(all)
    let plan = try site.commit(rules("*filter\n-A INPUT -j DROP\nCOMMIT\n"))
    #expect(plan.tables == [TableID(.filter, .ipv4)])
    let after = try site.snapshot().ruleset
    for id in [TableID(.mangle, .ipv4), TableID(.mangle, .ipv6), TableID(.filter, .ipv6)] {
      #expect(after[id] == all[id])
    }
    #expect(after[TableID(.filter, .ipv4)]?.ruleCount == 1)
  }

  @Test(arguments: ContractKind.available)
  func theReversedPlanLeadsBack(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    let filter = Ruleset([twoTablesTwoFamilies()[TableID(.filter, .ipv4)]!])
    try site.commit(filter)
    let plan = try site.commit(
      twoTablesTwoFamilies().replacing(with: rules("*filter\n:INPUT ACCEPT\n-A FORWARD -j DROP\nCOMMIT\n")))
    try site.inside {
      let now = try site.backend.snapshot(of: .all)
      try site.backend.apply(Plan(steps: plan.steps.reversed().map(\.reversed)), expecting: now.stamp)
    }
    let after = try site.snapshot().ruleset
    #expect(after[TableID(.filter, .ipv4)] == filter[TableID(.filter, .ipv4)], "counters too")
    for table in after.tables where table.id != TableID(.filter, .ipv4) {
      #expect(table.isPristine, "\(table.id) did not exist before")
    }
  }

  @Test(arguments: ContractKind.available)
  func aForeignChangeIsNoticed(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    let before = try site.snapshot()
    let plan = Plan(
      from: before, to: rules("*mangle\n-A INPUT -j DROP\nCOMMIT\n*filter\n-A INPUT -j DROP\nCOMMIT\n"))
    #expect(plan.tables.count == 2)
    try site.changeFromOutside()
    let error = #expect(throws: BackendError.self) {
      try site.inside { try site.backend.apply(plan, expecting: before.stamp) }
    }
    #expect(error?.kind == .stale)
    let after = try site.snapshot().ruleset
    #expect(after[TableID(.mangle, .ipv4)] == before.ruleset[TableID(.mangle, .ipv4)])
    #expect(after[TableID(.filter, .ipv4)]?[.forward]?.rules.count == 1, "the other program's rule is there")
    #expect(after[TableID(.filter, .ipv4)]?[.input]?.rules.count == 1)
  }

  @Test(arguments: ContractKind.available)
  func theStorePlansAgainAfterAForeignChange(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    try site.changeFromOutside()
    let outcome = try site.inside { try RuleStore(site.backend).commit(rules("*filter\n-A INPUT -j DROP\nCOMMIT\n")) }
    #expect(!outcome.plan.isEmpty)
    #expect(
      try site.snapshot().ruleset[.filter, .ipv4]!.sameRules(as: rules("*filter\n-A INPUT -j DROP\nCOMMIT\n").tables[0])
    )
  }

  @Test(arguments: ContractKind.available, 0..<4)
  func aRefusedPlanChangesNothing(_ kind: ContractKind, _ badStep: Int) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    let saved = try site.savedByIptables()
    let before = try site.snapshot()
    let plan = try Self.plan(from: before, refusedAt: badStep, site)
    let error = #expect(throws: BackendError.self) {
      try site.inside { try site.backend.apply(plan, expecting: before.stamp) }
    }
    #expect(error?.kind == .refused)
    #expect(try site.snapshot().ruleset == before.ruleset)
    #expect(try site.savedByIptables() == saved)
  }

  /// The same where no table existed: those made on the way are empty again.
  @Test(arguments: ContractKind.available, 0..<4)
  func aRefusedFirstPlanLeavesEmptyTables(_ kind: ContractKind, _ badStep: Int) throws {
    let site = try ContractSite(kind)
    let before = try site.snapshot()
    let plan = try Self.plan(from: before, refusedAt: badStep, site)
    let error = #expect(throws: BackendError.self) {
      try site.inside { try site.backend.apply(plan, expecting: before.stamp) }
    }
    #expect(error?.kind == .refused)
    #expect(try site.snapshot().ruleset.tables.allSatisfy(\.isPristine))
  }

  @Test(arguments: ContractKind.available, 0..<4)
  func theRehearsalFindsWhatWouldBeRefused(_ kind: ContractKind, _ badStep: Int) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    let saved = try site.savedByIptables()
    let plan = try Self.plan(from: try site.snapshot(), refusedAt: badStep, site)
    let error = #expect(throws: BackendError.self) { try site.inside { _ = try site.backend.rehearse(plan, .full) } }
    #expect(error?.kind == .refused)
    if kind != .memory {
      #expect(error?.culprit?.ruleNumber == 1)
      #expect(error?.culprit?.table == plan.steps[badStep].id)
      #expect(error?.culprit?.text.contains("NOSUCH") == true)
    }
    #expect(try site.savedByIptables() == saved)
  }

  @Test(arguments: ContractKind.available)
  func theRehearsalOfAGoodPlanTouchesNothing(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    let plan = Plan(from: try site.snapshot(), to: twoTablesTwoFamilies())
    let note = try site.inside { try site.backend.rehearse(plan, .full) }
    #expect(note == nil)
    #expect(try site.snapshot().existing.isEmpty)
  }

  /// The rehearsal begins from nothing, whatever the live tables hold.
  @Test(arguments: ContractKind.available)
  func theRehearsalNeedsNothingOfTheLiveTables(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    try site.commit(twoTablesTwoFamilies())
    let wanted = rules(
      "*mangle\n:new - [0:0]\n-A INPUT -j new\nCOMMIT\n*filter\n:new - [0:0]\n-A new -j DROP\nCOMMIT\n")
    let outcome = try site.inside { try RuleStore(site.backend).commit(wanted) }
    #expect(outcome.plan.steps.count == 2)
    #expect(try site.snapshot().ruleset.only(.ipv4).sameRules(as: wanted))
  }

  /// What was interrupted between the kernel's two steps gets its counters back.
  @Test(arguments: ContractKind.available)
  func lostCountersReturn(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    let all = twoTablesTwoFamilies()
    try site.commit(all)
    for id in all.tables.map(\.id) {
      let lost = RulesetBuilder.withoutCounters(all[id]!)
      try site.inside {
        let now = try site.backend.snapshot(of: .all)
        try site.backend.apply(
          Plan(steps: [Plan.Step(id: id, before: now.ruleset[id], after: lost, restoresCounters: true)]),
          expecting: now.stamp)
      }
    }
    #expect(try site.snapshot().ruleset.tables.allSatisfy { $0 == RulesetBuilder.withoutCounters($0) }, "they are lost")
    var options = RuleStore.CommitOptions()
    options.interrupted = all
    let live = try site.snapshot().ruleset
    let outcome = try site.inside { try RuleStore(site.backend).commit(live, options) }
    #expect(outcome.plan.steps.count == 4)
    for table in all.tables { #expect(try site.snapshot().ruleset[table.id] == table) }
    #expect(try site.inside { try RuleStore(site.backend).commit(live, options) }.plan.isEmpty, "once only")
  }

  @Test(arguments: ContractKind.available)
  func theLockKeepsOthersAway(_ kind: ContractKind) throws {
    let site = try ContractSite(kind)
    let held = try site.backend.lock(waiting: .zero)
    let start = ContinuousClock.now
    let error = #expect(throws: BackendError.self) { try site.backend.lock(waiting: .milliseconds(60)) }
    #expect(error?.kind == .busy)
    if kind != .memory { #expect(ContinuousClock.now - start >= .milliseconds(60)) }
    held.release()
    held.release()
    try site.backend.lock(waiting: .zero).release()
  }

  /// Adds a rule to each of the four tables, first in its chain; the one of step `badStep` no kernel takes.
  private static func plan(from before: Snapshot, refusedAt badStep: Int, _ site: ContractSite) throws -> Plan {
    var wanted = twoTablesTwoFamilies()
    for id in wanted.tables.map(\.id).sorted().enumerated() {
      var table = wanted[id.element]!
      let bad = OpaqueTarget(OpaqueExtension(kernelName: "NOSUCH", revision: 0, payload: [1, 2, 3, 4, 5, 6, 7, 8]))
      let target: RuleTarget = id.offset == badStep && site.memory == nil ? .extension(bad) : .drop
      let first = table.chains[0].rules
      table.setRules(of: 0, RuleList([Rule(target: target)] + first, family: id.element.family))
      wanted[id.element] = table
    }
    site.memory?.schedule(.refuse(step: badStep))
    let plan = Plan(from: before, to: wanted)
    #expect(plan.steps.count == 4)
    return plan
  }
}

enum RulesetBuilder {
  static func withoutCounters(_ table: Table) -> Table {
    var table = table
    for (index, chain) in table.chains.enumerated() {
      table.withRules(of: index) { rules in for place in rules.indices { rules.setCounters(.zero, of: place) } }
      if let policy = chain.policy { table.setPolicyUnchecked(policy, at: index, counters: .zero) }
    }
    return table
  }
}
