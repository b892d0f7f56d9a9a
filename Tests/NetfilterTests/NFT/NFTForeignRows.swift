import Testing

@testable import Netfilter

/// Expressions that nft 1.0.6 wrote into a kernel, or that others could, and what they are as rules of xtables.
@Suite struct NFTForeignRows {
  @Test(arguments: [
    NFTRow(
      .ipv4, "-p tcp --dport 22 -j ACCEPT",
      "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0016; counter 0 0; accept"),
    NFTRow(
      .ipv4, "-s 10.0.0.0/8 -p tcp --dport 22",
      "payload 1b @ network+12; cmp eq 0a; meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0016"),
    NFTRow(
      .ipv4, "-p tcp --dport 22 -s 1.2.3.4",
      "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0016; payload 4b @ network+12; cmp eq 01020304"),
    NFTRow(.ipv4, "! -d 10.1.2.0/24", "payload 3b @ network+16; cmp neq 0a0102"),
    NFTRow(.ipv4, "-i eth0", "meta iifname; cmp eq 65746830(12)"),
    NFTRow(.ipv4, "! -o lo", "meta oifname; cmp neq 6c6f(14)"),
    NFTRow(.ipv4, "-p icmp", "payload 1b @ network+9; cmp eq 01"),
    NFTRow(.ipv4, "-p tcp --dport 5", "payload 1b @ network+9; cmp eq 06; payload 2b @ transport+2; cmp eq 0005"),
    NFTRow(.ipv4, "! -p tcp", "payload 1b @ network+9; cmp neq 06"),
    NFTRow(.ipv4, "-p icmp --icmp-type 8", "meta l4proto; cmp eq 01; payload 1b @ transport+0; cmp eq 08"),
    NFTRow(.ipv4, "-p icmp ! --icmp-type 8", "meta l4proto; cmp eq 01; payload 1b @ transport+0; cmp neq 08"),
    NFTRow(.ipv4, "-p icmp --icmp-type 3/1", "meta l4proto; cmp eq 01; payload 2b @ transport+0; cmp eq 0301"),
    NFTRow(.ipv6, "-p icmpv6 --icmpv6-type 128", "meta l4proto; cmp eq 3a; payload 1b @ transport+0; cmp eq 80"),
    NFTRow(.ipv6, "-p icmpv6 ! --icmpv6-type 1/4", "meta l4proto; cmp eq 3a; payload 2b @ transport+0; cmp neq 0104"),
    NFTRow(
      .ipv4, "-p tcp --dport 1000:2000", "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp gte 03e8; cmp lte 07d0"
    ),
    NFTRow(.ipv4, "-p tcp --dport 1025:", "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp gt 0400"),
    NFTRow(.ipv4, "-p udp --sport 65535", "meta l4proto; cmp eq 11; payload 2b @ transport+0; cmp gt fffe"),
    NFTRow(.ipv4, "-p udp --sport 1:", "meta l4proto; cmp eq 11; payload 2b @ transport+0; cmp gt 0000"),
    NFTRow(.ipv4, "-p tcp --dport 1024:", "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp gte 0400"),
    NFTRow(
      .ipv4, "-p udp --sport 1024: --dport 5",
      "meta l4proto; cmp eq 11; payload 2b @ transport+0; cmp gte 0400; payload 2b @ transport+2; cmp eq 0005"),
    NFTRow(.ipv4, "-p udp --dport :1023", "meta l4proto; cmp eq 11; payload 2b @ transport+2; cmp lt 0400"),
    NFTRow(
      .ipv4, "-p tcp ! --tcp-flags SYN NONE", "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 02; cmp neq 00"),
    NFTRow(.ipv4, "-m pkttype --pkt-type broadcast", "meta pkttype; cmp eq 01"),
    NFTRow(.ipv4, "-m pkttype ! --pkt-type multicast", "meta pkttype; cmp neq 02"),
    NFTRow(.ipv4, "-m ttl --ttl-eq 64", "payload 1b @ network+8; cmp eq 40"),
    NFTRow(.ipv4, "-m ttl ! --ttl-eq 64", "payload 1b @ network+8; cmp neq 40"),
    NFTRow(.ipv4, "-m ttl --ttl-lt 5", "payload 1b @ network+8; cmp lt 05"),
    NFTRow(.ipv4, "-m ttl --ttl-lt 6", "payload 1b @ network+8; cmp lte 05"),
    NFTRow(.ipv4, "-m ttl --ttl-gt 4", "payload 1b @ network+8; cmp gte 05"),
    NFTRow(.ipv6, "-m hl --hl-gt 5", "payload 1b @ network+7; cmp gt 05"),
    NFTRow(.ipv4, "-m limit --limit 1/sec --limit-burst 3", "limit 60/60 burst 3"),
    NFTRow(.ipv4, "-m limit --limit 10/min", "limit 600/3600 burst 5"),
    NFTRow(.ipv4, "-m mark --mark 1/0xff", "meta mark => 9; bitwise 9 & ff000000 ^ 00000000 => 2; cmp eq 2 01000000"),
    NFTRow(.ipv4, "", "counter 0 0; continue"),
    NFTRow(.ipv4, "-j ACCEPT", "accept"),
    NFTRow(.ipv4, "", ""),
    NFTRow(.ipv4, "-j QUEUE", "counter 0 0; queue"),
    NFTRow(.ipv4, "-j NFQUEUE --queue-num 1", "counter 0 0; target NFQUEUE 0 0100000000000000"),
    NFTRow(.ipv4, "-j TRACE", "counter 0 0; immediate 01; meta set nftrace from 1", in: .raw),
    NFTRow(.ipv4, "-j NFLOG --nflog-prefix x", "counter 0 0; log group 0 prefix 78 qthreshold 0 flags 0"),
    NFTRow(.ipv4, "-j NFLOG --nflog-prefix x", "counter 0 0; target NFLOG 0 (12)78(67)"),
    NFTRow(.ipv4, "-p tcp -m tcp --dport 5", "meta l4proto; cmp eq 06; match tcp 0 0000ffff050005000000000000000000"),
    NFTRow(.ipv4, "-m mark --mark 1", "match mark 1 01000000ffffffff0000000000000000"),
  ])
  func read(_ row: NFTRow) throws { try row.checkReading() }

  @Test(arguments: [
    // another order than xtables has
    ForeignRow(.ipv4, "limit 5/60 burst 5; payload 4b @ network+12; cmp eq 01020304; counter 0 0"),
    ForeignRow(.ipv4, "match comment 0 6869(254); meta l4proto; cmp eq 06"),
    ForeignRow(.ipv4, "counter 0 0; payload 4b @ network+12; cmp eq 01020304; drop"),
    ForeignRow(.ipv4, "counter 0 0; counter 0 0"),
    ForeignRow(.ipv4, "counter 0 0; limit 5/60 burst 5"),
    ForeignRow(.ipv4, "counter 0 0; match comment 0 6869(254)"),
    ForeignRow(.ipv4, "accept; counter 0 0"),
    // two targets
    ForeignRow(.ipv4, "log group 3; drop"),
    ForeignRow(.ipv4, "accept; drop"),
    ForeignRow(.ipv4, "immediate 01; meta set nftrace from 1; accept"),
    // one condition twice
    ForeignRow(.ipv4, "payload 4b @ network+12; cmp eq 0a000001; payload 4b @ network+12; cmp neq 0a000002"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; meta l4proto; cmp neq 11"),
    ForeignRow(.ipv4, "meta iifname; cmp eq 6100; meta iifname; cmp neq 6200"),
    // comparisons that xtables has not
    ForeignRow(.ipv4, "payload 4b @ network+12; cmp gte 0a000001; cmp lte 0a000009"),
    ForeignRow(.ipv4, "payload 4b @ network+12; range eq 0a000001 0a000009"),
    ForeignRow(.ipv4, "meta iif; cmp eq 01000000; accept"),
    ForeignRow(.ipv4, "meta len; cmp eq 01000000"),
    ForeignRow(.ipv4, "meta nfproto; cmp eq 02"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 00"),
    ForeignRow(.ipv4, "meta l4proto; cmp gt 06"),
    ForeignRow(.ipv4, "meta mark; cmp gt 01000000"),
    ForeignRow(.ipv4, "meta mark; bitwise 1 & ff000000 ^ 01000000 => 1; cmp eq 01000000"),
    ForeignRow(.ipv4, "meta mark; mask ff000000; mask 0f000000; cmp eq 01000000"),
    ForeignRow(.ipv4, "meta mark; mask ff00; cmp eq 0100"),
    ForeignRow(.ipv4, "meta iifname; mask ffff; cmp eq 6100"),
    ForeignRow(.ipv4, "meta iifname; cmp eq 6574682b00"),
    ForeignRow(.ipv4, "meta iifname; cmp eq 00"),
    ForeignRow(.ipv4, "meta iifname; cmp eq 61006200"),
    ForeignRow(.ipv4, "meta iifname; cmp eq 6162636465666768696a6b6c6d6e6f"),
    ForeignRow(.ipv4, "meta pkttype; cmp eq 05"),
    ForeignRow(.ipv4, "payload 6b @ link+6; cmp eq 000000000001"),
    ForeignRow(.ipv4, "payload 1b @ network+1; mask fc; cmp eq 28"),
    ForeignRow(.ipv4, "payload 2b @ network+6; mask 3fff; cmp neq 0000"),
    ForeignRow(.ipv4, "payload 2b @ network+6; mask 1fff; cmp eq 0001"),
    ForeignRow(.ipv4, "payload 2b @ network+6; cmp neq 0000"),
    ForeignRow(.ipv4, "payload 4b @ network+12; mask ff000000; cmp eq 0a000001"),
    ForeignRow(.ipv4, "payload 8b @ network+12; cmp neq 0a0000010a000002"),
    ForeignRow(.ipv4, "payload 4b @ network+12; cmp eq 0a0000"),
    ForeignRow(.ipv6, "payload 1b @ network+6; cmp eq 06"),
    ForeignRow(.ipv6, "payload 2b @ network+6; mask 1fff; cmp neq 0000"),
    ForeignRow(.ipv4, "payload 1b @ network+8; cmp lte ff"),
    ForeignRow(.ipv4, "payload 1b @ network+8; cmp gte 00"),
    ForeignRow(.ipv4, "payload 2b @ transport+2; cmp eq 0035"),
    ForeignRow(.ipv4, "meta l4proto; cmp neq 06; payload 2b @ transport+2; cmp eq 0035"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 84; payload 2b @ transport+2; cmp eq 0035"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 4b @ transport+0; cmp neq 00010002"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 2b @ transport+4; cmp eq 0001"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 2b @ transport+2; mask 00ff; cmp eq 0001"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp lt 0000"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp gte 0005; cmp neq 0007"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0005; cmp eq 0007"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp gte 0007; cmp lte 0005"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 1b @ transport+13; cmp eq 02"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask c0; cmp neq 00"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 00; cmp neq 00"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 11; payload 1b @ transport+13; mask 02; cmp eq 02"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 01; payload 1b @ transport+1; cmp eq 01"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 01; payload 1b @ transport+0; cmp eq ff"),
    ForeignRow(.ipv4, "meta l4proto; cmp eq 3a; payload 1b @ transport+0; cmp eq 08"),
    ForeignRow(.ipv4, "limit 5/60 burst 5 over; drop"),
    ForeignRow(.ipv4, "limit 10485760/1 burst 5 bytes"),
    ForeignRow(.ipv4, "limit 9999/1 burst 5"),
    ForeignRow(.ipv4, "limit 20000/1 burst 5"),
    ForeignRow(.ipv4, "limit 1/604800 burst 5"),
    ForeignRow(.ipv4, "limit 5/60 burst 0"),
    ForeignRow(.ipv4, "limit 0/60 burst 5"),
    ForeignRow(.ipv4, "limit 5/18446744073709551615 burst 5"),
    // loaded and not compared, compared and not loaded
    ForeignRow(.ipv4, "meta mark; counter 0 0"),
    ForeignRow(.ipv4, "payload 4b @ network+12; counter 0 0"),
    ForeignRow(.ipv4, "meta iifname; mask ffff; counter 0 0"),
    ForeignRow(.ipv4, "cmp eq 06"),
    ForeignRow(.ipv4, "meta l4proto => 2; cmp eq 06"),
    ForeignRow(.ipv4, "meta l4proto; meta mark => 2; cmp eq 06; cmp eq 2 01000000"),
    // what nft says otherwise
    ForeignRow(.ipv4, "log prefix 7820 level 4"),
    ForeignRow(.ipv4, "log group 1 level 4"),
    ForeignRow(.ipv4, "log group 1 flags 1"),
    ForeignRow(.ipv4, "log group 1 prefix 610a"),
    ForeignRow(.ipv4, "immediate 00; meta set nftrace from 1"),
    ForeignRow(.ipv4, "immediate 01; meta set nftrace from 2"),
    ForeignRow(.ipv4, "immediate 01000000; meta set mark from 1"),
    ForeignRow(.ipv4, "immediate 01"),
    ForeignRow(.ipv4, "opaque ct 080001(9); cmp eq 01"),
    ForeignRow(.ipv4, "opaque reject 0800010000000000; counter 0 0"),
    ForeignRow(.ipv4, "jump a-chain-whose-name-has-29-bytes"),
    ForeignRow(.ipv4, "goto ACCEPT"),
  ])
  func isForeign(_ row: ForeignRow) throws { try row.check() }

  /// 128 bytes leave no room for the end of the text.
  @Test func longPrefixIsForeign() {
    var log = NFTLog()
    log.group = 0
    log.prefix = [UInt8](repeating: UInt8(ascii: "x"), count: 128)
    #expect(NFTRuleCodec.rule(from: [.log(log)], family: .ipv4, registry: .standard) == nil)
    log.prefix?.removeLast()
    #expect(NFTRuleCodec.rule(from: [.log(log)], family: .ipv4, registry: .standard) != nil)
  }

  /// What this version does not know goes back as it came.
  @Test func unknownStructuresAreKept() throws {
    let text = "match future 7 0102(14); counter 3 4; target FUTURE 8 (8)"
    let expressions = try ExpressionText.read(text)
    let rule = try #require(NFTRuleCodec.rule(from: expressions, family: .ipv4, registry: .standard))
    #expect(rule.matches.first is OpaqueMatch)
    #expect(try NFTRuleCodec.expressions(for: rule, family: .ipv4, registry: .standard) == expressions)
  }
}

/// Rules that no text gives.
@Suite struct NFTUnsupportedTests {
  private func reason(_ rule: Rule, _ family: Family = .ipv4) -> String? {
    do throws(NFTRuleCodec.Unsupported) {
      _ = try NFTRuleCodec.expressions(for: rule, family: family, registry: .standard)
      return nil
    } catch {
      return error.message
    }
  }

  @Test func flagsOfTheHead() {
    var rule = Rule()
    rule.residue.invertFlags = 0x20
    #expect(reason(rule)?.contains("flags that only ip_tables knows") == true)
    rule.residue = HeaderResidue()
    rule.residue.trafficClass = 1
    #expect(reason(rule, .ipv6) != nil)
  }

  @Test func interfacesUnderAMask() {
    var rule = Rule()
    rule.inInterface = Negatable(InterfacePattern(name: 0x61 << 120, mask: 0x0f << 120))
    #expect(reason(rule)?.contains("under a mask") == true)
    rule.inInterface = nil
    rule.outInterface = Negatable(InterfacePattern(name: 0, mask: .max))
    #expect(reason(rule)?.contains("under a mask") == true)
  }

  @Test func protocols() {
    #expect(
      reason(Rule(proto: Negatable(IPProtocol(rawValue: 0), inverted: true)))?.contains("protocol than 0") == true)
    let tcp = TCP(destinationPorts: Negatable(22))
    #expect(reason(Rule(matches: [tcp])) == "tcp needs -p tcp")
    #expect(reason(Rule(proto: Negatable(.tcp, inverted: true), matches: [tcp])) == "tcp needs -p tcp")
    #expect(reason(Rule(proto: Negatable(.tcp), matches: [UDP()])) == "udp needs -p udp")
    #expect(reason(Rule(proto: Negatable(.tcp), matches: [tcp])) == nil)
  }

  @Test func fragmentsOfIPv6() {
    #expect(reason(Rule(fragment: Negatable(.secondOrLater)), .ipv6) == "-f is a condition of IPv4 alone")
  }

  @Test func compatibilityNamesTheProtocol() {
    #expect(NFTRuleCodec.compatibility(of: Rule()) == (0, false))
    #expect(NFTRuleCodec.compatibility(of: Rule(proto: Negatable(.udp, inverted: true))) == (17, true))
  }
}

/// Every rate that `--limit` takes, and others that only bytes can say.
@Suite struct NFTLimitTests {
  @Test func everyRateComesBack() throws {
    var native = 0
    for unit in Limit.Unit.allCases {
      for count in 1...10_000 as ClosedRange<UInt32> {
        guard let limit = Limit(count, per: unit) else { continue }
        let rule = Rule(matches: [limit])
        let expressions = try NFTRuleCodec.expressions(for: rule, family: .ipv4, registry: .standard)
        #expect(NFTRuleCodec.rule(from: expressions, family: .ipv4, registry: .standard) == rule)
        if case .limit = expressions[0] { native += 1 }
      }
    }
    // A few fast rates of a day or an hour are no whole number in a unit once iptables has cut them.
    #expect(native > 39_000)
  }
}
