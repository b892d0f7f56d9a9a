import Fuzzing
import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// What a restore leaves alone, refuses and notices.
@Suite(.requires(.nfTables, .tool("nft")))
struct SnapshotRefusalTests {
  static let ruleset = """
    table inet one {
      set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.1 } }
      chain c { type filter hook input priority 0; ip saddr @s counter packets 5 bytes 6 drop; tcp dport { 1, 2 } accept; }
    }
    table ip two { counter n { packets 3 bytes 4; }
      chain c { counter name "n"; counter; }
    }

    """

  @Test func otherTablesStayUnlessAsked() throws {
    let site = try SnapshotSite()
    try site.nft(Self.ruleset)
    let before = try site.listing()
    let image = try site.read()
    try site.nft("add table inet stranger\nadd table ip6 other\ndelete table ip two")
    let report = try site.restore(image)
    #expect(report.replaced == [site.table(.inet, "one")])
    #expect(report.created == [site.table(.ip, "two")])
    #expect(report.removed.isEmpty)
    #expect(try site.listing(["tables"]).split(separator: "\n").count == 4)
    var options = RestoreOptions()
    options.isExclusive = true
    options.selection = ImageSelection(tables: [site.table(.inet, "stranger")])
    #expect(try site.restore(image, options).removed == [site.table(.inet, "stranger")])
    #expect(try site.listing(["tables"]).split(separator: "\n").count == 3)
    options.selection = .all
    #expect(try site.restore(image, options).removed == [site.table(.ip6, "other")])
    #expect(try site.listing() == before)
  }

  @Test func oneTableOrFamilyAlone() throws {
    let site = try SnapshotSite()
    try site.nft(Self.ruleset)
    let before = try site.listing(["table", "ip", "two"])
    let one = try site.read(ImageSelection(tables: [site.table(.ip, "two")]))
    #expect(one.tables.map(\.id) == [site.table(.ip, "two")])
    #expect(try site.read(ImageSelection(families: [.inet])).tables.map(\.id) == [site.table(.inet, "one")])
    try site.nft("flush ruleset")
    try site.restore(one)
    #expect(try site.listing() == before)
    let error = #expect(throws: BackendError.self) {
      try site.read(ImageSelection(tables: [site.table(.bridge, "none")]))
    }
    #expect(error?.message == "there is no nf_tables table bridge none")
  }

  @Test func aTrialChangesNothing() throws {
    let site = try SnapshotSite()
    try site.nft(Self.ruleset)
    let image = try site.read()
    try site.nft("flush ruleset\nadd table ip only")
    let before = try site.listing()
    var options = RestoreOptions()
    options.isTrial = true
    options.isExclusive = true
    #expect(try site.restore(image, options).created.count == 2)
    #expect(try site.listing() == before)
  }

  /// The very last message is one that no kernel takes.
  @Test func aRefusedRestoreChangesNothing() throws {
    let site = try SnapshotSite()
    try site.nft(Self.ruleset)
    let bytes = try site.read().encoded.renamingLast("counter", "kounter")
    let image = try RulesetImage(bytes: bytes)
    try site.nft("delete table ip two\nadd rule inet one c accept\nadd table ip6 more")
    let before = try site.listing()
    let handles = try site.namespace.require(["nft", "-a", "list", "ruleset"]).stdout
    let error = #expect(throws: BackendError.self) { try site.restore(image) }
    #expect(error?.message.hasPrefix("the kernel refused rule 2 of chain c of table ip two: ") == true, "\(error!)")
    #expect(try site.listing() == before)
    #expect(try site.namespace.require(["nft", "-a", "list", "ruleset"]).stdout == handles)
  }

  /// Newer kernels take a chain of a device that is not there; for others it is named.
  @Test func aDeviceThatIsGone() throws {
    let site = try SnapshotSite()
    try site.nft(
      "table netdev d { chain c { type filter hook ingress device \"v0\" priority 0; ip saddr 1.2.3.4 drop; }\n}\n")
    let image = try site.read()
    try site.nft("flush ruleset")
    try site.namespace.require(["ip", "link", "delete", "v0"])
    do {
      try site.restore(image)
      #expect(try site.read().tables == image.tables)
      #expect(image.tables[0].chains[0].base?.devices == [ObjectName("v0")])
    } catch let error as BackendError {
      #expect(error.message.contains("chain c of table netdev d"))
      #expect(error.hint == "does the device that it names exist?")
      #expect(try site.listing().isEmpty)
    }
  }

  // MARK: Other writers

  @Test func aGenerationThatHasPassedIsRefused() throws {
    let site = try SnapshotSite()
    try site.nft(Self.ruleset)
    let image = try site.read()
    var options = RestoreOptions()
    options.expecting = image.generation
    try site.nft("add table ip6 new")
    let before = try site.listing()
    let error = #expect(throws: BackendError.self) { try site.restore(image, options) }
    #expect(error?.kind == .stale)
    #expect(try site.listing() == before)
    options.expecting = try site.read().generation
    try site.restore(image, options)
  }

  /// Somebody turns the rules over all the time: every reading is one of the two states, and every restore comes through.
  @Test func aBusyWriterIsNeverSeenHalfWay() throws {
    let site = try SnapshotSite()
    try site.nft("add table ip t\nadd chain ip t a\nadd chain ip t b\nadd table ip keep\nadd chain ip keep c")
    let kept = try site.read(ImageSelection(tables: [site.table(.ip, "keep")]))
    let one = try site.namespace.file("one", "flush table ip t\nadd rule ip t a accept\nadd rule ip t b accept\n")
    let two = try site.namespace.file(
      "two", "flush table ip t\n" + String(repeating: "add rule ip t a drop\nadd rule ip t b drop\n", count: 200))
    let stop = site.namespace.directory + "/stop"
    let script = """
      ( i=0; while [ $i -lt 3000 ] && [ ! -e \(stop) ]; do nft -f \(one); nft -f \(two); i=$((i+1)); done
        echo $i >\(stop).count ) >/dev/null 2>&1 </dev/null &
      """
    try site.namespace.require(["sh", "-c", script])
    defer { close(open(stop, O_CREAT | O_WRONLY, 0o600)) }
    var seen: Set<Int> = []
    let deadline = ContinuousClock.now + .seconds(20)
    var rounds = 0
    while rounds < 60 || seen.count < 2, ContinuousClock.now < deadline {
      rounds += 1
      let chains = try #require(try site.read()[site.table(.ip, "t")]).chains
      #expect(chains[0].rules.count == chains[1].rules.count)
      seen.insert(chains[0].rules.count)
      try site.restore(kept)
    }
    #expect(seen.isSubset(of: [0, 1, 200]) && seen.count > 1, "\(seen) in \(rounds) rounds")
  }

  @Test func theOwnerOfATableIsNamed() throws {
    let site = try SnapshotSite()
    try site.nft("table inet own { chain c { counter; }\n}\n")
    let image = try site.read()
    try site.nft("delete table inet own")
    let script = """
      { { echo 'add table inet own { flags owner; }'; exec sleep 60; } | nft -i; } >/dev/null 2>&1 </dev/null &
      """
    try site.namespace.require(["sh", "-c", script])
    let id = site.table(.inet, "own")
    var owned: [(id: RulesetImage.ID, owner: TableOwner)] = []
    for _ in 0..<500 where owned.isEmpty {
      usleep(10_000)
      owned = try site.namespace.enter { try RulesetImage.read().owned }
    }
    let owner = try #require(owned.first)
    let process = try #require(owner.owner.process)
    defer { kill(process.id, SIGKILL) }
    #expect(owner.id == id)
    #expect(process.name == "nft")
    let reading = #expect(throws: BackendError.self) { try site.read(ImageSelection(tables: [id])) }
    let restoring = #expect(throws: BackendError.self) { try site.restore(image) }
    for error in [reading, restoring] {
      #expect(error?.message.contains("belongs to process \(process.id) (nft)") == true, "\(error!)")
    }
    var options = RestoreOptions()
    options.isExclusive = true
    let others = RulesetImage(generation: 0)
    #expect(try site.restore(others, options).left == [id])
  }
}

/// Bytes that are no snapshot, or no longer.
@Suite struct SnapshotBytesTests {
  /// The check value that every description of CRC-64/XZ gives.
  @Test func theChecksumIsTheKnownOne() {
    #expect(Array("123456789".utf8).withUnsafeBytes { CRC64.of($0) } == 0x995d_c9bb_df19_39fa)
  }

  @Test func whatIsNoSnapshotIsSaid() throws {
    let good = RulesetImage(generation: 7).encoded
    #expect(try RulesetImage(bytes: good) == RulesetImage(generation: 7))
    func problem(_ bytes: [UInt8]) -> RulesetImage.Damaged? {
      #expect(throws: RulesetImage.Damaged.self) { try RulesetImage(bytes: bytes) }
    }
    #expect(problem([]) == .otherKind)
    #expect(problem(Array("*filter\nCOMMIT\n".utf8)) == .otherKind)
    var other = good
    other[20] = 2
    #expect(problem(other) == .otherVersion(2))
    other = good
    other.replaceSubrange(16..<20, with: other[16..<20].reversed())
    #expect(problem(other) == .otherByteOrder)
    #expect(problem(good + [0]) == .checksum)
    #expect(problem(Array(good.dropLast())) == .checksum)
  }

  @Test(.requires(.nfTables, .tool("nft"))) func everyDamageIsNoticed() throws {
    let site = try SnapshotSite()
    try site.nft(SnapshotRefusalTests.ruleset)
    let good = try site.read().encoded
    for place in good.indices {
      var bad = good
      bad[place] ^= 1 << (place % 8)
      #expect(throws: RulesetImage.Damaged.self) { try RulesetImage(bytes: bad) }
      #expect(throws: RulesetImage.Damaged.self) { try RulesetImage(bytes: Array(good[..<place])) }
    }
  }

  /// Damage with a checksum that fits: nothing traps, not when it is read, looked into or given to the kernel for trial.
  @Test(.requires(.nfTables, .tool("nft"))) func hostileContentDoesNotTrap() throws {
    let site = try SnapshotSite()
    for row in SnapshotRow.sets + SnapshotRow.objects where row.need == nil {
      try site.nft("flush ruleset\n" + row.text)
      let good = try site.read().encoded
      var dice = Dice(seed: UInt64(good.count))
      var options = RestoreOptions()
      options.isTrial = true
      var tried = 0
      for round in 0..<400 {
        var bad = good
        for _ in 0..<Int.random(in: 1...4, using: &dice) {
          let place = Int.random(in: RulesetImage.bodyOffset..<bad.count, using: &dice)
          bad[place] = [0, 1, 0xff, 0x80, UInt8.random(in: 0...255, using: &dice)].randomElement(using: &dice)!
        }
        guard let image = try? RulesetImage(bytes: bad.resealed()) else { continue }
        tried += 1
        _ = image.tables.map { $0.everySaid }
        // The kernel takes its time over each trial.
        if round % 16 == 0 { do { try site.restore(image, options) } catch is BackendError {} }
      }
      #expect(tried > 10, "\(row.name): \(tried)")
    }
  }
}

extension RulesetImage {
  /// Where the content begins, behind the head with the checksum.
  fileprivate static let bodyOffset = 40
}

extension RulesetImage.Table {
  /// Whatever can be asked of it.
  fileprivate var everySaid: Int {
    var count = isDormant ? 1 : 0
    count += chains.map { ($0.base?.devices.count ?? 0) + $0.rules.map { $0.expressions?.count ?? 0 }.reduce(0, +) }
      .reduce(0, +)
    for set in sets {
      count += set.fieldLengths.count + (set.expressions?.count ?? 0) + Int(set.size ?? 0)
      count += set.elements.map { ($0.key?.count ?? 0) + ($0.data?.count ?? 0) + ($0.expressions?.count ?? 0) }.reduce(
        0, &+)
      count += set.elements.count { $0.chain != nil || $0.object != nil || $0.isIntervalEnd }
    }
    count += objects.map { ($0.data?.bytes.count ?? 0) + $0.typeName.count }.reduce(0, +)
    return count + flowtables.map(\.devices.count).reduce(0, +)
  }
}

extension [UInt8] {
  /// With the checksum of what is there now.
  fileprivate func resealed() -> [UInt8] {
    var result = self
    let sum = withUnsafeBytes { CRC64.of(UnsafeRawBufferPointer(rebasing: $0[RulesetImage.bodyOffset...])) }
    Swift.withUnsafeBytes(of: sum) { result.replaceSubrange(32..<40, with: $0) }
    return result
  }

  /// With another word of the same length in place of the last one of its kind.
  fileprivate func renamingLast(_ old: String, _ new: String) throws -> [UInt8] {
    let word = Array(old.utf8)
    let place = try #require(indices.last { self[$0...].starts(with: word) })
    var result = self
    result.replaceSubrange(place..<place + word.count, with: new.utf8)
    return result.resealed()
  }
}
