internal import Firebreak
internal import Glibc

struct Run: Subcommand {
  static let name = "run"

  static let about = About(
    "Run an unchanged script of iptables commands, and commit what it did as one act.",
    discussion: """
      The script's calls of iptables, ip6tables, their -legacy, -nft, -save and -restore, of ipset and of nft act on a \
      copy of the live rules, sets and tables, by whatever path they are called; everything else that it does happens at \
      once, as always, and stays. When it ends with 0, what it changed is committed as one act. When it does not, \
      everything is as before, and the command that failed is named.

      Rules that others add while it runs stay. Where the script takes rules out in whose place another commit \
      puts others meanwhile, nothing is committed (exit status 75). Sets that it made are made before the rules that \
      look into them, sets that it made anew take the place of the old ones, and sets that it destroyed go when the \
      commit is kept. A table of nft's own that it changed takes the place of the live one; where somebody else has \
      changed that meanwhile, nothing is committed. Sets and such tables are part of the generation: rollback and the \
      start of the machine bring them back as well.

      Calls of ebtables and arptables fail. So do systemctl's for services that load rules; what such a service has saved \
      within the script, iptables-save > FILE, is what the script made. What changes rules in other ways, a program that \
      speaks netlink or a copy of iptables outside PATH and the system's folders, changes the live ones.

      EXAMPLES
        firebreak run --diff -- ./firewall.sh start
        firebreak run --confirm 2m -m 'new mail server' -- ./firewall.sh
        firebreak run --check --diff -- bash ./firewall.sh
      """,
    usage: "firebreak run [OPTION …] -- SCRIPT [ARG …]")

  @OptionGroup(title: "COMMON OPTIONS") var site: SiteOptions
  @OptionGroup() var lock: LockOptions
  @OptionGroup(title: "CONFIRMATION") var confirmation: ConfirmationOptions

  @Flag("--check", "--dry-run", "-n", help: "Run the script, and change no rules.")
  var check = false

  @Flag("--diff", help: "Show what changes, as lines with - and +.")
  var diff = false

  @Option("--message", "-m", help: "Why; the script's name and arguments if left out.")
  var message: String?

  @Option("--timeout", help: "Kill the script after this time; 5m if not given.", placeholder: "time")
  var timeout = TimeLimit(argument: "300s")!

  @Argument(rest: "script", help: "The script and its arguments.")
  var script: [String]

  func validate() throws {
    if script.isEmpty { throw ValidationError("name the script after two dashes: firebreak run -- ./firewall.sh") }
  }

  func run() throws {
    try site.run { console in
      try site.enter()
      var options = RuleStore.CommitOptions()
      lock.apply(to: &options)
      let kernel = try copy(options, console)
      let outcome = try runScript(kernel, console)
      guard outcome.ending.isGood else { throw failure(outcome) }
      warn(of: outcome, console)
      try commit(kernel.changes(), options, failedCalls: outcome.failedCalls, console)
    }
  }

  /// A copy of what no commit is about to change, or to take back. What a script does at once stays, so that none is begun
  /// where its rules could not be committed.
  private func copy(_ options: RuleStore.CommitOptions, _ console: Console) throws -> StagedKernel {
    let engine = try site.engine(site.store())
    let (kernel, recovered) = try engine.betweenCommits(options) { try StagedKernel(lockWait: options.lockWait) }
    if let recovered { console.note(recovered.sentence) }
    return kernel
  }

  // MARK: The script

  private static let noteAfter = Duration.seconds(30)

  private func runScript(_ kernel: StagedKernel, _ console: Console) throws -> ScriptRun.Outcome {
    var run = ScriptRun(words)
    run.limit = timeout.duration
    run.outputGoesToErrors = console.isJSON
    var isNoted = false
    run.onTick = { time in
      guard !isNoted, time > Self.noteAfter else { return }
      isNoted = true
      console.note("the script is still running; it is killed after \(timeout.seconds) s (--timeout)")
    }
    return try run.run(on: kernel)
  }

  /// The words after the two dashes, byte for byte.
  private var words: [[CChar]] {
    let all = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0] }
    return all.suffix(script.count).map { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
  }

  private func failure(_ outcome: ScriptRun.Outcome) -> CommandFailure {
    let line = outcome.faults.last { $0.place != nil }
    let call = outcome.faults.last { $0.place == nil }
    var lines: [String] = []
    if let line, let place = line.place, let call, call.isSame(as: line) {
      lines.append("failed at \(place): \(call)")
    } else {
      if let line { lines.append("failed at \(line)") }
      if let call { lines.append("last failed call: \(call)") }
    }
    return CommandFailure(
      .failed, "\(script[0]) \(describe(outcome.ending)); the rules are as before",
      hint: lines.isEmpty ? nil : lines.joined(separator: "\n    "))
  }

  private func describe(_ ending: ScriptRun.Ending) -> String {
    switch ending {
    case .exit(let status): "ended with status \(status)"
    case .signal(let signal): "was ended by signal \(signal)"
    case .interrupted(let signal): "was interrupted by signal \(signal)"
    case .timeout: "did not end within \(timeout.seconds) s and was killed (--timeout)"
    case .leftBehind(let ending):
      "\(describe(ending)), but what it had started did not end within \(timeout.seconds) s and was killed (--timeout)"
    }
  }

  /// A script goes on after a command that failed, unless it says otherwise; its author may not know that one did.
  private func warn(of outcome: ScriptRun.Outcome, _ console: Console) {
    let calls = outcome.failedCalls
    for fault in calls.prefix(3) { console.note("a call failed and the script went on: \(fault)") }
    if calls.count > 3 { console.note("\(calls.count - 3) more calls failed") }
  }

  // MARK: The commit

  private func commit(
    _ changes: StagedKernel.Changes, _ options: RuleStore.CommitOptions, failedCalls: [ScriptFault], _ console: Console
  ) throws {
    let backend = try backendName(changes)
    var request = CommitEngine.Request(changes.rules[backend] ?? Ruleset())
    request.options = options
    request.options.counters = .wanted
    request.copied = changes.copied[backend] ?? Ruleset()
    request.message = message ?? script.joined(separator: " ")
    confirmation.apply(to: &request)
    request.companions = changes.companions
    guard let choice = BackendChoice(rawValue: backend) else { return }
    let engine = try site.engine(RuleStore(try choice.backend(names: .system)))
    let extra: [(String, JSON)] = [("failed_calls", .array(failedCalls.map { .string("\($0)") }))]
    guard !check else {
      // The copy has taken these rules already, and new sets are not there to try them with.
      request.options.rehearses = !changes.companions.contains { $0.companion.kind == .set && $0.isMade }
      let report = try engine.check(request)
      return CommitReport(report, status: "planned", showsDifference: diff, extra: extra).render(console)
    }
    warnOfLockout(by: changes.companions, console)
    let report = CommitReport(
      try engine.apply(request), status: "committed", showsDifference: diff, extra: extra)
    try report.finish(engine, waits: !confirmation.noWait, console)
  }

  /// New sets are looked for in the rules, by the check of these.
  private func warnOfLockout(by companions: [CompanionChange], _ console: Console) {
    let unchecked = companions.filter { !$0.isRemoved && ($0.companion.kind == .table || !$0.isMade) }
    guard !unchecked.isEmpty, confirmation.confirm == nil, !confirmation.allowLockout else { return }
    let names = unchecked.map(\.companion.description).joined(separator: ", ")
    console.note("whether you are locked out by \(names) is not checked; --confirm 60s takes back what does it")
  }

  /// The backend whose rules the script changed.
  private func backendName(_ changes: StagedKernel.Changes) throws -> String {
    // A table that was only looked at, and came into being by that, is no change.
    let changed = changes.rules.filter { backend, ruleset in
      ruleset.tables.contains { !$0.isPristine || changes.copied[backend]?[$0.id]?.isPristine == false }
    }
    guard changed.count < 2 else {
      throw CommandFailure(
        .failed,
        "\(script[0]) changed rules of iptables-legacy and of iptables-nft, and one commit covers one of them; "
          + "the rules are as before", hint: "let it call one of both only")
    }
    let name = changed.keys.first ?? changes.rules.keys.first ?? site.backendName ?? "legacy"
    if let wanted = site.backendName, wanted != name {
      throw CommandFailure(
        .failed, "\(script[0]) changed rules of --backend \(name); the rules are as before",
        hint: "leave --backend \(wanted) out, or let it call iptables-\(wanted)")
    }
    return name
  }
}

extension ScriptRun.Outcome {
  /// Those after which the script went on, and that asked for something to be done.
  fileprivate var failedCalls: [ScriptFault] { faults.filter { $0.place == nil && !$0.isQuestion } }
}

extension ScriptFault {
  /// `-C` asks whether a rule is there.
  fileprivate var isQuestion: Bool {
    command.split(separator: " ").contains { $0 == "-C" || $0 == "--check" || $0 == "test" }
  }
}
