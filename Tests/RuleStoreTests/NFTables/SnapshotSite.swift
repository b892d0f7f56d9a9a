import KernelTestSupport
import NFTablesStore
import RuleStore
import Testing

/// A network namespace with a pair of devices and a bridge, and nf_tables by nft and by us.
struct SnapshotSite {
  let namespace: TestNamespace

  init() throws {
    namespace = try TestNamespace()
    try namespace.require(["ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"])
    try namespace.require(["ip", "link", "add", "br0", "type", "bridge"])
  }

  func nft(_ text: String) throws { try namespace.require(["nft", "-f", "-"], input: text) }

  /// All that nft shows, but for what is left of times, which differs from look to look.
  func listing(_ what: [String] = ["ruleset"]) throws -> String {
    try namespace.require(["nft", "list"] + what).stdout.replacingExpiries()
  }

  func read(_ selection: ImageSelection = .all) throws -> RulesetImage {
    try namespace.enter { try RulesetImage.read(selection).image }
  }

  @discardableResult
  func restore(_ image: RulesetImage, _ options: RestoreOptions = RestoreOptions()) throws -> RestoreReport {
    try namespace.enter { try image.restore(options) }
  }

  func table(_ family: NFTFamily, _ name: String) -> RulesetImage.ID { RulesetImage.ID(family, ObjectName(name)) }
}

extension RulesetImage {
  /// Through the form of a file and back.
  func filed() throws -> RulesetImage { try Self(bytes: encoded) }

  /// The tables with the elements of each set in one order: the kernel lists them as they lie in a hash table whose seed is
  /// new for each set.
  var inOrder: [Table] {
    tables.map { table in
      var table = table
      for index in table.sets.indices {
        table.sets[index].elements.sort { $0.attributes.bytes.lexicographicallyPrecedes($1.attributes.bytes) }
      }
      return table
    }
  }

  init(bytes: [UInt8]) throws {
    self = try bytes.withUnsafeBytes { bytes throws(Damaged) in try RulesetImage(encoded: bytes) }
  }
}
