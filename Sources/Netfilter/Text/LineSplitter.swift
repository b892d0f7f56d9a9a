/// Splits one line into words, as iptables-restore does or as a shell does. Words without quotes or escapes are the
/// line's own bytes; the others are copied to a side buffer.
package struct LineSplitter: ~Copyable {
  package private(set) var tokens: [Token] = []
  private let unescaped: UnsafeMutableBufferPointer<UInt8>
  private var used = 0

  /// - Parameter longestLine: no line handed to `split` may be longer.
  package init(longestLine: Int) {
    unescaped = .allocate(capacity: longestLine)
  }

  deinit { unescaped.deallocate() }

  private mutating func begin() {
    tokens.removeAll(keepingCapacity: true)
    used = 0
  }

  private mutating func keep(_ byte: UInt8) {
    unescaped[used] = byte
    used += 1
  }

  /// iptables-restore's words: blanks between, double quotes around, a backslash inside quotes takes the next byte
  /// as it is (`add_param_to_argv`). Two quoted pieces side by side are two words, as there.
  /// - Parameter start: where the words begin: behind the sign of a line `*TABLE` or `:CHAIN POLICY`, which blanks may follow.
  /// - Throws: ``SyntaxError`` when a quote does not close.
  package mutating func splitRestore(_ line: UnsafeBufferPointer<UInt8>, from start: Int = 0) throws(SyntaxError) {
    begin()
    var index = start
    while index < line.count {
      let byte = line[index]
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
        index += 1
        continue
      }
      let start = index
      while index < line.count, line[index] != UInt8(ascii: " "), line[index] != UInt8(ascii: "\t"),
        line[index] != UInt8(ascii: "\"")
      {
        index += 1
      }
      guard index < line.count, line[index] == UInt8(ascii: "\"") else {
        tokens.append(Token(UnsafeBufferPointer(rebasing: line[start..<index]), column: start + 1))
        continue
      }
      let kept = used
      for byte in line[start..<index] { keep(byte) }
      let quote = index
      index += 1
      var closed = false
      while index < line.count {
        let byte = line[index]
        index += 1
        if byte == UInt8(ascii: "\"") {
          closed = true
          break
        }
        if byte == UInt8(ascii: "\\"), index < line.count {
          keep(line[index])
          index += 1
        } else {
          keep(byte)
        }
      }
      guard closed else { throw SyntaxError(column: quote + 1, "the quote does not close on this line") }
      tokens.append(Token(UnsafeBufferPointer(rebasing: unescaped[kept..<used]), column: start + 1, isQuoted: true))
    }
  }

  /// A shell's words, as far as they need no shell: quotes, backslashes and comments, but no expansion.
  /// - Throws: ``SyntaxError`` when the line needs a shell.
  package mutating func splitShell(_ line: UnsafeBufferPointer<UInt8>) throws(SyntaxError) {
    begin()
    var index = 0
    while index < line.count {
      let byte = line[index]
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
        index += 1
      } else if byte == UInt8(ascii: "#") {
        return
      } else {
        try shellWord(line, &index)
      }
    }
  }

  private mutating func shellWord(_ line: UnsafeBufferPointer<UInt8>, _ index: inout Int) throws(SyntaxError) {
    let start = index
    let kept = used
    var isQuoted = false
    while index < line.count {
      let byte = line[index]
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"):
        tokens.append(word(kept, start, isQuoted))
        return
      case UInt8(ascii: "'"), UInt8(ascii: "\""):
        isQuoted = true
        try quotedPart(line, &index)
      case UInt8(ascii: "\\"):
        isQuoted = true
        index += 1
        if index < line.count {
          keep(line[index])
          index += 1
        }
      case UInt8(ascii: "$"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "&"), UInt8(ascii: ";"),
        UInt8(ascii: "<"),
        UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "{"), UInt8(ascii: "}"),
        UInt8(ascii: "*"), UInt8(ascii: "?"):
        throw Self.needsShell(byte, index)
      default:
        keep(byte)
        index += 1
      }
    }
    tokens.append(word(kept, start, isQuoted))
  }

  private mutating func quotedPart(_ line: UnsafeBufferPointer<UInt8>, _ index: inout Int) throws(SyntaxError) {
    let quote = line[index]
    let start = index
    index += 1
    while index < line.count, line[index] != quote {
      if quote == UInt8(ascii: "\"") {
        if line[index] == UInt8(ascii: "$") || line[index] == UInt8(ascii: "`") {
          throw Self.needsShell(line[index], index)
        }
        let escapes = line[index] == UInt8(ascii: "\\") && index + 1 < line.count
        if escapes,
          [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"), UInt8(ascii: "`")].contains(line[index + 1])
        {
          index += 1
        }
      }
      keep(line[index])
      index += 1
    }
    guard index < line.count else { throw SyntaxError(column: start + 1, "the quote does not close on this line") }
    index += 1
  }

  private static func needsShell(_ byte: UInt8, _ index: Int) -> SyntaxError {
    SyntaxError(
      column: index + 1, "'\(Character(UnicodeScalar(byte)))' needs a shell; plain commands only are read here",
      hint: "write the value out, or put the character between single quotes")
  }

  private func word(_ kept: Int, _ start: Int, _ isQuoted: Bool) -> Token {
    Token(UnsafeBufferPointer(rebasing: unescaped[kept..<used]), column: start + 1, isQuoted: isQuoted)
  }
}
