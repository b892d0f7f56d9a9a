import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Everything that nft can load comes back as it was.
@Suite(.requires(.nfTables, .tool("nft")))
struct SnapshotTests {
  @Test(arguments: SnapshotRow.all) func everyRulesetComesBack(_ row: SnapshotRow) throws {
    let site = try SnapshotSite()
    let loaded = try site.namespace.run(["nft", "-f", "-"], input: row.text)
    guard loaded.status == 0 else {
      // A text that nft does not understand is a mistake of the row; only the kernel may lack something.
      let isOfKernel = loaded.stderr.contains("Could not process rule")
      guard let need = row.need, isOfKernel else { throw ProcessFailure("\(row.name): \(loaded)") }
      withKnownIssue("this kernel lacks \(need)") { Issue.record("not tried: \(row.name)") }
      return
    }
    let before = try site.listing()
    #expect(!before.isEmpty)
    let image = try site.read()
    #expect(try image.filed() == image)

    try site.nft("flush ruleset")
    #expect(try site.listing().isEmpty)
    try site.restore(try image.filed())
    #expect(try site.listing() == before, "from nothing")
    if row.isExact { #expect(try site.read().inOrder == image.inOrder, "what nft does not show") }

    // Over what is there, spoilt.
    for table in image.tables { try site.nft("flush table \(table.id)\nadd chain \(table.id) spoilt") }
    #expect(try site.listing() != before)
    try site.restore(image)
    #expect(try site.listing() == before, "over what is there")
  }

  /// The kernel goes on listing the end of an interval whose time is over, and takes none alone.
  @Test(arguments: [
    "10.0.0.0/8 timeout 200ms, 11.0.0.0/8", "10.0.0.0/8 timeout 200ms", "0.0.0.0/8 timeout 200ms, 192.0.2.0/24",
    "10.0.0.0/8, 11.0.0.0/8 timeout 200ms, 12.0.0.0/8, 20.0.0.0/8 timeout 200ms", "224.0.0.0/3 timeout 200ms",
    "10.0.0.0/8 timeout 200ms, 11.0.0.0/8 timeout 1h, 12.0.0.0-255.255.255.255",
  ]) func intervalsThatRanOutStayAway(_ elements: String) throws {
    let site = try SnapshotSite()
    let maps = elements.split(separator: ", ").map { "\($0) : drop" }.joined(separator: ", ")
    try site.nft(
      """
      table inet t {
        set s {
          type ipv4_addr
          flags interval,timeout
          elements = { \(elements) }
        }
        map m {
          type ipv4_addr : verdict
          flags interval,timeout
          elements = { \(maps) }
        }
        chain c {
          type filter hook input priority 0
          ip saddr @s ip daddr vmap @m
        }
      }
      """)
    let early = try site.read()
    usleep(300_000)
    let before = try site.listing()
    #expect(!before.contains("timeout 200ms"))
    let late = try site.read()
    // What was read in time is put back with the time that was left then.
    for image in [late, early] {
      try site.restore(image)
      usleep(300_000)
      #expect(try site.listing() == before)
      try site.nft("flush ruleset")
      try site.restore(try image.filed())
    }
  }

  @Test func iptablesTablesComeBackWithCounters() throws {
    let site = try SnapshotSite()
    let rules = """
      *mangle
      :PREROUTING ACCEPT [5:300]
      [11:1100] -A PREROUTING -p tcp -m tcp --dport 8080 -m string --algo bm --string "x" -j MARK --set-xmark 0x1/0xffffffff
      [3:4] -A POSTROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
      COMMIT
      *nat
      [1:2] -A POSTROUTING ! -p udp -j MASQUERADE
      [1:2] -A PREROUTING -p udp -m udp --dport 53 -j DNAT --to-destination 192.0.2.1:5353
      COMMIT
      *filter
      :INPUT DROP [2:120]
      :web - [0:0]
      [21:2100] -A INPUT -p tcp -m multiport --dports 80,443 -m comment --comment "why" -j web
      [22:2200] -A web ! -p icmp -m conntrack --ctstate NEW -m hashlimit --hashlimit-upto 5/sec --hashlimit-name h -j ACCEPT
      [23:2300] -A web -p tcp -m tcp ! --sport 1:1023 -j REJECT --reject-with tcp-reset
      [24:2400] -A INPUT -p icmp -m icmp --icmp-type 8 -m limit --limit 1/sec -j LOG --log-prefix "p: "
      [25:2500] -A INPUT -p sctp -m sctp --dport 9 -j DROP
      COMMIT

      """
    let six = rules.replacing("192.0.2.1:5353", "[2001:db8::1]:5353").replacing(
      "-p icmp -m icmp --icmp-type 8", "-p ipv6-icmp -m icmp6 --icmpv6-type 128"
    ).replacing("! -p icmp ", "! -p ipv6-icmp ")
    try site.namespace.require(["iptables-nft-restore", "-c"], input: rules)
    try site.namespace.require(["ip6tables-nft-restore", "-c"], input: six)
    func saved() throws -> [String] {
      try ["iptables-nft-save", "ip6tables-nft-save"].flatMap { tool in
        try site.namespace.require([tool, "-c"]).stdout.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(
          String.init)
      }
    }
    let before = try saved()
    #expect(before.contains { $0.hasPrefix("[22:2200] -A web ! -p icmp -m conntrack") })
    // ip6tables-nft-restore 1.8.9 sets no counters.
    #expect(before.contains { $0.contains("] -A web ! -p ipv6-icmp -m conntrack") })
    let image = try site.read()
    try site.nft("flush ruleset")
    try site.restore(image)
    #expect(try saved() == before)
    #expect(try site.read().inOrder == image.inOrder)
  }

  @Test(.requires(.tool("ebtables-nft"), .tool("arptables-nft"))) func tablesOfBridgesAndARPComeBack() throws {
    let site = try SnapshotSite()
    for words in [
      "ebtables-nft -A FORWARD -p IPv4 --ip-src 10.0.0.1 -j ACCEPT",
      "ebtables-nft -A FORWARD -p ARP --arp-op Request -j DROP",
      "ebtables-nft -A INPUT -p IPv4 --limit 5/sec -j mark --mark-set 1", "ebtables-nft -N own",
      "ebtables-nft -A INPUT -p ! IPv6 -j own",
      "ebtables-nft -t nat -A POSTROUTING -j snat --to-source 00:11:22:33:44:55 --snat-target ACCEPT",
      "arptables-nft -A INPUT -s 10.0.0.1 --opcode 1 -j DROP",
    ] {
      try site.namespace.require(words.split(separator: " ").map(String.init))
    }
    func saved() throws -> [String] {
      try [["ebtables-nft-save"], ["arptables-nft-save"]].map { tool in
        try site.namespace.require(tool).stdout.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(
          separator: "\n")
      }
    }
    let before = try saved()
    #expect(before[0].contains("--ip-src 10.0.0.1") && before[1].contains("10.0.0.1"))
    let image = try site.read()
    try site.nft("flush ruleset")
    try site.restore(image)
    #expect(try saved() == before)
    #expect(try site.read().inOrder == image.inOrder)
  }

  @Test func elementsKeepTheTimeThatTheyHadLeft() throws {
    let site = try SnapshotSite()
    try site.nft(
      """
      table inet t {
        set a { type ipv4_addr; flags timeout; elements = { 10.0.0.1 timeout 1h, 10.0.0.2 timeout 2d expires 5h, 10.0.0.3 } }
        set b { type ipv4_addr; flags timeout; timeout 1d; elements = { 10.0.0.1, 10.0.0.2 timeout 1h expires 90s } }
        map m { type ipv4_addr . inet_service : mark; flags timeout, interval; elements = { 10.0.0.0/8 . 1-5 timeout 3m : 5 } }
      }
      """)
    func elements(_ image: RulesetImage) -> [[UInt8]: RulesetImage.Element] {
      let all = image.tables[0].sets.flatMap { set in set.elements.map { (set.name.bytes + $0.key!, $0) } }
      return Dictionary(uniqueKeysWithValues: all)
    }
    let image = try site.read()
    let before = elements(image)
    #expect(before.count == 6)
    let start = ContinuousClock.now
    sleep(2)
    try site.restore(image)
    let after = elements(try site.read())
    let passed = ContinuousClock.now - start
    #expect(Set(after.keys) == Set(before.keys))
    var timed = 0
    for (key, old) in before {
      let new = try #require(after[key])
      #expect(new.timeout == old.timeout)
      guard let left = old.expiration, let now = new.expiration else {
        #expect(old.expiration == new.expiration)
        continue
      }
      timed += 1
      #expect(now <= left + 10, "none gets more than it had left")
      // It had two seconds less when it was put back, and got them again.
      #expect(now + 1_500 >= left || passed > .seconds(3), "\(now) of \(left)")
    }
    #expect(timed == 5)
  }

  /// Rules fill sets while packets pass, and prolong what is in them.
  @Test func whatPacketsHaveAddedComesBack() throws {
    let site = try SnapshotSite()
    try site.nft(
      """
      table ip t {
        set prolonged { type ipv4_addr; flags dynamic, timeout; timeout 5m; size 100; }
        set own { type ipv4_addr; flags dynamic, timeout; size 100; }
        set several { type ipv4_addr; flags dynamic; size 100; }
        set counted { type ipv4_addr . inet_proto; flags dynamic; size 100; counter; }
        set quotas { type ipv4_addr; flags dynamic; size 100; quota over 50 bytes; }
        set connections { type ipv4_addr; flags dynamic; size 100; }
        map marks { type ipv4_addr : mark; flags dynamic, timeout; timeout 1h; size 100; }
        chain c {
          type filter hook input priority 0
          add @prolonged { ip saddr }
          update @prolonged { ip saddr timeout 1h }
          add @own { ip saddr timeout 2m }
          update @own { ip saddr timeout 3h }
          add @several { ip saddr limit rate 5/second counter }
          add @counted { ip saddr . ip protocol }
          add @quotas { ip saddr }
          add @connections { ip saddr ct count over 100 }
          add @marks { ip saddr : 7 }
          quota over 10 bytes
        }
      }
      """)
    try site.namespace.require(["ping", "-c", "3", "-i", "0.05", "127.0.0.1"])
    let before = try site.listing()
    let image = try site.read()
    #expect(image.tables[0].sets.allSatisfy { $0.elements.count == 1 })
    try site.nft("flush ruleset")
    try site.restore(try image.filed())
    // Of a time that was prolonged the kernel keeps the new one as the whole.
    func without(_ text: String) -> [Substring] {
      text.split(separator: " ").filter { !["timeout", "2m"].contains($0) && !$0.hasSuffix("ms") }
    }
    #expect(without(try site.listing()) == without(before))
    for (old, new) in zip(image.tables[0].sets, try site.read().tables[0].sets) where old.elements[0].expiration != nil
    {
      let (left, now) = (old.elements[0].expiration!, new.elements[0].expiration!)
      #expect(now <= left + 10 && now + 20_000 > left, "\(old.name): \(now) of \(left)")
    }
    // They go on: the sets are still the rules' own.
    try site.namespace.require(["ping", "-c", "1", "127.0.0.1"])
    func counted(_ image: RulesetImage) throws -> [NFTExpression]? {
      try #require(image.tables[0].sets.first { $0.name == ObjectName("counted") }).elements[0].expressions
    }
    #expect(try counted(image)?.count == 1)
    #expect(try counted(site.read()) != counted(image))
    try site.nft("add rule ip t c ip saddr { 1.2.3.4, 5.6.7.8 } jump { counter; }")
  }

  @Test func manyElementsAndRulesComeBack() throws {
    let site = try SnapshotSite()
    func list(_ count: Int, _ element: (Int) -> String) -> String { (0..<count).map(element).joined(separator: ", ") }
    let address = { (number: Int) in "10.\(number >> 16).\(number >> 8 & 255).\(number & 255)" }
    try site.nft(
      """
      table inet t {
        set plain { type ipv4_addr; elements = { \(list(20_000) { address($0) + " comment \"number \($0)\"" }) } }
        set ranges { type ipv4_addr; flags interval; elements = { \(list(5_000) { address($0 * 4) + "-" + address($0 * 4 + 2) }) } }
        set pairs { type ipv4_addr . inet_service; flags interval; elements = { \(list(3_000) { address($0) + " . \($0)-\($0 + 5)" }) } }
        map verdicts { type ipv4_addr : verdict; elements = { \(list(5_000) { address($0) + " : jump c\($0 % 50)" }) } }
        \((0..<50).map { chain in "chain c\(chain) {\n" + (0..<50).map { "tcp dport \($0 + 1) counter packets \($0) bytes \(chain)\n" }.joined() + "}\n" }.joined())
        chain base { type filter hook input priority 0; \((0..<100).map { "ip saddr { 10.0.0.\($0), 10.1.0.\($0) } counter\n" }.joined()) }
      }
      """)
    let before = try site.listing()
    let image = try site.read()
    #expect(image.tables[0].sets.count == 104)
    try site.nft("flush ruleset")
    try site.restore(try image.filed())
    #expect(try site.listing() == before)
    #expect(try site.read().inOrder == image.inOrder)
  }

  /// Random rulesets; the seed is fixed, so that a failure comes again.
  @Test(arguments: 0..<12) func randomRulesetsComeBack(_ seed: Int) throws {
    let site = try SnapshotSite()
    for round in 0..<4 {
      var ruleset = RandomNFT(seed: UInt64(seed * 100 + round))
      let text = ruleset.text()
      try site.nft("flush ruleset\n" + text)
      let before = try site.listing()
      let image = try site.read()
      try site.nft("flush ruleset")
      try site.restore(try image.filed())
      #expect(try site.listing() == before, "\(text)")
      #expect(try site.read().inOrder == image.inOrder, "\(text)")
    }
  }
}

extension String {
  fileprivate func replacing(_ needle: String, _ other: String) -> String {
    var rest = Substring(self)
    var result = ""
    while let next = rest.indices.first(where: { rest[$0...].hasPrefix(needle) }) {
      result += rest[..<next] + other
      rest = rest[next...].dropFirst(needle.count)
    }
    return result + rest
  }
}
