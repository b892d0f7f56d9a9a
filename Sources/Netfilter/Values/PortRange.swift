/// An inclusive range of transport-layer ports.
public struct PortRange: Hashable, Sendable {
  public let first: UInt16
  public let last: UInt16

  /// One port.
  public init(_ port: UInt16) { (first, last) = (port, port) }

  /// The ports `first` to `last`; nil when `first` is greater.
  public init?(_ first: UInt16, through last: UInt16) {
    guard first <= last else { return nil }
    (self.first, self.last) = (first, last)
  }

  public init(_ range: ClosedRange<UInt16>) { (first, last) = (range.lowerBound, range.upperBound) }

  /// Every port.
  public static let any = PortRange(0...UInt16.max)

  public func contains(_ port: UInt16) -> Bool { first <= port && port <= last }
}

extension Bounds where Value == UInt16 {
  package init(ports: PortRange) { self.init(ports.first, ports.last) }
}

extension PortRange: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt16) { self.init(value) }
}

extension TextWriter {
  /// `22`, or `137:139`.
  mutating func write(_ ports: PortRange) {
    write(ports.first)
    guard ports.last != ports.first else { return }
    write(byte: UInt8(ascii: ":"))
    write(ports.last)
  }
}
