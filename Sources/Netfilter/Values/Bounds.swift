/// An inclusive lower and upper limit, compared one by one as the kernel does: where `first` is greater than `last`,
/// nothing lies between them. iptables takes such limits in some places, so they are values too.
public struct Bounds<Value: Comparable & Hashable & Sendable>: Hashable, Sendable {
  public let first: Value
  public let last: Value

  public init(_ first: Value, _ last: Value) { (self.first, self.last) = (first, last) }

  /// One value.
  public init(_ only: Value) { self.init(only, only) }

  public func contains(_ value: Value) -> Bool { first <= value && value <= last }

  /// Whether no value lies between the limits.
  public var isEmpty: Bool { last < first }
}

extension TextWriter {
  /// `22`, or `22:25`.
  package mutating func write(_ bounds: Bounds<some FixedWidthInteger>) {
    write(bounds.first)
    guard bounds.last != bounds.first else { return }
    write(byte: UInt8(ascii: ":"))
    write(bounds.last)
  }
}
