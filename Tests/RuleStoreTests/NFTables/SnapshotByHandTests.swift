import CNFTables
import KernelTestSupport
import NFTablesStore
import Netfilter
import RuleStore
import Testing

/// Objects that nft 1.0.6 cannot load, or not every kernel has, written attribute by attribute.
@Suite struct SnapshotByHandTests {
  private typealias Bytes = [UInt8]

  private func attribute<A: RawRepresentable>(_ type: A, _ data: Bytes) -> Bytes where A.RawValue == UInt32 {
    let head = [UInt16(4 + data.count), UInt16(type.rawValue)].flatMap { Bytes([UInt8($0 & 255), UInt8($0 >> 8)]) }
    return head + data + Bytes(repeating: 0, count: (4 - data.count % 4) % 4)
  }

  private func attribute<A: RawRepresentable>(_ type: A, _ text: String) -> Bytes where A.RawValue == UInt32 {
    attribute(type, Array(text.utf8) + [0])
  }

  private func big(_ value: UInt32) -> Bytes { withUnsafeBytes(of: value.bigEndian) { Bytes($0) } }
  private func big(_ value: UInt64) -> Bytes { withUnsafeBytes(of: value.bigEndian) { Bytes($0) } }

  /// A file with one table `inet t`.
  /// - Parameter lists: chains, sets, objects and flowtables, each with its count.
  private func image(_ lists: Bytes) throws -> RulesetImage {
    let little = { (value: UInt32) in withUnsafeBytes(of: value) { Bytes($0) } }
    let table = attribute(NFTA_TABLE_NAME, "t") + attribute(NFTA_TABLE_FLAGS, big(UInt32(0)))
    let body = little(9) + little(1) + little(1) + little(UInt32(table.count)) + table + lists
    var file = RulesetImage(generation: 0).encoded
    file.replaceSubrange(40..., with: body)
    file.replaceSubrange(24..<32, with: withUnsafeBytes(of: UInt64(body.count)) { Bytes($0) })
    file.replaceSubrange(32..<40, with: withUnsafeBytes(of: body.withUnsafeBytes { CRC64.of($0) }) { Bytes($0) })
    return try RulesetImage(bytes: file)
  }

  private func list(_ members: Bytes...) -> Bytes {
    let count = { (value: Int) in withUnsafeBytes(of: UInt32(value)) { Bytes($0) } }
    return count(members.count) + members.flatMap { count($0.count) + $0 }
  }

  @Test(.requires(.nfTables, .tool("nft"))) func flowtables() throws {
    let hook =
      attribute(NFTA_FLOWTABLE_HOOK_NUM, big(UInt32(0)))
      + attribute(NFTA_FLOWTABLE_HOOK_PRIORITY, big(UInt32(bitPattern: -10)))
      + attribute(
        NFTA_FLOWTABLE_HOOK_DEVS, attribute(NFTA_DEVICE_NAME, "v0") + attribute(NFTA_DEVICE_NAME, "v1"))
    let flowtable = attribute(NFTA_FLOWTABLE_NAME, "f") + attribute(NFTA_FLOWTABLE_HOOK, hook)
    let image = try image(list() + list() + list() + list(flowtable))
    #expect(try image.filed() == image)
    let value = image.tables[0].flowtables[0]
    #expect(value.name == ObjectName("f"))
    #expect(value.priority == -10)
    #expect(value.devices == [ObjectName("v0"), ObjectName("v1")])
    #expect(value.flags == 0)
    let site = try SnapshotSite()
    do {
      try site.restore(image)
      #expect(try site.read().tables[0].flowtables[0].devices == value.devices)
    } catch let error as BackendError {
      #expect(error.message.hasPrefix("the kernel refused flowtable f of table inet t: "), "\(error)")
      #expect(try site.listing().isEmpty)
    }
  }

  /// `last`, which remembers when a packet came: nft 1.0.6 has the word and does not understand it.
  @Test(.requires(.nfTables, .tool("nft"))) func whenAPacketCame() throws {
    let last = attribute(NFTA_LAST_SET, big(UInt32(1))) + attribute(NFTA_LAST_MSECS, big(UInt64(50_000)))
    let expression = attribute(NFTA_LIST_ELEM, attribute(NFTA_EXPR_NAME, "last") + attribute(NFTA_EXPR_DATA, last))
    let chain = attribute(NFTA_CHAIN_NAME, "c")
    let chains = Bytes([1, 0, 0, 0]) + list(chain).dropFirst(4) + list(attribute(NFTA_RULE_EXPRESSIONS, expression))
    let image = try image(chains + list() + list() + list())
    #expect(image.tables[0].chains[0].rules[0].expressions == [.opaque(name: "last", attributes: last)])
    let site = try SnapshotSite()
    try site.restore(image)
    try site.restore(try site.read())
    guard case .opaque("last", let data)? = try site.read().tables[0].chains[0].rules[0].expressions?.first else {
      Issue.record("the rule has no expression last")
      return
    }
    // Milliseconds since then: those of the image, and those that passed.
    let start = try #require(data.indices.first { data[$0...].starts(with: [12, 0, 2, 0]) }) + 4
    let passed = data[start..<start + 8].reduce(0) { $0 << 8 | Int($1) }
    #expect((50_000..<80_000).contains(passed), "\(passed)")
  }
}
