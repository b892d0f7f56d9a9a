import CommitEngine
import Glibc
import KernelTestSupport
import Netfilter
import RuleStore
import Testing

/// A record that a commit left behind before the machine was started anew speaks of tables that are gone.
@Suite(.requires(.root)) struct RebootTests {
  @Test(arguments: [true, false])
  func aRecordOfAnotherStartIsForgotten(_ isOfThisStart: Bool) throws {
    let folder = "/tmp/fbt-reboot-\(getpid())-\(isOfThisStart)"
    defer { for name in ["/commit.pending", "/commit.last", "/lock", ""] { remove(folder + name) } }
    let state = try StateDirectory(folder)
    let before = RulesText.read("*filter\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n").ruleset
    let after = RulesText.read("*filter\n-A INPUT -s 192.0.2.2 -j DROP\nCOMMIT\n").ruleset
    let old = MemoryBackend(before)
    let plan = Plan(from: try old.snapshot(of: .all), to: after)
    let record = CommitRecord(
      plan: plan, time: 0, message: "", backend: old.capabilities.name, boot: isOfThisStart ? BootID.current : "another"
    )
    let file = try #require(fopen(folder + "/commit.pending", "w"))
    fwrite(record.encoded, 1, record.encoded.count, file)
    fclose(file)

    let engine = CommitEngine(store: RuleStore(MemoryBackend(after)), state: state)
    #expect(try engine.recoverInterrupted() == (isOfThisStart ? .completed : nil))
    #expect(access(folder + "/commit.pending", F_OK) != 0)
    #expect((access(folder + "/commit.last", F_OK) == 0) == isOfThisStart)
  }
}
