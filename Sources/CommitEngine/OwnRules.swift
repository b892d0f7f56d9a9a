internal import Glibc
internal import Netfilter
internal import RuleStore

/// What is Firebreak's own: a digest of each of its tables, so that a commit sees without reading a whole generation whether
/// the kernel holds anything else. A file beside the generations, made anew from the newest of them where it is missing.
struct OwnRules: Equatable {
  /// The newest generation's of this network namespace; 0 before the first.
  var number: Int
  /// The start of the machine in which the kernel was given rules of it.
  var boot: String
  /// Whether the kernel was given all of it in that start; see ``Generation/isLoaded``.
  var isLoaded = true
  var place: Place
  var digests: [TableID: UInt64]
  /// See ``Generation/companions``.
  var companions: [Companion: CompanionState]
  /// Tables that hold rules of others too, as far as the kernel was seen to hold them beside these.
  var shared: [TableID: Shared] = [:]

  /// A table with Firebreak's rules and those of others.
  struct Shared: Equatable {
    /// Of all its rules.
    let digest: UInt64
    /// What was worth saying of the others.
    let notes: [String]
  }

  static let file = "own"
  private static let magic = Array("firebreak own 3\n".utf8)

  init(_ generation: Generation, boot: String) {
    number = generation.number
    self.boot = boot
    isLoaded = generation.isLoaded
    place = .current
    digests = generation.ruleset.tables.reduce(into: [:]) { $0[$1.id] = CommitRecord.digest(of: $1) }
    companions = generation.companions
  }

  private init(
    number: Int, boot: String, place: Place, digests: [TableID: UInt64], companions: [Companion: CompanionState] = [:]
  ) {
    self.companions = companions
    self.number = number
    self.boot = boot
    self.place = place
    self.digests = digests
  }

  /// Of the newest generation that is whole.
  static func load(_ history: History) throws -> OwnRules {
    let newest = try history.numbers().last ?? 0
    let written = try read(history.state).flatMap { $0.place.isHere(since: $0.boot) ? $0 : nil }
    if let written, written.number == newest { return written }
    guard let generation = try history.newestIntact() else {
      return OwnRules(number: 0, boot: "", place: .current, digests: [:])
    }
    var own = OwnRules(generation, boot: written?.boot ?? generation.summary.boot)
    if let written { own.isLoaded = written.isLoaded }
    return own
  }

  /// Whether the kernel was given all of it in the present start of the machine.
  var isInKernel: Bool { isLoaded && boot == BootID.current }

  func save(_ state: StateDirectory) throws(SystemError) {
    try state.write(to: Self.file) { out in
      out.write(Self.magic)
      out.startChecksum()
      out.write(UInt64(number))
      out.write(lengthAndText: boot)
      out.write(place.value)
      out.write(UInt32(digests.count))
      for (id, digest) in digests.sorted(by: { $0.key < $1.key }) {
        out.write(id)
        out.write(digest)
      }
      out.write(UInt32(shared.count))
      for (id, table) in shared.sorted(by: { $0.key < $1.key }) {
        out.write(id)
        out.write(table.digest)
        out.write(UInt32(table.notes.count))
        for note in table.notes { out.write(lengthAndText: note) }
      }
      if !companions.isEmpty || !isLoaded { out.write(companions) }
      if !isLoaded { out.write(UInt8(0)) }
      out.writeChecksum()
    }
  }

  private static func read(_ state: StateDirectory) throws(SystemError) -> OwnRules? {
    guard let bytes = try state.read(file), bytes.count > magic.count + 8,
      bytes.prefix(magic.count).elementsEqual(magic)
    else { return nil }
    let content = magic.count..<bytes.count - 8
    let isWhole = bytes.withUnsafeBytes { all in
      all.loadUnaligned(fromByteOffset: content.upperBound, as: UInt64.self)
        == RunningChecksum.of(UnsafeRawBufferPointer(rebasing: all[content]))
    }
    return isWhole ? try? decode(bytes, content) : nil
  }

  private static func decode(_ bytes: [UInt8], _ content: Range<Int>) throws(WireError) -> OwnRules {
    var reader = ByteReader(bytes.span.bytes.extracting(content))
    guard let number = Int(exactly: try reader.uint64("number")) else { throw reader.invalid("number") }
    let boot = try reader.lengthAndText("boot")
    let place = Place(value: try reader.uint64("place"))
    var digests: [TableID: UInt64] = [:]
    for _ in 0..<(try reader.uint32("tables")) {
      let id = try reader.tableID()
      digests[id] = try reader.uint64("digest")
    }
    var shared: [TableID: Shared] = [:]
    for _ in 0..<(try reader.uint32("shared")) {
      let id = try reader.tableID()
      let digest = try reader.uint64("digest")
      let notes = try (0..<(try reader.uint32("notes"))).map { _ throws(WireError) in
        try reader.lengthAndText("note")
      }
      shared[id] = Shared(digest: digest, notes: notes)
    }
    let companions = try reader.companionStates()
    let isLoaded = try reader.isLoaded()
    try reader.finish()
    var own = OwnRules(number: number, boot: boot, place: place, digests: digests, companions: companions)
    own.shared = shared
    own.isLoaded = isLoaded
    return own
  }
}
