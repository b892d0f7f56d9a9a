import Glibc
import KernelTestSupport
import Testing

/// A place where a commit goes wrong: the n-th call of one system call.
struct FaultPoint: Sendable, CustomStringConvertible {
  let call: String
  let number: Int
  /// What strace does there: `signal=SIGKILL`, `error=EINVAL`.
  let fault: String
  var description: String { "\(fault) at \(call) \(number)" }
  /// Whether every later call goes wrong too.
  var goesOn = false
  var injection: String { "inject=\(call):\(fault):when=\(number)\(goesOn ? "+" : "")" }
}

/// What is done under faults.
enum FaultyAct: Sendable, CustomStringConvertible {
  case apply(backend: String)
  case migrate(from: String, to: String)

  var description: String {
    switch self {
    case .apply(let backend): "apply to \(backend)"
    case .migrate(let source, let target): "migrate from \(source) to \(target)"
    }
  }

  /// The interfaces it acts on: the words in the names of iptables' programs. The old rules are in the first one.
  var variants: [String] {
    switch self {
    case .apply(let backend): [backend]
    case .migrate(let source, let target): [source, target]
    }
  }

  func words(_ inputs: [String]) -> [String] {
    switch self {
    case .apply(let backend): ["apply", "-q", "--backend", backend] + inputs
    case .migrate(_, let target): ["migrate", "-q", "--to", target]
    }
  }
}

/// Old and new rules over two tables and two families, and a namespace where one is put in place of the other again and
/// again.
final class FaultBench: Sendable {
  private let space: TestNamespace
  private let inputs: [String]
  private let reset: String
  private let act: FaultyAct

  /// What the kernel holds before and after, counters too.
  struct States: Sendable {
    let old: String
    let new: String
  }

  /// - Parameters:
  ///   - startsEmpty: nothing is in the tables before.
  ///   - filler: so many rules more in each table: large ones take another way into the kernel.
  init(
    _ act: FaultyAct = .apply(backend: "legacy"), tables: [String] = ["raw", "filter"], families: [Int] = [4, 6],
    startsEmpty: Bool = false, filler: Int = 0
  ) throws {
    space = try TestNamespace()
    self.act = act
    var inputs: [String] = []
    var reset = "set -e\n" + (act.variants.contains("nft") ? "nft flush ruleset\n" : "")
    for family in families {
      let old = try space.file("old.v\(family)", tables.map { Self.table($0, family, filler, isNew: false) }.joined())
      inputs.append(
        try space.file("new.v\(family)", tables.map { Self.table($0, family, filler, isNew: true) }.joined()))
      let empty = try space.file("empty.v\(family)", tables.map { "*\($0)\nCOMMIT\n" }.joined())
      let tool = family == 4 ? "iptables" : "ip6tables"
      for (place, variant) in act.variants.enumerated() where variant == "legacy" || place == 0 {
        reset += "\(tool)-\(variant)-restore -c < \(startsEmpty || place > 0 ? empty : old)\n"
      }
    }
    self.inputs = inputs
    self.reset = reset
    try putBack()
  }

  /// Rules that stay at both ends and in the middle, one that goes, one that comes, one that moves.
  private static func table(_ name: String, _ family: Int, _ filler: Int, isNew: Bool) -> String {
    let net = family == 4 ? "192.0.2." : "2001:db8::"
    let rules = isNew ? [1, 9, 4, 3, 5] : [1, 2, 3, 4, 5]
    let lines = rules.map { rule in
      "[\(rule * 11):\(rule * 1100)] -A OUTPUT -d \(net)\(rule) -j \(rule == 3 ? "chain" : "ACCEPT")"
    }
    let more = (0..<filler).map {
      "[\($0 + 1):\(($0 + 1) * 60)] -A chain -d \(net)\($0 % 250) -p \($0 / 250 + 1) -j ACCEPT"
    }
    let counted = isNew ? lines.map { $0.replacing("[99:9900] ", "") } : lines
    return """
      *\(name)
      :OUTPUT ACCEPT [77:7700]
      :chain - [0:0]
      \(isNew ? ":more - [0:0]\n" : "")[8:800] -A chain -s \(net)80 -j RETURN
      \((counted + more).joined(separator: "\n"))
      \(isNew ? "-A more -j ACCEPT\n" : "")COMMIT

      """
  }

  func putBack() throws { try space.require(["sh", "-c", reset]) }

  /// The kernel's rules and counters as iptables says. No packet passes here, so they are compared whole. A table that
  /// does nothing is left out where rules go from one place to another.
  func kernel() throws -> String {
    let tools = act.variants.map { "echo '#in' \($0); iptables-\($0)-save -c; ip6tables-\($0)-save -c" }
    let text = try space.require(["sh", "-c", tools.joined(separator: "; ")]).stdout
    guard act.variants.count > 1 else { return uncommented(text).joined(separator: "\n") }
    return text.split(separator: "#in ").flatMap { part -> [String] in
      let lines = uncommented(String(part)).map { String($0) }
      return lines.prefix(1) + lines.dropFirst().split(separator: "COMMIT").filter { !Self.isEmpty($0) }.flatMap { $0 }
    }.joined(separator: "\n")
  }

  private static func isEmpty(_ table: ArraySlice<String>) -> Bool {
    !table.contains { $0.contains("-A ") || $0.hasPrefix(":") && !$0.contains(" ACCEPT ") }
  }

  /// Applies once without a fault.
  func states() throws -> States {
    let old = try kernel()
    try #require(try apply([], "reference").status == 0)
    return States(old: old, new: try kernel())
  }

  /// The text without counters.
  private static func rules(_ text: String) -> [String] {
    comparable(text).map { line in line.hasPrefix("[") ? String(line.drop { $0 != " " }) : line }
  }

  /// Every system call of the command's own thread, in order.
  func points(_ fault: String, only: String? = nil) throws -> [FaultPoint] {
    try putBack()
    let log = space.directory + "/trace"
    let result = try apply(["strace", "-qq", "-o", log], "counting")
    try #require(result.status == 0, "\(result)")
    var seen: [String: Int] = [:]
    return String(decoding: try readFile(log), as: UTF8.self).split(separator: "\n").compactMap { line in
      guard let end = line.firstIndex(of: "("), line.first?.isLetter == true else { return nil }
      let call = String(line[..<end])
      seen[call, default: 0] += 1
      guard only == nil || only == call else { return nil }
      return FaultPoint(call: call, number: seen[call]!, fault: fault)
    }
  }

  /// A state directory of its own for every attempt, so that a keeper that is late does not meet the next one.
  private func apply(_ prefix: [String], _ state: String) throws -> ProcessResult {
    try space.run(
      prefix + [Built.firebreak] + act.words(inputs) + ["--state-dir", "\(space.directory)/\(state)"], timeout: 30)
  }

  private func recover(_ state: String) throws -> ProcessResult {
    try space.run(
      [Built.firebreak, "recover", "-w", "30", "--state-dir", "\(space.directory)/\(state)"], timeout: 60)
  }

  /// What became of one attempt.
  struct Outcome: Sendable {
    let isNew: Bool
    let wasKilled: Bool
  }

  /// Applies with a fault and expects one of both states, exactly, then and after recovery.
  /// - Returns: nil when it was something else, which is recorded as an issue.
  func attempt(_ point: FaultPoint, _ states: States) throws -> Outcome? {
    try putBack()
    let state = "state-\(point.call)-\(point.number)-\(point.fault)"
    let result = try apply(["strace", "-qq", "-o", "/dev/null", "-e", point.injection], state)
    let wasKilled = result.status == 128 + SIGKILL
    let isWhole = try wait { [Self.rules(states.old), Self.rules(states.new)].contains(Self.rules($0)) }
    let left = try kernel()
    #expect(isWhole, "\(point): a mixture\n\(left)")
    if !wasKilled, result.status != 83 {
      let expected = result.status == 0 ? states.new : states.old
      #expect(try kernel() == expected, "\(point): status \(result.status), \(result.stderr)")
    }
    let recovered = try recover(state)
    #expect(recovered.status == 0, "\(point): \(recovered)")
    let after = try kernel()
    #expect(
      after == states.old || after == states.new,
      "\(point), after recovery: \(recovered)\n\(differences(after, states))")
    let again = try recover(state)
    #expect(again.status == 0 && again.stdout == "nothing to recover\n", "\(point): \(again)")
    #expect(try kernel() == after, "\(point): a second recovery changes nothing")
    _ = try runProcess(["rm", "-rf", "--", "\(space.directory)/\(state)"])
    guard after == states.old || after == states.new else { return nil }
    return Outcome(isNew: after == states.new, wasKilled: wasKilled)
  }

  /// Refuses every setsockopt from the n-th on, and expects recovery to mend what is left.
  func mend(from number: Int, _ states: States) throws {
    try putBack()
    let state = "state-from-\(number)"
    let injection = "inject=setsockopt:error=ENOMEM:when=\(number)+"
    let result = try apply(["strace", "-qq", "-o", "/dev/null", "-e", injection], state)
    #expect(result.status == 83, "\(number): \(result)")
    #expect(result.stderr.contains("MIXTURE"))
    let recovered = try recover(state)
    #expect(recovered.status == 0, "\(recovered)")
    let after = try kernel()
    #expect(after == states.old || after == states.new, "from \(number): \(recovered)\n\(differences(after, states))")
    #expect(try recover(state).stdout == "nothing to recover\n")
  }

  /// Applies with a fault that goes on, and expects one of both states with recovery.
  /// - Returns: the exit status, which told the truth.
  func attemptFrom(_ point: FaultPoint, _ states: States) throws -> Int32 {
    try putBack()
    let state = "state-\(point.call)-from-\(point.number)"
    let result = try apply(["strace", "-qq", "-o", "/dev/null", "-e", point.injection], state)
    let left = try kernel()
    #expect(left == states.old || left == states.new, "\(point): \(result)")
    if result.status == 1 { #expect(left == states.old, "\(point): \(result)") }
    if result.status == 0 { #expect(left == states.new, "\(point): \(result)") }
    if result.status == 83 { #expect(result.stderr.contains("NOT KNOWN"), "\(point): \(result)") }
    #expect(try recover(state).status == 0)
    #expect(try kernel() == left, "\(point): a transaction is whole, there is nothing to mend")
    #expect(try recover(state).stdout == "nothing to recover\n")
    return result.status
  }

  /// The keeper's time: at most ten seconds.
  private func wait(_ isDone: (String) -> Bool) throws -> Bool {
    for _ in 0..<200 {
      if isDone(try kernel()) { return true }
      usleep(50_000)
    }
    return false
  }

  private func differences(_ found: String, _ states: States) -> String {
    [states.old, states.new].map { expected in
      difference(found.split(separator: "\n").map(String.init), expected.split(separator: "\n").map(String.init))
        .joined(separator: "\n")
    }.joined(separator: "\n or\n")
  }
}

extension String {
  fileprivate func replacing(_ old: String, _ new: String) -> String {
    hasPrefix(old) ? new + dropFirst(old.count) : self
  }
}
