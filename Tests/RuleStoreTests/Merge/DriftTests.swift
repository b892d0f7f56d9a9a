import Netfilter
import RuleStore
import Testing

/// What somebody did to our rules, in sentences.
@Suite struct DriftTests {
  private let base = """
    *filter
    :INPUT DROP [0:0]
    :web - [0:0]
    -A INPUT -i lo -j ACCEPT
    -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
    -A INPUT -p tcp -m tcp --dport 80 -j web
    -A web -j ACCEPT
    COMMIT

    """

  @Test func nothing() {
    let drift = Drift(base: rules(base), live: rules(base.replacing("[0:0]", with: "[5:500]")))
    #expect(drift.isEmpty)
    #expect(!drift.touchesOwn)
    #expect(drift.description == "")
  }

  @Test func everything() {
    let live = """
      *filter
      :INPUT ACCEPT [0:0]
      :f2b-sshd - [0:0]
      :mine - [0:0]
      -A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
      -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
      -A INPUT -p udp -m udp --dport 53 -j ACCEPT
      -A INPUT -i lo -j ACCEPT
      -A f2b-sshd -j RETURN
      COMMIT

      """
    let drift = Drift(base: rules(base), live: rules(live))
    #expect(drift.touchesOwn)
    #expect(
      "\(drift)".split(separator: "\n") == [
        "IPv4 filter web: our chain is gone, with 1 rule",
        "IPv4 filter INPUT: the policy is ACCEPT and was DROP",
        "IPv4 filter INPUT: our rule -i lo -j ACCEPT stands at another place",
        "IPv4 filter INPUT: our rule -p tcp -m tcp --dport 80 -j web is gone",
        "IPv4 filter INPUT: 1 rule came, by the look of fail2ban: -p tcp -m multiport --dports 22 -j f2b-sshd",
        "IPv4 filter INPUT: 1 rule came: -p udp -m udp --dport 53 -j ACCEPT",
        "IPv4 filter f2b-sshd: the chain came, with 1 rule, by the look of fail2ban",
        "IPv4 filter mine: the chain came, with 0 rules",
      ])
  }

  @Test func whatOthersAddIsNotOurs() {
    let live = base.replacing(
      "COMMIT", with: (1...5).map { "-A INPUT -s 192.0.2.\($0)/32 -j DROP\n" }.joined() + "COMMIT")
    let drift = Drift(base: rules(base), live: rules(live))
    #expect(!drift.isEmpty)
    #expect(!drift.touchesOwn)
    #expect(
      "\(drift)" == """
        IPv4 filter INPUT: 5 rules came: -s 192.0.2.1/32 -j DROP; -s 192.0.2.2/32 -j DROP; -s 192.0.2.3/32 -j DROP; \
        and 2 more

        """)
  }

  @Test func aTableThatIsGone() {
    let drift = Drift(base: rules(base), live: Ruleset())
    #expect(drift.changes.count == 5)
    #expect(drift.touchesOwn)
  }
}
