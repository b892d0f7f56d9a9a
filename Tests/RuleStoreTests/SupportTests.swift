import KernelTestSupport
import Testing

/// The support itself: a namespace is there while it is used, and gone afterwards.
@Suite(.requires(.root))
struct SupportTests {
  @Test func aNamespaceComesAndGoes() throws {
    var name = ""
    do {
      let space = try TestNamespace()
      name = space.name
      #expect(try runProcess(["ip", "netns", "list"]).stdout.contains(name))
      #expect(try space.run(["ip", "-o", "link", "show", "up"]).stdout.contains("lo:"))
      #expect(try space.enter { 7 } == 7)
    }
    #expect(try !runProcess(["ip", "netns", "list"]).stdout.contains(name))
  }

  @Test(.requires(.legacyTables)) func legacyTablesAreHere() throws {
    let space = try TestNamespace()
    #expect(try space.firebreak(["list"]).status == 0)
  }

  @Test func aProcessIsRead() throws {
    let result = try runProcess(["sh", "-c", "cat; echo two >&2; exit 3"], input: "one\n")
    #expect(result.stdout == "one\n")
    #expect(result.stderr == "two\n")
    #expect(result.status == 3)
  }

  @Test func aProcessThatHangsIsEnded() {
    #expect(throws: ProcessFailure.self) { try runProcess(["sleep", "100"], timeout: 0.1) }
  }
}
