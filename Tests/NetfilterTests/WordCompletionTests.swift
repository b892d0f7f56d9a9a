import Netfilter
import Testing

@Suite struct WordCompletionTests {
  /// A command as far as it has been typed, and what is offered.
  struct Row: Sendable, CustomTestStringConvertible {
    let typed: String
    let family: Family
    let offers: [String]
    let hides: [String]
    let isAll: Bool

    init(_ typed: String, _ family: Family = .ipv4, offers: [String], hides: [String] = []) {
      (self.typed, self.family, self.offers, self.hides, isAll) = (typed, family, offers, hides, false)
    }

    /// Nothing else is offered.
    init(_ typed: String, _ family: Family = .ipv4, only offers: [String]) {
      (self.typed, self.family, self.offers, hides, isAll) = (typed, family, offers, [], true)
    }

    var testDescription: String { "\(family) \(typed)" }
  }

  @Test(arguments: [
    Row("", offers: ["-A", "-t", "-L"], hides: ["--append"]),
    Row("--f", only: ["--flush", "--fragments", "--fragment"]),
    Row("-t ", only: ["raw", "mangle", "nat", "filter", "security"]),
    Row("-A ", only: ["INPUT", "FORWARD", "OUTPUT"]), Row("-t nat -A P", only: ["PREROUTING", "POSTROUTING"]),
    Row("-A INPUT -m mu", only: ["multiport"]), Row("-A INPUT -m icmp", .ipv6, only: ["icmp6", "icmpv6"]),
    Row("-A INPUT -m eu", only: []), Row("-A INPUT --match eu", .ipv6, only: ["eui64"]),
    Row("-A INPUT -p t", only: ["tcp"]), Row("-A INPUT -p tcp --dp", only: ["--dport"]),
    Row("-A INPUT -p tcp --tcp-flags SYN ", only: []), Row("-A INPUT -p tcp ! --s", offers: ["--syn", "--sport"]),
    Row("-A INPUT -p tcp --syn --t", offers: ["--tcp-option"], hides: ["--tcp-flags"]),
    Row("-A INPUT -m limit ! --l", only: []),
    Row("-A INPUT -m conntrack --ctstate ", offers: ["NEW", "ESTABLISHED"]),
    Row("-A INPUT -m conntrack --ctstate NEW,R", only: ["NEW,RELATED"]),
    Row("-A INPUT -m conntrack --ctstate NEW,", offers: ["NEW,RELATED"], hides: ["NEW,NEW"]),
    Row("-A INPUT -m statistic --mode ", only: ["random", "nth"]),
    Row("-A INPUT -m policy --dir i", only: ["in"]),
    Row("-A INPUT -j ", offers: ["ACCEPT", "REJECT", "LOG"], hides: ["SNAT", "DNAT"]),
    Row("-t nat -A PREROUTING -j D", only: ["DROP", "DNAT"]),
    Row("-t nat -A PREROUTING -jDNAT --to", only: ["--to-destination"]),
    Row("-A INPUT -j REJECT --reject-with", only: ["--reject-with"]),
    Row("-L ", offers: ["INPUT"], hides: ["-A"]), Row("-P INPUT ", offers: ["ACCEPT", "DROP"]),
  ])
  func offers(_ row: Row) {
    var words = row.typed.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    let beginning = words.removeLast()
    let offered = WordCompletion.candidates(after: words, beginning: beginning, family: row.family)
    if row.isAll { #expect(Set(offered) == Set(row.offers)) }
    #expect(Set(row.offers).isSubset(of: offered), "\(offered)")
    #expect(Set(row.hides).isDisjoint(with: offered), "\(offered)")
  }
}
