/// What can be said about a packet and a condition.
public enum Answer: Sendable {
  case yes
  case no
  /// It follows neither from the packet nor from the rule; the text says from what, as a noun phrase: `"the time of day"`.
  case depends(on: StaticString)

  public init(_ truth: Bool) { self = truth ? .yes : .no }

  /// The answer to the condition with `!` before it.
  public static prefix func ! (answer: Answer) -> Answer {
    switch answer {
    case .yes: .no
    case .no: .yes
    case .depends: answer
    }
  }

  /// Both: one `no` decides, whatever the other depends on.
  public static func && (a: Answer, b: @autoclosure () -> Answer) -> Answer {
    switch a {
    case .no: return .no
    case .yes: return b()
    case .depends:
      if case .no = b() { return .no }
      return a
    }
  }

  /// Either: one `yes` decides.
  public static func || (a: Answer, b: @autoclosure () -> Answer) -> Answer {
    switch a {
    case .yes: return .yes
    case .no: return b()
    case .depends:
      if case .yes = b() { return .yes }
      return a
    }
  }

  /// The condition, and its `!`, about a part of the packet; depends on it where the packet does not say it.
  package static func about<Part, Value>(
    _ part: Part?, _ name: StaticString, _ condition: Negatable<Value>?, _ test: (Part, Value) -> Bool
  ) -> Answer {
    guard let condition else { return .yes }
    guard let part else { return .depends(on: name) }
    return Answer(test(part, condition.value) != condition.isInverted)
  }

  /// Whether the bits of `mask` in a field are those of `value`. A value with others is no field's, and where no bits
  /// are compared every field has them.
  package static func about<Field: FixedWidthInteger>(
    _ field: Field?, _ name: StaticString, is value: Field, under mask: Field, inverted: Bool
  ) -> Answer {
    guard value & ~mask == 0 else { return Answer(inverted) }
    guard mask != 0 else { return Answer(!inverted) }
    guard let field else { return .depends(on: name) }
    return Answer((field & mask == value) != inverted)
  }
}

extension Answer: Equatable {
  public static func == (a: Answer, b: Answer) -> Bool {
    switch (a, b) {
    case (.yes, .yes), (.no, .no): true
    case (.depends(let a), .depends(let b)): "\(a)" == "\(b)"
    default: false
    }
  }
}

/// What a target does with a packet.
public enum TargetOutcome: Sendable {
  /// The next rule sees the packet (`XT_CONTINUE`).
  case proceed
  case accept
  case drop
  /// Dropped, and the sender is told.
  case reject
  /// It follows neither from the packet nor from the rule; the text says from what.
  case depends(on: StaticString)
}

extension TargetOutcome: Equatable {
  public static func == (a: TargetOutcome, b: TargetOutcome) -> Bool {
    switch (a, b) {
    case (.proceed, .proceed), (.accept, .accept), (.drop, .drop), (.reject, .reject): true
    case (.depends(let a), .depends(let b)): "\(a)" == "\(b)"
    default: false
    }
  }
}
