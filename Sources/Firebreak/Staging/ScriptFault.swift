/// Something in a script that failed, as it is written down while the script runs: a call of a program that changes rules, or
/// a command of bash with its place.
public struct ScriptFault: Hashable, Sendable {
  /// `FILE:LINE`; nil for a call.
  public let place: String?
  public let status: Int
  public let command: String
  /// What the program said last; empty for a command of bash.
  public let message: String

  /// One line: `call` or `line`, status, place, command, message.
  static func callLine(status: Int32, _ command: String, _ message: String) -> String {
    "call\t\(status)\t\t\(flat(command))\t\(flat(message))\n"
  }

  private static func flat(_ text: String) -> String {
    String(text.map { $0 == "\t" || $0.isNewline ? " " : $0 })
  }

  init?(line: Substring) {
    let fields = line.split(separator: "\t", maxSplits: 4, omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 5, let status = Int(fields[1]) else { return nil }
    self.status = status
    place = fields[0] == "line" ? fields[2] : nil
    command = fields[3]
    message = fields[4]
  }

  /// What bash reads before a script: it writes down each command that fails, with its place, and leaves everything as it
  /// would have been.
  /// - Parameter isInherited: within functions too; not for a script that sets such a trap itself.
  static func bash(isInherited: Bool) -> String { bash + (isInherited ? "set -E\n" : "") }

  private static let bash = """
    if [ -n "${FIREBREAK_BASH_ENV+set}" ]; then
      BASH_ENV=$FIREBREAK_BASH_ENV
      unset FIREBREAK_BASH_ENV
      if [ -r "$BASH_ENV" ]; then . "$BASH_ENV"; fi
    else
      unset BASH_ENV
    fi
    trap '{ printf "line\\t%s\\t%s:%s\\t%s\\t\\n" "$?" "${BASH_SOURCE[0]-}" "$LINENO" \
    "${BASH_COMMAND//[[:cntrl:]]/ }" >>\(StagingFolder.faults); } 2>/dev/null' ERR

    """
}

extension ScriptFault {
  /// Whether a call and a line of bash are the same command, as far as their words tell.
  public func isSame(as other: ScriptFault) -> Bool { command == other.command && status == other.status }
}

extension ScriptFault: CustomStringConvertible {
  public var description: String {
    let text = "\(command.prefix(200)) (status \(status))"
    return place.map { "\($0): \(text)" } ?? text + (message.isEmpty ? "" : ": \(message)")
  }
}
