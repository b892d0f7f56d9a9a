internal import Firebreak

extension SiteOptions {
  /// Reads rules from files, telling warnings as they come.
  /// - Throws: ``CommandFailure`` with all located messages when there is an error.
  func readRules(_ paths: [String], _ console: Console, names: Names = .system) throws -> RulesText.Reading {
    let reading = try RulesInput.read(paths, family: family, names: names)
    if reading.hasErrors { throw CommandFailure(badInput: reading.diagnostics) }
    for diagnostic in reading.diagnostics { console.warn(diagnostic) }
    return reading
  }
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
