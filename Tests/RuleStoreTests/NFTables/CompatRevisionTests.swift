import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Synchronization
import Testing

/// A kernel whose nf_tables carries earlier revisions of extensions only gets those, or the rule is refused by name. The
/// kernel of the tests has all revisions that are written here, so what it says about them is put in its mouth.
@Suite(.requires(.nfTables, .tool("nft"), .tool("iptables-nft-save")))
struct CompatRevisionTests {
  private static let text = """
    *filter
    -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    -A INPUT -p tcp -m tcp --dport 22 -m hashlimit --hashlimit-upto 5/sec --hashlimit-name fbr -j ACCEPT
    -A INPUT -j NFQUEUE --queue-balance 1:3
    COMMIT

    """

  /// What nf_tables itself holds, by its program's own words: `match name conntrack rev 3`.
  private static func revisions(_ space: TestNamespace) throws -> Set<String> {
    let listing = try space.require(["nft", "--debug=netlink", "list", "ruleset"])
    let words = (listing.stdout + listing.stderr).split { $0 == " " || $0 == "\n" || $0 == "]" }
    return Set(
      words.indices.dropLast(3).filter { words[$0] == "name" && words[$0 + 2] == "rev" }
        .map { "\(words[$0 + 1]) \(words[$0 + 3])" })
  }

  private static func backend(_ newest: [String: UInt8]) -> NFTablesBackend {
    NFTablesBackend(hasRevision: { revision, name, _, _ in revision <= newest[name, default: 255] })
  }

  @Test func rulesAreWrittenInEarlierRevisions() throws {
    let space = try TestNamespace()
    let store = RuleStore(Self.backend(["conntrack": 1, "hashlimit": 1, "NFQUEUE": 2]))
    let wanted = RulesText.read(Self.text, family: .ipv4).ruleset
    // iptables-nft prints earlier structures of hashlimit as if they were new ones, so it is not asked here.
    try space.enter {
      _ = try store.commit(wanted)
      let written = try Self.revisions(space)
      #expect(written == ["conntrack 1", "hashlimit 1", "NFQUEUE 2"])
      let live = try store.backend.snapshot(of: .all).ruleset
      #expect(live.sameRules(as: wanted))
      #expect(try store.commit(wanted).plan.isEmpty, "what the kernel holds says the same")
    }
  }

  /// In front of a map too, and in what does not stand in one.
  @Test func compiledTablesAreWrittenInEarlierRevisions() throws {
    let space = try TestNamespace()
    let newest: [String: UInt8] = ["conntrack": 1, "hashlimit": 1]
    func store(_ form: NFTablesBackend.Form) -> RuleStore {
      RuleStore(
        NFTablesBackend(
          form: form, hasRevision: { revision, name, _, _ in revision <= newest[name, default: 255] }))
    }
    let hosts = { (numbers: ClosedRange<Int>) in
      numbers.map { "-A INPUT -s 192.0.2.\($0)/32 -m conntrack --ctstate NEW -j ACCEPT\n" }.joined()
    }
    let limit = "-A INPUT -p tcp -m tcp --dport 22 -m hashlimit --hashlimit-upto 5/sec --hashlimit-name fbc -j ACCEPT\n"
    try space.enter {
      let compiled = store(.compiled)
      for numbers in [1...20, 1...21] {
        let wanted = RulesText.read("*filter\n\(hosts(numbers))\(limit)COMMIT\n", family: .ipv4).ruleset
        _ = try (numbers.count == 20 ? compiled : store(.asItIs)).commit(wanted)
        #expect(try Self.revisions(space) == ["conntrack 1", "hashlimit 1"])
        #expect(try compiled.backend.snapshot(of: .all).ruleset.sameRules(as: wanted))
        #expect(try compiled.commit(wanted).plan.isEmpty)
      }
      // The rule that came is an element of the map that was there.
      #expect(
        try space.require(["nft", "list", "maps"]).stdout.split(separator: "\n").count { $0.contains("map ") } == 1)
    }
  }

  @Test func whatCannotBeSaidIsRefusedByName() throws {
    let space = try TestNamespace()
    let store = RuleStore(Self.backend(["NFQUEUE": 2]))
    let text = "*filter\n-A FORWARD -j ACCEPT\n-A FORWARD -j NFQUEUE --queue-balance 1:3 --queue-cpu-fanout\nCOMMIT\n"
    try space.enter {
      let error = #expect(throws: BackendError.self) {
        _ = try store.commit(RulesText.read(text, family: .ipv4).ruleset)
      }
      #expect(error?.kind == .unsupported)
      #expect(error?.message.contains("'NFQUEUE' in revision 2 at most") == true, "\(error?.message ?? "")")
      #expect(error?.message.contains("needs revision 3") == true)
      #expect(error?.culprit?.ruleNumber == 2 && error?.culprit?.position?.line == 3)
      let existing = try store.backend.snapshot(of: .all).existing
      #expect(existing.isEmpty, "nothing was made")
    }
  }

  /// Once about each extension that has earlier revisions.
  @Test func theKernelIsAskedOnce() throws {
    let space = try TestNamespace()
    final class Questions: Sendable { let asked = Mutex<[String]>([]) }
    let questions = Questions()
    let store = RuleStore(
      NFTablesBackend(hasRevision: { revision, name, isTarget, family in
        questions.asked.withLock { $0.append("\(name) \(revision) \(isTarget) \(family)") }
        return true
      }))
    let rule = "-A INPUT -p tcp -m multiport --dports 1,2 -m conntrack --ctstate NEW -m mark --mark 1 -j ACCEPT\n"
    try space.enter {
      _ = try store.commit(RulesText.read("*filter\n\(rule)\(rule)COMMIT\n", family: .ipv4).ruleset)
      _ = try store.commit(RulesText.read("*filter\n\(rule)COMMIT\n", family: .ipv4).ruleset)
    }
    #expect(questions.asked.withLock { $0 } == ["conntrack 3 false IPv4"])
  }

  /// The running kernel itself answers.
  @Test func theRunningKernelAnswers() throws {
    let space = try TestNamespace()
    let backend = NFTablesBackend()
    try space.enter {
      for family in Family.allCases {
        #expect(backend.hasRevision(3, of: "conntrack", isTarget: false, family) == true)
        #expect(backend.hasRevision(99, of: "conntrack", isTarget: false, family) == false)
        #expect(backend.hasRevision(3, of: "NFQUEUE", isTarget: true, family) == true)
        #expect(backend.hasRevision(9, of: "NFQUEUE", isTarget: true, family) == false)
        #expect(backend.hasRevision(0, of: "nosuchmatch", isTarget: false, family) == nil)
      }
      _ = try RuleStore(backend).commit(RulesText.read(Self.text, family: .ipv4).ruleset)
    }
    #expect(try Self.revisions(space) == ["conntrack 3", "hashlimit 3", "NFQUEUE 3"])
  }
}
