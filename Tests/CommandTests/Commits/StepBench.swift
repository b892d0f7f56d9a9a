import Glibc
import KernelTestSupport
import Testing

/// What is done while something goes wrong.
enum Step: String, Sendable, CaseIterable {
  case apply = "apply --confirm"
  case confirm
  case rollback = "rollback of a commit that waits"
  case rollbackTo = "rollback to a generation"
  case recoverOverdue = "recover, the time is over and the guard is gone"
  case recoverInterrupted = "recover, a commit died half-way"
  case recoverGuarded = "recover, a commit and its guard died half-way"
  case guardOverdue = "the guard, the time is over"
  case guardOrphan = "the guard, the command died half-way"
  case run = "run of a script that changes sets and tables of nft too"
  case rollbackRun = "rollback of what such a script did"
  case recoverRun = "recover, such a run died before all of it was done"

  /// Whether sets and tables of nft's own change with the rules.
  var hasCompanions: Bool { [.run, .rollbackRun, .recoverRun].contains(self) }
}

/// Five tables of two families, and a namespace in which a step is done from the same beginning again and again.
final class StepBench: Sendable {
  let step: Step
  let backend: String
  private let space: TestNamespace
  private let oldFiles: [String]
  private let newFiles: [String]
  private let script: String

  /// What can be seen from outside.
  struct Situation: Equatable, Sendable {
    var kernel: String
    var isAwaiting: Bool
    /// The generations in the history.
    var numbers: [Int]
    /// Those that the audit file says were declared good.
    var audited: [Int]
  }

  /// No attempt takes so long, on whatever machine.
  private static let longTime = "1h"
  /// In seconds; a kernel that takes many namespaces apart at once may stand still for a minute.
  private static let patience = 240.0

  static let tables = ["raw", "mangle", "nat", "filter", "security"]

  init(_ step: Step, _ backend: String) throws {
    self.step = step
    self.backend = backend
    let space = try TestNamespace()
    self.space = space
    (oldFiles, newFiles) = (
      try [4, 6].map { family in
        try space.file("old.v\(family)", Self.tables.map { Self.table($0, family, isNew: false) }.joined())
      },
      try [4, 6].map { family in
        try space.file("new.v\(family)", Self.tables.map { Self.table($0, family, isNew: true) }.joined())
      }
    )
    script = try space.file("script.sh", "#!/bin/sh\nset -e\n" + Self.script(backend))
    try shell("chmod 755 \(script)\n")
    try makeTemplates()
  }

  /// What is there beside the rules before a script. The set that it makes gets the number of the one that is gone by then,
  /// since sets of sets are saved last, and rules that are put back by hand hold numbers.
  private static let companions = """
    ipset create there hash:ip
    ipset add there 192.0.2.1
    ipset create other hash:net maxelem 100
    ipset add other 10.1.0.0/16
    ipset create hold hash:ip
    ipset create gone list:set
    ipset add gone there
    ipset destroy hold
    nft -f - <<END
    table inet leaves {
      set few { type ipv4_addr; elements = { 192.0.2.3 }; }
      chain one { type filter hook input priority 7; ip saddr @few counter packets 3 bytes 30 drop; }
    }
    table inet stays {
      chain one { type filter hook input priority 8; ip saddr { 192.0.2.4, 192.0.2.5 } counter packets 4 bytes 40; }
    }
    END

    """

  private static func script(_ backend: String) -> String {
    """
    ipset create new hash:ip
    ipset add new 192.0.2.2
    ipset add there 192.0.2.7
    ipset del there 192.0.2.1
    ipset create fresh hash:net maxelem 200
    ipset add fresh 10.2.0.0/16
    ipset swap fresh other
    ipset destroy fresh
    ipset destroy gone
    nft -f - <<END
    delete table inet leaves
    add rule inet stays one ip saddr 192.0.2.8 counter drop
    table inet comes {
      chain one { type filter hook input priority 9; ip saddr { 192.0.2.4, 192.0.2.5 } counter packets 1 bytes 9; }
    }
    END
    iptables-\(backend) -A OUTPUT -m set --match-set new dst -j DROP
    ip6tables-\(backend) -t mangle -A OUTPUT -d 2001:db8::9 -j DROP

    """
  }

  /// One rule goes, one comes, one moves, others stay; all have counters.
  private static func table(_ name: String, _ family: Int, isNew: Bool) -> String {
    let net = family == 4 ? "192.0.2." : "2001:db8::"
    let rules = (isNew ? [1, 9, 4, 3] : [1, 2, 3, 4]).map { rule in
      "\(rule == 9 ? "" : "[\(rule * 11):\(rule * 1100)] ")-A OUTPUT -d \(net)\(rule) -j \(rule == 3 ? "chain" : "ACCEPT")\n"
    }
    return "*\(name)\n:OUTPUT ACCEPT [77:7700]\n:chain - [0:0]\n[8:800] -A chain -s \(net)80 -j RETURN\n"
      + "\(rules.joined())COMMIT\n"
  }

  /// The program's name as /proc has it; strace and the shell have others.
  private static let command = String(Built.firebreak.split(separator: "/").last!.prefix(15)) + "\n"

  // MARK: Beginnings

  private func path(_ state: String) -> String { "\(space.directory)/\(state)" }

  @discardableResult
  private func shell(_ script: String) throws -> ProcessResult {
    try space.require(["sh", "-c", "set -e\n" + script], timeout: Self.patience)
  }

  private func words(_ step: [String], _ state: String) -> [String] {
    [Built.firebreak, step[0], "-q", "--backend", backend, "--state-dir", path(state)] + step.dropFirst()
  }

  func firebreak(_ step: [String], _ state: String) throws -> ProcessResult {
    try space.run(words(step, state), timeout: Self.patience)
  }

  private func demand(_ step: [String], _ state: String) throws {
    let result = try firebreak(step, state)
    guard result.status == 0 else { throw ProcessFailure("\(step): \(result)") }
  }

  /// Kernel and state directory from which each attempt begins; made once, copied then.
  private func makeTemplates() throws {
    try shell((backend == "nft" ? "nft flush ruleset\n" : "") + load(oldFiles))
    if step.hasCompanions { try shell(Self.companions) }
    try demand(["apply"] + oldFiles, "template")
    switch step {
    case .apply, .confirm, .rollback, .run: break
    case .rollbackRun: try demand(["run", "--", script], "template")
    case .recoverRun: try interrupt(["run", "--", script], "pwrite64", 2)
    case .rollbackTo: try demand(["apply"] + newFiles, "template")
    case .recoverOverdue, .guardOverdue:
      try demand(["apply", "--confirm", "4s", "--no-wait"] + newFiles, "template")
      try endGuard("template")
      usleep(4_100_000)
      try shell("test -e \(path("template"))/commit.pending")
    case .recoverInterrupted:
      try interrupt(["apply"] + newFiles, backend == "nft" ? "rename" : "setsockopt", backend == "nft" ? 3 : 10)
    case .recoverGuarded, .guardOrphan:
      try interrupt(
        ["apply", "--confirm", Self.longTime, "--no-wait"] + newFiles,
        backend == "nft" ? "pwrite64" : "setsockopt", backend == "nft" ? 1 : 10)
    }
    try save("template")
  }

  private func load(_ files: [String]) -> String {
    zip(["iptables", "ip6tables"], files).map { "\($0)-\(backend)-restore -c < \($1)\n" }.joined()
  }

  /// Makes the kernel hold what was saved, and nothing else.
  private func restore(_ name: String) throws {
    let flush = backend == "nft" || step.hasCompanions ? "nft flush ruleset\n" : ""
    let rules = load(["iptables", "ip6tables"].map { path(name) + ".\($0)" })
    guard step.hasCompanions else {
      try shell(flush + rules)
      return
    }
    // Rules hold on to sets, those of nf_tables a moment longer.
    let sets =
      "ipset flush\nfor turn in $(seq 100); do ipset destroy 2>/dev/null && break; sleep 0.02; done\n"
      + "ipset restore < \(path(name)).sets\nnft -f \(path(name)).tables\n"
    try shell(flush + load(oldFiles) + sets + rules)
  }

  private func save(_ name: String) throws {
    try shell(saving(name))
  }

  private func saving(_ name: String) -> String {
    ["iptables", "ip6tables"].map { "\($0)-\(backend)-save -c > \(path(name)).\($0)\n" }.joined()
      + (step.hasCompanions ? "ipset save > \(path(name)).sets\n\(Self.tablesBeside) > \(path(name)).tables\n" : "")
  }

  private static let tablesBeside =
    "for name in leaves stays comes; do nft list table inet $name 2>/dev/null || true; done"

  /// Copies kernel and state while a command hangs in one system call, and ends it then, with its guard.
  private func interrupt(_ step: [String], _ call: String, _ number: Int) throws {
    let command = words(step, "template").joined(separator: " ")
    try shell(
      """
      strace -qq -o /dev/null -e inject=\(call):delay_enter=4000000:when=\(number) \(command) & tracer=$!
      for turn in $(seq 100); do test -e \(path("template"))/commit.pending && break; sleep 0.1; done
      sleep 1.5
      cp -a \(path("template")) \(path("half"))

      """
        + saving("half") + "wait $tracer\n")
    try endGuard("template")
    try shell(
      "test -e \(path("half"))/commit.pending\nrm -rf \(path("template"))\nmv \(path("half")) \(path("template"))\n")
    try restore("half")
  }

  /// Kills the guard of a state directory, if there is one.
  private func endGuard(_ state: String) throws {
    let text = try space.run(["pgrep", "-f", "guard .*\(path(state)) "]).stdout
    for number in text.split(separator: "\n").compactMap({ pid_t($0) }) {
      let name = try? readFile("/proc/\(number)/comm")
      if name.map({ String(decoding: $0, as: UTF8.self) }) == Self.command { kill(number, SIGKILL) }
    }
    for _ in 0..<200 {
      if try space.run(["flock", "-n", path(state) + "/guard", "true"]).status == 0 { return }
      usleep(10_000)
    }
  }

  private func begin(_ state: String) throws {
    try restore("template")
    try shell("cp -a \(path("template")) \(path(state))\n")
    if step == .confirm || step == .rollback {
      try demand(["apply", "--confirm", Self.longTime, "--no-wait"] + newFiles, state)
    }
  }

  private func act(_ state: String, _ prefix: [String]) throws -> ProcessResult {
    let act: [String] =
      switch step {
      case .apply: ["apply", "--confirm", Self.longTime, "--no-wait"] + newFiles
      case .confirm: ["confirm"]
      case .rollback: ["rollback"]
      case .rollbackTo: ["rollback", "1"]
      case .run: ["run", "--", script]
      case .rollbackRun: ["rollback"]
      case .recoverOverdue, .recoverInterrupted, .recoverGuarded, .recoverRun: ["recover"]
      case .guardOverdue: ["guard", "--nonce", try nonce(state), "--parent", "1"]
      case .guardOrphan: ["guard", "--nonce", try nonce(state), "--parent", "99999999"]
      }
    return try space.run(prefix + words(act, state), timeout: Self.patience)
  }

  /// It stands at byte 40 of the journal.
  private func nonce(_ state: String) throws -> String {
    let bytes = try readFile(path(state) + "/commit.pending")
    return String(bytes[40..<48].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }, radix: 16)
  }

  // MARK: Looking

  func kernel() throws -> String {
    let rules = "iptables-\(backend)-save -c; ip6tables-\(backend)-save -c"
    let beside = step.hasCompanions ? "; ipset save | sed 's/ hashsize.*//' | sort; \(Self.tablesBeside)" : ""
    return uncommented(try space.require(["sh", "-c", rules + beside], timeout: Self.patience).stdout).joined(
      separator: "\n")
  }

  func look(_ state: String) throws -> Situation {
    let numbers = try generations(state)
    let audit = (try? readFile(path(state) + "/audit.jsonl")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    let audited = audit.split(separator: "\n").filter { line in
      ["commit", "rollback", "confirmation", "recovery"].contains { line.contains("\"event\":\"\($0)\"") }
    }.compactMap { line in
      line.firstRange(of: "\"generation\":").flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
    }
    return Situation(
      kernel: try kernel(), isAwaiting: access(path(state) + "/commit.pending", F_OK) == 0, numbers: numbers,
      audited: audited)
  }

  private func generations(_ state: String) throws -> [Int] {
    let result = try space.run(
      [Built.firebreak, "log", "--json", "--state-dir", path(state)], timeout: Self.patience)
    return result.stdout.split(separator: "{").compactMap { part in
      part.firstRange(of: "\"generation\":").flatMap { Int(part[$0.upperBound...].prefix { $0.isNumber }) }
    }.sorted()
  }

  private func remove(_ state: String) throws {
    try endGuard(state)
    _ = try runProcess(["rm", "-rf", "--", path(state)])
  }

  // MARK: Attempts

  /// What may be seen in the end.
  struct Ends: Sendable {
    /// The step had no effect; nil where recovery does its work.
    let before: Situation?
    let after: Situation
    /// The old rules.
    let old: String
    /// The new rules.
    let new: String
  }

  func ends() throws -> Ends {
    try begin("reference")
    let start = try look("reference")
    let result = try act("reference", [])
    try #require(result.status == 0, "\(step): \(result)")
    for _ in 0..<40 where try isGuardAtWork("reference") { usleep(50_000) }
    let after = try look("reference")
    try remove("reference")
    try shell((backend == "nft" ? "nft flush ruleset\n" : "") + load(oldFiles))
    let old = try kernel()
    try demand(["apply"] + oldFiles, "other")
    try demand(["apply"] + newFiles, "other")
    let new = try kernel()
    return Ends(
      before: [.apply, .confirm, .rollback, .rollbackTo, .run, .rollbackRun].contains(step) ? start : nil,
      after: after, old: old, new: new)
  }

  private func isGuardAtWork(_ state: String) throws -> Bool {
    step == .rollback && access(path(state) + "/commit.pending", F_OK) == 0
  }

  /// Every system call of the step, in order.
  /// - Parameter touching: only those on files of the state directory.
  func points(_ fault: String, touching: Set<String>? = nil) throws -> [FaultPoint] {
    try begin("counting")
    let log = path("trace")
    let result = try act("counting", ["strace", "-qq", "-y", "-o", log])
    try #require(result.status == 0, "\(step): \(result)")
    try remove("counting")
    var seen: [String: Int] = [:]
    return String(decoding: try readFile(log), as: UTF8.self).split(separator: "\n").compactMap { line in
      guard let end = line.firstIndex(of: "("), line.first?.isLetter == true else { return nil }
      let call = String(line[..<end])
      seen[call, default: 0] += 1
      if let touching {
        // What cannot be written into the audit file is left out of it.
        guard touching.contains(call), line.contains(path("counting")), !line.contains("audit.jsonl") else {
          return nil
        }
      }
      return FaultPoint(call: call, number: seen[call]!, fault: fault)
    }
  }

  struct Outcome: Sendable {
    let hasHappened: Bool
    let wasKilled: Bool
  }

  /// Does the step with a fault, recovers, and expects that it has happened or not, by everything that can be seen.
  /// - Returns: nil when it was something else, which is recorded as an issue.
  func attempt(_ point: FaultPoint, _ ends: Ends) throws -> Outcome? {
    let state = "state-\(point.call)-\(point.number)-\(point.fault.filter { $0.isLetter })"
    try begin(state)
    defer { try? remove(state) }
    let result = try act(state, ["strace", "-qq", "-o", "/dev/null", "-e", point.injection])
    let wasKilled = result.status == 128 + SIGKILL
    let title = "\(backend), \(step.rawValue), \(point)"
    if !wasKilled, result.status != 83, let before = ends.before {
      let expected = result.status == 0 ? ends.after.kernel : before.kernel
      let found = try kernel()
      #expect(found == expected, "\(title): status \(result.status) is not true\n\(result.stderr)")
    }
    let recovered = try firebreak(["recover", "-w", "200"], state)
    #expect(recovered.status == 0, "\(title): \(recovered)")
    let found = try look(state)
    let hasHappened = found == ends.after
    #expect(
      hasHappened || found == ends.before,
      "\(title): \(result)\nthen \(recovered)\n\(differences(found, ends))")
    let again = try space.run(words(["recover"], state).filter { $0 != "-q" }, timeout: Self.patience)
    #expect(again.status == 0 && again.stdout == "nothing to recover\n", "\(title): \(again)")
    #expect(try look(state) == found, "\(title): a second recovery changes nothing")
    try finish(state, found, ends, title, confirms: point.number % 2 == 0)
    return hasHappened || found == ends.before ? Outcome(hasHappened: hasHappened, wasKilled: wasKilled) : nil
  }

  /// Life goes on: what waits can be confirmed or taken back, and the newest generation is what the kernel holds.
  private func finish(_ state: String, _ found: Situation, _ ends: Ends, _ title: String, confirms: Bool) throws {
    var last = found.numbers.last ?? 0
    if found.isAwaiting {
      let end = try firebreak([confirms ? "confirm" : "rollback"], state)
      #expect(end.status == 0, "\(title), then its end: \(end)")
      let now = try look(state)
      if confirms { last += 1 }
      #expect(now.kernel == (confirms ? ends.new : ends.old), "\(title), then \(confirms ? "confirm" : "rollback")")
      #expect(!now.isAwaiting && now.numbers == Array(1...last) && now.audited == now.numbers, "\(title): \(now)")
    }
    let differs = try space.run(
      words(["diff", "\(last)", "kernel"], state).filter { $0 != "-q" }, timeout: Self.patience)
    #expect(differs.status == 0, "\(title): generation \(last) is not what the kernel holds: \(differs)")
  }

  private func differences(_ found: Situation, _ ends: Ends) -> String {
    [ends.before, ends.after].compactMap { $0 }.map { expected in
      let lines = difference(
        found.kernel.split(separator: "\n").map(String.init), expected.kernel.split(separator: "\n").map(String.init))
      return
        "awaiting \(found.isAwaiting), log \(found.numbers), audit \(found.audited), not \(expected.isAwaiting), "
        + "\(expected.numbers), \(expected.audited); kernel: \(lines.joined(separator: "\n"))"
    }.joined(separator: "\nor\n")
  }
}
