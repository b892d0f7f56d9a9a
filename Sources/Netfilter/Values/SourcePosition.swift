/// Where a rule was written: which input, and which line of it.
public struct SourcePosition: Hashable, Sendable {
  /// The input's place among those that were read together, from 0.
  public let input: Int
  /// From 1.
  public let line: Int

  public init(input: Int = 0, line: Int) {
    self.input = input
    self.line = line
  }

  /// One number, never 0: the input in the high 8 bits, the line in the others. What does not fit is cut to the largest
  /// number that does: a position is for messages only.
  var packed: UInt32 { UInt32(clamping: min(input, 0xff)) << 24 | UInt32(clamping: min(max(line, 1), 0xff_ffff)) }

  init?(packed: UInt32) {
    guard packed != 0 else { return nil }
    self.init(input: Int(packed >> 24), line: Int(packed & 0xff_ffff))
  }
}
