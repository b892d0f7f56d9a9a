import KernelTestSupport
import NFTablesStore
import Netfilter
import Testing

/// What is written straight from a rule's bytes is what the codec says, byte for byte.
@Suite struct CommonRulesTests {
  /// Rules that are common, in all their parts.
  static let common: [(Family, String)] = [
    (.ipv4, "-j ACCEPT"), (.ipv4, "-j DROP"), (.ipv4, "-j RETURN"), (.ipv4, ""), (.ipv6, "-j ACCEPT"),
    (.ipv4, "-i lo -j ACCEPT"), (.ipv4, "! -i lo -j ACCEPT"), (.ipv4, "-i eth0 -o eth1 -j ACCEPT"),
    (.ipv4, "-s 192.0.2.1"), (.ipv4, "! -s 192.0.2.1"), (.ipv4, "-d 192.0.2.1 -s 198.51.100.0/24"),
    (.ipv4, "-s 10.0.0.0/8"), (.ipv4, "-s 10.0.0.0/9"), (.ipv4, "-s 172.16.0.0/12 ! -d 192.0.2.128/25"),
    (.ipv4, "-s 172.16.0.0/16 -d 10.1.2.0/23"), (.ipv4, "-s 128.0.0.0/1"), (.ipv4, "-s 0.0.0.0/8"),
    (.ipv6, "-s 2001:db8::1"), (.ipv6, "-s 2001:db8::/32 -d fe80::/10"), (.ipv6, "! -d 2001:db8::/127"),
    (.ipv6, "-s ::/8"), (.ipv6, "-d 2001:db8:0:1::/64 -p tcp -m tcp --dport 22 -j ACCEPT"),
    (.ipv4, "-p tcp"), (.ipv4, "! -p udp"), (.ipv4, "-p 47"), (.ipv6, "-p udp -j DROP"), (.ipv6, "! -p ipv6-icmp"),
    (.ipv4, "-p tcp -m tcp --dport 22 -j ACCEPT"), (.ipv4, "-p udp -m udp --sport 53"),
    (.ipv4, "-p tcp -m tcp --sport 5 --dport 6"), (.ipv4, "-p tcp -m tcp --sport 0 --dport 6"),
    (.ipv4, "-p tcp -m tcp --dport 0"), (.ipv4, "-p tcp -m tcp --dport :1023"),
    (.ipv4, "-p tcp -m tcp --dport 1024:"), (.ipv4, "-p udp -m udp --sport 5:9 --dport 7"),
    (.ipv4, "-p udp -m udp --sport 0:65534 --dport 1:65535"),
    (.ipv4, "-m conntrack --ctstate NEW -j ACCEPT"), (.ipv4, "-p tcp -m multiport --dports 80,443 -j ACCEPT"),
    (.ipv4, "-m limit --limit 6/min -j LOG --log-prefix \"x: \""), (.ipv4, "-m mark --mark 0x1/0xff -j DROP"),
    (.ipv4, "-p tcp -m tcp --dport 22 -m comment --comment hello -j REJECT --reject-with tcp-reset"),
    (.ipv4, "-p tcp -m comment --comment a -m tcp --dport 22 -m comment --comment b"),
    (.ipv4, "-j web"), (.ipv4, "-g web"), (.ipv6, "-g web"), (.ipv4, "-p icmp -m icmp --icmp-type 8 -j ACCEPT"),
    (.ipv4, "-j NFLOG --nflog-group 5 --nflog-prefix hm"), (.ipv4, "-j TRACE"), (.ipv4, "-j QUEUE"),
  ]

  /// Rules that come back otherwise, or that the codec alone can say.
  static let others: [(Family, String)] = [
    (.ipv4, "-i eth+ -j ACCEPT"), (.ipv4, "! -i + -j ACCEPT"), (.ipv4, "-f -j DROP"), (.ipv4, "! -s 0.0.0.0/0"),
    (.ipv4, "-s 10.0.0.1/255.0.0.255"), (.ipv4, "-p tcp -m tcp ! --dport 22"), (.ipv4, "-p tcp -m tcp --syn"),
    (.ipv4, "-p tcp -m tcp --tcp-option 5"), (.ipv4, "-p tcp -m tcp --sport 1 -m tcp --dport 2"),
    (.ipv4, "-j NFLOG --nflog-group 5 --nflog-range 40"), (.ipv4, "-p tcp -m tcp"),
  ]

  @Test(arguments: common) func commonRules(_ row: (family: Family, rule: String)) throws {
    let list = try list(row.family, row.rule)
    #expect(try compare(list) == [true], "\(row)")
  }

  @Test(arguments: others) func otherRules(_ row: (family: Family, rule: String)) throws {
    let list = try list(row.family, row.rule)
    #expect(try compare(list) == [false], "\(row)")
  }

  @Test func countersAreWritten() throws {
    var list = try list(.ipv4, "-s 192.0.2.1 -j DROP")
    list.setCounters(Counters(packets: 7, bytes: 1 << 40), of: 0)
    #expect(try compare(list) == [true])
  }

  @Test(.enabled(if: !Corpus.entries.isEmpty, "there is no corpus")) func rulesOfTheCorpus() throws {
    var (all, common) = (0, 0)
    var names = Names.wellKnown
    names.sets = .empty
    for entry in Corpus.entries where entry.isAcceptedByNFT {
      let text = String(decoding: try readFile(entry.path), as: UTF8.self)
      let reading = RulesText.read(text, family: entry.isIPv6 ? .ipv6 : .ipv4, names: names)
      for table in reading.ruleset.tables {
        for chain in table.chains {
          let found = try compare(chain.rules)
          all += found.count
          common += found.count { $0 }
        }
      }
    }
    #expect(all > 1000)
    #expect(common * 10 > all * 8, "\(common) of \(all)")
  }

  /// - Returns: for each rule whether it is a common one.
  private func compare(_ rules: RuleList) throws -> [Bool] {
    let common = CommonRules(family: rules.family)
    var result: [Bool] = []
    for (index, rule) in rules.enumerated() {
      var out = ByteWriter()
      out.write(UInt32(0xfeed))
      let written = common.write(index, of: rules, to: &out)
      result.append(written != nil)
      guard let written else {
        #expect(out.count == 4, "what was begun is taken back")
        continue
      }
      let expressions = try NFTRuleCodec.expressions(for: rule, family: rules.family, registry: .standard)
      var expected = ByteWriter()
      expected.write(UInt32(0xfeed))
      for expression in expressions { ExpressionAttributes.write(expression, to: &expected) }
      #expect(out.bytes == expected.bytes, "\(rule)")
      let usesXTables = expressions.contains {
        switch $0 {
        case .match, .target: true
        default: false
        }
      }
      #expect(written.proto == (usesXTables ? rule.proto : nil), "\(rule)")
      let again = NFTRuleCodec.rule(from: expressions, family: rules.family, registry: .standard)
      #expect(again.map { RuleList([$0], family: rules.family) } == RuleList([rule], family: rules.family), "\(rule)")
    }
    return result
  }

  private func list(_ family: Family, _ rule: String) throws -> RuleList {
    let table = rule.contains("TRACE") ? "raw" : "filter"
    let chain = table == "raw" ? "PREROUTING" : rule.contains("-o ") ? "FORWARD" : "INPUT"
    let reading = RulesText.read("*\(table)\n:web -\n-A \(chain) \(rule)\nCOMMIT\n", family: family)
    #expect(!reading.hasErrors, "\(reading.diagnostics)")
    let name = try ChainName(chain)
    return try #require(reading.ruleset.tables.first?[name]?.rules)
  }
}
