internal import Firebreak

/// The answer for one packet, for people or as JSON.
struct SimulationReport {
  let decision: Decision
  private let question: SimulationQuestion
  private let simulator: Simulator
  private let rules: SimulatedRules

  init(_ question: SimulationQuestion, _ simulator: Simulator, _ rules: SimulatedRules) {
    self.question = question
    self.simulator = simulator
    self.rules = rules
    decision = simulator.decide(question.packet, at: question.hook)
  }

  func print(to console: Console) {
    if console.isJSON { return console.print(json) }
    guard !console.isQuiet else { return }
    console.print(headline + "\n")
    if case .rule(let place) = decision.by { console.print("    \(text(place))\n") }
    if decision.verdict == .unknown { printReasons(to: console) }
    if !decision.trace.isEmpty {
      console.print("matched:\n")
      for place in decision.trace { console.print("    \(simulator.name(place)): \(text(place))\n") }
    }
    let passed = decision.depends.filter { decision.verdict != .unknown || $0.place != decision.depends.last?.place }
    guard !passed.isEmpty else { return }
    console.print("may have matched, without a say in the verdict:\n")
    for dependency in passed {
      console.print("    \(simulator.name(dependency.place)), on \(dependency.on): \(text(dependency.place))\n")
    }
  }

  private var headline: String {
    let verdict = "\(decision.verdict.label)"
    switch decision.by {
    case .rule(let place):
      return "\(verdict) by rule \(place.rule + 1) of chain \(simulator.table.chains[place.chain].name)"
    case .policy(let chain): return "\(verdict) by the policy of chain \(simulator.table.chains[chain].name)"
    case .connection: return "\(verdict): table nat is asked about the first packet of a connection only"
    case .header: return "\(verdict): a rule asks for a header that is missing or cut short"
    case nil: return verdict
    }
  }

  /// Why there is no verdict, and what would give one.
  private func printReasons(to console: Console) {
    guard let last = decision.depends.last?.place else { return }
    console.print("rule \(last.rule + 1) of chain \(simulator.table.chains[last.chain].name) decides, or does not:\n")
    console.print("    \(text(last))\n")
    for dependency in decision.depends where dependency.place == last {
      console.print("    \(dependency.name) depends on \(dependency.on); \(advice(dependency))\n")
    }
  }

  private func advice(_ dependency: Dependency) -> String {
    let options = simulator.fields(wantedBy: dependency, of: question.packet).map(\.option)
    return options.isEmpty ? "no option says that" : "say it with \(options.joined(separator: ", "))"
  }

  /// `rules.v4:12: -A INPUT …`
  private func text(_ place: RulePlace) -> String {
    let source = rules.place(simulator.position(of: place)).map { "\($0.file):\($0.line): " } ?? ""
    return source + ruleText(place)
  }

  private func ruleText(_ place: RulePlace) -> String {
    let chain = simulator.table.chains[place.chain]
    return "-A \(chain.name)" + SaveText.rule(simulator.rule(at: place), family: chain.family, names: .system)
  }

  /// What `--packets --json` prints, and the place and text of the rule that decides.
  private var json: JSON {
    let writer = DecisionWriter(simulator)
    var members: [(String, JSON)] = [
      ("verdict", .string("\(decision.verdict.label)")), ("by", writer.by(decision)),
      ("trace", .array(decision.trace.map { writer.json($0) })),
      ("depends", .array(decision.depends.map { .string("\($0.name) at \(simulator.name($0.place))") })),
    ]
    if case .rule(let place) = decision.by {
      if let source = rules.place(simulator.position(of: place)) {
        members += [("file", .string(source.file)), ("line", .number(source.line))]
      }
      members.append(("rule", .string(ruleText(place))))
    }
    return .object(members)
  }
}

extension Decision.Verdict {
  var label: StaticString {
    switch self {
    case .accept: "ACCEPT"
    case .drop: "DROP"
    case .reject: "REJECT"
    case .unknown: "UNKNOWN"
    }
  }
}

extension Simulator {
  /// `FORWARD 3`
  func name(_ place: RulePlace) -> String { "\(table.chains[place.chain].name) \(place.rule + 1)" }
}

/// Writes decisions about one table, one a line.
struct DecisionWriter {
  private let simulator: Simulator
  /// `["FORWARD",` for each chain.
  private let chains: [[UInt8]]

  init(_ simulator: Simulator) {
    self.simulator = simulator
    chains = simulator.table.chains.map { Array("[\(JSON.string($0.name.text).text),".utf8) }
  }

  func by(_ decision: Decision) -> JSON {
    switch decision.by {
    case .rule(let place): json(place)
    case .policy(let chain): .array([.string(simulator.table.chains[chain].name.text), .string("policy")])
    case .connection, .header, nil: .null
    }
  }

  func json(_ place: RulePlace) -> JSON {
    .array([.string(simulator.table.chains[place.chain].name.text), .number(place.rule + 1)])
  }

  func writeJSON(_ decision: Decision, to out: inout TextWriter) {
    out.write("{\"verdict\":\"")
    out.write(decision.verdict.label)
    out.write("\",\"by\":")
    switch decision.by {
    case .rule(let place): write(place, to: &out)
    case .policy(let chain):
      out.write(chains[chain])
      out.write("\"policy\"]")
    case .connection, .header, nil: out.write("null")
    }
    out.write(",\"trace\":[")
    for (index, place) in decision.trace.enumerated() {
      if index > 0 { out.write(byte: UInt8(ascii: ",")) }
      write(place, to: &out)
    }
    out.write("],\"depends\":[")
    for (index, dependency) in decision.depends.enumerated() {
      if index > 0 { out.write(byte: UInt8(ascii: ",")) }
      out.write(JSON.string("\(dependency.name) at \(simulator.name(dependency.place))").text)
    }
    out.write("]}\n")
  }

  private func write(_ place: RulePlace, to out: inout TextWriter) {
    out.write(chains[place.chain])
    out.write(place.rule + 1)
    out.write(byte: UInt8(ascii: "]"))
  }

  /// `ACCEPT FORWARD 3`, `DROP INPUT policy`, `UNKNOWN limit at FORWARD 2`
  func writeText(_ decision: Decision, to out: inout TextWriter) {
    out.write(decision.verdict.label)
    switch decision.by {
    case .rule(let place): out.write(" \(simulator.name(place))")
    case .policy(let chain): out.write(" \(simulator.table.chains[chain].name) policy")
    case .connection: out.write(" (not the first packet of its connection)")
    case .header: out.write(" (a header is missing or cut short)")
    case nil:
      let last = decision.depends.last?.place
      let reasons = decision.depends.filter { $0.place == last }
      out.write(" " + reasons.map { "\($0.name) at \(simulator.name($0.place))" }.joined(separator: ", "))
    }
    out.write("\n")
  }
}
