internal import Firebreak

/// A time as people write it: `90`, `60s`, `5m`, `1h`.
struct TimeLimit: ArgumentValue {
  let seconds: Int
  var duration: Duration { .seconds(seconds) }

  /// The longest that makes sense: a day.
  static let longest = 86_400

  init?(argument: String) {
    let units = ["s": 1, "m": 60, "h": 3600]
    var digits = Substring(argument)
    var unit = 1
    if let last = argument.last, let known = units[String(last)] {
      unit = known
      digits = digits.dropLast()
    }
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits),
      number >= 1, number <= Self.longest / unit
    else { return nil }
    seconds = number * unit
  }
}

/// Whether and how a commit has to prove itself before it is kept.
struct ConfirmationOptions: ParameterGroup {
  @Option(
    "--confirm", alone: TimeLimit(argument: "60s")!,
    help: "Take the commit back unless `firebreak confirm` is run within this time; 60s if no time is given.",
    placeholder: "time")
  var confirm: TimeLimit?

  @Flag("--no-wait", help: "With --confirm: return at once, and leave it to the guard and to `firebreak confirm`.")
  var noWait = false

  @Option(
    "--verify", help: "Run this by sh -c after the commit, and take it back when it fails.", placeholder: "command")
  var verify: [String]

  @Option(
    "--probe",
    help: "Take the commit back when no connection can be opened from here: tcp:HOST:PORT, HOST in [] for IPv6.",
    placeholder: "probe")
  var probe: [ProbeArgument]

  @Flag(
    "--allow-lockout", help: "Commit even where the rules would stop a new connection from who is logged in by ssh now."
  )
  var allowLockout = false

  /// How long verification may take.
  static let verificationLimit = Duration.seconds(120)

  func validate() throws {
    if noWait, confirm == nil { throw ValidationError("--no-wait belongs to --confirm") }
  }

  func apply(to request: inout CommitEngine.Request) {
    if !allowLockout { request.inspection = { try LockoutGuard().inspect($0, $1, names: .system) } }
    request.confirmation = confirm?.duration
    guard !verify.isEmpty || !probe.isEmpty else { return }
    request.verificationLimit = Self.verificationLimit
    let (commands, probes) = (verify, probe.map(\.probe))
    request.verification = {
      for probe in probes { if let complaint = probe.complaint() { return complaint } }
      for command in commands {
        if let complaint = ShellCheck(command).complaint(within: Self.verificationLimit) { return complaint }
      }
      return nil
    }
  }
}

/// `tcp:HOST:PORT`
struct ProbeArgument: ArgumentValue {
  let probe: ConnectionProbe

  init?(argument: String) {
    guard let probe = ConnectionProbe(argument) else { return nil }
    self.probe = probe
  }
}
