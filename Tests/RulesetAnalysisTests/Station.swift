import Glibc
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// A router with one form of the rules.
final class Station {
  enum Form: CaseIterable {
    case compiled
    case linear
    case legacy
  }

  let form: Form
  private let lab: RouterLab
  private var backend: any Backend

  init(_ form: Form, isTracked: Bool) throws {
    self.form = form
    let lab = try RouterLab(isTracked: isTracked)
    self.lab = lab
    backend =
      switch form {
      case .compiled: NFTablesBackend(form: .compiled, smallestMap: 1)
      case .linear: NFTablesBackend(form: .linear)
      case .legacy: lab.legacyBackend
      }
  }

  func compile(smallestMap: Int) {
    backend = NFTablesBackend(form: .compiled, smallestMap: smallestMap)
  }

  func load(_ table: Table) throws { try load([table]) }

  func load(_ tables: [Table]) throws {
    _ = try lab.inside { try RuleStore(self.backend).commit(Ruleset(tables)) }
  }

  func empty(_ id: TableID) throws {
    try load(Table(id.name, family: id.family))
  }

  func counts(_ id: TableID) throws -> Table {
    let table = try lab.inside { try self.backend.snapshot(of: .only([id])).ruleset[id] }
    return try #require(table)
  }

  func listing() throws -> String { try lab.listing() }

  /// How many rules of a compiled table stand in maps.
  func lookups(_ id: TableID) throws -> (lookedUp: Int, linear: Int) {
    guard let backend = backend as? NFTablesBackend else { return (0, 0) }
    return try lab.inside { backend.lookups(of: id) }
  }

  /// Whether the packet came out on the other side.
  func pass(_ packet: CraftedPacket, _ hook: Hook) throws -> Bool {
    if hook == .output { try lab.sendFromRouter(packet) } else { try lab.send(packet, from: .left) }
    return lab.arrives(packet, at: .right)
  }
}

/// The same rules in several forms: they do the same.
extension [Station] {
  func load(_ tables: [Table], _ round: UInt64) throws {
    for station in self {
      do { try station.load(tables) } catch {
        throw ProcessFailure("round \(round), \(station.form): \(error)\n\(tables.map(\.text).joined())")
      }
    }
  }

  /// Expects the same rules with the same counters everywhere.
  /// - Parameter sent: for the report.
  /// - Returns: how many packets the rules of the first station counted.
  func compare(_ id: TableID, _ round: UInt64, _ sent: [String]) throws -> Int {
    var matches = 0
    let seen = try map { try $0.counts(id) }
    #expect(seen[0].sameRules(as: seen[1]), "round \(round): rules differ\n\(seen[0].text)\n\(seen[1].text)")
    try #require(seen[0].chains.map(\.rules.count) == seen[2].chains.map(\.rules.count))
    for (index, chain) in seen[0].chains.enumerated() {
      for rule in chain.rules.indices {
        let counts = seen.map { $0.chains[index].rules.counters(of: rule) }
        matches += Int(counts[0].packets)
        guard counts.contains(where: { $0 != counts[0] }) else { continue }
        let said = zip(self, counts).map { "\($0.form) \($1.packets)/\($1.bytes)" }
        Issue.record(
          """
          round \(round), \(id) \(chain.name) rule \(rule + 1): \(said)
          \(seen[0].text)
          \(sent.joined(separator: "\n"))
          \(try self[0].listing())
          """)
      }
      let policies = seen.map { $0.chains[index].policyCounters }
      #expect(policies.allSatisfy { $0 == policies[0] }, "round \(round): policy of \(chain.name): \(policies)")
    }
    return matches
  }
}

extension Table {
  var text: String {
    var out = SaveText(family: family, showsCounters: true)
    out.print(self)
    return out.string
  }
}
