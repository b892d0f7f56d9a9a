internal import ArgumentParser
internal import Firebreak

/// A time as people write it: `90`, `60s`, `5m`, `1h`.
struct TimeLimit: ExpressibleByArgument {
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
struct ConfirmationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take the commit back unless `firebreak confirm` is run within this time; 60s if no time is given.",
      valueName: "time"))
  var confirm: TimeLimit?

  @Flag(help: "With --confirm: return at once, and leave it to the guard and to `firebreak confirm`.")
  var noWait = false

  @Option(
    help: ArgumentHelp("Run this by sh -c after the commit, and take it back when it fails.", valueName: "command"))
  var verify: [String] = []

  @Option(
    help: ArgumentHelp(
      "Take the commit back when no connection can be opened from here: tcp:HOST:PORT, HOST in [] for IPv6.",
      valueName: "probe"))
  var probe: [ProbeArgument] = []

  @Flag(help: "Commit even where the rules would stop a new connection from who is logged in by ssh now.")
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

  /// `--confirm` may stand without a time: the parser wants one for every option that can have one.
  static func completing(_ words: [String]) -> [String] {
    var result: [String] = []
    for (index, word) in words.enumerated() {
      if word == "--" { return result + words[index...] }
      result.append(word)
      guard word == "--confirm" else { continue }
      let next = index + 1 < words.count ? words[index + 1] : ""
      if next.first?.isNumber != true || TimeLimit(argument: next) == nil { result.append("60s") }
    }
    return result
  }
}

/// `tcp:HOST:PORT`
struct ProbeArgument: ExpressibleByArgument {
  let probe: ConnectionProbe

  init?(argument: String) {
    guard let probe = ConnectionProbe(argument) else { return nil }
    self.probe = probe
  }
}
