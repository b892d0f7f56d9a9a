import Glibc
import KernelTestSupport
import Testing

/// The same file committed again and again, with what may happen in between.
@Suite(.requires(.legacyTables, .nfTables, .tool("iptables-legacy-save"), .tool("iptables-nft-save")))
struct KnownTextTests {
  private struct Stage {
    let space: TestNamespace
    let backend: String
    let file: String

    init(_ backend: String, _ text: String = KnownTextTests.text()) throws {
      space = try TestNamespace()
      self.backend = backend
      file = try space.file("rules.v4", text)
    }

    func firebreak(_ arguments: String...) throws -> ProcessResult {
      try space.firebreak(arguments + ["--backend", backend])
    }

    /// `unchanged` or `committed`.
    func apply(_ arguments: String...) throws -> String {
      let result = try space.firebreak(["apply", "--json", file, "--backend", backend] + arguments)
      #expect(result.status == 0, "\(result)")
      let rest = result.stdout.split(separator: #""status":""#, maxSplits: 1).last ?? ""
      return String(rest.prefix { $0 != "\"" })
    }

    var rules: [String] {
      get throws { comparable(try space.require(["iptables-\(backend)-save", "-t", "filter"]).stdout) }
    }

    var keepsText: Bool { (0..<4).contains { access("\(space.stateDirectory)/text-\($0)", F_OK) == 0 } }
  }

  private static func text(_ line: String = "") -> String {
    let rules = (0..<300).map { "-A INPUT -s 192.0.\($0 / 250).\($0 % 250)/32 -p tcp -m tcp --dport 22 -j ACCEPT\n" }
    return "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\(line)\(rules.joined())COMMIT\n"
  }

  @Test(arguments: ["legacy", "nft"])
  func thingsHappenInBetween(_ backend: String) throws {
    let stage = try Stage(backend)
    #expect(try stage.apply() == "committed")
    #expect(stage.keepsText)
    let rules = try stage.rules
    #expect(try stage.apply() == "unchanged")
    let tool = "iptables-\(backend)"
    for command in [["-F", "INPUT"], ["-D", "INPUT", "7"], ["-P", "FORWARD", "ACCEPT"]] {
      try stage.space.require([tool] + command)
      #expect(try stage.rules != rules)
      #expect(try stage.apply() == "committed", "\(command)")
      #expect(try stage.rules == rules, "\(command)")
      #expect(try stage.apply() == "unchanged")
    }
    // Another program's rule stays, is told of each time, and goes where it is to go.
    try stage.space.require([tool, "-I", "INPUT", "-s", "203.0.113.7", "-j", "DROP"])
    let both = try stage.rules
    for _ in 0..<3 {
      let result = try stage.firebreak("apply", stage.file)
      #expect(result.status == 0 && (result.stdout + result.stderr).contains("rules of others stay"), "\(result)")
      #expect(try stage.rules == both)
    }
    #expect(try stage.apply("--exclusive") == "committed")
    #expect(try stage.rules == rules)
    #expect(try stage.apply() == "unchanged")
    // A rollback leads away from the text, and the text back.
    #expect(try stage.firebreak("rollback", "-q", "0").status == 0)
    #expect(try stage.rules != rules)
    #expect(try stage.apply() == "committed")
    #expect(try stage.rules == rules)
    #expect(try stage.firebreak("status", "-q").status == 0)
  }

  /// Another form of the tables is a commit; what others have in them does not become ours by it.
  @Test func knownRulesTakeAnotherForm() throws {
    let stage = try Stage("nft")
    #expect(try stage.apply() == "committed")
    try stage.space.require(["iptables-nft", "-I", "INPUT", "-s", "203.0.113.7", "-j", "DROP"])
    for _ in 0..<2 { #expect(try stage.apply() == "unchanged") }
    #expect(try stage.apply("--compile") == "committed")
    #expect(try stage.apply("--compile") == "unchanged")
    #expect(try stage.apply() == "unchanged")
    let held = try stage.firebreak("save", "-q", "-t", "filter").stdout
    #expect(held.contains("-A INPUT -s 203.0.113.7/32 -j DROP"))
    let own = try stage.firebreak("show", "2").stdout
    #expect(own.contains("192.0.0.5/32") && !own.contains("203.0.113.7"))
    #expect(try stage.firebreak("diff", "1", "2").status == 0)
    #expect(try stage.apply("--no-compile", "--exclusive") == "committed")
    #expect(try !stage.rules.contains { $0.contains("203.0.113.7") })
  }

  @Test(arguments: ["legacy", "nft"])
  func aChangedFileIsCommitted(_ backend: String) throws {
    let stage = try Stage(backend)
    #expect(try stage.apply() == "committed")
    for port in ["23", "22", "24"] {
      _ = try stage.space.file(
        "rules.v4",
        Self.text().replacing(
          "192.0.0.5/32 -p tcp -m tcp --dport 22", with: "192.0.0.5/32 -p tcp -m tcp --dport \(port)"))
      #expect(try stage.apply() == "committed")
      #expect(try stage.rules.contains { $0.contains("192.0.0.5/32") && $0.contains("--dport \(port) ") })
      #expect(try stage.apply() == "unchanged")
    }
  }

  /// What stands in other files may say something else tomorrow.
  @Test(arguments: [
    "-A INPUT -p tcp -m tcp --dport domain -j ACCEPT\n", "-A INPUT -s localhost -j ACCEPT\n",
    "-A OUTPUT -m owner --uid-owner root -j ACCEPT\n", "-A INPUT -p ospf -j ACCEPT\n",
  ])
  func textWithNamesIsReadEachTime(_ line: String) throws {
    let stage = try Stage("legacy", Self.text(line))
    #expect(try stage.apply() == "committed")
    #expect(!stage.keepsText)
    #expect(try stage.apply() == "unchanged")
  }

  /// A warning is given each time.
  @Test func textWithWarningsIsReadEachTime() throws {
    let stage = try Stage("legacy", Self.text("-A INPUT -p udp -m udp --dport 65558 -j ACCEPT\n"))
    let first = try stage.firebreak("apply", stage.file)
    let second = try stage.firebreak("apply", stage.file)
    #expect(first.status == 0 && second.status == 0)
    let warnings = { (result: ProcessResult) in result.stderr.split(separator: "\n").filter { $0.contains("warning") } }
    #expect(warnings(first).count == 1 && warnings(first) == warnings(second), "\(first)\n\(second)")
  }

  /// Counters of the text are given to rules that come anew, whatever is known of it.
  @Test func countersOfTheTextAreGiven() throws {
    let text = Self.text().replacing("-A INPUT -s 192.0.0.9/32", with: "[5:500] -A INPUT -s 192.0.0.9/32")
    let stage = try Stage("legacy", text)
    #expect(try stage.apply() == "committed")
    try stage.space.require(["iptables-legacy", "-F", "INPUT"])
    #expect(try stage.apply("-c") == "committed")
    #expect(
      try stage.space.require(["iptables-legacy-save", "-c"]).stdout.contains("[5:500] -A INPUT -s 192.0.0.9/32"))
  }
}
