/// Why a word cannot stand where it stands. The reader adds file and line and makes a ``Diagnostic`` of it.
public struct SyntaxError: Error, Hashable, Sendable {
  /// Column of the word, from 1; 0 when the whole line is meant.
  public var column: Int
  /// Bytes to underline.
  public var length: Int
  public var message: String
  /// What to write instead.
  public var hint: String?
  /// Which extension is not known, where that is the error.
  package var unknownExtension: UnknownExtension?

  /// Whether iptables takes the words and the kernel refuses the rule.
  package private(set) var isKernels = false

  /// The same error about what the kernel alone refuses, which tells iptables' exit status.
  package var byKernel: SyntaxError {
    var error = self
    error.isKernels = true
    return error
  }

  /// The same error about a word.
  func placed(at token: Token) -> SyntaxError {
    var error = self
    (error.column, error.length) = (token.column, max(1, token.count))
    return error
  }

  package enum UnknownExtension: Hashable, Sendable {
    case match(String)
    case target(String)
  }

  package init(at token: Token, _ message: String, hint: String? = nil) {
    self.init(column: token.column, length: max(1, token.count), message, hint: hint)
  }

  package init(column: Int = 0, length: Int = 1, _ message: String, hint: String? = nil) {
    self.column = column
    self.length = length
    self.message = message
    self.hint = hint
  }
}

/// One message about a place in a source, in the form every command prints.
public struct Diagnostic: Error, Hashable, Sendable {
  public enum Severity: String, Hashable, Sendable {
    case error
    case warning
    case note
  }

  public var severity: Severity
  /// The file's name as the user gave it, `-` for standard input.
  public var file: String
  /// From 1; 0 when the message is about the whole file.
  public var line: Int
  /// From 1; 0 when the message is about the whole line.
  public var column: Int
  public var length: Int
  public var message: String
  public var hint: String?
  /// The text of the line, for the caret.
  public var sourceLine: String?

  public init(
    _ severity: Severity, file: String, line: Int = 0, column: Int = 0, length: Int = 1,
    message: String, hint: String? = nil, sourceLine: String? = nil
  ) {
    self.severity = severity
    self.file = file
    self.line = line
    self.column = column
    self.length = length
    self.message = message
    self.hint = hint
    self.sourceLine = sourceLine
  }
}

extension Diagnostic: CustomStringConvertible {
  /// `FILE:LINE:COL: error: …` with the line, a caret and what to write instead.
  public var description: String {
    var text = file
    if line > 0 { text += ":\(line)" }
    if line > 0, column > 0 { text += ":\(column)" }
    text += ": \(severity.rawValue): \(message)"
    if let excerpt { text += "\n\(excerpt)" }
    if let hint { text += "\n    \(hint)" }
    return text
  }

  /// The part of the line around the place, and a second line that underlines it.
  private var excerpt: String? {
    guard let sourceLine, !sourceLine.isEmpty else { return nil }
    let shown = 160
    let bytes = Array(sourceLine.utf8)
    let start = column > shown / 2 ? min(column - shown / 2, bytes.count) : 0
    let window = bytes[start..<min(bytes.count, start + shown)]
    let visible = window.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }
    var text = "    " + (start > 0 ? "…" : "") + String(decoding: visible, as: UTF8.self)
    if start + shown < bytes.count { text += "…" }
    guard column > 0, column - 1 >= start, column - 1 <= bytes.count else { return text }
    let lead = column - 1 - start + (start > 0 ? 1 : 0)
    let width = max(1, min(length, start + shown - (column - 1)))
    text += "\n    " + String(repeating: " ", count: lead) + "^"
    text += String(repeating: "~", count: width - 1)
    return text
  }
}
