/// The hop limit of an IPv6 packet (`struct ip6t_hl_info`, linux/netfilter_ipv6/ip6t_hl.h).
public struct HopLimitMatch: Match {
  public var hops: HopTest

  public init(_ hops: HopTest) { self.hops = hops }
}

// MARK: Syntax

extension HopLimitMatch {
  public static let definition = ExtensionDefinition(
    "hl", summary: "hop limit", families: [.ipv6],
    options: [
      OptionSpec(
        "--hl-eq", aliases: ["--hl"], .number(0...255), negatable: true, excludes: ["--hl-lt", "--hl-gt"],
        "hops that are left"),
      OptionSpec("--hl-lt", .number(0...255), excludes: ["--hl-eq", "--hl-gt"], "fewer are left"),
      OptionSpec("--hl-gt", .number(0...255), excludes: ["--hl-eq", "--hl-lt"], "more are left"),
    ])

  public init(parsing options: OptionValues) throws(SyntaxError) {
    hops = try HopTest(options, equal: "--hl-eq", less: "--hl-lt", greater: "--hl-gt")
  }

  public func print(to out: inout RuleWriter) {
    hops.print(to: &out, equal: "--hl-eq", less: "--hl-lt", greater: "--hl-gt")
  }

  public func list(to out: inout RuleWriter) {
    out.word("HL match HL")
    hops.list(to: &out)
  }
}

// MARK: Kernel bytes

extension HopLimitMatch {
  public func encode(to out: inout ByteWriter, family: Family) { out.write(hops) }

  public init(decoding bytes: inout ByteReader, revision: UInt8, family: Family) throws(WireError) {
    hops = try bytes.hopTest("mode")
  }
}

// MARK: Meaning

extension HopLimitMatch {
  public func matches(_ packet: Packet) -> Answer { hops.holds(for: packet) }
}
