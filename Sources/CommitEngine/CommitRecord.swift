package import Netfilter
package import RuleStore

/// What a commit writes down before it writes to the kernel: enough to take it back, and to see whether it happened.
package struct CommitRecord: Hashable, Sendable {
  /// One table that the commit changes.
  package struct Entry: Hashable, Sendable {
    package let id: TableID
    /// As it was; nil when the kernel had not made it.
    package let before: Table?
    /// A digest of the rules that the commit puts there, counters aside.
    package let after: UInt64
  }

  package let entries: [Entry]
  /// Seconds since 1970, for people.
  package let time: Int64
  package let message: String
  /// Which start of the machine it belongs to: after another one the kernel's tables are not those it speaks of.
  package let boot: String
  /// The names of the sets (ipset) that the tables' rules looked into: rules hold numbers, and a set that is made again
  /// may get another one.
  package let sets: [UInt16: String]
  /// The name of the backend that carried it out (``Capabilities/name``): only there can it be taken back.
  package let backend: String
  /// What follows through another backend, where rules move from one to the other.
  package let second: Part?

  /// The tables that change through one backend.
  package struct Part: Hashable, Sendable {
    /// ``Capabilities/name``
    package let backend: String
    package let entries: [Entry]

    package init(backend: String, entries: [Entry]) {
      self.backend = backend
      self.entries = entries
    }

    package init(_ plan: Plan, backend: String) {
      self.backend = backend
      entries = plan.steps.map { Entry(id: $0.id, before: $0.before, after: CommitRecord.digest(of: $0.after)) }
    }

    /// The tables as they were before, and those that were not there.
    package var before: (ruleset: Ruleset, absent: Set<TableID>) {
      (Ruleset(entries.compactMap(\.before)), Set(entries.filter { $0.before == nil }.map(\.id)))
    }

    fileprivate func renumberingSets(_ moved: [UInt16: UInt16]) -> Part {
      Part(
        backend: backend,
        entries: entries.map { entry in
          Entry(id: entry.id, before: entry.before?.renumberingSets { moved[$0] }, after: entry.after)
        })
    }
  }

  /// In the order in which they are carried out.
  package var parts: [Part] { [Part(backend: backend, entries: entries)] + (second.map { [$0] } ?? []) }

  /// - Parameter setName: the name of the set with a number.
  package init(
    plan: Plan, time: Int64, message: String, backend: String = formerBackend, boot: String = BootID.current,
    second: (plan: Plan, backend: String)? = nil, setName: (UInt16) -> String? = { _ in nil }
  ) {
    self.boot = boot
    self.backend = backend
    let steps = plan.steps + (second?.plan.steps ?? [])
    let used = steps.reduce(into: Set<UInt16>()) { $0.formUnion($1.before?.setIndices ?? []) }
    sets = used.reduce(into: [:]) { $0[$1] = setName($1) }
    entries = Part(plan, backend: backend).entries
    self.second = second.map { Part($0.plan, backend: $0.backend) }
    self.time = time
    self.message = message
  }

  /// The backend of records that do not tell: there was no other.
  package static let formerBackend = "legacy"

  private init(
    entries: [Entry], time: Int64, message: String, boot: String, sets: [UInt16: String], backend: String, second: Part?
  ) {
    self.boot = boot
    self.second = second
    self.backend = backend
    self.entries = entries
    self.time = time
    self.message = message
    self.sets = sets
  }

  /// The record with the numbers that its sets have now.
  /// - Parameter index: the number of the set with a name.
  package func renumberingSets<E: Error>(_ index: (String) throws(E) -> UInt16) throws(E) -> CommitRecord {
    var moved: [UInt16: UInt16] = [:]
    for (old, name) in sets {
      let new = try index(name)
      if new != old { moved[old] = new }
    }
    guard !moved.isEmpty else { return self }
    var names: [UInt16: String] = [:]
    for (old, name) in sets { names[moved[old] ?? old] = name }
    return CommitRecord(
      entries: parts[0].renumberingSets(moved).entries, time: time, message: message, boot: boot, sets: names,
      backend: backend, second: second?.renumberingSets(moved))
  }

  /// The tables as they were before, and those that were not there.
  package var before: (ruleset: Ruleset, absent: Set<TableID>) { parts[0].before }

  /// The same for tables with the same rules, in every process.
  package static func digest(of table: Table) -> UInt64 {
    var sum = Checksum()
    for chain in table.chains {
      var name = chain.name.text
      name.withUTF8 { sum.add(UnsafeRawBufferPointer($0)) }
      sum.add(chain.policy.map { UInt64($0.verdict.rawValue) } ?? .max)
      chain.rules.forEachPartOutsideCounters { sum.add($0) }
    }
    return sum.value
  }
}

// MARK: Bytes on disk

/// A record is text enough to recognise (`firebreak record 1\n`), a checksum over the rest, and then fields in host order:
/// it is read on the machine that wrote it, by the same or a later version.
extension CommitRecord {
  private static let magic = Array("firebreak record 1\n".utf8)

  package enum Damage: Error, Hashable, Sendable, CustomStringConvertible {
    case notARecord
    case checksum
    case content(WireError)

    package var description: String {
      switch self {
      case .notARecord: "it does not begin like a record"
      case .checksum: "its checksum is wrong"
      case .content(let error): "\(error)"
      }
    }
  }

  /// The record's bytes, copied.
  package var encoded: [UInt8] { withEncoded { Array($0) } }

  /// Calls `body` with the record's bytes.
  package func withEncoded<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    let rules = parts.flatMap(\.entries).reduce(0) { sum, entry in
      sum + (entry.before?.chains.reduce(0) { $0 + $1.rules.bytes.count + 80 } ?? 0)
    }
    var out = ByteWriter(capacity: rules + message.utf8.count + 4096)
    out.write(Self.magic)
    let checksumPlace = out.count
    out.write(UInt64(0))
    let start = out.count
    out.write(time)
    out.write(lengthAndText: message)
    out.write(lengthAndText: boot)
    out.write(entries)
    out.write(UInt32(sets.count))
    for (index, name) in sets.sorted(by: { $0.key < $1.key }) {
      out.write(index)
      out.write(lengthAndText: name)
    }
    out.write(lengthAndText: backend)
    if let second {
      out.write(lengthAndText: second.backend)
      out.write(second.entries)
    }
    out.patch(Checksum.of(UnsafeRawBufferPointer(rebasing: out.written[start...])), at: checksumPlace)
    return try body(out.written)
  }

  package init(decoding bytes: [UInt8]) throws(Damage) {
    let start = Self.magic.count + 8
    guard bytes.count >= start, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else { throw .notARecord }
    let sums = bytes.withUnsafeBytes { all in
      (
        all.loadUnaligned(fromByteOffset: Self.magic.count, as: UInt64.self),
        Checksum.of(UnsafeRawBufferPointer(rebasing: all[start...]))
      )
    }
    guard sums.0 == sums.1 else { throw .checksum }
    do throws(WireError) {
      var reader = ByteReader(bytes.span.bytes.extracting(start..<bytes.count))
      self = try Self.read(&reader)
      try reader.finish()
    } catch {
      throw .content(error)
    }
  }

  private static func read(_ reader: inout ByteReader) throws(WireError) -> CommitRecord {
    let time = Int64(bitPattern: try reader.uint64("time"))
    let message = try reader.lengthAndText("message")
    let boot = try reader.lengthAndText("boot")
    let entries = try reader.entries()
    var sets: [UInt16: String] = [:]
    if reader.remaining > 0 {  // records of rules without sets end here, as all did once
      for _ in 0..<(try reader.uint32("sets")) {
        let index = try reader.uint16("index")
        sets[index] = try reader.lengthAndText("set")
      }
    }
    // As did those of the only backend that there was.
    let backend = reader.remaining > 0 ? try reader.lengthAndText("backend") : formerBackend
    var second: Part?
    if reader.remaining > 0 {
      let backend = try reader.lengthAndText("backend")
      second = Part(backend: backend, entries: try reader.entries())
    }
    return CommitRecord(
      entries: entries, time: time, message: message, boot: boot, sets: sets, backend: backend, second: second)
  }
}

extension ByteWriter {
  fileprivate mutating func write(lengthAndText text: String) {
    write(UInt32(text.utf8.count))
    write(Array(text.utf8))
  }

  fileprivate mutating func write(_ entries: [CommitRecord.Entry]) {
    write(UInt32(entries.count))
    for entry in entries {
      write(entry.id.family.rawValue)
      write(lengthAndText: entry.id.name.rawValue)
      write(entry.after)
      write(UInt8(entry.before == nil ? 0 : 1))
      if let table = entry.before { write(table) }
    }
  }

  fileprivate mutating func write(_ table: Table) {
    write(UInt32(table.chains.count))
    for chain in table.chains {
      write(lengthAndText: chain.name.text)
      write(chain.policy.map { $0.verdict.rawValue } ?? .max)
      write(chain.policyCounters.packets)
      write(chain.policyCounters.bytes)
      write(UInt32(chain.rules.count))
      write(UInt32(chain.rules.bytes.count))
      write(chain.rules.bytes)
    }
  }
}

extension ByteReader {
  fileprivate mutating func lengthAndText(_ field: StaticString) throws(WireError) -> String {
    let count = Int(try uint32(field))
    return String(decoding: try raw(field, count: count), as: UTF8.self)
  }

  fileprivate mutating func entries() throws(WireError) -> [CommitRecord.Entry] {
    var entries: [CommitRecord.Entry] = []
    for _ in 0..<(try uint32("entries")) {
      guard let family = Family(rawValue: try uint8("family")) else { throw invalid("family") }
      guard let name = TableName(rawValue: try lengthAndText("table")) else { throw invalid("table") }
      let after = try uint64("digest")
      let existed = try uint8("existed") != 0
      let table = existed ? try table(name, family) : nil
      entries.append(CommitRecord.Entry(id: TableID(name, family), before: table, after: after))
    }
    return entries
  }

  fileprivate mutating func table(_ name: TableName, _ family: Family) throws(WireError) -> Table {
    var table = Table(name, family: family)
    for _ in 0..<(try uint32("chains")) {
      let chain = ChainName(unchecked: try lengthAndText("chain"))
      if !table.contains(chain) { try? table.addChain(chain) }
      guard let index = table.index(of: chain) else { throw invalid("chain") }
      let policy = try uint8("policy")
      let counters = Counters(packets: try uint64("pcnt"), bytes: try uint64("bcnt"))
      if policy == Verdict.accept.rawValue { table.setPolicyUnchecked(.accept, at: index, counters: counters) }
      if policy == Verdict.drop.rawValue { table.setPolicyUnchecked(.drop, at: index, counters: counters) }
      let count = Int(try uint32("rules"))
      let bytes = try raw("rules", count: Int(try uint32("size")))
      let rules = try RuleList(decoding: bytes, family: family)
      guard rules.count == count else { throw invalid("rules") }
      table.setRules(of: index, rules)
    }
    return table
  }
}
