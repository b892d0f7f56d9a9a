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
    /// The rules themselves with their counters, so that the commit can be told and taken back from among later ones of
    /// other programs. nil where the generation that it makes has them, and their counters are not needed.
    package let committed: Table?
  }

  package let entries: [Entry]
  /// Tells this commit from every other.
  package let nonce: UInt64
  /// The network namespace whose tables they are.
  package let place: Place
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
  /// What changes beside the tables.
  package let companions: [CompanionChange]
  /// How the tables that change through the first backend stood, where its kernel has more than one way.
  package let shapes: [TableID: TableShape]

  /// The tables that change through one backend.
  package struct Part: Hashable, Sendable {
    /// ``Capabilities/name``
    package let backend: String
    package let entries: [Entry]

    package init(backend: String, entries: [Entry]) {
      self.backend = backend
      self.entries = entries
    }

    package init(_ plan: Plan, backend: String, keepsCommitted: (Plan.Step) -> Bool = { _ in true }) {
      self.backend = backend
      entries = plan.steps.map { step in
        Entry(
          id: step.id, before: step.before, after: CommitRecord.digest(of: step.after),
          committed: keepsCommitted(step) ? step.after : nil)
      }
    }

    /// The tables as they were before, and those that were not there.
    package var before: (ruleset: Ruleset, absent: Set<TableID>) {
      (Ruleset(entries.compactMap(\.before)), Set(entries.filter { $0.before == nil }.map(\.id)))
    }

    fileprivate func renumberingSets(_ moves: SetMoves) -> Part {
      Part(
        backend: backend,
        entries: entries.map { entry in
          Entry(
            id: entry.id, before: entry.before?.renumberingSets { moves[$0] }, after: entry.after,
            committed: entry.committed?.renumberingSets { moves[$0] })
        })
    }
  }

  /// In the order in which they are carried out.
  package var parts: [Part] { [Part(backend: backend, entries: entries)] + (second.map { [$0] } ?? []) }

  /// - Parameters:
  ///   - second: what follows through another backend.
  ///   - keepsCommitted: whether to keep the rules that the commit puts into a table.
  ///   - setName: the name of the set with a number.
  package init(
    plan: Plan, time: Int64, message: String, backend: String = formerBackend, boot: String = BootID.current,
    place: Place = .current, nonce: UInt64 = .random(in: 1 ... .max),
    keepsCommitted: (Plan.Step) -> Bool = { _ in true }, second: (plan: Plan, backend: String)? = nil,
    companions: [CompanionChange] = [],
    setName: (UInt16) -> String? = { _ in nil }
  ) {
    self.boot = boot
    self.place = place
    self.nonce = nonce
    self.backend = backend
    self.companions = companions
    shapes = plan.formerShapes
    entries = Part(plan, backend: backend, keepsCommitted: keepsCommitted).entries
    self.second = second.map { Part($0.plan, backend: $0.backend, keepsCommitted: keepsCommitted) }
    let tables = (entries + (self.second?.entries ?? [])).flatMap { [$0.before, $0.committed].compactMap { $0 } }
    let used = tables.reduce(into: Set<UInt16>()) { $0.formUnion($1.setIndices) }
    sets = used.reduce(into: [:]) { $0[$1] = setName($1) }
    self.time = time
    self.message = message
  }

  /// The backend of records that do not tell: there was no other.
  package static let formerBackend = "legacy"

  private init(
    entries: [Entry], time: Int64, message: String, boot: String, place: Place, nonce: UInt64, sets: [UInt16: String],
    backend: String, second: Part?, companions: [CompanionChange], shapes: [TableID: TableShape]
  ) {
    self.second = second
    self.shapes = shapes
    self.companions = companions
    self.boot = boot
    self.place = place
    self.nonce = nonce
    self.backend = backend
    self.entries = entries
    self.time = time
    self.message = message
    self.sets = sets
  }

  /// The record with the numbers that its sets have now.
  /// - Parameter index: the number of the set with a name.
  package func renumberingSets<E: Error>(_ index: (String) throws(E) -> UInt16) throws(E) -> CommitRecord {
    let moves = try SetMoves(sets, index)
    guard !moves.isEmpty else { return self }
    return CommitRecord(
      entries: parts[0].renumberingSets(moves).entries, time: time, message: message, boot: boot, place: place,
      nonce: nonce, sets: moves.names, backend: backend, second: second?.renumberingSets(moves), companions: companions,
      shapes: shapes)
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
      sum.add(chain.rules.digest)
    }
    return sum.value
  }
}

// MARK: Bytes on disk

/// A record is text enough to recognise (`firebreak record 2\n`), fields in host order, and a checksum over these: it is read on the machine that wrote it, by the same or a later version.
extension CommitRecord {
  private static let magic = Array("firebreak record 2\n".utf8)

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

  /// The record's bytes.
  package var encoded: [UInt8] {
    var sink = MemorySink()
    write(to: &sink)
    return sink.bytes
  }

  func write<Sink: RecordSink & ~Copyable>(to out: inout Sink) {
    out.write(Self.magic)
    out.startChecksum()
    out.write(time)
    out.write(lengthAndText: message)
    out.write(lengthAndText: boot)
    out.write(place.value)
    out.write(nonce)
    out.write(entries)
    out.write(sets)
    out.write(lengthAndText: backend)
    out.write(UInt8(second == nil ? 0 : 1))
    if let second {
      out.write(lengthAndText: second.backend)
      out.write(second.entries)
    }
    out.write(companions)
    if !shapes.isEmpty {
      if companions.isEmpty { out.write(UInt32(0)) }
      out.write(shapes)
    }
    out.writeChecksum()
  }

  package init(decoding bytes: [UInt8]) throws(Damage) {
    let content = Self.magic.count..<max(Self.magic.count, bytes.count - 8)
    guard bytes.count >= Self.magic.count + 8, bytes.prefix(Self.magic.count).elementsEqual(Self.magic) else {
      throw .notARecord
    }
    let sums = bytes.withUnsafeBytes { all in
      (
        all.loadUnaligned(fromByteOffset: content.upperBound, as: UInt64.self),
        RunningChecksum.of(UnsafeRawBufferPointer(rebasing: all[content]))
      )
    }
    guard sums.0 == sums.1 else { throw .checksum }
    do throws(WireError) {
      var reader = ByteReader(bytes.span.bytes.extracting(content))
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
    let place = Place(value: try reader.uint64("place"))
    let nonce = try reader.uint64("nonce")
    let entries = try reader.entries()
    let sets = try reader.sets()
    let backend = try reader.lengthAndText("backend")
    var second: Part?
    if try reader.uint8("second") != 0 {
      let backend = try reader.lengthAndText("backend")
      second = Part(backend: backend, entries: try reader.entries())
    }
    return CommitRecord(
      entries: entries, time: time, message: message, boot: boot, place: place, nonce: nonce, sets: sets,
      backend: backend, second: second, companions: try reader.companionChanges(), shapes: try reader.shapes())
  }
}

extension RecordSink where Self: ~Copyable {
  /// At the end, after the companions or their number; files of tables that stand in one way only have none.
  fileprivate mutating func write(_ shapes: [TableID: TableShape]) {
    write(UInt32(shapes.count))
    for (id, shape) in shapes.sorted(by: { $0.key < $1.key }) {
      write(id)
      write(shape.rawValue)
    }
  }

  fileprivate mutating func write(_ entries: [CommitRecord.Entry]) {
    write(UInt32(entries.count))
    for entry in entries {
      write(entry.id)
      write(entry.after)
      write(entry.before)
      write(entry.committed)
    }
  }
}

extension ByteReader {
  /// None where the bytes are at their end.
  fileprivate mutating func shapes() throws(WireError) -> [TableID: TableShape] {
    var shapes: [TableID: TableShape] = [:]
    guard remaining > 0 else { return shapes }
    for _ in 0..<(try uint32("shapes")) {
      let id = try tableID()
      guard let shape = TableShape(rawValue: try uint8("shape")) else { throw invalid("shape") }
      shapes[id] = shape
    }
    return shapes
  }

  fileprivate mutating func entries() throws(WireError) -> [CommitRecord.Entry] {
    var entries: [CommitRecord.Entry] = []
    for _ in 0..<(try uint32("entries")) {
      let id = try tableID()
      let after = try uint64("digest")
      let before = try table(id)
      entries.append(CommitRecord.Entry(id: id, before: before, after: after, committed: try table(id)))
    }
    return entries
  }
}
