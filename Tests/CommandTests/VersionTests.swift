import Firebreak
import KernelTestSupport
import Testing

@Suite struct VersionTests {
  @Test func theCommandSaysItsVersion() throws {
    #expect(try runProcess([Built.firebreak, "--version"]).stdout == "firebreak \(firebreakVersion)\n")
  }
}
