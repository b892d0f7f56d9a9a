import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Synchronization
import Testing

/// Other programs write to nf_tables while we read and write. FIREBREAK_SOAK=60 lets each test take so many seconds.
@Suite(
  .requires(.nfTables, .tool("nft"), .tool("iptables-nft"), .tool("iptables-nft-save"), .tool("ip6tables-nft-save")))
struct WriterTests {
  private static let seconds = getenv("FIREBREAK_SOAK").flatMap { Double(String(cString: $0)) } ?? 3

  private static var deadline: ContinuousClock.Instant { .now + .seconds(seconds) }

  /// One of two rulesets over two families, as text of nft: one transaction puts it in place of the other.
  private static func generation(_ letter: Int, rules: Int) -> String {
    var text = "flush ruleset\n"
    for (family, field) in [("ip", "ip saddr 10.\(letter)."), ("ip6", "ip6 saddr 2001:db8:\(letter):")] {
      text += "table \(family) filter {\n chain INPUT {\n type filter hook input priority 0; policy accept;\n"
      for number in 0..<rules {
        let low = family == "ip" ? "\(number >> 8).\(number & 255)" : ":\(number + 1)"
        text += "\(field)\(low) counter packets \(letter) bytes \(letter) drop\n"
      }
      text += "}\n}\n"
    }
    return text
  }

  private final class Flag: Sendable {
    private let state = Mutex((isRaised: false, count: 0))
    func raise() { state.withLock { $0.isRaised = true } }
    func count() { state.withLock { $0.count += 1 } }
    var isRaised: Bool { state.withLock { $0.isRaised } }
    var counted: Int { state.withLock { $0.count } }
  }

  /// What somebody else puts there again and again is read as it was at one moment: never half and half.
  @Test(arguments: [5, 3000]) func aReadingIsOfOneGeneration(_ rules: Int) throws {
    let site = try ContractSite(.nft)
    let files = try [1, 2].map { try site.namespace.file("g\($0)", Self.generation($0, rules: rules)) }
    let whole = try files.map { file in
      try site.namespace.require(["nft", "-f", file])
      return try site.snapshot().ruleset
    }
    #expect(whole[0].tables.count == 2 && whole[0].tables[0].ruleCount == rules && !whole[0].sameRules(as: whole[1]))
    let isDone = Flag()
    let end = Self.deadline
    let write: @Sendable () throws -> Int = {
      defer { isDone.raise() }
      var writes = 0
      while .now < end {
        try site.namespace.require(["nft", "-f", files[writes % 2]])
        writes += 1
      }
      return writes
    }
    let read: @Sendable () throws -> Int = {
      let backend = NFTablesBackend()
      var reads = 0
      while !isDone.isRaised {
        do {
          let found = try site.inside { try backend.snapshot(of: .all) }.ruleset
          guard whole.contains(where: { $0 == found }) else {
            throw ProcessFailure("neither the one nor the other, counters included: reading \(reads) \(found)")
          }
          reads += 1
        } catch let error as BackendError where error.kind == .busy {
          isDone.count()
        }
      }
      return reads
    }
    let (writes, reads, busy) = try { ($0[0], $0[1], isDone.counted) }(concurrently([write, read]))
    print("writers, \(rules) rules a chain: \(writes) foreign commits, \(reads) readings, \(busy) given up")
    #expect(reads > 0 && writes > 1, "a machine that is busy gives many up")
  }

  /// The kernel changes one policy after the other, all under the new generation's number: none is seen between.
  @Test func policiesChangeTogether() throws {
    let site = try ContractSite(.nft)
    let states = ["ACCEPT", "DROP"].map { policy in
      let text =
        "*filter\n:INPUT \(policy) [0:0]\n:FORWARD \(policy) [0:0]\n:OUTPUT \(policy) [0:0]\n-A INPUT -j RETURN\nCOMMIT\n"
      return rules(text).replacing(with: rules(text, .ipv6))
    }
    try site.commit(states[0])
    let isDone = Flag()
    let end = Self.deadline
    let write: @Sendable () throws -> Int = {
      defer { isDone.raise() }
      let backend = NFTablesBackend()
      var writes = 0
      while .now < end {
        try site.inside {
          let before = try backend.snapshot(of: .all)
          try backend.apply(Plan(from: before, to: states[(writes + 1) % 2]), expecting: before.stamp)
        }
        writes += 1
      }
      return writes
    }
    let read: @Sendable () throws -> Int = {
      let backend = NFTablesBackend()
      var reads = 0
      while !isDone.isRaised {
        try site.inside {
          for _ in 0..<50 {
            let found = try backend.snapshot(of: .all).ruleset
            guard states.contains(where: { $0.sameRules(as: found) }) else {
              throw ProcessFailure("policies of two generations: reading \(reads)")
            }
            reads += 1
          }
        }
      }
      return reads
    }
    let counts = try concurrently([write, read])
    print("writers, policies: \(counts[0]) foreign commits, \(counts[1]) readings")
    #expect(counts.allSatisfy { $0 > 50 })
  }

  /// Several programs add rules to one chain by reading, changing and writing: no rule of anybody is lost.
  @Test func noUpdateIsLost() throws {
    let site = try ContractSite(.nft)
    try site.commit(rules("*filter\n:shared - [0:0]\nCOMMIT\n"))
    let end = Self.deadline
    let library = (1...2).map { writer -> @Sendable () throws -> Int in
      {
        let backend = NFTablesBackend()  // what another process would have: nothing in common with the first
        var number = 0
        while .now < end, number < 60_000 {
          if try Self.add(Self.source(writer, number), through: backend, site) { number += 1 }
        }
        return number
      }
    }
    let iptables: @Sendable () throws -> Int = {
      var number = 0
      while .now < end, number < 60_000 {
        try site.namespace.require(["iptables-nft", "-A", "shared", "-s", Self.source(3, number), "-j", "DROP"])
        number += 1
      }
      return number
    }
    let counts = try concurrently(library + [iptables])
    let added = counts.reduce(0, +)
    let chain = try #require(try site.snapshot().ruleset[.filter, .ipv4]?["shared"])
    #expect(chain.rules.count == added)
    #expect(Set(chain.rules.map { SaveText.rule($0, family: .ipv4) }).count == added)
    print("writers, one chain: \(counts) rules added by three at once, all there")
    #expect(counts.allSatisfy { $0 > 0 })
  }

  private static func source(_ writer: Int, _ number: Int) -> String {
    "10.\(writer).\(number >> 8).\(number & 255)"
  }

  /// - Returns: false when somebody else was faster.
  private static func add(_ source: String, through backend: NFTablesBackend, _ site: ContractSite) throws -> Bool {
    do {
      try site.inside {
        let before = try backend.snapshot(of: .only([TableID(.filter, .ipv4)]))
        var table = try #require(before.ruleset[.filter, .ipv4])
        try table.append(Rule(source: .init(AddressMask("\(source)/32")!), target: .drop), to: "shared")
        try backend.apply(Plan(from: before, to: Ruleset([table])), expecting: before.stamp)
      }
      return true
    } catch let error as BackendError where error.kind == .stale || error.kind == .busy {
      return false
    }
  }

  /// Somebody is faster twice: the commit is planned again. Somebody is always faster: it is given up, and nothing of it
  /// is there.
  @Test(arguments: [2, Int.max]) func aCommitIsPlannedAgain(_ times: Int) throws {
    let site = try ContractSite(.nft)
    let wanted = twoTablesTwoFamilies()
    var attempts = 0
    func commit() throws {
      _ = try site.inside {
        try RuleStore(site.backend).commit(wanted) { _, _ in
          attempts += 1
          if attempts <= times { try site.namespace.require(["nft", "add", "table", "inet", "t\(attempts)"]) }
        }
      }
    }
    if times == 2 {
      try commit()
      #expect(attempts == 3)
      #expect(try site.snapshot().ruleset.sameRules(as: wanted))
    } else {
      let error = #expect(throws: BackendError.self) { try commit() }
      #expect(error?.kind == .stale && error?.message.contains("\(RuleStore.attempts) times") == true)
      #expect(attempts == RuleStore.attempts)
      #expect(try site.snapshot().existing.isEmpty)
    }
  }

  /// Hardly any answer fits: what is refused is told all the same, and what is taken is taken.
  @Test func answersHaveLittleRoom() throws {
    let site = try ContractSite(.nft)
    let backend = NFTablesBackend(hasRevision: nil, receiveQueue: 1)
    var table = Table(.filter, family: .ipv4)
    for number in 0..<5000 {
      try table.append(
        Rule(source: .init(AddressMask("10.0.\(number >> 8).\(number & 255)/32")!), target: .drop), to: .input)
    }
    try site.inside {
      let before = try backend.snapshot(of: .all)
      try backend.apply(Plan(from: before, to: Ruleset([table])), expecting: before.stamp)
      let after = try backend.snapshot(of: .all)
      #expect(after.ruleset[.filter, .ipv4]?.sameRules(as: table) == true)
      var lost = table
      lost.setRules(of: 0, RuleList((0..<5000).map { _ in Rule(target: .jump("nowhere")) }, family: .ipv4))
      let error = #expect(throws: BackendError.self) {
        try backend.apply(Plan(from: after, to: Ruleset([lost])), expecting: after.stamp)
      }
      #expect(error?.kind == .refused && error?.culprit?.ruleNumber == 1)
      let left = try backend.snapshot(of: .all)
      #expect(left.ruleset[.filter, .ipv4]?.sameRules(as: table) == true)
    }
  }
}
