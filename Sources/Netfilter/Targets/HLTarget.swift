/// Changes how many more hops an IPv6 packet may take (`struct ip6t_HL_info`, linux/netfilter_ipv6/ip6t_HL.h).
public struct HLTarget: Target {
  public var change: HopLimitChange

  public init(_ change: HopLimitChange) { self.change = change }
}

// MARK: Syntax

extension HLTarget {
  public static let definition = ExtensionDefinition(
    "HL", summary: "change the hop limit", families: [.ipv6], tables: [.mangle],
    options: [
      OptionSpec("--hl-set", .number(0...255), excludes: ["--hl-dec", "--hl-inc"], "set it to N"),
      OptionSpec("--hl-dec", .number(1...255), excludes: ["--hl-set", "--hl-inc"], "make it smaller by N"),
      OptionSpec("--hl-inc", .number(1...255), excludes: ["--hl-set", "--hl-dec"], "make it greater by N"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    change = try options.hopLimitChange(set: "--hl-set", decrease: "--hl-dec", increase: "--hl-inc")
  }

  public func print(to out: inout RuleWriter) {
    out.print(change, set: "--hl-set", decrease: "--hl-dec", increase: "--hl-inc")
  }

  public func list(to out: inout RuleWriter) {
    out.word("HL")
    out.list(change)
  }
}

// MARK: Kernel bytes

extension HLTarget {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(change) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    change = try bytes.hopLimitChange()
  }
}

// MARK: Meaning

extension HLTarget {
  public func act(on packet: inout Packet) -> TargetOutcome {
    change.apply(to: &packet)
    return .proceed
  }
}
