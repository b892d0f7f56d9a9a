internal import Netfilter
internal import RuleStore

private enum RuleBytes {
  static let isPacked: UInt32 = 1 << 31
  /// Fewer bytes are written as they are.
  static let least = 32 << 10
}

/// Tables and texts as records and generations hold them: fields in host order, since they are read on the machine that
/// wrote them. A text is its length and its UTF-8. Rules are their number, the number of bytes and the bytes of ``RuleList``;
/// of many only ``PackedWords``: the highest bit of the number of bytes tells so, and how many these are follows.
extension RecordSink where Self: ~Copyable {
  mutating func write(lengthAndText text: String) {
    write(UInt32(text.utf8.count))
    write(Array(text.utf8))
  }

  mutating func write(_ id: TableID) {
    write(id.family.rawValue)
    write(lengthAndText: id.name.rawValue)
  }

  /// Whether there is a table, and the table.
  mutating func write(_ table: Table?) {
    write(UInt8(table == nil ? 0 : 1))
    guard let table else { return }
    write(UInt32(table.chains.count))
    for chain in table.chains {
      write(lengthAndText: chain.name.text)
      write(chain.policy.map { $0.verdict.rawValue } ?? .max)
      write(chain.policyCounters.packets)
      write(chain.policyCounters.bytes)
      write(UInt32(chain.rules.count))
      write(ruleBytes: chain.rules.bytes)
    }
  }

  private mutating func write(ruleBytes bytes: [UInt8]) {
    guard bytes.count >= RuleBytes.least, bytes.count % 8 == 0, bytes.count < RuleBytes.isPacked else {
      write(UInt32(bytes.count))
      return write(bytes)
    }
    let packed = bytes.withUnsafeBytes { PackedWords.pack($0) }
    write(UInt32(bytes.count) | RuleBytes.isPacked)
    write(UInt32(packed.count))
    write(packed)
  }

  /// The names of sets (ipset) by their numbers.
  mutating func write(_ sets: [UInt16: String]) {
    write(UInt32(sets.count))
    for (index, name) in sets.sorted(by: { $0.key < $1.key }) {
      write(index)
      write(lengthAndText: name)
    }
  }
}

extension ByteReader {
  mutating func lengthAndText(_ field: StaticString) throws(WireError) -> String {
    let count = Int(try uint32(field))
    return String(decoding: try raw(field, count: count), as: UTF8.self)
  }

  mutating func tableID() throws(WireError) -> TableID {
    guard let family = Family(rawValue: try uint8("family")) else { throw invalid("family") }
    guard let name = TableName(rawValue: try lengthAndText("table")) else { throw invalid("table") }
    return TableID(name, family)
  }

  mutating func table(_ id: TableID) throws(WireError) -> Table? {
    guard try uint8("existed") != 0 else { return nil }
    var table = Table(id.name, family: id.family)
    for _ in 0..<(try uint32("chains")) {
      let chain = ChainName(unchecked: try lengthAndText("chain"))
      if !table.contains(chain) { try? table.addChain(chain) }
      guard let index = table.index(of: chain) else { throw invalid("chain") }
      let policy = try uint8("policy")
      let counters = Counters(packets: try uint64("pcnt"), bytes: try uint64("bcnt"))
      if policy == Verdict.accept.rawValue { table.setPolicyUnchecked(.accept, at: index, counters: counters) }
      if policy == Verdict.drop.rawValue { table.setPolicyUnchecked(.drop, at: index, counters: counters) }
      let count = Int(try uint32("rules"))
      let rules = try RuleList(decoding: try ruleBytes(), family: id.family)
      guard rules.count == count else { throw invalid("rules") }
      table.setRules(of: index, rules)
    }
    return table
  }

  private mutating func ruleBytes() throws(WireError) -> [UInt8] {
    let size = try uint32("size")
    guard size & RuleBytes.isPacked != 0 else { return try raw("rules", count: Int(size)) }
    let packed = try raw("rules", count: Int(try uint32("packed")))
    let bytes = packed.withUnsafeBytes { PackedWords.unpack($0, size: Int(size & ~RuleBytes.isPacked)) }
    guard let bytes else { throw invalid("rules") }
    return bytes
  }

  mutating func sets() throws(WireError) -> [UInt16: String] {
    var sets: [UInt16: String] = [:]
    for _ in 0..<(try uint32("sets")) {
      let index = try uint16("index")
      sets[index] = try lengthAndText("set")
    }
    return sets
  }
}
