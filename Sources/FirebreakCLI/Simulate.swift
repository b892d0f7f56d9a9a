internal import Firebreak

struct Simulate: Subcommand {
  static let name = "simulate"

  static let about = About(
    "Say what rules do with a packet, without sending one.",
    discussion: """
      Walks one table from one chain as the kernel does and prints the verdict, the rule that decides with its file and \
      line, and every rule that matched on the way. INPUT is rules text, a list of commands, a directory, - for standard \
      input, or `kernel` for the rules that are in force.

      Nothing is guessed: where the answer depends on something that is not said of the packet, or that cannot be said of \
      one packet (a rate, the time of day), the verdict is UNKNOWN, and what it depends on is named. Table nat is asked \
      about the first packet of a connection only; with --state ESTABLISHED its rules are passed by.

      --packets reads packets in JSON, one a line, and prints an answer a line:
        {"table":"filter","chain":"FORWARD","in":"eth0","out":"eth1","src":"192.0.2.1","dst":"198.51.100.2",
         "proto":"tcp","sport":10000,"dport":22,"flags":["SYN"],"ctstate":"NEW"}
      Members are named as the options below, with _ for -; --state is ctstate. Without `table` it is filter. With --json \
      an answer is {"verdict":"ACCEPT","by":["FORWARD",3],"trace":[["FORWARD",3]],"depends":[]}; `by` names "policy" in \
      place of a rule where the policy decided, and is null where nothing did.

      EXAMPLES
        firebreak simulate rules.v4 --chain INPUT --in eth0 --src 192.0.2.1 --dst 198.51.100.2 \\
          --proto tcp --sport 40000 --dport 22 --state NEW --flags SYN
        firebreak simulate rules.v6 --chain FORWARD --in eth0 --out eth1 --src 2001:db8::1 --dst 2001:db8:1::1 \\
          --proto icmpv6 --icmp-type 128 --icmp-code 0 --expect accept
        firebreak simulate kernel --packets packets.jsonl --json

      Exit status: 0; with --expect 1 when the verdict is another one.
      """)

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var input: InputArguments
  @OptionGroup(title: "THE PACKET") var packet: PacketArguments

  @Option("--expect", help: "Exit with status 1 unless this is the verdict.", placeholder: "accept|drop|reject")
  var expect: Expectation?

  @Option("--packets", help: "Read packets from this file, or - for standard input.", placeholder: "file.jsonl")
  var packets: String?

  enum Expectation: String, CaseIterable, ArgumentValue {
    case accept
    case drop
    case reject

    func isMet(by verdict: Decision.Verdict) -> Bool {
      switch (self, verdict) {
      case (.accept, .accept), (.drop, .drop), (.reject, .reject): true
      default: false
      }
    }
  }

  func validate() throws {
    if packets != nil {
      if expect != nil { throw ValidationError("--expect is for one packet, not for --packets") }
      if let option = packet.firstSaid { throw ValidationError("\(option) cannot stand beside --packets") }
      if packets == "-", input.inputs.contains("-") { throw ValidationError("standard input can be read only once") }
    }
    if input.inputs.contains("kernel"), input.inputs.count > 1 {
      throw ValidationError("'kernel' stands alone; a file of that name is ./kernel")
    }
  }

  func run() throws {
    try site.run { console in
      let rules = try load(console)
      if let packets { return try SimulationRun(rules, isJSON: console.isJSON).answer(packets, console) }
      let question = try packet.question(site)
      guard let table = rules.table(question.table, question.packet.family) else {
        throw CommandFailure(
          .badInput, "the rules have no \(question.packet.family) table \(question.table)",
          hint: "they have \(rules.tableList)")
      }
      let simulator = try Simulator(checked: table, isIndexed: false)
      let report = SimulationReport(question, simulator, rules)
      report.print(to: console)
      if let expect, !expect.isMet(by: report.decision.verdict) { throw ExitCode(.failed) }
    }
  }

  private func load(_ console: Console) throws -> SimulatedRules {
    guard input.inputs != ["kernel"] else {
      try site.enter()
      return SimulatedRules(try site.store().backend.outline(of: .all).ruleset, isKernel: true)
    }
    let reading = try site.readRules(input.inputs, console, for: site.interface)
    return SimulatedRules(reading.ruleset, files: reading.files)
  }
}

/// Rules, and where they are from.
struct SimulatedRules {
  private let ruleset: Ruleset
  private let isKernel: Bool
  private let files: [String]

  init(_ ruleset: Ruleset, files: [String] = [], isKernel: Bool = false) {
    self.ruleset = ruleset
    self.files = files
    self.isKernel = isKernel
  }

  /// nil where the rules do not speak of the table. One that the kernel does not have lets every packet pass.
  func table(_ name: TableName, _ family: Family) -> Table? {
    ruleset[name, family] ?? (isKernel ? Table(name, family: family) : nil)
  }

  var tableList: String {
    ruleset.isEmpty ? "none" : ruleset.tables.map { "\($0.family) \($0.name)" }.joined(separator: ", ")
  }

  /// `rules.v4:12`, nil where it is not known.
  func place(_ position: SourcePosition?) -> (file: String, line: Int)? {
    guard let position, position.input < files.count else { return nil }
    return (files[position.input], position.line)
  }
}

extension Simulator {
  init(checked table: Table, isIndexed: Bool) throws {
    do throws(TableProblem) {
      try self.init(table, isIndexed: isIndexed)
    } catch {
      let problem = error
      throw CommandFailure(
        .badInput,
        "\(problem.message), in rule \(problem.ruleNumber) of chain \(problem.chain), table \(problem.table)",
        hint: problem.hint)
    }
  }
}
