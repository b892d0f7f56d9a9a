/// Changes how many more hops an IPv4 packet may take (`struct ipt_TTL_info`, linux/netfilter_ipv4/ipt_TTL.h).
public struct TTLTarget: Target {
  public var change: HopLimitChange

  public init(_ change: HopLimitChange) { self.change = change }
}

/// A change of the time to live or hop limit, which stays between 0 and 255.
public struct HopLimitChange: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable {
    case set = 0
    case increase = 1
    case decrease = 2
  }

  public let kind: Kind
  public let hops: UInt8

  /// nil for an increase or a decrease by nothing.
  public init?(_ kind: Kind, _ hops: UInt8) {
    guard kind == .set || hops > 0 else { return nil }
    self.kind = kind
    self.hops = hops
  }
}

// MARK: Syntax

extension TTLTarget {
  public static let definition = ExtensionDefinition(
    "TTL", summary: "change the time to live", families: [.ipv4], tables: [.mangle],
    options: [
      OptionSpec("--ttl-set", .number(0...255), excludes: ["--ttl-dec", "--ttl-inc"], "set it to N"),
      OptionSpec("--ttl-dec", .number(1...255), excludes: ["--ttl-set", "--ttl-inc"], "make it smaller by N"),
      OptionSpec("--ttl-inc", .number(1...255), excludes: ["--ttl-set", "--ttl-dec"], "make it greater by N"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    change = try options.hopLimitChange(set: "--ttl-set", decrease: "--ttl-dec", increase: "--ttl-inc")
  }

  public func print(to out: inout RuleWriter) {
    out.print(change, set: "--ttl-set", decrease: "--ttl-dec", increase: "--ttl-inc")
  }

  public func list(to out: inout RuleWriter) {
    out.word("TTL")
    out.list(change)
  }
}

extension RuleWriter {
  /// One of three options.
  mutating func print(
    _ change: HopLimitChange, set: StaticString, decrease: StaticString, increase: StaticString
  ) {
    switch change.kind {
    case .set: option(set)
    case .increase: option(increase)
    case .decrease: option(decrease)
    }
    number(change.hops)
  }

  /// ` set to 64`
  mutating func list(_ change: HopLimitChange) {
    switch change.kind {
    case .set: word("set to")
    case .increase: word("increment by")
    case .decrease: word("decrement by")
    }
    number(change.hops)
  }
}

extension OptionValues {
  /// One of three options.
  func hopLimitChange(set: StaticString, decrease: StaticString, increase: StaticString) throws(SyntaxError)
    -> HopLimitChange
  {
    for (name, kind) in [(set, HopLimitChange.Kind.set), (decrease, .decrease), (increase, .increase)] {
      if let hops = try number(name), let change = HopLimitChange(kind, UInt8(hops)) { return change }
    }
    throw SyntaxError("\(definition.name) needs one of \(set), \(decrease), \(increase)")
  }
}

// MARK: Kernel bytes

extension TTLTarget {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(change) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    change = try bytes.hopLimitChange()
  }
}

extension ByteWriter {
  mutating func write(_ change: HopLimitChange) {
    write(change.kind.rawValue)
    write(change.hops)
  }
}

extension ByteReader {
  mutating func hopLimitChange() throws(WireError) -> HopLimitChange {
    guard let kind = HopLimitChange.Kind(rawValue: try uint8("mode")) else { throw invalid("mode") }
    guard let change = HopLimitChange(kind, try uint8("ttl")) else { throw invalid("ttl") }
    return change
  }
}

// MARK: Meaning

extension TTLTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    change.apply(to: &packet)
    return .proceed
  }
}

extension HopLimitChange {
  func apply(to packet: inout Packet) {
    switch kind {
    case .set: packet.rewrite(\.hopLimit, hops)
    case .increase: packet.rewrite(\.hopLimit, packet.hopLimit.map { $0 > .max - hops ? .max : $0 + hops })
    case .decrease: packet.rewrite(\.hopLimit, packet.hopLimit.map { $0 < hops ? 0 : $0 - hops })
    }
  }
}
