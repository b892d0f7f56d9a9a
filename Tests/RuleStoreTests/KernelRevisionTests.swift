import KernelTestSupport
import Netfilter
import RuleStore
import Synchronization
import Testing
import XTablesStore

/// A kernel that lacks the newest revisions gets earlier ones, or the rule is refused by name. The kernel of the tests has
/// all revisions that are written here, so what it says about them is put in its mouth.
@Suite(.requires(.legacyTables, .tool("iptables-legacy-save")))
struct KernelRevisionTests {
  /// Answers as if extensions had been newer than `newest` never.
  private final class OlderKernel: Sendable {
    let questions = Mutex<[String]>([])
    let newest: [String: UInt8]

    init(_ newest: [String: UInt8]) { self.newest = newest }

    func backend(_ space: TestNamespace, bulk: Bool = false) -> XTablesBackend {
      XTablesBackend(lockPath: space.lockPath, bulkThreshold: bulk ? 0 : .max) { revision, name, isTarget, family in
        self.questions.withLock { $0.append("\(name) \(revision) \(isTarget) \(family)") }
        return revision <= self.newest[name, default: 255]
      }
    }
  }

  private static let text = """
    *filter
    -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    -A INPUT -p tcp -m tcp --dport 22 -m hashlimit --hashlimit-upto 5/sec --hashlimit-name fbr -j ACCEPT
    -A INPUT -m state --state NEW -m hashlimit --hashlimit-upto 7/min --hashlimit-name fbs -j NFQUEUE --queue-num 3
    -A INPUT -j NFQUEUE --queue-balance 1:3
    COMMIT

    """

  private static let older: [String: UInt8] = ["conntrack": 1, "hashlimit": 1, "NFQUEUE": 2]

  /// Every revision above 0 in the kernel's INPUT chain.
  private static func revisions(_ snapshot: Snapshot) throws -> Set<String> {
    let rules = try #require(snapshot.ruleset[.filter, .ipv4]?[.input]?.rules)
    var found: Set<String> = []
    rules.forEachRevised { _, name in found.insert("\(name.name ?? "?") \(name.revision)") }
    return found
  }

  @Test(arguments: [false, true])
  func rulesAreWrittenInEarlierRevisions(_ bulk: Bool) throws {
    let space = try TestNamespace()
    let kernel = OlderKernel(Self.older)
    let store = RuleStore(kernel.backend(space, bulk: bulk))
    try space.enter {
      let wanted = RulesText.read(Self.text, family: .ipv4).ruleset
      _ = try store.commit(wanted)
      let after = try store.backend.snapshot(of: .all)
      #expect(try Self.revisions(after) == ["conntrack 1", "hashlimit 1", "NFQUEUE 2"])
      let held = try #require(after.ruleset[.filter, .ipv4]?[.input]?.rules)
      let original = try #require(wanted[.filter, .ipv4]?[.input]?.rules)
      #expect(
        held.map { SaveText.rule($0, family: .ipv4) } == original.map { SaveText.rule($0, family: .ipv4) })
      #expect(try store.commit(wanted).plan.isEmpty, "what the kernel holds says the same")
      #expect(held[1] == original[1], "read as the value that the newest revision has")
    }
  }

  /// The way back is in forms that the kernel takes too.
  @Test func aRollbackIsFitted() throws {
    let space = try TestNamespace()
    try space.enter {
      let newest = RuleStore(XTablesBackend(lockPath: space.lockPath, bulkThreshold: .max))
      _ = try newest.commit(RulesText.read(Self.text, family: .ipv4).ruleset)
      let before = try newest.backend.snapshot(of: .all)
      _ = try newest.commit(RulesText.read("*filter\nCOMMIT\n", family: .ipv4).ruleset)
      let store = RuleStore(OlderKernel(Self.older).backend(space))
      _ = try store.commit(before.ruleset)
      let after = try store.backend.snapshot(of: .all)
      #expect(try Self.revisions(after) == ["conntrack 1", "hashlimit 1", "NFQUEUE 2"])
    }
  }

  @Test func whatCannotBeSaidIsRefusedByName() throws {
    let space = try TestNamespace()
    let store = RuleStore(OlderKernel(["hashlimit": 2, "NFQUEUE": 2]).backend(space))
    let text = """
      *filter
      -A INPUT -m hashlimit --hashlimit-upto 5/sec --hashlimit-name fbr -j ACCEPT
      -A FORWARD -j ACCEPT
      -A FORWARD -j NFQUEUE --queue-balance 1:3 --queue-cpu-fanout
      COMMIT

      """
    try space.enter {
      let error = #expect(throws: BackendError.self) {
        _ = try store.commit(RulesText.read(text, family: .ipv4).ruleset)
      }
      #expect(error?.kind == .unsupported)
      #expect(error?.message.contains("'NFQUEUE' in revision 2 at most") == true)
      #expect(error?.message.contains("needs revision 3") == true)
      #expect(error?.culprit?.chain == .forward && error?.culprit?.ruleNumber == 2)
      #expect(error?.culprit?.position?.line == 4)
      #expect(error?.culprit?.text == "-A FORWARD -j NFQUEUE --queue-balance 1:3 --queue-cpu-fanout")
      let existing = try store.backend.snapshot(of: .all).existing
      #expect(existing.isEmpty, "nothing was made")
      #expect(throws: BackendError.self) { _ = try store.check(RulesText.read(text, family: .ipv4).ruleset) }
    }
  }

  /// Once about each extension that has earlier revisions, and only where it is written.
  @Test func theKernelIsAskedOnce() throws {
    let space = try TestNamespace()
    let kernel = OlderKernel([:])
    let store = RuleStore(kernel.backend(space))
    let text = """
      *filter
      -A INPUT -p tcp -m multiport --dports 1,2 -m conntrack --ctstate NEW -m mark --mark 1 -j ACCEPT
      -A INPUT -m conntrack --ctstate ESTABLISHED -j MARK --set-mark 1
      COMMIT

      """
    try space.enter {
      _ = try store.commit(RulesText.read(text, family: .ipv4).ruleset)
      _ = try store.commit(RulesText.read(text + text.replacing("NEW", "RELATED"), family: .ipv4).ruleset)
      _ = try store.commit(RulesText.read("*filter\nCOMMIT\n", family: .ipv4).ruleset)
    }
    #expect(kernel.questions.withLock { $0 } == ["conntrack 3 false IPv4"])
  }

  /// The running kernel itself answers, and has everything that is written.
  @Test func theRunningKernelTakesTheNewest() throws {
    let space = try TestNamespace()
    let store = RuleStore(XTablesBackend(lockPath: space.lockPath, bulkThreshold: .max))
    try space.enter {
      _ = try store.commit(RulesText.read(Self.text, family: .ipv4).ruleset)
      let after = try store.backend.snapshot(of: .all)
      #expect(try Self.revisions(after) == ["conntrack 3", "hashlimit 3", "NFQUEUE 3"])
    }
  }
}

extension String {
  fileprivate func replacing(_ old: String, _ new: String) -> String {
    split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
  }
}
