/// The time to live of an IPv4 packet (`struct ipt_ttl_info`, linux/netfilter_ipv4/ipt_ttl.h).
public struct TTLMatch: Match {
  public var hops: HopTest

  public init(_ hops: HopTest) { self.hops = hops }
}

/// A comparison with the hops that a packet has left.
public enum HopTest: Hashable, Sendable {
  case equal(UInt8)
  case notEqual(UInt8)
  case less(UInt8)
  case greater(UInt8)

  fileprivate var limit: UInt8 {
    switch self {
    case .equal(let limit), .notEqual(let limit), .less(let limit), .greater(let limit): limit
    }
  }
}

// MARK: Syntax

extension TTLMatch {
  public static let definition = ExtensionDefinition(
    "ttl", summary: "time to live", families: [.ipv4],
    options: [
      OptionSpec(
        "--ttl-eq", aliases: ["--ttl"], .number(0...255), negatable: true, excludes: ["--ttl-lt", "--ttl-gt"],
        "hops that are left"),
      OptionSpec("--ttl-lt", .number(0...255), excludes: ["--ttl-eq", "--ttl-gt"], "fewer are left"),
      OptionSpec("--ttl-gt", .number(0...255), excludes: ["--ttl-eq", "--ttl-lt"], "more are left"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    hops = try HopTest(options, equal: "--ttl-eq", less: "--ttl-lt", greater: "--ttl-gt")
  }

  public func print(to out: inout RuleWriter) {
    hops.print(to: &out, equal: "--ttl-eq", less: "--ttl-lt", greater: "--ttl-gt")
  }

  public func list(to out: inout RuleWriter) {
    out.word("TTL match TTL")
    hops.list(to: &out)
  }
}

extension HopTest {
  package init(_ options: OptionValues, equal: StaticString, less: StaticString, greater: StaticString)
    throws(SyntaxError)
  {
    if let limit = try options.number(equal) {
      self = options.isInverted(equal) ? .notEqual(UInt8(limit)) : .equal(UInt8(limit))
    } else if let limit = try options.number(less) {
      self = .less(UInt8(limit))
    } else if let limit = try options.number(greater) {
      self = .greater(UInt8(limit))
    } else {
      throw options.error(equal, "needs one of \(equal), \(less), \(greater)")
    }
  }

  package func print(
    to out: inout RuleWriter, equal: StaticString, less: StaticString, greater: StaticString
  ) {
    switch self {
    case .equal: out.option(equal)
    case .notEqual: out.option(equal, inverted: true)
    case .less: out.option(less)
    case .greater: out.option(greater)
    }
    out.number(limit)
  }

  /// ` != 5`.
  package func list(to out: inout RuleWriter) {
    switch self {
    case .equal: out.word("==")
    case .notEqual: out.word("!=")
    case .less: out.word("<")
    case .greater: out.word(">")
    }
    out.number(limit)
  }
}

// MARK: Kernel bytes

extension TTLMatch {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(hops) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    hops = try bytes.hopTest("mode")
  }
}

extension ByteWriter {
  /// `mode` and the number, two bytes.
  package mutating func write(_ hops: HopTest) {
    switch hops {
    case .equal: write(UInt8(0))
    case .notEqual: write(UInt8(1))
    case .less: write(UInt8(2))
    case .greater: write(UInt8(3))
    }
    write(hops.limit)
  }
}

extension ByteReader {
  package mutating func hopTest(_ field: StaticString) throws(WireError) -> HopTest {
    let mode = try uint8(field)
    let limit = try uint8(field)
    switch mode {
    case 0: return .equal(limit)
    case 1: return .notEqual(limit)
    case 2: return .less(limit)
    case 3: return .greater(limit)
    default: throw invalid(field)
    }
  }
}

// MARK: Meaning

extension TTLMatch {
  public func matches(_ packet: Packet) -> Answer { hops.holds(for: packet) }
}

extension HopTest {
  /// The answer for a packet's TTL or hop limit; none has less than 0 or more than 255.
  package func holds(for packet: Packet) -> Answer {
    switch self {
    case .less(0), .greater(.max): return .no
    default: break
    }
    guard let left = packet.hopLimit else { return .depends(on: "the packet's hop limit") }
    switch self {
    case .equal(let limit): return Answer(left == limit)
    case .notEqual(let limit): return Answer(left != limit)
    case .less(let limit): return Answer(left < limit)
    case .greater(let limit): return Answer(left > limit)
    }
  }
}
