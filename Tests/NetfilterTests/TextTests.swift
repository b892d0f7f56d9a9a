import Testing

@testable import Netfilter

@Suite struct TextTests {
  // MARK: Read and printed

  static let saveTexts: [(Family, String)] = [
    (
      .ipv4,
      """
      *filter
      :INPUT DROP [12:3456]
      :FORWARD ACCEPT [0:0]
      :OUTPUT ACCEPT [0:0]
      :guard - [0:0]
      -A INPUT -i lo -j ACCEPT
      -A INPUT -p tcp -m tcp --dport 22 --tcp-flags FIN,SYN,RST,ACK SYN -j guard
      -A INPUT -s 192.0.2.0/24 ! -i eth+ -j LOG --log-prefix "odd: "
      -A INPUT -j REJECT --reject-with icmp-admin-prohibited
      -A guard -s 10.0.0.1/255.0.0.255 -j RETURN
      -A guard -f -g guard2
      :guard2 - [0:0]
      COMMIT
      """
    ),
    (
      .ipv6,
      """
      *nat
      :PREROUTING ACCEPT [0:0]
      :INPUT ACCEPT [0:0]
      :OUTPUT ACCEPT [0:0]
      :POSTROUTING ACCEPT [1:2]
      -A PREROUTING -d 2001:db8::/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination [2001:db8::1]:8080
      -A POSTROUTING ! -d fe80::/64 -o eth0 -j MASQUERADE
      COMMIT
      """
    ),
  ]

  @Test func iptablesSaveTextIsPrintedAsItWas() throws {
    for (family, text) in Self.saveTexts {
      // A chain's line stands before the first rule that leads to it; printing puts all of them first.
      let lines = text.split(separator: "\n")
      let ordered =
        lines.filter { !$0.hasPrefix("-A") && $0 != "COMMIT" } + lines.filter { $0.hasPrefix("-A") } + ["COMMIT"]
      let canonical = ordered.joined(separator: "\n") + "\n"
      let reading = RulesText.read(canonical, family: family)
      #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics)")
      var out = SaveText(family: family)
      out.print(try #require(reading.ruleset.tables.first))
      #expect(out.string == canonical)
    }
  }

  /// Rows: what is written, and what it means to iptables.
  @Test(arguments: [
    ("-A INPUT -s 192.168.010.1 -d 192.168.001.010", "-A INPUT -s 192.168.8.1/32 -d 192.168.1.8/32"),
    ("-A INPUT -s 10.0.0.0/255.000.00.0", "-A INPUT -s 10.0.0.0/8"),
    ("-A INPUT -p all -j ACCEPT\n-A INPUT -j DROP\n-D INPUT -p all -j ACCEPT", "-A INPUT -j DROP"),
    (":POSTROUTING - [0:0]\n-A INPUT -j POSTROUTING", "-A INPUT -j POSTROUTING"),
    ("-A INPUT -p tcp -m tcp --sport 5 -m tcp --dpo 80", "-A INPUT -p tcp -m tcp --sport 5 -m tcp --dport 80"),
    ("-A INPUT -m comment --comment a -m comment --com b", "-A INPUT -m comment --comment a -m comment --comment b"),
  ]) func readAsIPTablesDoes(_ text: String, _ meant: String) throws {
    let reading = RulesText.read("*filter\n\(text)\nCOMMIT\n")
    #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics)")
    var out = SaveText(family: .ipv4)
    out.print(try #require(reading.ruleset.tables.first))
    #expect(out.string.split(separator: "\n").filter { $0.hasPrefix("-A") }.joined(separator: "\n") == meant)
  }

  @Test func countersOfRulesAreKept() throws {
    let text = "*filter\n:INPUT ACCEPT [0:0]\n[7:420] -A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n"
    let reading = RulesText.read(text)
    #expect(reading.diagnostics.isEmpty && reading.hasCounters)
    var out = SaveText(family: .ipv4, showsCounters: true)
    out.print(try #require(reading.ruleset[.filter, .ipv4]))
    #expect(out.string.contains("\n[7:420] -A INPUT -s 192.0.2.1/32 -j DROP\n"))
  }

  @Test func aRuleMayBeginRightBehindItsCounters() throws {
    let reading = RulesText.read("*filter\n[7:420]-A INPUT -s 192.0.2.1/32 -j DROP\nCOMMIT\n")
    #expect(reading.diagnostics.isEmpty && reading.hasCounters, "\(reading.diagnostics)")
    var out = SaveText(family: .ipv4, showsCounters: true)
    out.print(try #require(reading.ruleset[.filter, .ipv4]))
    #expect(out.string.contains("\n[7:420] -A INPUT -s 192.0.2.1/32 -j DROP\n"))
  }

  @Test func commandsOfBothFamilies() throws {
    let reading = RulesText.read(
      """
      #!/bin/sh
      set -e
      iptables -P INPUT DROP   # as in a script
      sudo iptables -w -N 'guard'
      iptables -A INPUT -p tcp --dport ssh -j guard
      /usr/sbin/iptables -I INPUT -i lo -j ACCEPT
      iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
      iptables -A guard -s 192.0.2.1,192.0.2.2 -j ACCEPT
      iptables -A guard -j LOG --log-prefix "a b "
      iptables -D guard -s 192.0.2.2 -j ACCEPT
      iptables -E guard door
      ip6tables -A INPUT -s 2001:db8::1 -j REJECT

      """)
    #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics.map { "\($0)" })")
    var ipv4 = SaveText(family: .ipv4)
    ipv4.print(try #require(reading.ruleset[.filter, .ipv4]))
    #expect(
      ipv4.string == """
        *filter
        :INPUT DROP [0:0]
        :FORWARD ACCEPT [0:0]
        :OUTPUT ACCEPT [0:0]
        :door - [0:0]
        -A INPUT -i lo -j ACCEPT
        -A INPUT -p tcp -m tcp --dport 22 -j door
        -A door -s 192.0.2.1/32 -j ACCEPT
        -A door -j LOG --log-prefix "a b "
        COMMIT

        """)
    #expect(reading.ruleset[.nat, .ipv4]?.ruleCount == 1)
    #expect(reading.ruleset[.filter, .ipv6]?["INPUT"]?.rules.count == 1)
    #expect(reading.ruleset.tables.count == 3)
  }

  @Test func anyInterfaceIsNotPrintedButNoneIs() throws {
    let reading = RulesText.read("*filter\n-A INPUT -i +\n-A INPUT ! -i +\n-A OUTPUT ! -o e+\nCOMMIT\n")
    var out = SaveText(family: .ipv4)
    out.print(try #require(reading.ruleset.tables.first))
    #expect(out.string.hasSuffix("\n-A INPUT\n-A INPUT ! -i +\n-A OUTPUT ! -o e+\nCOMMIT\n"))
  }

  @Test func abbreviationsComeBeforeTheProtocolsMatch() throws {
    let reading = RulesText.read(
      "*nat\n-A OUTPUT -p tcp --dp 80 -j DNAT --to 192.0.2.1\n-A OUTPUT -p tcp -j REDIRECT --to-p 1\nCOMMIT\n")
    #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics.map { "\($0)" })")
    let rules = try #require(reading.ruleset[.nat, .ipv4]?["OUTPUT"]?.rules)
    #expect(
      rules.map { SaveText.rule($0, family: .ipv4) } == [
        " -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.0.2.1", " -p tcp -j REDIRECT --to-ports 1",
      ])
  }

  @Test func blanksMayFollowTheSignsOfTablesAndChains() throws {
    let reading = RulesText.read("* filter\n:\tINPUT DROP [1:2]\n:  a -\n-A INPUT -j a\nCOMMIT\n")
    #expect(reading.diagnostics.isEmpty, "\(reading.diagnostics)")
    var out = SaveText(family: .ipv4, showsCounters: true)
    out.print(try #require(reading.ruleset[.filter, .ipv4]))
    #expect(out.string.contains("\n:INPUT DROP [1:2]\n") && out.string.contains("\n:a - [0:0]\n"))
  }

  @Test func windowsLineEndsAndAMissingLastOneAreWarnedOf() throws {
    let reading = RulesText.read("*filter\r\n-A INPUT -j LOG --log-prefix x\r\nCOMMIT")
    #expect(!reading.hasErrors)
    #expect(reading.diagnostics.map(\.severity) == [.warning, .warning])
    #expect(reading.diagnostics.map(\.line) == [1, 3])
    #expect(reading.diagnostics[0].message.contains("carriage returns"))
    #expect(reading.diagnostics[1].message.contains("no line end"))
    let rule = try #require(reading.ruleset[.filter, .ipv4]?["INPUT"]?.rules.first)
    #expect(SaveText.rule(rule, family: .ipv4) == " -j LOG --log-prefix x")
  }

  @Test func aByteOrderMarkIsWarnedOf() {
    let reading = RulesText.read("\u{feff}*filter\n-A INPUT -j DROP\nCOMMIT\n")
    #expect(!reading.hasErrors)
    #expect(reading.ruleset.ruleCount == 1)
    #expect(reading.diagnostics.map(\.severity) == [.warning])
  }

  // MARK: Refused

  /// A text that is refused, where, and part of what is said.
  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let line: Int
    let column: Int
    let says: String
    var family = Family.ipv4
    var testDescription: String { name }
  }

  static func inFilter(_ name: String, _ rule: String, at column: Int, _ says: String, _ family: Family = .ipv4)
    -> Refusal
  {
    Refusal(
      name: name, text: "*filter\n:guard - [0:0]\n\(rule)\nCOMMIT\n", line: 3, column: column, says: says,
      family: family)
  }

  static let refusals: [Refusal] = [
    inFilter("unknown option", "-A INPUT --sorce 192.0.2.1", at: 10, "did you mean --source?"),
    inFilter("ambiguous option", "-A INPUT -p tcp --s 1", at: 17, "ambiguous"),
    inFilter("ambiguous between two matches", "-A INPUT -m mark --mark 1 -m connmark --mar 2", at: 39, "ambiguous"),
    inFilter("option without its match", "-A INPUT --dport 22 -j DROP", at: 10, "needs -p tcp"),
    inFilter("unknown match", "-A INPUT -m tpc", at: 13, "did you mean tcp"),
    inFilter("unknown chain", "-A INPTU -j DROP", at: 4, "did you mean INPUT?"),
    inFilter("jump to an unknown chain", "-A INPUT -j gurad", at: 13, "neither a target nor a chain"),
    inFilter("goto to an unknown chain", "-A INPUT -g gurad", at: 13, "no such chain"),
    inFilter("jump to a built-in chain", "-A INPUT -j FORWARD", at: 13, "built-in"),
    inFilter("help within a rule", "-A INPUT -s 192.0.2.1 -j DROP -h", at: 4, "is not done"),
    inFilter("not a number", "-A INPUT -s 192.0.2.08 -j DROP", at: 13, "192.0.2.08"),
    inFilter("long chain name", "-N abcdefghijklmnopqrstuvwxyz012", at: 4, "28"),
    inFilter("long chain name in its line", ":abcdefghijklmnopqrstuvwxyz012 - [0:0]", at: 2, "28"),
    inFilter("chain named like a target", ":REJECT - [0:0]", at: 2, "name of a target"),
    inFilter("chain named like a target, by -N", "-N DNAT", at: 4, "name of a target"),
    inFilter("chain named like a verdict", "-N ACCEPT", at: 4, "verdict"),
    inFilter("chain twice", "-N guard", at: 4, "exists"),
    inFilter("bad mask", "-A INPUT -s 192.0.2.1/33 -j DROP", at: 23, "0 to 32"),
    inFilter("bad IPv6 mask", "-A INPUT -s 2001:db8::/129 -j DROP", at: 24, "0 to 128", .ipv6),
    inFilter("port 65536", "-A INPUT -p tcp --dport 65536 -j DROP", at: 25, "0 to 65535"),
    inFilter("nat target in filter", "-A INPUT -j MASQUERADE", at: 13, "it belongs to table nat"),
    inFilter("IPv6 address in IPv4 text", "-A INPUT -s 2001:db8::1 -j DROP", at: 13, "ip6tables"),
    inFilter("IPv6 network in IPv4 text", "-A INPUT -s 2001:db8::/64 -j DROP", at: 13, "ip6tables"),
    inFilter("IPv4 address in IPv6 text", "-A INPUT -s 192.0.2.1 -j DROP", at: 13, "iptables", .ipv6),
    inFilter("host that does not resolve", "-A INPUT -s host.example -j DROP", at: 13, "does not resolve"),
    inFilter("negation behind its option", "-A INPUT -s ! 192.0.2.1 -j DROP", at: 15, "before the option"),
    inFilter("quote that does not close", #"-A INPUT -j LOG --log-prefix "abc"#, at: 30, "does not close"),
    inFilter("required option missing", "-A INPUT -p tcp -j REJECT --reject-with", at: 27, "needs a value"),
    inFilter("output interface in INPUT", "-A INPUT -o eth0", at: 4, "-o cannot stand here"),
    inFilter("policy of a user chain", "-P guard DROP", at: 4, "not built in"),
    inFilter("policy that is none", ":INPUT REJECT [0:0]", at: 8, "ACCEPT or DROP"),
    inFilter("counters that are none", ":INPUT DROP [a:b]", at: 13, "[packets:bytes]"),
    inFilter("counters that are none before a rule", "[1:x]-A INPUT -j DROP", at: 1, "'[1:x]' is not"),
    inFilter("a jump behind counters", "[1:2]-A INPUT -j gurad", at: 18, "neither a target nor a chain"),
    inFilter("counters twice", "[1:2][3:4]-A INPUT", at: 6, "bad argument '[3:4]-A'"),
    inFilter("chain without a name", ": ", at: 2, "name is missing"),
    inFilter("chain without a policy", ":  INPUT", at: 4, "policy is missing"),
    inFilter("rule number out of range", "-I INPUT 3 -j DROP", at: 4, "no place 3"),
    inFilter("table option in restore text", "-t nat -A INPUT", at: 1, "-t cannot stand here"),
    Refusal(
      name: "jump to itself", text: "*filter\n:guard - [0:0]\n-A INPUT -j guard\n-A guard -j guard\nCOMMIT\n", line: 4,
      column: 13, says: "guard -> guard"),
    inFilter("second table before COMMIT", "*nat", at: 1, "still open"),
    Refusal(
      name: "jump loop",
      text: "*filter\n:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -j b\n-A b -s 10.0.0.0/8 -g a\nCOMMIT\n",
      line: 6, column: 23, says: "a -> b -> a"),
    Refusal(
      name: "REJECT reached from PREROUTING", text: "*raw\n:a - [0:0]\n-A PREROUTING -j a\n-A a -j REJECT\nCOMMIT\n",
      line: 4,
      column: 9, says: "REJECT cannot stand in table raw"),
    Refusal(
      name: "DNAT reached from POSTROUTING",
      text: "*nat\n:a - [0:0]\n-A a -j DNAT --to-destination 192.0.2.1\n-A POSTROUTING -j a\nCOMMIT\n", line: 3,
      column: 9, says: "packets reach chain a from POSTROUTING"),
    Refusal(name: "no COMMIT", text: "*filter\n-A INPUT -j DROP\n", line: 1, column: 1, says: "COMMIT is missing"),
    Refusal(name: "no table", text: "-A INPUT -j DROP\n", line: 1, column: 1, says: "*filter"),
    Refusal(name: "unknown table", text: "*fliter\nCOMMIT\n", line: 1, column: 2, says: "did you mean filter?"),
    Refusal(
      name: "unknown table behind blanks", text: "*  fliter\nCOMMIT\n", line: 1, column: 4,
      says: "did you mean filter?"),
    Refusal(name: "table without a name", text: "* \nCOMMIT\n", line: 1, column: 2, says: "name is missing"),
    Refusal(name: "COMMIT without a table", text: "COMMIT\n", line: 1, column: 1, says: "without a table"),
    Refusal(
      name: "binary junk", text: "\u{7f}ELF\u{2}\u{1}\u{1}\0\0\0\n\0\u{3}", line: 1, column: 1,
      says: "cannot stand in rules text"),
    Refusal(name: "zero in a rule", text: "*filter\n-A INPUT\0 -j DROP\nCOMMIT\n", line: 2, column: 9, says: "0x0"),
    Refusal(
      name: "another program in a list of commands", text: "iptables -F\n  rm -rf x\n", line: 2, column: 3,
      says: "'rm' is not iptables"),
    Refusal(
      name: "a variable in a list of commands", text: "iptables -A INPUT -s $NET -j DROP\n", line: 1, column: 22,
      says: "needs a shell"),
    Refusal(
      name: "a loop in a list of commands",
      text: "iptables -N a\nip6tables -N a\nip6tables -A a -j a\nip6tables -A INPUT -j a\n", line: 3,
      column: 19,
      says: "a -> a"),
    Refusal(
      name: "a command's chain", text: "iptables -N a\niptables -t nat -A a -j ACCEPT\n", line: 2, column: 20,
      says: "no chain 'a' in table nat"),
    Refusal(
      name: "a chain in use", text: "iptables -N a\niptables -A INPUT -j a\niptables -X a\n", line: 3, column: 13,
      says: "lead to chain a"),
  ]

  @Test(arguments: refusals) func refused(_ row: Refusal) throws {
    let reading = RulesText.read(row.text, file: "rules", family: row.family)
    let error = try #require(reading.diagnostics.first { $0.severity == .error }, "it was read")
    #expect("\(error)".contains(row.says), "\(error)")
    #expect(error.line == row.line, "\(error)")
    #expect(error.column == row.column, "\(error)")
    #expect("\(error)".hasPrefix("rules:\(row.line):\(row.column): error: "))
  }

  /// Lines that iptables-nft-restore takes and that of ip_tables does not, in table filter: what is warned of, and what is
  /// saved then.
  @Test(
    arguments: [
      (":a -\n-A a -j DROP\n:a - [1:2]\n-A a -j ACCEPT", "second time", ":a - [0:0]\n-A a -j ACCEPT\n"),
      (":a -\n-A INPUT -j a\n:a -", "second time", ":a - [0:0]\n-A INPUT -j a\n"),
      (":a ACCEPT [0:0]", "'ACCEPT' has no effect", ":a - [0:0]\n"),
      (":a nonsense [a:b]\n-A a -j DROP", "'nonsense' has no effect", ":a - [0:0]\n-A a -j DROP\n"),
      (
        ":REJECT -\n-A INPUT -j REJECT\n-A OUTPUT -g REJECT", nil,
        ":REJECT - [0:0]\n-A INPUT -j REJECT\n-A OUTPUT -g REJECT\n"
      ),
      ("-A INPUT -j LOG\n:LOG -\n-A OUTPUT -j LOG", nil, ":LOG - [0:0]\n-A INPUT -j LOG\n-A OUTPUT -j LOG\n"),
    ] as [(String, String?, String)])
  func chainsOfNFTables(_ lines: String, _ warning: String?, _ saved: String) throws {
    let text = "*filter\n\(lines)\nCOMMIT\n"
    #expect(RulesText.read(text).hasErrors)
    let reading = RulesText.read(text, for: .nfTables)
    try #require(!reading.hasErrors, "\(reading.diagnostics)")
    #expect(reading.diagnostics.contains { $0.message.contains(warning ?? "") } == (warning != nil))
    var out = SaveText(family: .ipv4)
    out.print(reading.ruleset.tables[0])
    #expect(out.string.contains(saved), "\(out.string)")
  }

  @Test func aChainWithTheNameOfATargetTakesNoOptions() {
    let reading = RulesText.read(
      "*filter\n:LOG -\n-A INPUT -j LOG --log-prefix x\nCOMMIT\n", for: .nfTables)
    #expect(reading.diagnostics.map(\.message) == ["'LOG' is a chain here and takes no options"])
    #expect(reading.diagnostics.first?.column == 17)
    #expect(RulesText.read("*filter\n-N LOG\nCOMMIT\n", for: .nfTables).hasErrors)
  }

  @Test func aLineOfAHundredMegabytes() throws {
    let (head, tail) = ("*filter\n-A INPUT -s ", "\nCOMMIT\n")
    var bytes = [UInt8](repeating: UInt8(ascii: "1"), count: 100_000_000)
    bytes.replaceSubrange(..<head.utf8.count, with: head.utf8)
    bytes.replaceSubrange((bytes.count - tail.utf8.count)..., with: tail.utf8)
    let reading = bytes.withUnsafeBytes { RulesText.read($0, file: "rules") }
    let error = try #require(reading.diagnostics.first)
    #expect(reading.diagnostics.count == 1)
    #expect(error.line == 2 && error.column == RulesText.longestLine + 1)
    #expect("\(error)".utf8.count < 500)
  }

  /// In two halves a large text says what it says in one piece, also behind others that hold a table of the same name.
  @Test(arguments: [Family.ipv4, .ipv6]) func halvesAreTheWhole(_ family: Family) throws {
    let lines = (0..<10_000).map { "[\($0):1] -A INPUT -p tcp -m tcp --dport \($0 % 65_000) -j ACCEPT\n" }
    let text = "*filter\n:INPUT DROP [0:0]\n:other - [0:0]\n\(lines.joined())-A other -j DROP\nCOMMIT\n"
    let own = RulesText.read(text, family: family)
    try #require(!own.hasErrors && own.ruleset.tables[0].ruleCount == 10_001)
    for earlierFamily in Family.allCases {
      let earlier = RulesText.read(
        "*filter\n:other - [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n*nat\nCOMMIT\n", family: earlierFamily
      ).ruleset
      for earlier in [Ruleset(), earlier, Ruleset([earlier[.filter, earlierFamily]!])] {
        var bytes = text
        let halves: Together = { first, second in
          second()
          first()
        }
        let readings = bytes.withUTF8 { bytes in
          [nil, halves].map { together in
            RulesText.read(
              UnsafeRawBufferPointer(bytes), file: "rules.v\(family == .ipv4 ? 4 : 6)", after: ["-"], family: family,
              continuing: earlier, together: together)
          }
        }
        #expect(readings[0].ruleset == readings[1].ruleset)
        #expect(readings[0].diagnostics == readings[1].diagnostics)
        if earlierFamily != family || earlier.tables.isEmpty {
          #expect(readings[1].ruleset[.filter, family]?.ruleCount == 10_001)
          #expect(
            readings[1].ruleset[.filter, family == .ipv4 ? .ipv6 : .ipv4]
              == earlier[.filter, family == .ipv4 ? .ipv6 : .ipv4])
        }
      }
    }
  }

  @Test func severalErrorsAreToldAtOnce() {
    let reading = RulesText.read("*filter\n-A INPTU\n-A INPUT -j DROP\n-A INPUT -j gurad\nCOMMIT\n")
    #expect(reading.diagnostics.map(\.line) == [2, 4])
  }

  @Test func randomBytesNeverStopTheReader() {
    var state: UInt64 = 1
    for _ in 0..<2_000 {
      var bytes = Array("*filter\n-A INPUT ".utf8)
      for _ in 0..<60 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let words = [
          "-j ", "LOG ", "\"", "\\", "-p tcp ", "! ", "--", "-s ", "1/", ":", "\n", "COMMIT\n", "*nat\n", "-A ", "\0",
          "[", "é",
        ]
        let pick = Int(state >> 33)
        if pick % 3 == 0 {
          bytes.append(UInt8(truncatingIfNeeded: pick >> 8))
        } else {
          bytes.append(contentsOf: Array(words[pick / 3 % words.count].utf8))
        }
      }
      _ = bytes.withUnsafeBytes { RulesText.read($0, file: "-") }
    }
  }
}
