/// A condition that a rule can also state the other way round, with `!`.
public struct Negatable<Value: Hashable & Sendable>: Hashable, Sendable {
  public var value: Value
  public var isInverted: Bool

  public init(_ value: Value, inverted: Bool = false) {
    self.value = value
    self.isInverted = inverted
  }
}

/// The condition, inverted: `!source` reads like `! -s`.
public prefix func ! <Value>(condition: Negatable<Value>) -> Negatable<Value> {
  Negatable(condition.value, inverted: !condition.isInverted)
}
