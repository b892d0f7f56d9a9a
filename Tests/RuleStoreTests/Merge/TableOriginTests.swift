import KernelTestSupport
import Netfilter
@testable import RuleStore
import Testing

/// Whether a table that somebody changed comes from the one before a commit or the one after it.
@Suite struct TableOriginTests {
  private func table(_ text: String) -> Table { rules("*filter\n\(text)\nCOMMIT\n").tables[0] }

  /// Rows: before, committed, and what somebody made of one of both; which one that was.
  @Test(arguments: [
    ("-A INPUT -s 192.0.2.1", "-A INPUT -s 192.0.2.2", "-A INPUT -s 192.0.2.2\n-A INPUT -s 192.0.2.3", true),
    ("-A INPUT -s 192.0.2.1", "-A INPUT -s 192.0.2.2", "-A INPUT -s 192.0.2.3\n-A INPUT -s 192.0.2.1", false),
    ("", "-A INPUT -s 192.0.2.2", "-A INPUT -s 192.0.2.3", false),
    ("-A INPUT -s 192.0.2.1", "", "-A INPUT -s 192.0.2.3", true),
    ("-A INPUT -s 192.0.2.1", "", "-A INPUT -s 192.0.2.1\n-A INPUT -s 192.0.2.3", false),
    (":INPUT ACCEPT", ":INPUT DROP", ":INPUT DROP\n-A INPUT -s 192.0.2.3", true),
    (":INPUT ACCEPT", ":INPUT DROP", ":INPUT ACCEPT\n-A INPUT -s 192.0.2.3", false),
    ("", ":new - [0:0]", ":new - [0:0]\n-A INPUT -s 192.0.2.3", true),
    (":old - [0:0]", "", ":old - [0:0]\n-A INPUT -s 192.0.2.3", false),
    (
      "-A INPUT -s 192.0.2.1\n-A INPUT -s 192.0.2.2", "-A INPUT -s 192.0.2.2\n-A INPUT -s 192.0.2.1",
      "-A INPUT -s 192.0.2.2\n-A INPUT -s 192.0.2.1\n-A INPUT -s 192.0.2.3", true
    ),
    (
      "-A INPUT -s 192.0.2.1\n-A INPUT -s 192.0.2.2", "-A INPUT -s 192.0.2.2\n-A INPUT -s 192.0.2.1",
      "-A INPUT -s 192.0.2.1\n-A INPUT -s 192.0.2.2\n-A INPUT -s 192.0.2.3", false
    ),
    // Of what a commit put in some was taken out.
    (
      "-A INPUT -s 192.0.2.1",
      "-A INPUT -s 192.0.2.1\n-A INPUT -s 192.0.2.4\n-A INPUT -s 192.0.2.5\n-A INPUT -s 192.0.2.6",
      "-A INPUT -s 192.0.2.4\n-A INPUT -s 192.0.2.6", true
    ),
  ]) func isCommitted(_ before: String, _ committed: String, _ live: String, _ isCommitted: Bool) {
    #expect(
      TableOrigin.isCommitted(table(live), before: table(before), committed: table(committed)) == isCommitted)
  }
}
