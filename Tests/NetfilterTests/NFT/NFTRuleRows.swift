import Testing

@testable import Netfilter

/// The expressions are those that iptables-nft 1.8.9 wrote into a kernel, unless a row says otherwise.
@Suite struct NFTRuleRows {
  @Test(arguments: [
    NFTRow(.ipv4, "", ""),
    NFTRow(.ipv4, "-i eth0", "meta iifname; cmp eq 6574683000"),
    NFTRow(.ipv4, "! -i eth0", "meta iifname; cmp neq 6574683000"),
    NFTRow(.ipv4, "-o eth+", "meta oifname; cmp eq 657468"),
    NFTRow(.ipv6, "! -o eth+", "meta oifname; cmp neq 657468"),
    NFTRow(.ipv4, "-i a -o b", "meta iifname; cmp eq 6100; meta oifname; cmp eq 6200"),
    NFTRow(.ipv4, "-i abcdefghijklmno", "meta iifname; cmp eq 6162636465666768696a6b6c6d6e6f00"),
    NFTRow(.ipv4, "-i abcdefghijklmn+", "meta iifname; cmp eq 6162636465666768696a6b6c6d6e"),
    NFTRow(.ipv4, "-i + -o +", "meta iifname; meta oifname"),
    NFTRow(.ipv4, "! -i +", "meta iifname; cmp eq 494e56414c2f4400"),
    NFTRow(.ipv6, "! -o + -p tcp", "meta oifname; cmp eq 494e56414c2f4400; meta l4proto; cmp eq 06"),
    NFTRow(.ipv4, "-p tcp", "meta l4proto; cmp eq 06"),
    NFTRow(.ipv4, "! -p 255", "meta l4proto; cmp neq ff"),
    NFTRow(.ipv6, "-p ipv6-icmp", "meta l4proto; cmp eq 3a"),
    NFTRow(.ipv4, "-p all", ""),
    NFTRow(.ipv4, "-s 10.0.0.1", "payload 4b @ network+12; cmp eq 0a000001"),
    NFTRow(.ipv4, "! -d 10.0.0.1", "payload 4b @ network+16; cmp neq 0a000001"),
    NFTRow(.ipv4, "-s 10.0.0.0/8", "payload 1b @ network+12; cmp eq 0a"),
    NFTRow(.ipv4, "-s 0.0.0.0/8", "payload 1b @ network+12; cmp eq 00"),
    NFTRow(.ipv4, "! -d 10.1.2.0/24", "payload 4b @ network+16; mask ffffff00; cmp neq 0a010200"),
    NFTRow(.ipv4, "-s 10.0.0.0/7", "payload 4b @ network+12; mask fe000000; cmp eq 0a000000"),
    NFTRow(.ipv4, "-s 10.0.0.0/9", "payload 4b @ network+12; mask ff800000; cmp eq 0a000000"),
    NFTRow(.ipv4, "-s 10.0.0.0/31", "payload 4b @ network+12; mask fffffffe; cmp eq 0a000000"),
    NFTRow(.ipv4, "! -d 10.0.0.1/255.0.0.255", "payload 4b @ network+16; mask ff0000ff; cmp neq 0a000001"),
    NFTRow(.ipv4, "-d 0.0.0.1/0.0.0.255", "payload 4b @ network+16; mask 000000ff; cmp eq 00000001"),
    NFTRow(
      .ipv4, "-s 10.0.0.1 -d 10.0.0.2",
      "payload 4b @ network+12; cmp eq 0a000001; payload 4b @ network+16; cmp eq 0a000002"
    ),
    NFTRow(.ipv4, "-s 0/0", ""),
    NFTRow(.ipv6, "-s 2001:db8::/32", "payload 4b @ network+8; cmp eq 20010db8"),
    NFTRow(.ipv6, "! -s 2001:db8::1", "payload 16b @ network+8; cmp neq 20010db8(11)01"),
    NFTRow(.ipv6, "-d 2001:db8::/33", "payload 16b @ network+24; mask ffffffff80(11); cmp eq 20010db8(12)"),
    NFTRow(.ipv6, "-d ::1/ffff::ffff", "payload 16b @ network+24; mask ffff(12)ffff; cmp eq (15)01"),
    NFTRow(.ipv4, "-f", "payload 2b @ network+6; mask 1fff; cmp neq 0000"),
    NFTRow(.ipv4, "! -f", "payload 2b @ network+6; mask 1fff; cmp eq 0000"),
    NFTRow(
      .ipv4, "-f -p udp -s 10.0.0.0/8 -o b -i a",
      """
      meta iifname; cmp eq 6100; meta oifname; cmp eq 6200; meta l4proto; cmp eq 11; \
      payload 1b @ network+12; cmp eq 0a; payload 2b @ network+6; mask 1fff; cmp neq 0000
      """),
  ])
  func head(_ row: NFTRow) throws { try row.checkBothWays() }

  /// What the kernel refuses of iptables-nft.
  @Test(arguments: [
    NFTRow(.ipv4, "! -s 0/0", "payload 4b @ network+12; mask 00000000; cmp neq 00000000"),
    NFTRow(.ipv6, "! -d ::/0", "payload 16b @ network+24; mask (16); cmp neq (16)"),
    NFTRow(.ipv4, "-j QUEUE", "counter 0 0; target NFQUEUE 0 0000000000000000"),
  ])
  func betterHead(_ row: NFTRow) throws { try row.checkBothWays() }

  /// What the codec's comment says of rules that come back shorter.
  @Test(arguments: [
    (Family.ipv4, "-j NFLOG --nflog-range 4", "-j NFLOG"),
    (.ipv4, "-p tcp -m tcp --sport 1: -m tcp --dport 2", "-p tcp -m tcp --sport 1: --dport 2"),
    (.ipv4, "-p udp -m udp --sport 1 -m udp --dport 2", "-p udp -m udp --sport 1 --dport 2"),
  ])
  func shorter(_ family: Family, _ text: String, _ shorter: String) throws {
    let rule = try NFTRow.read(text, family)
    let expressions = try NFTRuleCodec.expressions(for: rule, family: family, registry: .standard)
    let again = NFTRuleCodec.rule(from: expressions, family: family, registry: .standard)
    #expect(again == (try NFTRow.read(shorter, family)))
    #expect(again != rule)
  }

  @Test func everyNetworkAndPort() throws {
    let network = Negatable(AddressMask.any(.ipv4))
    let tcp = TCP(sourcePorts: Negatable(.any), destinationPorts: Negatable(22))
    let rule = Rule(source: network, destination: network, proto: Negatable(.tcp), matches: [tcp])
    let expressions = try NFTRuleCodec.expressions(for: rule, family: .ipv4, registry: .standard)
    #expect(
      ExpressionText.print(expressions)
        == "meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0016; counter 0 0")
  }

  @Test(arguments: [
    NFTRow(.ipv4, "--dport 22", "payload 2b @ transport+2; cmp eq 0016"),
    NFTRow(.ipv6, "! --dport 22", "payload 2b @ transport+2; cmp neq 0016"),
    NFTRow(.ipv4, "--sport 0", "payload 2b @ transport+0; cmp eq 0000"),
    NFTRow(.ipv4, "--sport 65535", "payload 2b @ transport+0; cmp eq ffff"),
    NFTRow(.ipv4, "--dport 1:", "payload 2b @ transport+2; range eq 0001 ffff"),
    NFTRow(.ipv4, "! --dport 1:", "payload 2b @ transport+2; range neq 0001 ffff"),
    NFTRow(.ipv4, "--dport :80", "payload 2b @ transport+2; cmp lte 0050"),
    NFTRow(.ipv4, "! --dport :80", "payload 2b @ transport+2; range neq 0000 0050"),
    NFTRow(.ipv4, "--sport :65534", "payload 2b @ transport+0; cmp lte fffe"),
    NFTRow(.ipv4, "--dport 80:90", "payload 2b @ transport+2; range eq 0050 005a"),
    NFTRow(.ipv4, "! --sport 80:90", "payload 2b @ transport+0; range neq 0050 005a"),
    NFTRow(.ipv4, "--sport 1 --dport 2", "payload 4b @ transport+0; cmp eq 00010002"),
    NFTRow(
      .ipv4, "! --sport 1 --dport 2",
      "payload 2b @ transport+0; cmp neq 0001; payload 2b @ transport+2; cmp eq 0002"),
    NFTRow(
      .ipv4, "--sport 0 --dport 2", "payload 2b @ transport+0; cmp eq 0000; payload 2b @ transport+2; cmp eq 0002"),
    NFTRow(
      .ipv4, "--sport 1:2 --dport 3:4",
      "payload 2b @ transport+0; range eq 0001 0002; payload 2b @ transport+2; range eq 0003 0004"),
  ])
  func ports(_ row: NFTRow) throws {
    for (name, number) in [("tcp", "06"), ("udp", "11")] {
      let rule = "-p \(name) -m \(name) \(row.rule)"
      try NFTRow(row.family, rule, "meta l4proto; cmp eq \(number); \(row.expressions)").checkBothWays()
    }
  }

  @Test(arguments: [
    NFTRow(.ipv4, "-p tcp --syn", "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 17; cmp eq 02"),
    NFTRow(.ipv6, "-p tcp ! --syn", "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 17; cmp neq 02"),
    NFTRow(
      .ipv4, "-p tcp --tcp-flags ALL NONE", "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 3f; cmp eq 00"),
    NFTRow(
      .ipv4, "-p tcp --tcp-flags FIN SYN", "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 01; cmp eq 02"),
    NFTRow(
      .ipv4, "-p tcp --syn --sport 5 --dport 2",
      "meta l4proto; cmp eq 06; payload 1b @ transport+13; mask 17; cmp eq 02; payload 4b @ transport+0; cmp eq 00050002"
    ),
    NFTRow(
      .ipv4, "-p tcp -m tcp --dport 2 -m tcp --sport 1",
      """
      meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0002; payload 2b @ transport+0; cmp eq 0001
      """),
    NFTRow(
      .ipv4, "-p tcp -m tcp --dport 2 -m tcp --dport 3",
      """
      meta l4proto; cmp eq 06; payload 2b @ transport+2; cmp eq 0002; payload 2b @ transport+2; cmp eq 0003
      """),
    NFTRow(
      .ipv4, "-p tcp -m tcp --sport 1: -m mark --mark 1 -m tcp --dport 2",
      """
      meta l4proto; cmp eq 06; payload 2b @ transport+0; range eq 0001 ffff; meta mark; cmp eq 01000000; \
      payload 2b @ transport+2; cmp eq 0002
      """),
    NFTRow(.ipv4, "-p tcp -m tcp", "meta l4proto; cmp eq 06; match tcp 0 0000ffff0000ffff0000000000000000"),
    NFTRow(
      .ipv4, "-p tcp --tcp-option 5 --dport 5",
      "meta l4proto; cmp eq 06; match tcp 0 0000ffff050005000500000000000000"),
    NFTRow(
      .ipv4, "-p tcp ! --tcp-option 5",
      "meta l4proto; cmp eq 06; match tcp 0 0000ffff0000ffff0500000800000000"),
    NFTRow(.ipv4, "-p udp -m udp", "meta l4proto; cmp eq 11; match udp 0 0000ffff0000ffff0000000000000000"),
    NFTRow(.ipv4, "-p udp --sport 5:4", "meta l4proto; cmp eq 11; payload 2b @ transport+0; range eq 0005 0004"),
    NFTRow(
      .ipv4, "-p udp ! --dport 65535:0", "meta l4proto; cmp eq 11; payload 2b @ transport+2; range neq ffff 0000"),
    NFTRow(.ipv4, "-m mark --mark 1", "meta mark; cmp eq 01000000"),
    NFTRow(.ipv4, "-m mark ! --mark 1/0xff", "meta mark; mask ff000000; cmp neq 01000000"),
    NFTRow(.ipv6, "-m mark --mark 0/0", "meta mark; mask 00000000; cmp eq 00000000"),
    NFTRow(.ipv4, "-m mark ! --mark 0xffffffff", "meta mark; cmp neq ffffffff"),
    NFTRow(.ipv4, "-m mark --mark 2/1", "meta mark; mask 01000000; cmp eq 02000000"),
    NFTRow(.ipv4, "-m limit", "limit 3/3600 burst 5"),
    NFTRow(.ipv4, "-m limit --limit 5/minute --limit-burst 7", "limit 5/60 burst 7"),
    NFTRow(.ipv4, "-m limit --limit 7/min", "limit 7/60 burst 5"),
    NFTRow(.ipv4, "-m limit --limit 60/min", "limit 1/1 burst 5"),
    NFTRow(.ipv4, "-m limit --limit 1/day --limit-burst 1", "limit 1/86400 burst 1"),
    NFTRow(.ipv4, "-m limit --limit 9999/sec", "limit 10000/1 burst 5"),
    NFTRow(.ipv4, "-m limit --limit 10000/sec", "limit 10000/1 burst 5"),
    NFTRow(.ipv4, "-m comment --comment hi", "match comment 0 6869(254)"),
    NFTRow(.ipv4, "-m pkttype --pkt-type broadcast", "match pkttype 0 0100000000000000"),
    NFTRow(.ipv4, "-m ttl --ttl-eq 5", "match ttl 0 0005000000000000"),
    NFTRow(.ipv6, "-m hl --hl-gt 5", "match hl 0 0305000000000000"),
    NFTRow(.ipv4, "-p icmp --icmp-type 8", "meta l4proto; cmp eq 01; match icmp 0 0800ff0000000000"),
    NFTRow(.ipv6, "-p icmpv6 --icmpv6-type 1", "meta l4proto; cmp eq 3a; match icmp6 0 0100ff0000000000"),
    NFTRow(.ipv4, "-m state --state NEW", "match conntrack 3 (146)0120000008(17)"),
    NFTRow(
      .ipv4, "-m mark --mark 1 -m limit -m mark --mark 2",
      "meta mark; cmp eq 01000000; limit 3/3600 burst 5; meta mark; cmp eq 02000000"),
  ])
  func matches(_ row: NFTRow) throws { try row.checkBothWays() }

  /// iptables-nft loses these conditions, or turns them into others.
  @Test(arguments: [
    NFTRow(
      .ipv4, "-p tcp ! --sport 0:65535", "meta l4proto; cmp eq 06; match tcp 0 0000ffff0000ffff0000000100000000"),
    NFTRow(
      .ipv4, "-p udp --sport 5 ! --dport 0:65535",
      "meta l4proto; cmp eq 11; match udp 0 050005000000ffff0200000000000000"),
    NFTRow(
      .ipv4, "-p tcp ! --tcp-flags NONE NONE", "meta l4proto; cmp eq 06; match tcp 0 0000ffff0000ffff0000000400000000"
    ),
    NFTRow(
      .ipv4, "-p tcp --tcp-flags NONE SYN --dport 2",
      "meta l4proto; cmp eq 06; match tcp 0 0000ffff020002000000020000000000"),
    NFTRow(
      .ipv4, "-p tcp ! --sport 1 ! --dport 2",
      "meta l4proto; cmp eq 06; payload 2b @ transport+0; cmp neq 0001; payload 2b @ transport+2; cmp neq 0002"),
  ])
  func betterMatches(_ row: NFTRow) throws { try row.checkBothWays() }

  @Test(arguments: [
    NFTRow(.ipv4, "-c 7 9", "counter 7 9"),
    NFTRow(.ipv4, "-j ACCEPT -c 18446744073709551615 1", "counter 18446744073709551615 1; accept"),
    NFTRow(.ipv4, "-j DROP", "counter 0 0; drop"),
    NFTRow(.ipv4, "-j RETURN", "counter 0 0; return"),
    NFTRow(.ipv4, "-j Y", "counter 0 0; jump Y"),
    NFTRow(.ipv6, "-g Y", "counter 0 0; goto Y"),
    NFTRow(.ipv4, "-j NFLOG", "counter 0 0; log group 0"),
    NFTRow(
      .ipv4, "-j NFLOG --nflog-group 2 --nflog-prefix \"a b\" --nflog-size 5 --nflog-threshold 3",
      "counter 0 0; log group 2 prefix 612062 snaplen 5 qthreshold 3"),
    NFTRow(.ipv4, "-j NFLOG --nflog-size 0 --nflog-group 65535", "counter 0 0; log group 65535 snaplen 0"),
    NFTRow(.ipv4, "-j LOG --log-prefix x", "counter 0 0; target LOG 0 040078(29)"),
    NFTRow(.ipv4, "-j REJECT", "counter 0 0; target REJECT 0 0300000000000000"),
    NFTRow(.ipv6, "-j REJECT", "counter 0 0; target REJECT 0 0400000000000000"),
    NFTRow(.ipv4, "-j NFQUEUE --queue-num 3", "counter 0 0; target NFQUEUE 3 0300010000000000"),
    NFTRow(.ipv4, "-j TRACE", "counter 0 0; immediate 01 => 9; meta set nftrace from 9", in: .raw),
    NFTRow(.ipv4, "-j NOTRACK", "counter 0 0; target CT 2 03(71)", in: .raw),
  ])
  func targets(_ row: NFTRow) throws { try row.checkBothWays() }
}
