/// Runs two pieces of work, at the same time where the caller has a second thread for it, and returns when both are done.
/// The library itself has no threads.
public typealias Together = (_ first: () -> Void, _ second: () -> Void) -> Void

/// Where a large iptables-save text can be read in two halves at once: inside a table, behind its chain declarations, with
/// nothing but appended rules on both sides. The second half then needs the declarations of that table and no more.
struct SplitReading {
  /// The `*` line and the `:` lines of the table that is open in the middle.
  let head: Range<Int>
  /// Where the second half begins: the start of a line.
  let middle: Int
  /// How many lines stand before it.
  let linesBefore: Int

  /// Smaller texts are read in one piece.
  static let smallestText = 64 * 1024

  /// nil when the text cannot be split.
  init?(_ text: UnsafeBufferPointer<UInt8>) {
    guard text.count >= Self.smallestText else { return nil }
    var line = 0
    var lines = 0
    var open: (start: Int, end: Int)?
    var isHead = false
    let half = text.count / 2
    while line < text.count {
      if line >= half, lines > 0 { break }
      let end = LineScanner.endOfLine(text, from: line)
      guard line < end else { return nil }
      switch text[line] {
      case UInt8(ascii: "*"):
        open = (line, end + 1)
        isHead = true
      case UInt8(ascii: ":"):
        guard isHead, let table = open else { return nil }
        open = (table.start, end + 1)
      case UInt8(ascii: "#"): break
      default:
        isHead = false
        if text[line] == UInt8(ascii: "C") { open = nil } else if !Self.isAppend(text, line, end) { return nil }
      }
      lines += 1
      line = end + 1
    }
    guard let open, !isHead, line < text.count else { return nil }
    head = open.start..<open.end
    middle = line
    linesBefore = lines
    while line < text.count {
      let end = LineScanner.endOfLine(text, from: line)
      guard line < end else { return nil }
      if text[line] == UInt8(ascii: "C") { return }
      guard text[line] == UInt8(ascii: "#") || Self.isAppend(text, line, end) else { return nil }
      line = end + 1
    }
  }

  /// `-A …`, or counters before it, which the reader looks at.
  private static func isAppend(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
    if text[start] == UInt8(ascii: "[") { return true }
    return start + 2 < end && text[start] == UInt8(ascii: "-") && text[start + 1] == UInt8(ascii: "A")
  }
}

/// Finds the ends of lines eight bytes at a time.
enum LineScanner {
  /// The place of the next line feed at or behind `start`, or the end of the text.
  static func endOfLine(_ text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let bytes = UnsafeRawBufferPointer(text)
    var index = start
    while index + 8 <= bytes.count, !hasLineFeed(bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) {
      index += 8
    }
    while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { index += 1 }
    return index
  }

  /// Whether one of eight bytes is a line feed: only a zero byte, which it then is, borrows from its highest bit.
  @inline(__always)
  private static func hasLineFeed(_ eight: UInt64) -> Bool {
    let other = eight ^ 0x0a0a_0a0a_0a0a_0a0a
    return (other &- 0x0101_0101_0101_0101) & ~other & 0x8080_8080_8080_8080 != 0
  }
}
