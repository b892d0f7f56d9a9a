import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Rules that are remembered instead of read: right as long as nothing changes, and never believed when in doubt.
///
/// Packets that are counted change no generation of nf_tables, so the counters of what is remembered stand still: by them
/// a test sees whether rules were read.
@Suite(.requires(.nfTables, .tool("iptables-nft"), .tool("iptables-nft-save"), .tool("ping")))
struct RuleMemoryTests {
  private static let counted = """
    *filter
    :INPUT ACCEPT [0:0]
    :web - [0:0]
    -A INPUT -i lo -p icmp -m icmp --icmp-type 8 -m comment --comment counted -j RETURN
    -A INPUT -p tcp -m tcp --dport 80 -j web
    -A web -s 192.0.2.0/24 -j ACCEPT
    COMMIT

    """

  /// A namespace with rules that were committed, and one packet counted since.
  private struct Site {
    let space: TestNamespace
    var file: String { get throws { try #require(files().first) } }

    init() throws {
      space = try TestNamespace()
      try commit(RuleMemoryTests.counted)
      try space.require(["ping", "-c", "1", "-W", "2", "127.0.0.1"])
    }

    var backend: NFTablesBackend { NFTablesBackend(remembering: space.directory, leastRules: 0) }

    func files() throws -> [String] {
      try space.require(["sh", "-c", "ls -d \(space.directory)/nf_tables-*"]).stdout.split(separator: "\n").map(
        String.init)
    }

    func commit(_ text: String) throws {
      let wanted = rules(text)
      _ = try space.enter { try RuleStore(backend).commit(wanted) }
    }

    func outline() throws -> Ruleset { try space.enter { try backend.outline(of: .all).ruleset } }
    func snapshot() throws -> Ruleset { try space.enter { try backend.snapshot(of: .all).ruleset } }

    /// Of the rule that counts.
    func packets(_ ruleset: Ruleset) throws -> UInt64 {
      try #require(ruleset[.filter, .ipv4]?[.input]?.rules.first?.counters.packets)
    }
  }

  @Test func whatWasCommittedIsNotRead() throws {
    let site = try Site()
    #expect(try site.packets(site.outline()) == 0)
    #expect(try site.packets(site.snapshot()) == 1)
    // What was read for its counters is remembered in turn.
    #expect(try site.packets(site.outline()) == 1)
  }

  @Test func whatWasReadIsRemembered() throws {
    let site = try Site()
    unlink(try site.file)
    #expect(try site.packets(site.outline()) == 1)
    try site.space.require(["ping", "-c", "1", "-W", "2", "127.0.0.1"])
    #expect(try site.packets(site.outline()) == 1)
    #expect(try site.packets(site.snapshot()) == 2)
  }

  @Test func aChangeOfSomebodyElseIsSeen() throws {
    let site = try Site()
    try site.space.require(["iptables-nft", "-A", "web", "-j", "DROP"])
    let read = try site.outline()
    #expect(try site.packets(read) == 1)
    #expect(read[.filter, .ipv4]?.ruleCount == 4)
    // There and back again leaves other handles behind.
    try site.space.require(["iptables-nft", "-D", "web", "-s", "192.0.2.0/24", "-j", "ACCEPT"])
    try site.space.require(["iptables-nft", "-I", "web", "-s", "192.0.2.0/24", "-j", "ACCEPT"])
    try site.commit("*filter\n:web - [0:0]\n-A web -s 192.0.2.9/32 -j ACCEPT\n-A web -j DROP\nCOMMIT\n")
    let left = try site.space.require(["iptables-nft-save"]).stdout.split(separator: "\n").filter { $0.hasPrefix("-A") }
    #expect(left == ["-A web -s 192.0.2.9/32 -j ACCEPT", "-A web -j DROP"])
  }

  /// What makes a file doubtful.
  enum Doubt: String, CaseIterable, Sendable {
    case cut, longer, empty, othersMayRead, anotherOwner, symbolicLink, secondName, directory, openDirectory
    case foreignDirectory, pipe
  }

  @Test(arguments: Doubt.allCases) func whatIsDoubtfulIsNotBelieved(_ doubt: Doubt) throws {
    let site = try Site()
    #expect(try site.packets(site.outline()) == 0)
    let file = try site.file
    let bytes = try readFile(file)
    switch doubt {
    case .cut: #expect(truncate(file, off_t(bytes.count - 1)) == 0)
    case .longer: _ = try site.space.require(["sh", "-c", "printf x >> \(file)"])
    case .empty: #expect(truncate(file, 0) == 0)
    case .othersMayRead: #expect(chmod(file, 0o640) == 0)
    case .anotherOwner: #expect(chown(file, 1, 1) == 0)
    case .symbolicLink: _ = try site.space.require(["sh", "-c", "mv \(file) \(file)x && ln -s \(file)x \(file)"])
    case .secondName: #expect(link(file, file + "x") == 0)
    case .directory: _ = try site.space.require(["sh", "-c", "rm \(file) && mkdir \(file)"])
    case .openDirectory: #expect(chmod(site.space.directory, 0o722) == 0)
    case .foreignDirectory: #expect(chown(site.space.directory, 1, 1) == 0)
    case .pipe: _ = try site.space.require(["sh", "-c", "rm \(file) && mkfifo -m 600 \(file)"])
    }
    #expect(try site.packets(site.outline()) == 1)
    try site.commit("*filter\n-A INPUT -j DROP\nCOMMIT\n")
    #expect(try site.outline()[.filter, .ipv4]?.ruleCount == 1)
  }

  @Test func noBitOfAFileIsBelievedWhenItIsWrong() throws {
    let site = try Site()
    let file = try site.file
    let bytes = try readFile(file)
    for place in stride(from: 0, to: bytes.count, by: 5) {
      var damaged = bytes
      damaged[place] ^= 1 << (place % 8)
      _ = try site.space.file("x", damaged)
      #expect(chmod(site.space.directory + "/x", 0o600) == 0)
      #expect(rename(site.space.directory + "/x", file) == 0)
      let read = try site.outline()
      #expect(try read.sameRules(as: site.snapshot()), "byte \(place)")
    }
  }

  private static let fillers = (1...40).map { "-A INPUT -s 203.0.113.\($0)/32 -j DROP\n" }.joined()

  /// A rule more costs its own bytes and no others, and what is behind the rest is believed as little when it is wrong.
  @Test func whatACommitChangedStandsBehindTheRest() throws {
    let site = try Site()
    try site.commit(Self.counted.replacing("COMMIT", with: Self.fillers + "COMMIT"))
    let file = try site.file
    let whole = try readFile(file)
    try site.commit(Self.counted.replacing("COMMIT", with: Self.fillers + "-A web -j DROP\nCOMMIT"))
    let bytes = try readFile(file)
    #expect(bytes.starts(with: whole) && bytes.count < whole.count + 600)
    #expect(try site.packets(site.outline()) == 0, "nothing was read")
    #expect(try site.outline().sameRules(as: site.snapshot()))
    for place in stride(from: whole.count, to: bytes.count, by: 3) {
      var damaged = bytes
      damaged[place] ^= 1 << (place % 8)
      for text in [damaged, Array(bytes[..<place])] {
        _ = try site.space.file("x", text)
        #expect(chmod(site.space.directory + "/x", 0o600) == 0)
        #expect(rename(site.space.directory + "/x", file) == 0)
        let read = try site.outline()
        #expect(try read.sameRules(as: site.snapshot()), "byte \(place)")
      }
    }
  }

  /// Small changes, one after the other: rules that come, go and are replaced, alone and in many places, and chains.
  @Test(arguments: 0..<3) func changesAddUp(_ seed: UInt64) throws {
    let space = try TestNamespace()
    var dice = SeededDice(seed)
    var next = 1000
    func rule() -> String {
      next += 1
      // Of several sizes.
      return dice.roll(2) == 0
        ? "-s 10.0.\(next >> 8).\(next & 255)/32 -j DROP" : "-p tcp -m tcp --dport \(next) -j ACCEPT"
    }
    var chain = (0..<150).map { _ in rule() }
    var hasOther = false
    var kept = 0
    var inode: UInt = 0
    for _ in 0..<40 {
      for _ in 0..<[1, 2, 12][dice.roll(3)] {
        let place = dice.roll(chain.count)
        switch dice.roll(4) {
        case 0: chain.insert(rule(), at: place)
        case 1: chain.remove(at: place)
        case 2: chain[place] = rule()
        default: chain.append(rule())
        }
      }
      if dice.roll(5) == 0 { hasOther.toggle() }
      let text =
        "*filter\n" + (hasOther ? ":other -\n-A other -s 192.0.2.1/32 -j DROP\n" : "")
        + chain.map { "-A INPUT \($0)\n" }.joined() + "COMMIT\n"
      try expectRemembered(rules(text), in: space)
      let files = try space.require(["sh", "-c", "stat -c %i \(space.directory)/nf_tables-*"]).stdout
      let now = try #require(UInt(files.split(separator: "\n").first ?? ""))
      if now == inode { kept += 1 }
      inode = now
    }
    #expect(kept > 15, "most commits leave the file where it is")
  }

  /// A table that changes its form takes along what it has counted, not what is remembered.
  @Test func tablesThatChangeTheirFormCountOn() throws {
    let site = try Site()
    func commit(_ form: NFTablesBackend.Form) throws {
      try site.space.enter {
        let backend = NFTablesBackend(
          form: form, smallestMap: 1, remembering: site.space.directory, leastRules: 0)
        let wanted = try backend.outline(of: .all).ruleset
        _ = try RuleStore(backend).commit(wanted)
      }
    }
    #expect(try site.packets(site.outline()) == 0)
    for (form, table, count) in [(NFTablesBackend.Form.compiled, "firebreak", 1), (.linear, "filter", 2)] {
      try commit(form)
      #expect(try site.space.require(["nft", "list", "tables"]).stdout == "table ip \(table)\n")
      #expect(try site.packets(site.snapshot()) == UInt64(count))
      try site.space.require(["ping", "-c", "1", "-W", "2", "127.0.0.1"])
      #expect(try site.packets(site.outline()) == UInt64(count))
      #expect(try site.packets(site.snapshot()) == UInt64(count + 1))
      #expect(try site.outline().sameRules(as: rules(Self.counted)))
    }
  }

  @Test func tablesOfBothFormsAreRemembered() throws {
    let space = try TestNamespace()
    func commit(_ text: String, _ form: NFTablesBackend.Form) throws {
      let wanted = rules(text)
      _ = try space.enter {
        try RuleStore(
          NFTablesBackend(form: form, smallestMap: 1, remembering: space.directory, leastRules: 0)
        ).commit(wanted)
      }
    }
    let raw = "*raw\n-A PREROUTING -s 192.0.2.1/32 -j DROP\nCOMMIT\n"
    let filter = { (last: Int) in
      "*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\n-A INPUT -s 192.0.2.\(last)/32 -j DROP\nCOMMIT\n"
    }
    try commit(raw, .linear)
    try commit(filter(2), .linear)
    try commit(filter(2), .compiled)
    try commit(filter(3), .asItIs)
    try commit(raw, .asItIs)
    let read = { (backend: NFTablesBackend) in try space.enter { try backend.outline(of: .all).ruleset } }
    let remembering = NFTablesBackend(remembering: space.directory, leastRules: 0)
    #expect(try read(remembering).sameRules(as: rules(raw + filter(3))))
    try commit(filter(4), .linear)
    #expect(try read(remembering).sameRules(as: rules(raw + filter(4))))
    #expect(try read(NFTablesBackend()).sameRules(as: rules(raw + filter(4))))
  }

  @Test func anotherNamespaceIsAnotherKernel() throws {
    let site = try Site()
    // Sixteen more, so that some have the same file.
    for number in 0..<16 {
      let other = try TestNamespace()
      try other.require(
        ["iptables-nft-restore"],
        input: "*filter\n:INPUT ACCEPT\n:web -\n-A INPUT -j web\n-A web -s 198.51.100.\(number) -j DROP\nCOMMIT\n")
      let file = try readFile(try site.file)
      for slot in 0..<4 {
        let path = try other.file("nf_tables-\(slot).rules", file)
        #expect(chmod(path, 0o600) == 0)
      }
      let backend = NFTablesBackend(remembering: other.directory, leastRules: 0)
      let read = try other.enter { try backend.outline(of: .all).ruleset }
      #expect(read[.filter, .ipv4]?.ruleCount == 2)
    }
  }

  @Test func rulesThatGoOrMoveHaveTheirPresentCounters() throws {
    let site = try Site()
    let fillers = (1...20).map { "-A INPUT -s 203.0.113.\($0)/32 -j DROP\n" }.joined()
    let first = "-A INPUT -i lo -p icmp -m icmp --icmp-type 8 -m comment --comment counted -j RETURN\n"
    try site.commit("*filter\n\(first)\(fillers)COMMIT\n")
    try site.space.require(["ping", "-c", "2", "-i", "0.2", "-W", "2", "127.0.0.1"])
    try site.commit("*filter\n\(fillers)\(first)COMMIT\n")
    let moved = try #require(site.snapshot()[.filter, .ipv4]?[.input]?.rules.last)
    #expect(moved.counters.packets == 3, "a rule that moves counts on")
    try site.space.require(["ping", "-c", "1", "-W", "2", "127.0.0.1"])
    let wanted = rules("*filter\n\(fillers)COMMIT\n")
    var noted: Table?
    _ = try site.space.enter { try RuleStore(site.backend).commit(wanted) { _, plan in noted = plan.steps[0].before } }
    #expect(noted?[.input]?.rules.last?.counters.packets == 4, "what is written down of a rule that goes")
  }

  /// One commit after the other without reading: each names rules by handles that were never read.
  @Test(arguments: 0..<4, [NFTablesBackend.Form.linear, .compiled])
  func handlesStayRight(_ seed: UInt64, _ form: NFTablesBackend.Form) throws {
    let space = try TestNamespace()
    var dice = SeededDice(seed)
    for _ in 0..<30 {
      var text = "*filter\n:one - [0:0]\n"
      for chain in ["INPUT", "one", "FORWARD"] {
        for _ in 0..<dice.roll(18) { text += "-A \(chain) -s 192.0.2.\(dice.roll(12))/32 -j DROP\n" }
      }
      text += "COMMIT\n"
      try expectRemembered(rules(text), in: space, form)
    }
  }

  /// What both families say alike stands in one table, where a policy is no policy of the kernel's.
  @Test(arguments: 0..<3) func whatFamiliesShareIsRemembered(_ seed: UInt64) throws {
    let space = try TestNamespace()
    var dice = SeededDice(seed)
    for _ in 0..<20 {
      let both = (0..<dice.roll(9)).map { _ in "-A INPUT -p tcp -m tcp --dport \(dice.roll(20) + 1) -j ACCEPT\n" }
        .joined()
      var wanted = Ruleset()
      for (family, peer) in [(Family.ipv4, "192.0.2."), (.ipv6, "2001:db8::")] {
        let policy = dice.roll(2) == 0 ? "DROP" : "ACCEPT"
        let own = (0..<dice.roll(6)).map { _ in "-A FORWARD -s \(peer)\(dice.roll(9)) -j DROP\n" }.joined()
        let text = "*filter\n:INPUT \(policy)\n\(both)\(own)COMMIT\n"
        for table in RulesText.read(text, family: family).ruleset.tables { wanted[table.id] = table }
      }
      let form: NFTablesBackend.Form = dice.roll(3) == 0 ? .asItIs : .compiled
      try expectRemembered(wanted, in: space, form)
      let again = NFTablesBackend(form: form, smallestMap: 1, remembering: space.directory, leastRules: 0)
      let outcome = try space.enter { try RuleStore(again).commit(wanted) }
      #expect(outcome.plan.isEmpty)
    }
  }

  /// The same rules again are compared with what is remembered, and nothing is read for them.
  @Test func theSameCompiledRulesAreNotReadAgain() throws {
    let site = try Site()
    var wanted = rules(Self.counted)
    for table in RulesText.read("*filter\n:web -\n-A web -p tcp -m tcp --dport 80 -j ACCEPT\nCOMMIT\n", family: .ipv6)
      .ruleset.tables
    {
      wanted[table.id] = table
    }
    func commit() throws -> Plan {
      try site.space.enter {
        let backend = NFTablesBackend(
          form: .compiled, smallestMap: 1, remembering: site.space.directory, leastRules: 0)
        return try RuleStore(backend).commit(wanted).plan
      }
    }
    #expect(try !commit().isEmpty)
    let count = try site.packets(site.outline())
    try site.space.require(["ping", "-c", "1", "-W", "2", "127.0.0.1"])
    #expect(try commit().isEmpty)
    #expect(try site.packets(site.outline()) == count)
    #expect(try site.packets(site.snapshot()) == count + 1)
  }

  /// What is remembered after a commit is what the kernel says of it.
  @Test(
    .enabled(if: !Corpus.entries.isEmpty, "there is no corpus"), arguments: [NFTablesBackend.Form.linear, .compiled])
  func rulesOfTheCorpusAreRememberedAsTheyAreRead(_ form: NFTablesBackend.Form) throws {
    let space = try TestNamespace()
    var names = Names.wellKnown
    names.sets = .empty
    var checked = 0
    for entry in Corpus.entries where entry.isAcceptedByNFT && !entry.extensions.contains("set") {
      let text = String(decoding: try readFile(entry.path), as: UTF8.self)
      let reading = RulesText.read(text, family: entry.isIPv6 ? .ipv6 : .ipv4, names: names)
      guard !reading.hasErrors else { continue }
      let backend = NFTablesBackend(form: form, smallestMap: 2, remembering: space.directory, leastRules: 0)
      let (known, read) = try space.enter {
        _ = try RuleStore(backend).commit(reading.ruleset)
        return (try backend.outline(of: .all), try NFTablesBackend().snapshot(of: .all))
      }
      checked += known.ruleset.tables.reduce(0) { $0 + $1.ruleCount }
      #expect(known.ruleset.sameRules(as: read.ruleset), "\(entry)")
      try expectPlaces(of: read.ruleset, backend, in: space)
    }
    #expect(checked > 1000)
  }

  /// What is remembered of a commit is what the kernel holds.
  private func expectRemembered(
    _ wanted: Ruleset, in space: TestNamespace, _ form: NFTablesBackend.Form = .asItIs
  ) throws {
    let backend = NFTablesBackend(form: form, smallestMap: 1, remembering: space.directory, leastRules: 0)
    let (known, read) = try space.enter {
      _ = try RuleStore(backend).commit(wanted)
      return (try backend.outline(of: .all), try NFTablesBackend().snapshot(of: .all))
    }
    #expect(known.stamp == read.stamp)
    #expect(known.ruleset.sameRules(as: read.ruleset))
    #expect(read.ruleset.sameRules(as: wanted))
    try expectPlaces(of: read.ruleset, backend, in: space)
  }

  /// Where rules are remembered to be they are in the kernel.
  private func expectPlaces(of ruleset: Ruleset, _ backend: NFTablesBackend, in space: TestNamespace) throws {
    for id in ruleset.tables.map(\.id) {
      let (known, read) = try space.enter { (try backend.places(of: id), try NFTablesBackend().places(of: id)) }
      #expect(known == read, "\(id)")
    }
  }
}

extension Ruleset {
  fileprivate func sameRules(as other: Ruleset) -> Bool {
    tables.count == other.tables.count
      && tables.allSatisfy { table in
        guard let twin = other[table.name, table.family], twin.chains.count == table.chains.count else { return false }
        return table.chains.allSatisfy { chain in
          twin[chain.name].map { $0.rules.sameRules(as: chain.rules) && $0.policy == chain.policy } ?? false
        }
      }
  }
}

extension String {
  fileprivate func replacing(_ word: String, with other: String) -> String {
    guard let start = indices.first(where: { self[$0...].hasPrefix(word) }) else { return self }
    return self[..<start] + other + self[start...].dropFirst(word.count)
  }
}

/// The same numbers for the same seed.
struct SeededDice {
  private var state: UInt64
  init(_ seed: UInt64) { state = (seed &+ 1) &* 0x9e37_79b9_7f4a_7c15 | 1 }
  mutating func roll(_ sides: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % sides
  }
}
