import Testing

@testable import Netfilter

@Suite struct BuilderTests {
  /// What a program writes is what an administrator would have typed.
  @Test func aWrittenRulesetIsTheTextOne() throws {
    let admins: [AddressMask] = ["192.0.2.7", "198.51.100.0/24"]
    let ruleset = try Ruleset {
      try Table(.filter) {
        ChainContents(.input, policy: .drop) {
          Rule.accept.entering("lo")
          Rule.accept.state([.established, .related])
          for admin in admins { Rule.accept.from(admin).tcp(to: 22) }
          Rule.accept.tcp().ports(.destination, [80, 443, PortRange(8000...8010)])
          Rule.jump(to: "noise").udp()
          Rule.reject(with: .ipv4(.hostUnreachable)).to(!Negatable("203.0.113.9"))
        }
        ChainContents(named: "noise") {
          Rule.log("noise: ").udp(to: 137)
          Rule.drop
        }
      }
      try Table(.nat) {
        ChainContents(.postrouting) { Rule.target(Masquerade()).leaving("ppp+") }
      }
    }
    let text = """
      *filter
      :INPUT DROP
      :noise -
      -A INPUT -i lo -j ACCEPT
      -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
      -A INPUT -s 192.0.2.7 -p tcp --dport 22 -j ACCEPT
      -A INPUT -s 198.51.100.0/24 -p tcp --dport 22 -j ACCEPT
      -A INPUT -p tcp -m multiport --dports 80,443,8000:8010 -j ACCEPT
      -A INPUT -p udp -j noise
      -A INPUT ! -d 203.0.113.9 -j REJECT --reject-with icmp-host-unreachable
      -A noise -p udp --dport 137 -j LOG --log-prefix "noise: "
      -A noise -j DROP
      COMMIT
      *nat
      -A POSTROUTING -o ppp+ -j MASQUERADE
      COMMIT

      """
    let reading = RulesText.read(text)
    #expect(reading.diagnostics == [])
    #expect(ruleset == reading.ruleset)
  }

  @Test func whatCannotBeIsRefused() {
    #expect(throws: BuildingError.noSuchHook(.prerouting, .filter)) {
      try Table(.filter) { ChainContents(.prerouting) }
    }
    #expect(throws: BuildingError.chainTwice(.input, .filter)) {
      try Table(.filter) {
        ChainContents(.input)
        ChainContents(.input)
      }
    }
    #expect(throws: BuildingError.wrongFamily(.input, ruleNumber: 2, .ipv6)) {
      try Table(.filter, family: .ipv6) {
        ChainContents(.input) {
          Rule.accept.from("2001:db8::/32")
          Rule.accept.from("192.0.2.1")
        }
      }
    }
    #expect(throws: BuildingError.self) {
      try Table(.filter) {
        ChainContents(.input) { Rule.jump(to: "a") }
        ChainContents(named: "a") { Rule.jump(to: "a") }
      }
    }
    #expect(throws: BuildingError.self) {
      try Table(.filter) { ChainContents(.output) { Rule.jump(to: "nowhere") } }
    }
  }
}
