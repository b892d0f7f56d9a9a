/// A place in the kernel's packet path where tables are consulted. Raw values are `NF_INET_*` (linux/netfilter.h).
public enum Hook: UInt8, Hashable, Sendable, CaseIterable, Comparable {
  case prerouting = 0
  case input = 1
  case forward = 2
  case output = 3
  case postrouting = 4

  public static func < (a: Hook, b: Hook) -> Bool { a.rawValue < b.rawValue }

  /// The built-in chain that stands at this hook.
  public var chainName: ChainName {
    switch self {
    case .prerouting: .prerouting
    case .input: .input
    case .forward: .forward
    case .output: .output
    case .postrouting: .postrouting
    }
  }
}

/// A set of hooks.
public struct HookSet: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(_ hook: Hook) { self.init(rawValue: 1 << hook.rawValue) }

  public static let prerouting = HookSet(.prerouting)
  public static let input = HookSet(.input)
  public static let forward = HookSet(.forward)
  public static let output = HookSet(.output)
  public static let postrouting = HookSet(.postrouting)
  public static let all: HookSet = [.prerouting, .input, .forward, .output, .postrouting]

  /// The hooks in the order a packet meets them.
  public var hooks: [Hook] { Hook.allCases.filter { contains(HookSet($0)) } }
}
