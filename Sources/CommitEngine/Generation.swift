public import Netfilter
public import RuleStore

/// A commit that was declared good: the rules that are Firebreak's own since then, and whose commit it was.
public struct Generation: Sendable {
  /// What a list of generations shows.
  public struct Summary: Hashable, Sendable {
    /// From 1 on, over all network namespaces that share a state directory; no number is used twice.
    public let number: Int
    /// Seconds since 1970.
    public let time: Int64
    public let author: Author
    public let message: String
    /// The name of the backend that carried it out (``Capabilities/name``); it can be loaded on any.
    public let backend: String
    /// Rules that it put into the kernel and took out of it.
    public let added: Int
    public let removed: Int
    /// The generation whose rules these are again, where it was a rollback; 0 for what there was before the first.
    public let restores: Int?
    /// The tables that are Firebreak's own.
    public let tables: [TableID]
    package let nonce: UInt64
    /// The generation that was there before; 0 where there was none.
    package let base: Int
    /// The start of the machine and the network namespace in which it was made.
    package let boot: String
    package let place: Place
  }

  public let summary: Summary
  /// Firebreak's own rules; those of other programs are not among them.
  public let ruleset: Ruleset
  /// Tables that came under Firebreak with this generation, as they were found; nil for one that the kernel had not made.
  package let found: [TableID: Table?]
  /// The names of the sets (ipset) whose numbers the rules hold.
  package let sets: [UInt16: String]
  /// What stands beside tables of iptables, as the commits left it that changed it.
  package var companions: [Companion: CompanionState] = [:]
  /// What of it came under Firebreak with this generation, as it was found.
  package var foundCompanions: [Companion: [UInt8]?] = [:]
  /// Whether the kernel held all of it when it was made. It does not where the machine has started anew and other tables
  /// than those of this commit have not been loaded yet.
  package var isLoaded = true

  public var number: Int { summary.number }

  /// With the numbers that its sets have now, and imagined ones for those that are gone.
  func withPresentSets(_ directory: IPSetDirectory) -> Generation {
    let moves = SetMoves(sets, directory.presentOrImagined)
    guard !moves.isEmpty else { return self }
    var result = Generation(
      summary: summary, ruleset: Ruleset(ruleset.tables.map { $0.renumberingSets { moves[$0] } }),
      found: found.mapValues { $0?.renumberingSets { moves[$0] } }, sets: moves.names)
    result.companions = companions
    result.foundCompanions = foundCompanions
    result.isLoaded = isLoaded
    return result
  }

  /// Whether a table holds its rules and no others.
  func holds(_ table: Table) -> Bool { ruleset[table.id]?.sameRules(as: table) == true }

  /// Whether the kernel holds all of it after a commit.
  /// - Parameters:
  ///   - own: what was Firebreak's before it.
  ///   - tables: those that the commit wrote, or found as they are to be.
  ///   - changes: those of its companions.
  func isLoaded(after own: OwnRules, writing tables: Set<TableID>, _ changes: [CompanionChange]) -> Bool {
    own.number == 0 || own.isInKernel
      || tables.isSuperset(of: summary.tables)
        && Set(changes.map(\.companion)).isSuperset(of: companions.ours.keys)
  }

  /// What is Firebreak's beside the tables.
  public var beside: [Companion] { companions.ours.keys.sorted() }
}

// MARK: Bytes on disk

/// `firebreak generation 1\n`, the length of the summary (4 bytes), its checksum (8 bytes), the summary, so that a list need
/// not read more; then the tables, companions where there are any, a zero (1 byte) where it is not loaded, and a checksum
/// over these (8 bytes).
extension Generation {
  private static let magic = Array("firebreak generation 1\n".utf8)
  private static let summaryStart = magic.count + 12
  /// No summary is longer.
  static let longestSummary = 64 << 10

  func write<Sink: RecordSink & ~Copyable>(to out: inout Sink) {
    var head = MemorySink()
    summary.write(to: &head)
    let bytes = head.bytes
    out.write(Self.magic)
    out.write(UInt32(bytes.count))
    out.write(bytes.withUnsafeBytes { RunningChecksum.of($0) })
    out.write(bytes)
    out.startChecksum()
    out.write(UInt32(ruleset.tables.count))
    for table in ruleset.tables {
      out.write(table.id)
      out.write(table)
    }
    out.write(UInt32(found.count))
    for (id, table) in found.sorted(by: { $0.key < $1.key }) {
      out.write(id)
      out.write(table)
    }
    out.write(sets)
    if !companions.isEmpty || !isLoaded {
      out.write(companions)
      out.write(foundCompanions)
    }
    if !isLoaded { out.write(UInt8(0)) }
    out.writeChecksum()
  }

  /// - Parameter bytes: of the file's beginning, at least ``longestSummary`` where there are as many.
  static func summary(of bytes: [UInt8]) throws(CommitRecord.Damage) -> (summary: Summary, end: Int) {
    guard bytes.count >= summaryStart, bytes.prefix(magic.count).elementsEqual(magic) else { throw .notARecord }
    let (length, sum) = bytes.withUnsafeBytes { all in
      (
        Int(all.loadUnaligned(fromByteOffset: magic.count, as: UInt32.self)),
        all.loadUnaligned(fromByteOffset: magic.count + 4, as: UInt64.self)
      )
    }
    let end = summaryStart + length
    guard end <= bytes.count, checksum(bytes, summaryStart..<end) == sum else { throw .checksum }
    do throws(WireError) {
      var reader = ByteReader(bytes.span.bytes.extracting(summaryStart..<end))
      let summary = try Summary(&reader)
      try reader.finish()
      return (summary, end)
    } catch { throw .content(error) }
  }

  init(decoding bytes: [UInt8]) throws(CommitRecord.Damage) {
    let (summary, end) = try Self.summary(of: bytes)
    let content = end..<max(end, bytes.count - 8)
    guard bytes.count >= end + 8,
      bytes.withUnsafeBytes({ $0.loadUnaligned(fromByteOffset: content.upperBound, as: UInt64.self) })
        == Self.checksum(bytes, content)
    else { throw .checksum }
    do throws(WireError) {
      var reader = ByteReader(bytes.span.bytes.extracting(content))
      self = try Self.tables(&reader, summary)
      try reader.finish()
    } catch { throw .content(error) }
  }

  private static func tables(_ reader: inout ByteReader, _ summary: Summary) throws(WireError) -> Generation {
    var ruleset = Ruleset()
    for _ in 0..<(try reader.uint32("tables")) {
      let id = try reader.tableID()
      guard let table = try reader.table(id) else { throw reader.invalid("table") }
      ruleset[id] = table
    }
    var found: [TableID: Table?] = [:]
    for _ in 0..<(try reader.uint32("found")) {
      let id = try reader.tableID()
      found.updateValue(try reader.table(id), forKey: id)
    }
    var generation = Generation(summary: summary, ruleset: ruleset, found: found, sets: try reader.sets())
    generation.companions = try reader.companionStates()
    generation.foundCompanions = try reader.companionContents()
    generation.isLoaded = try reader.isLoaded()
    return generation
  }

  private static func checksum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
    bytes.withUnsafeBytes { RunningChecksum.of(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
}

extension Generation.Summary {
  /// Whether it speaks of the present network namespace.
  package var isHere: Bool { place.isHere(since: boot) }

  /// The generation whose rules these are.
  var standing: Int { restores ?? number }

  fileprivate func write<Sink: RecordSink & ~Copyable>(to out: inout Sink) {
    out.write(UInt64(number))
    out.write(nonce)
    out.write(time)
    out.write(author.user)
    out.write(author.login ?? .max)
    out.write(lengthAndText: author.sudo ?? "")
    out.write(lengthAndText: message)
    out.write(lengthAndText: backend)
    out.write(UInt64(added))
    out.write(UInt64(removed))
    out.write(restores.map(UInt64.init) ?? .max)
    out.write(UInt32(tables.count))
    for id in tables { out.write(id) }
    out.write(UInt64(base))
    out.write(lengthAndText: boot)
    out.write(place.value)
  }

  fileprivate init(_ reader: inout ByteReader) throws(WireError) {
    number = try Self.count(&reader, "number")
    nonce = try reader.uint64("nonce")
    time = Int64(bitPattern: try reader.uint64("time"))
    let user = try reader.uint32("user")
    let login = try reader.uint32("login")
    let sudo = try reader.lengthAndText("sudo")
    author = Author(user: user, login: login == .max ? nil : login, sudo: sudo.isEmpty ? nil : sudo)
    message = try reader.lengthAndText("message")
    backend = try reader.lengthAndText("backend")
    added = try Self.count(&reader, "added")
    removed = try Self.count(&reader, "removed")
    restores = Int(exactly: try reader.uint64("restores"))
    var tables: [TableID] = []
    for _ in 0..<(try reader.uint32("tables")) { tables.append(try reader.tableID()) }
    self.tables = tables
    base = try Self.count(&reader, "base")
    boot = try reader.lengthAndText("boot")
    place = Place(value: try reader.uint64("place"))
  }

  private static func count(_ reader: inout ByteReader, _ field: StaticString) throws(WireError) -> Int {
    guard let value = Int(exactly: try reader.uint64(field)) else { throw reader.invalid(field) }
    return value
  }
}

extension ByteReader {
  /// ``Generation/isLoaded``; so it is where the bytes are at their end.
  mutating func isLoaded() throws(WireError) -> Bool { remaining > 0 ? try uint8("loaded") != 0 : true }
}
