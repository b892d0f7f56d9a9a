/// The numbers in whose order the rules of a compiled chain stand: with room between them, for rules that come later.
enum RuleOrder {
  private static let step: UInt64 = 1 << 32

  /// Of a chain's rules when they are laid out, from 0.
  static func initial(_ index: Int) -> UInt64 { UInt64(index + 1) * step }

  /// - Parameters:
  ///   - lower: that of the rule before; nil where there is none.
  ///   - upper: that of the rule behind.
  /// - Returns: nil where there is no room.
  static func between(_ lower: UInt64?, _ upper: UInt64?) -> UInt64? {
    let lower = lower ?? 0
    guard let upper else { return lower < UInt64.max >> 1 ? lower + step : nil }
    return upper - lower >= 2 ? lower + (upper - lower) / 2 : nil
  }
}
