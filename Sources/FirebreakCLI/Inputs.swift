internal import Firebreak
internal import Synchronization

extension SiteOptions {
  /// Reads rules from files, telling warnings as they come.
  /// - Throws: ``CommandFailure`` with all located messages when there is an error.
  func readRules(
    _ paths: [String], _ console: Console, for interface: KernelInterface, names: Names = .system
  ) throws -> RulesText.Reading {
    try RulesInput(paths, family: family, for: interface).readRules(names, console)
  }

  /// A commit of rules from files. If this text was committed before, and it is known what it came to, it is not read
  /// before that is found to be no longer so.
  func readCommit(_ paths: [String], _ console: Console, for interface: KernelInterface, mayBeKnown: Bool) throws
    -> CommitInput
  {
    let input = try RulesInput(paths, family: family, for: interface)
    let state = mayBeKnown && StateDirectory.exists(stateDir) ? try? StateDirectory(stateDir) : nil
    if let known = state.flatMap({ input.text.known(in: $0) }) { return CommitInput(input, known: known) }
    return CommitInput(input, try input.readRules(.system, console))
  }
}

extension RulesInput {
  fileprivate func readRules(_ names: Names, _ console: Console) throws -> RulesText.Reading {
    let reading = try readRules(names)
    for diagnostic in reading.diagnostics { console.warn(diagnostic) }
    return reading
  }

  fileprivate func readRules(_ names: Names) throws -> RulesText.Reading {
    let reading = read(names: names)
    if reading.hasErrors { throw CommandFailure(badInput: reading.diagnostics) }
    return reading
  }
}

/// Rules to commit, which may not have been read yet.
struct CommitInput {
  let request: CommitEngine.Request
  private let reading: LastReading

  fileprivate init(_ input: RulesInput, _ reading: RulesText.Reading) {
    var request = CommitEngine.Request(reading.ruleset)
    request.text = reading.isUnambiguous ? input.text : nil
    self.request = request
    self.reading = LastReading(reading)
  }

  /// What is known to say the same each time says it without a warning, too.
  fileprivate init(_ input: RulesInput, known: [TableID: UInt64]) {
    let last = LastReading(RulesText.Reading())
    var request = CommitEngine.Request(known: known) {
      let reading = try input.readRules(.system)
      last.value.withLock { $0 = reading }
      return reading.ruleset
    }
    request.text = input.text
    self.request = request
    reading = last
  }

  /// See ``RulesText/Reading/locating(_:)``.
  func locating<R>(_ commit: () throws -> R) throws -> R {
    do { return try commit() } catch { return try reading.value.withLock { $0 }.locating { throw error } }
  }
}

private final class LastReading: Sendable {
  let value: Mutex<RulesText.Reading>
  init(_ reading: RulesText.Reading) { value = Mutex(reading) }
}

extension RulesText.Reading {
  /// Whether the text says the same each time, and nothing to whom it is read.
  fileprivate var isUnambiguous: Bool { isSelfContained && diagnostics.isEmpty }
}

/// The files that hold rules.
struct InputArguments: ParameterGroup {
  @Argument(
    several: "input",
    help: """
      Rules: iptables-save text, a list of iptables and ip6tables commands, a directory of such files, or - for standard \
      input.
      """,
    discussion: """
      The family of iptables-save text is told by its suffix (.v4, .v6), its header line, -4 or -6; else it is IPv4. \
      Rules text replaces the tables that it names and no others.
      """)
  var inputs: [String]

  func validate() throws {
    if inputs.count(where: { $0 == "-" }) > 1 { throw ValidationError("standard input can be read only once") }
  }
}

extension RulesText.Reading {
  /// Runs a commit of these rules; when the kernel refuses one of them, the failure names the file and line it came from.
  func locating<R>(_ commit: () throws -> R) throws -> R {
    do {
      return try commit()
    } catch let error as LockoutGuard.Lockout {
      guard let position = error.position, position.input < files.count, let text = error.text else { throw error }
      var failure = CommandFailure(error)
      failure.diagnostics = [
        Diagnostic(
          .error, file: files[position.input], line: position.line, message: "this rule stops who is logged in now",
          sourceLine: text)
      ]
      throw failure
    } catch let error as BackendError {
      guard let culprit = error.culprit, let position = culprit.position, position.input < files.count else {
        throw error
      }
      var located = error
      located.culprit = nil  // the located message says it
      var failure = CommandFailure(located)
      failure.diagnostics = [
        Diagnostic(
          .error, file: files[position.input], line: position.line,
          message:
            "the kernel refuses this rule, number \(culprit.ruleNumber) of chain \(culprit.chain), table \(culprit.table)",
          sourceLine: culprit.text)
      ]
      throw failure
    }
  }
}
