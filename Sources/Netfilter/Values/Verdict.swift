/// A verdict that the kernel itself knows, without a target extension.
public enum Verdict: UInt8, Hashable, Sendable, CaseIterable {
  case drop = 0
  case accept = 1
  /// To a userspace queue; obsolete, NFQUEUE has taken its place.
  case queue = 3
  /// Back to the calling chain, or to the policy of a built-in chain.
  case `return` = 255

  /// The name in rules text: `ACCEPT`.
  public var label: StaticString {
    switch self {
    case .drop: "DROP"
    case .accept: "ACCEPT"
    case .queue: "QUEUE"
    case .return: "RETURN"
    }
  }

  public init?(label: String) {
    guard let verdict = Self.allCases.first(where: { "\($0.label)" == label }) else { return nil }
    self = verdict
  }

  init?(token: Token) {
    guard let verdict = Self.allCases.first(where: { token == $0.label }) else { return nil }
    self = verdict
  }
}

/// What a built-in chain does with a packet that no rule decided.
public enum Policy: Hashable, Sendable {
  case accept
  case drop

  public var verdict: Verdict { self == .accept ? .accept : .drop }

  /// `ACCEPT` or `DROP`.
  public init?(label: String) {
    switch label {
    case "ACCEPT": self = .accept
    case "DROP": self = .drop
    default: return nil
    }
  }
}

extension Verdict {
  /// The number in a standard target: `-NF_DROP - 1` and so on; `XT_RETURN` is `-NF_REPEAT - 1` (linux/netfilter.h,
  /// linux/netfilter/x_tables.h).
  package var kernelNumber: Int32 {
    switch self {
    case .drop: -1
    case .accept: -2
    case .queue: -4
    case .return: -5
    }
  }

  package init?(kernelNumber number: Int32) {
    guard let verdict = Self.allCases.first(where: { $0.kernelNumber == number }) else { return nil }
    self = verdict
  }
}
