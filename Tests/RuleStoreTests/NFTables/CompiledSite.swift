import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore

/// A namespace with a backend that remembers, one that reads, and commits to both.
struct CompiledSite {
  let space: TestNamespace
  let smallestMap: Int

  init(smallestMap: Int = 2) throws {
    space = try TestNamespace()
    self.smallestMap = smallestMap
  }

  func backend(_ form: NFTablesBackend.Form = .compiled, remembering: Bool = true) -> NFTablesBackend {
    NFTablesBackend(
      form: form, smallestMap: smallestMap, remembering: remembering ? space.directory : nil, leastRules: 0)
  }

  @discardableResult
  func commit(_ wanted: Ruleset, _ form: NFTablesBackend.Form = .compiled) throws -> Plan {
    try space.enter { try RuleStore(backend(form)).commit(wanted).plan }
  }

  func snapshot() throws -> Ruleset { try space.enter { try backend(remembering: false).snapshot(of: .all).ruleset } }

  func ping(_ count: Int = 1) throws {
    try space.require(["ping", "-c", "\(count)", "-i", "0.2", "-W", "2", "127.0.0.1"])
  }
}
