import Glibc
import KernelTestSupport
import Testing

/// Eight processes that apply, run scripts, confirm, roll back and recover at random with one state directory, and are killed
/// now and then, while somebody looks. FIREBREAK_SOAK=120 lets it take so many seconds.
@Suite(
  .requires(
    .legacyTables, .nfTables, .tool("nft"), .tool("ipset"), .tool("timeout"), .tool("iptables-legacy-save")),
  .serialized
)
struct SoakTests {
  private static let seconds = getenv("FIREBREAK_SOAK").flatMap { Double(String(cString: $0)) } ?? 4
  private static let actors = 8
  private static let inputs = 5
  private static let rules = 12
  private static let tables = ["mangle", "filter"]
  /// A command that takes longer hangs: it waits five seconds for a lock, some of them for two.
  private static let bound = 40.0

  /// Every rule of an input has its number in it.
  private static func text(_ input: Int, _ isIPv6: Bool) -> String {
    tables.map { table in
      let rules = (1...rules).map { number in
        "-A OUTPUT -d \(isIPv6 ? "2001:db8:\(input)::\(number)" : "10.\(input).0.\(number)") -j ACCEPT\n"
      }
      return "*\(table)\n\(rules.joined())COMMIT\n"
    }.joined()
  }

  private struct Counts {
    var byStatus: [Int32: Int] = [:]
    var looks = 0
    /// Looks that fell into the moment of a commit.
    var blurred = 0
  }

  private struct Stage {
    let space: TestNamespace
    let backend: String
    let files: [[String]]
    let scripts: [String]

    init(_ backend: String) throws {
      let space = try TestNamespace()
      self.space = space
      self.backend = backend
      files = try (1...SoakTests.inputs).map { input in
        try [
          space.file("\(input).v4", SoakTests.text(input, false)),
          space.file("\(input).v6", SoakTests.text(input, true)),
        ]
      }
      scripts = try files.enumerated().map { place, files in
        let path = try space.file("\(place + 1).sh", Self.script(place + 1, files, backend))
        try runProcess(["chmod", "755", path])
        return path
      }
      try space.require(["sh", "-c", "ipset create number hash:ip; nft add table inet number"])
    }

    /// Its rules, and its number in a set and in a table of nft's own.
    private static func script(_ input: Int, _ files: [String], _ backend: String) -> String {
      """
      #!/bin/sh
      set -e
      iptables-\(backend)-restore < \(files[0])
      ip6tables-\(backend)-restore < \(files[1])
      ipset flush number
      ipset add number 192.0.2.\(input)
      nft 'flush table inet number; add chain inet number one; add rule inet number one meta mark \(input) counter'

      """
    }

    func words(_ step: [String]) -> [String] {
      [Built.firebreak, step[0], "-q", "-w", "5", "--backend", backend, "--state-dir", space.stateDirectory]
        + step.dropFirst()
    }

    /// The numbers in the set and in the table: those of the last script, wherever it left them.
    func numbersBeside() throws -> (set: [Int], table: [Int]) {
      let members = try space.require(["ipset", "save", "number"]).stdout.split(separator: "\n")
      let rules = try space.require(["nft", "list", "table", "inet", "number"]).stdout.split(separator: "\n")
      return (
        members.compactMap { line in line.firstRange(of: "192.0.2.").flatMap { Int(line[$0.upperBound...]) } },
        rules.compactMap { line in
          line.firstRange(of: "mark 0x").flatMap { Int(line[$0.upperBound...].prefix { $0.isHexDigit }, radix: 16) }
        }
      )
    }

    /// The numbers of the inputs whose rules a table holds, as often as it holds one.
    func found(_ text: String, _ isIPv6: Bool) -> [Int] {
      let mark = isIPv6 ? "2001:db8:" : "10."
      return text.split(separator: "\n").compactMap { line in
        line.firstRange(of: mark).flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
      }
    }

    /// The rules of every table, a text each.
    func listing() throws -> [String] {
      guard backend == "legacy" else {
        let text = try space.require(["nft", "-a", "list", "ruleset"]).stdout
        return text.split(separator: "\ntable ").filter { $0.hasPrefix("ip") || $0.hasPrefix("table ip") }
          .map(String.init)
      }
      return try ["iptables", "ip6tables"].flatMap { tool in
        try SoakTests.tables.map { try space.require(["\(tool)-legacy-save", "-t", $0]).stdout }
      }
    }

    /// - Returns: what is wrong where a table is not what some commit wrote whole, or the tables of one transaction are
    ///   of several.
    func fault(_ listing: [String]) -> String? {
      let seen = listing.map { found($0, $0.contains("2001:db8:")) }
      if backend == "nft", Set(seen.map { $0.first ?? 0 }).count > 1 {
        return "a mixture of commits \(seen.map { $0.first ?? 0 })"
      }
      return seen.first { Set($0).count > 1 || !$0.isEmpty && $0.count != SoakTests.rules }
        .map { "a torn table: \($0)" }
    }

    /// A dump of nf_tables that falls into the moment of a commit can hold old and new rules, or one handle twice, and no
    /// reader is told: the kernel counts the generation up before it shows the rules (nf_tables_api.c, nf_tables_commit).
    /// What is really there is there still when one looks again.
    /// - Returns: whether the first look was sound.
    /// - Throws: where both looks show the same fault.
    func look() throws -> Bool {
      let first = try listing()
      guard let fault = fault(first) else { return true }
      guard backend == "nft", try listing() != first else {
        let audit = String(decoding: try readFile(space.stateDirectory + "/audit.jsonl"), as: UTF8.self)
        let last = audit.split(separator: "\n").suffix(6).joined(separator: "\n")
        throw ProcessFailure("\(fault)\n\(last)\n\(first)")
      }
      return false
    }

    func act(_ random: inout SystemRandomNumberGenerator) throws -> Int32 {
      let file = files.randomElement(using: &random)!
      let step: [String] =
        switch Int.random(in: 0..<15, using: &random) {
        case 0...2: ["apply"] + file
        case 3...5: ["apply", "--confirm", "1s", "--no-wait"] + file
        case 6, 7: ["confirm"]
        case 8: ["rollback"]
        case 9: ["rollback", "--confirm", "1s", "--no-wait"]
        case 10: ["rollback", "1"]
        case 11, 12: ["run", "--", scripts.randomElement(using: &random)!]
        case 13: ["run", "--confirm", "1s", "--no-wait", "--", scripts.randomElement(using: &random)!]
        default: ["recover"]
        }
      var words = words(step)
      if Int.random(in: 0..<4, using: &random) == 0 {
        words = ["timeout", "--foreground", "-s", "KILL", "0.\(Int.random(in: 100...350, using: &random))"] + words
      }
      let result = try space.run(words, timeout: SoakTests.bound)  // 124: timeout(1) was just too late
      guard [0, 1, 75, 81, 124, 137].contains(result.status) else { throw ProcessFailure("\(words): \(result)") }
      if result.status == 1, !["nothing", "no commit", "no generation"].contains(where: { result.stderr.contains($0) })
      {
        throw ProcessFailure("\(words): \(result)")
      }
      return result.status
    }
  }

  @Test(arguments: ["legacy", "nft"]) func eightAtOnce(_ backend: String) throws {
    let stage = try Stage(backend)
    let first = try stage.space.run(stage.words(["apply"] + stage.files[0]))
    #expect(first.status == 0, "\(first)")
    let end = ContinuousClock.now + .seconds(Self.seconds)
    let actor: @Sendable () throws -> Counts = {
      var random = SystemRandomNumberGenerator()
      var counts = Counts()
      while .now < end { counts.byStatus[try stage.act(&random), default: 0] += 1 }
      return counts
    }
    let reader: @Sendable () throws -> Counts = {
      var counts = Counts()
      while .now < end {
        if try stage.look() { counts.looks += 1 } else { counts.blurred += 1 }
        usleep(20_000)
      }
      return counts
    }
    let counts = try concurrently([@Sendable () throws -> Counts](repeating: actor, count: Self.actors) + [reader])
    try settle(stage)
    let numbers = try accountForAll(stage)
    let sum = counts.reduce(into: [Int32: Int]()) { $0.merge($1.byStatus, uniquingKeysWith: +) }
    #expect((sum[0] ?? 0) > 0)
    #expect(counts.last!.blurred <= 2 + counts.last!.looks / 20)
    print(
      "soak, \(backend): \(sum.values.reduce(0, +)) commands in \(Self.seconds) s, by status "
        + "\(sum.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")); "
        + "\(numbers) generations, \(counts.last!.looks) looks, "
        + "\(counts.last!.blurred) into a commit")
  }

  /// Afterwards nothing is left to do, and what waits comes to its end.
  private func settle(_ stage: Stage) throws {
    for _ in 0..<100 {
      let recovered = try stage.space.run(stage.words(["recover"]), timeout: Self.bound)
      #expect(recovered.status == 0, "\(recovered)")
      if access(stage.space.stateDirectory + "/commit.pending", F_OK) != 0 { break }
      usleep(100_000)
    }
    let again = try stage.space.run(stage.words(["recover"]).filter { $0 != "-q" })
    #expect(again.stdout == "nothing to recover\n", "\(again)")
    #expect(try stage.look())
  }

  /// - Returns: how many generations there are: each number once, in the history and in the audit file, and the kernel
  ///   holds the newest.
  private func accountForAll(_ stage: Stage) throws -> Int {
    func numbers(_ text: some StringProtocol) -> [Int] {
      text.split(separator: "\n").compactMap { line in
        line.firstRange(of: "\"generation\":").flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
      }
    }
    let log = try stage.space.run(
      [Built.firebreak, "log", "-n", "100000", "--json", "--state-dir", stage.space.stateDirectory])
    let kept = numbers(log.stdout.split(separator: "{").joined(separator: "\n")).sorted()
    let audit = String(decoding: try readFile(stage.space.stateDirectory + "/audit.jsonl"), as: UTF8.self)
    let audited = numbers(
      audit.split(separator: "\n").filter { line in
        ["commit", "rollback", "confirmation", "recovery"].contains { line.contains("\"event\":\"\($0)\"") }
      }.joined(separator: "\n"))
    #expect(kept == Array(1...kept.count))
    #expect(audited.sorted() == kept)
    let differs = try stage.space.run(
      stage.words(["diff", "\(kept.count)", "kernel"]).filter { $0 != "-w" && $0 != "5" })
    #expect(differs.status == 0, "generation \(kept.count) is not what the kernel holds: \(differs)")
    let beside = try stage.numbersBeside()
    #expect(
      beside.set == beside.table && beside.set.count < 2, "a set of one script and the table of another: \(beside)")
    let status = try stage.space.run(stage.words(["status"]).filter { $0 != "-w" && $0 != "5" && $0 != "-q" })
    #expect(status.status == 0, "\(status)")
    return kept.count
  }
}
