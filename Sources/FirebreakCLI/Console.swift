internal import Firebreak
internal import Glibc

/// Where commands speak: results on standard output, everything else on standard error.
final class Console {
  let isQuiet: Bool
  let isJSON: Bool
  private let colorsOutput: Bool
  private let colorsErrors: Bool
  private var pending = TextWriter()

  init(isQuiet: Bool, isJSON: Bool, wantsColor: Bool?) {
    self.isQuiet = isQuiet
    self.isJSON = isJSON
    let allowed = getenv("NO_COLOR").map { $0.pointee == 0 } ?? true
    colorsOutput = wantsColor ?? (allowed && isatty(1) == 1)
    colorsErrors = wantsColor ?? (allowed && isatty(2) == 1)
  }

  // MARK: Standard output

  /// A line of the result; left out with `-q`, and in JSON mode.
  func say(_ line: String) {
    guard !isQuiet, !isJSON else { return }
    pending.write(line)
    pending.write("\n")
  }

  /// Text that was asked for, whatever `-q` says.
  func print(_ text: String) { pending.write(text) }

  func print(bytes: [UInt8]) {
    flush()
    writeAll(1, bytes)
  }

  func print(_ value: JSON) {
    pending.write(value.text)
    pending.write("\n")
  }

  func flush() {
    if !pending.bytes.isEmpty { writeAll(1, pending.bytes) }
    pending.removeAll()
  }

  // MARK: Standard error

  func warn(_ diagnostic: Diagnostic) {
    guard !isQuiet || diagnostic.severity == .error else { return }
    error(colored(diagnostic))
  }

  func note(_ text: String) {
    guard !isQuiet else { return }
    error("firebreak: note: \(text)")
  }

  /// A question, behind which the answer is typed.
  func prompt(_ text: String) {
    flush()
    writeAll(2, Array(text.utf8))
  }

  func report(_ failure: CommandFailure) {
    for diagnostic in failure.diagnostics { warn(diagnostic) }
    let label = colorsErrors ? "\u{1b}[1;31merror\u{1b}[0m" : "error"
    error("firebreak: \(label): \(failure.message)")
    if let hint = failure.hint { error("    \(hint)") }
    guard isJSON else { return }
    print(
      .object([
        ("status", .string("failed")), ("exit", .number(Int(failure.status.rawValue))),
        ("error", .string(failure.message)), ("hint", failure.hint.map { .string($0) } ?? .null),
        ("diagnostics", .array(failure.diagnostics.map { JSON($0) })),
      ]))
  }

  private func error(_ line: String) {
    flush()
    writeAll(2, Array((line + "\n").utf8))
  }

  private func colored(_ diagnostic: Diagnostic) -> String {
    let text = "\(diagnostic)"
    guard colorsErrors, let range = text.firstRange(of: ": \(diagnostic.severity.rawValue):") else { return text }
    let code = diagnostic.severity == .error ? "1;31" : diagnostic.severity == .warning ? "1;33" : "1;36"
    return text.replacing(range, with: ": \u{1b}[\(code)m\(diagnostic.severity.rawValue)\u{1b}[0m:")
  }

  /// A diff, in colour where that is wanted.
  func print(_ difference: RulesetDifference) {
    for line in "\(difference)".split(separator: "\n") {
      guard colorsOutput else {
        print("\(line)\n")
        continue
      }
      let code = line.hasPrefix("+") ? "32" : line.hasPrefix("-") ? "31" : "36"
      print("\u{1b}[\(code)m\(line)\u{1b}[0m\n")
    }
  }
}

/// Writes all of it, however often the kernel takes a part only.
func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) {
  var done = 0
  while done < bytes.count {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return }
    done += count
  }
}

extension String {
  fileprivate func firstRange(of needle: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
      start = index(after: start)
    }
    return nil
  }

  fileprivate func replacing(_ range: Range<Index>, with text: String) -> String {
    String(self[..<range.lowerBound]) + text + String(self[range.upperBound...])
  }
}
