import KernelTestSupport
import Testing

/// What stands in the way of a commit to nf_tables is told with what to do about it, and nothing has changed then.
@Suite(.requires(.nfTables, .tool("nft"), .tool("strace"), .tool("iptables-nft-save")))
struct BadKernelTests {
  private static let rule = "*filter\n-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n"

  private func strace(_ space: TestNamespace, _ injection: String, _ words: [String]) throws -> ProcessResult {
    try space.run(
      ["strace", "-qq", "-o", "/dev/null", "-e", "inject=" + injection, Built.firebreak] + words
        + ["--state-dir", space.stateDirectory])
  }

  @Test(arguments: ["EPROTONOSUPPORT", "EAFNOSUPPORT"]) func aKernelWithout(_ error: String) throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    for words in [["apply", file], ["apply", "-n", file], ["save"], ["list"]] {
      let result = try strace(space, "socket:error=\(error)", words + ["--backend", "nft"])
      #expect(result.status == 69 && result.stderr.contains("the kernel has no nf_tables"), "\(result)")
    }
  }

  /// One without nf_tables does it with ip_tables.
  @Test(.requires(.legacyTables, .tool("iptables-legacy-save"))) func theOtherOneIsTaken() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    // The first socket that is opened in a namespace without tables is the one that asks for nf_tables.
    let result = try strace(space, "socket:error=EPROTONOSUPPORT:when=1", ["apply", "-q", file])
    #expect(result.status == 0, "\(result)")
    #expect(try space.require(["iptables-legacy-save"]).stdout.contains("192.0.2.1"))
    #expect(try space.require(["nft", "list", "ruleset"]).stdout == "")
  }

  /// Nobody but its owner may change a table, and everybody may read it.
  @Test func aTableOfAnotherProcess() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    let firebreak = "\(Built.firebreak) --backend nft --state-dir \(space.stateDirectory)"
    let script = """
      (echo 'add table ip filter { flags owner; }'; sleep 3) | nft -i > /dev/null &
      for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do nft list tables | grep -q filter && break; sleep 0.1; done
      nft list ruleset > \(space.directory)/before
      for n in '' -n; do \(firebreak.replacing(" --backend", " apply $n --backend")) \(file) 2>&1; echo "ended $?"; done
      \(firebreak.replacing(" --backend", " save --backend")) > /dev/null; echo "saved $?"
      nft list ruleset | cmp - \(space.directory)/before && echo same
      wait

      """
    let result = try space.require(["sh", "-c", script])
    let said = result.stdout.split(separator: "\n").filter { $0.contains("belongs to process ") }
    #expect(said.count == 2, "\(result)")
    for line in said {
      #expect(
        line.contains("nf_tables table IPv4 filter") && line.contains(" (nft), which alone may change it"), "\(line)")
    }
    #expect(result.stdout.split(separator: "\n").filter { $0 == "ended 1" }.count == 2, "\(result)")
    #expect(result.stdout.hasSuffix("saved 0\nsame\n"), "\(result)")
  }

  /// Root of a container may not have as large a buffer as he likes: what does not fit is refused whole.
  @Test func moreThanFitsIntoASocket() throws {
    let space = try TestNamespace()
    let count = 60_000
    let lines = (0..<count).map { "-A INPUT -s 10.\($0 >> 8).\($0 & 255).1 -p tcp -m tcp --dport 22 -j DROP\n" }
    let many = try space.file("many.v4", "*filter\n\(lines.joined())COMMIT\n")
    let few = try space.file("few.v4", Self.rule)
    let firebreak = "\(Built.firebreak) apply -q --backend nft --state-dir \(space.stateDirectory)"
    let script = """
      \(firebreak) \(few) || exit 9
      \(firebreak) \(many) 2>&1; echo "ended $?"; iptables-nft-save | grep -c '^-A'
      """
    let result = try space.run(["unshare", "-Urn", "sh", "-c", script])
    let isWhole = result.stdout == "ended 0\n\(count)\n"
    let isRefused = result.stdout.hasSuffix("ended 1\n1\n") && result.stdout.contains("raise net.core.wmem_max")
    #expect(isWhole || isRefused, "\(result)")
    let usual = try space.firebreak(["apply", "-q", "--backend", "nft", many])
    #expect(usual.status == 0, "root of the machine may: \(usual)")
  }

  /// Somebody else changes something in every moment between planning and committing: it is given up, and nothing of it
  /// is there.
  @Test func aWriterThatNeverStops() throws {
    let space = try TestNamespace()
    let file = try space.file("rules.v4", Self.rule)
    let script = """
      (for i in $(seq 8000); do nft 'add table inet t; delete table inet t' || exit; [ -e \(space.directory)/stop ] && exit; done) &
      strace -qq -o /dev/null -e inject=rename:delay_enter=300000 \(Built.firebreak) apply --backend nft \
        --state-dir \(space.stateDirectory) \(file)
      status=$?
      touch \(space.directory)/stop
      wait
      exit $status
      """
    let result = try space.run(["sh", "-c", script])
    #expect(result.status == 75 && result.stderr.contains("try again"), "\(result)")
    #expect(try !space.require(["nft", "list", "ruleset"]).stdout.contains("table ip filter"))
  }
}

extension String {
  fileprivate func replacing(_ old: String, _ new: String) -> String {
    split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
  }
}
