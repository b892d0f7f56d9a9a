import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing
import XTablesStore

/// The kinds of backend that keep the one contract.
enum ContractKind: String, CaseIterable, CustomTestStringConvertible, Sendable {
  case memory
  /// Tables small enough to go through libiptc.
  case legacy
  /// Every table as if it were large.
  case bulk
  /// nf_tables.
  case nft
  /// The same, with rules remembered in a file.
  case remembering
  /// nf_tables with every rule in a map that can be in one.
  case compiled

  var testDescription: String { rawValue }

  /// Those that can be had here; what is missing fails a test of its own where it must be there.
  static let available = allCases.filter { $0.need?.whatIsMissing == nil }

  private var need: Need? {
    switch self {
    case .memory: nil
    case .legacy, .bulk: .legacyTables
    case .nft, .remembering, .compiled: .nfTables
    }
  }

  /// iptables(8) for the same tables: the word in the names of its programs.
  var variant: String { self == .nft || self == .remembering ? "nft" : "legacy" }
}

/// A fresh kernel behind a backend: memory, or a network namespace of the test's own.
struct ContractSite: Sendable {
  let kind: ContractKind
  let backend: any Backend
  private let space: TestNamespace?

  init(_ kind: ContractKind) throws {
    self.kind = kind
    switch kind {
    case .memory:
      space = nil
      backend = MemoryBackend()
    case .legacy, .bulk:
      let space = try TestNamespace()
      self.space = space
      backend = XTablesBackend(lockPath: space.lockPath, bulkThreshold: kind == .bulk ? 0 : .max)
    case .nft:
      space = try TestNamespace()
      backend = NFTablesBackend()
    case .remembering:
      let space = try TestNamespace()
      self.space = space
      backend = NFTablesBackend(remembering: space.directory, leastRules: 0)
    case .compiled:
      space = try TestNamespace()
      backend = NFTablesBackend(form: .compiled, smallestMap: 1)
    }
  }

  var memory: MemoryBackend? { backend as? MemoryBackend }
  var namespace: TestNamespace { space! }

  /// Runs `body` where the kernel is.
  func inside<R>(_ body: () throws -> R) throws -> R { try space?.enter(body) ?? body() }

  /// Everything the kernel holds.
  func snapshot() throws -> Snapshot { try inside { try backend.snapshot(of: .all) } }

  /// Commits, counters and all.
  @discardableResult
  func commit(_ wanted: Ruleset, counters: Plan.CounterSource = .wanted) throws -> Plan {
    try inside {
      let before = try kind == .remembering ? backend.outline(of: .all) : backend.snapshot(of: .all)
      var plan = Plan(from: before, to: wanted, counters: counters)
      if kind == .remembering { plan = try backend.fitted(plan) }
      try backend.apply(plan, expecting: before.stamp)
      return plan
    }
  }

  /// Another program changes the rules: by itself for a real kernel, before the next commit for memory.
  func changeFromOutside() throws {
    if let memory {
      var table = memory.ruleset[.filter, .ipv4] ?? Table(.filter, family: .ipv4)
      try table.append(Rule(source: .init("203.0.113.9/32"), target: .drop), to: .forward)
      memory.schedule(.foreignChange(Ruleset([table])))
    } else if kind == .compiled {
      // No other program writes to such tables; another user of the backend does.
      let other = NFTablesBackend()
      try inside {
        let before = try other.snapshot(of: .all)
        var table = before.ruleset[.filter, .ipv4] ?? Table(.filter, family: .ipv4)
        try table.append(Rule(source: .init("203.0.113.9/32"), target: .drop), to: .forward)
        try other.apply(Plan(from: before, to: Ruleset([table])), expecting: before.stamp)
      }
    } else {
      try namespace.require(["iptables-\(kind.variant)", "-A", "FORWARD", "-s", "203.0.113.9", "-j", "DROP"])
    }
  }

  /// What the kernel holds according to iptables itself, counters too; nothing for memory.
  func savedByIptables() throws -> String {
    guard let space else { return "" }
    if kind == .compiled {
      return try space.require(["nft", "list", "ruleset"]).stdout
    }
    return try ["iptables-\(kind.variant)-save", "ip6tables-\(kind.variant)-save"].map { tool in
      try space.require([tool, "-c"]).stdout.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(
        separator: "\n")
    }.joined(separator: "\n")
  }
}

/// Reads rules text of either family; it has to be good.
func rules(_ text: String, _ family: Family = .ipv4) -> Ruleset {
  let reading = RulesText.read(text, family: family)
  #expect(!reading.hasErrors, "\(reading.diagnostics)")
  return reading.ruleset
}

/// Two tables of two families, each rule with counters that no other has.
func twoTablesTwoFamilies() -> Ruleset {
  let v4 = rules(
    """
    *mangle
    :PREROUTING ACCEPT [1:60]
    [11:1100] -A PREROUTING -p tcp -m tcp --dport 8080 -j MARK --set-xmark 0x1/0xffffffff
    COMMIT
    *filter
    :INPUT DROP [2:120]
    :web - [0:0]
    [21:2100] -A INPUT -p tcp -m tcp --dport 80 -j web
    [22:2200] -A web -s 192.0.2.0/24 -j ACCEPT
    [23:2300] -A web -j RETURN
    COMMIT

    """)
  let v6 = rules(
    """
    *mangle
    [31:3100] -A PREROUTING -p udp -m udp --dport 53 -j MARK --set-xmark 0x2/0xffffffff
    COMMIT
    *filter
    :OUTPUT DROP [4:240]
    [41:4100] -A OUTPUT -d 2001:db8::/32 -j ACCEPT
    [42:4200] -A INPUT -i lo -j ACCEPT
    COMMIT

    """, .ipv6)
  return v4.replacing(with: v6)
}
