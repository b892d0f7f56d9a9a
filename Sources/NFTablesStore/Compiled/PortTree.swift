/// Ranges of ports as blocks of 1, 16, 256, 4096 and 65536 that begin at multiples of their size.
///
/// A range consists of the largest blocks that it holds as a whole. Two ranges meet where they have a block in common, or a
/// block of one lies inside a block of the other. The larger block is none that the other range holds, so that it is one in
/// which that range begins or ends.
enum PortTree {
  private static let shifts = [16, 12, 8, 4, 0]

  /// The names under which a range is entered.
  static func enter(_ range: ClosedRange<UInt16>, _ body: (UInt64) -> Void) {
    forEachBlock(of: range) { body(name($0, $1, isWhole: true)) }
    forEachEnd(of: range) { body(name($0, $1, isWhole: false)) }
  }

  /// Names of which one at least is entered for each range that meets this one, and none for any other.
  static func find(_ range: ClosedRange<UInt16>, _ body: (UInt64) -> Void) {
    forEachBlock(of: range) { shift, block in
      body(name(shift, block, isWhole: true))
      if shift > 0 { body(name(shift, block, isWhole: false)) }
    }
    forEachEnd(of: range) { body(name($0, $1, isWhole: true)) }
  }

  /// - Parameter isWhole: whether all ports of the block are in the range, or some may be.
  private static func name(_ shift: Int, _ block: Int, isWhole: Bool) -> UInt64 {
    UInt64(shift) << 20 | UInt64(block) << 1 | (isWhole ? 1 : 0)
  }

  /// The largest blocks of which the range consists.
  private static func forEachBlock(of range: ClosedRange<UInt16>, _ body: (Int, Int) -> Void) {
    var next = Int(range.lowerBound)
    let end = Int(range.upperBound) + 1
    while next < end {
      let shift = shifts.first { next & (1 << $0 - 1) == 0 && next + 1 << $0 <= end }!
      body(shift, next >> shift)
      next += 1 << shift
    }
  }

  /// The blocks of more than one port in which the range begins and ends.
  private static func forEachEnd(of range: ClosedRange<UInt16>, _ body: (Int, Int) -> Void) {
    for shift in shifts where shift > 0 {
      let (first, last) = (Int(range.lowerBound) >> shift, Int(range.upperBound) >> shift)
      body(shift, first)
      if last != first { body(shift, last) }
    }
  }
}
